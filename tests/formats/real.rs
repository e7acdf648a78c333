//! nibabel's own volumes, against hashes of what nibabel 5.4.2 reads from them.

use std::collections::BTreeSet;

use voxload::{DataobjImage, StoredArray};

use super::options;
use crate::support::backend::Backend;
use crate::support::environment::oracle_folder;
use crate::support::oracle::digest;
use crate::support::volumes::{NIBABEL, NIBABEL_MINC2, Volume};

/// Volumes and options with a hash.
const ALL: usize = if cfg!(feature = "minc2") { 27 } else { 21 };

#[test]
#[ignore = "needs nibabel's results (tests/run.sh)"]
fn nibabels_volumes_have_its_bits() {
    let folder = oracle_folder().join("formats");
    let backends = Backend::available("nibabel's volumes");
    let mut hashes = BTreeSet::new();
    let minc2 = match cfg!(feature = "minc2") {
        true => NIBABEL_MINC2,
        false => &[],
    };
    for volume in NIBABEL.iter().chain(minc2) {
        let &Volume {
            file,
            options: names,
            shape,
            dtype,
            affine,
            f32s,
            f64s,
        } = volume;
        let image =
            DataobjImage::from_filename(folder.join("real").join(file), &options(names)).unwrap();
        let name = format!("{file} {names}");
        assert_eq!(format!("{:?}", image.shape()), shape, "{name}");
        assert_eq!(image.dataobj().dtype().name(), dtype, "{name}");
        let found = image.affine().map_or("-".to_owned(), affine_digest);
        assert_eq!(found, affine, "{name}: affine {:?}", image.affine());
        for &backend in &backends {
            let narrow: StoredArray = backend.read::<f32>(&image).unwrap().into();
            assert_eq!(digest(&narrow), f32s, "{name} f32 on {backend:?}");
            let wide: StoredArray = backend.read::<f64>(&image).unwrap().into();
            assert_eq!(digest(&wide), f64s, "{name} f64 on {backend:?}");
        }
        hashes.insert((
            file.trim_end_matches("BRIK.gz").trim_end_matches("HEAD"),
            names,
        ));
    }
    // The two files of an AFNI volume are one row.
    assert_eq!(hashes.len(), ALL, "{hashes:?}");
}

fn affine_digest(affine: &voxload::Affine) -> String {
    use sha2::{Digest, Sha256};
    let bytes: Vec<u8> = affine
        .as_flattened()
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let hash = Sha256::digest(bytes);
    hash.iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
