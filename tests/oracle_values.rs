//! Promise: the values are nibabel's. `tests/oracle/values.py` makes files of every type, byte order, version and
//! kind, and hashes what nibabel reads from them.

use std::collections::BTreeMap;
use std::path::Path;

use half::f16;
use voxload::{Caching, DataobjImage, c64, c128};

use crate::support::naive::Out;
use crate::support::{backend::Backend, for_each_parallel, oracle};

fn hash(backend: Backend, image: &DataobjImage, request: &str) -> Option<String> {
    fn real<T: Out>(backend: Backend, image: &DataobjImage) -> String {
        oracle::hash(&backend.read::<T>(image).expect("it can be read"))
    }
    Some(match (request, backend) {
        ("f2", _) => real::<f16>(backend, image),
        ("f4", _) => real::<f32>(backend, image),
        ("f8", _) => real::<f64>(backend, image),
        // The rest has no kernel on a GPU.
        ("c8", Backend::Cpu) => {
            oracle::hash(&image.get_fdata::<c64>(Caching::Unchanged).expect("c64"))
        }
        ("c16", Backend::Cpu) => {
            oracle::hash(&image.get_fdata::<c128>(Caching::Unchanged).expect("c128"))
        }
        ("raw", Backend::Cpu) => {
            oracle::hash_bytes(image.dataobj().unscaled().expect("raw").as_bytes())
        }
        #[cfg(feature = "gpu")]
        ("c8" | "c16" | "raw", _) => return None,
        _ => panic!("the manifest asks for {request}"),
    })
}

fn check(folder: &Path, name: &str, rows: &[Vec<String>], backends: &[Backend]) {
    let image = voxload::load(folder.join(name)).unwrap_or_else(|error| panic!("{error}"));
    let complex = image.header().dtype.is_complex();
    for row in rows {
        let [_, request, shape, expected] = row.as_slice() else {
            panic!("four columns: {row:?}");
        };
        assert_eq!(image.shape(), oracle::shape(shape), "{name}");
        for &backend in backends {
            if complex && backend != Backend::Cpu {
                continue;
            }
            if let Some(found) = hash(backend, &image, request) {
                assert_eq!(found, *expected, "{backend:?}: {name} as {request}");
            }
        }
    }
}

#[test]
#[ignore = "needs nibabel's results (tests/run.sh)"]
fn nibabel_gives_the_same_bits() {
    let test = "values of nibabel";
    let (folder, rows) = oracle::manifest("values.txt");
    let mut files = BTreeMap::<String, Vec<Vec<String>>>::new();
    let mut requests = BTreeMap::<String, u64>::new();
    for row in rows {
        *requests.entry(row[1].clone()).or_default() += 1;
        files.entry(row[0].clone()).or_default().push(row);
    }
    // Every 8- and 16-bit value and a million patterns of wider types: 48 pairs, 2 orders, 2 versions and more.
    for real in ["f2", "f4", "f8"] {
        assert!(requests[real] >= 10 * 48 * 2 * 2, "{requests:?}");
    }
    assert!(
        requests["c8"] >= 80 && requests["c16"] >= 80,
        "{requests:?}"
    );
    let backends = Backend::available(test);
    let folder = folder.join("values");
    for_each_parallel(files, |(name, rows)| {
        check(&folder, &name, &rows, &backends)
    });
}
