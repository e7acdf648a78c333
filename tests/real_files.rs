//! Promise: the volumes that people have. Every NIfTI file in the data folders of the nibabel and nilearn wheels,
//! listed by `tests/oracle/real_files.py`. For some of them the hashes are known beside that list.

use voxload::DataobjImage;

use crate::support::errors::outcome;
use crate::support::floats::{from_hex, ulps};
use crate::support::volumes::NIBABEL;
use crate::support::{backend::Backend, oracle};

/// Sums of the f64 values, exact for integers.
const SUMS: [(&str, f64); 4] = [
    ("anatomical.nii", 284_166_082.0),
    ("example4d.nii.gz", 101_985_356.0),
    ("example_nifti2.nii.gz", 6_926_802.0),
    ("standard.nii.gz", 7650.0),
];

fn check_affine(name: &str, image: &DataobjImage, expected: &str) {
    let expected: Vec<f64> = expected.split(' ').map(from_hex).collect();
    let affine = image.affine().expect("NIfTI always has an affine");
    assert_eq!(expected.len(), 16);
    for (&found, &expected) in affine.as_flattened().iter().zip(&expected) {
        assert!(
            ulps(found, expected) <= 1,
            "{name}: {found:e}, not {expected:e}"
        );
    }
}

fn check(row: &[String], backends: &[Backend]) -> (String, bool) {
    let [path, shape, dtype, affine, f4, f8] = row else {
        panic!("six columns: {row:?}");
    };
    let image = voxload::load(path).unwrap_or_else(|error| panic!("{error}"));
    let name = path.rsplit('/').next().expect("a name").to_owned();
    assert_eq!(image.shape(), oracle::shape(shape), "{name}");
    assert_eq!(image.header().dtype.name(), dtype, "{name}");
    check_affine(&name, &image, affine);
    if f4 == "missing" {
        assert_eq!(
            outcome(&image.dataobj().read::<f32>()),
            "NotFound",
            "{name}"
        );
        return (name, false);
    }
    for &backend in backends {
        let wide = backend.read::<f64>(&image).expect("it can be read");
        let narrow = backend.read::<f32>(&image).expect("it can be read");
        assert_eq!(oracle::hash(&narrow), *f4, "{backend:?}: {name} as f32");
        assert_eq!(oracle::hash(&wide), *f8, "{backend:?}: {name} as f64");
        for (_, sum) in SUMS.iter().filter(|(of, _)| *of == name) {
            assert_eq!(wide.as_slice().iter().sum::<f64>(), *sum, "{name}");
        }
    }
    for known in NIBABEL.iter().filter(|known| known.file == name) {
        let found = (f4.as_str(), f8.as_str());
        assert_eq!(found, (known.f32s, known.f64s), "{name}");
    }
    (name, true)
}

#[test]
#[ignore = "needs nibabel's results (tests/run.sh)"]
fn every_nifti_file_of_the_wheels() {
    let test = "files of the nibabel and nilearn wheels";
    let (_, rows) = oracle::manifest("real_files.txt");
    let backends = Backend::available(test);
    let checked: Vec<_> = rows.iter().map(|row| check(row, &backends)).collect();
    let whole = checked.iter().filter(|(_, read)| *read).count();
    assert!(whole >= 11, "{checked:?}");
    let known = NIBABEL.iter().map(|known| known.file);
    let known: Vec<_> = known
        .filter(|name| name.ends_with(".nii") || name.ends_with(".nii.gz"))
        // CIFTI-2; `formats/real.rs` has it.
        .filter(|name| !name.ends_with(".dconn.nii"))
        .collect();
    assert_eq!(known.len(), 7, "{known:?}");
    for name in known {
        assert!(
            checked.contains(&(name.to_owned(), true)),
            "{name} was not there"
        );
    }
    assert!(
        rows.iter().any(|row| row[0].contains("nilearn")),
        "nilearn's files"
    );
}
