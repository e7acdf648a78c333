//! Each message names the file that is wrong.

use std::path::Path;

use voxload::{DataobjImage, Error};

use super::{gzipped, loaded, written};
use crate::formats::seeds;
use crate::support::folder;

/// The error of loading a file or of reading all of it.
fn error_of(path: impl AsRef<Path>) -> Error {
    let read = voxload::load(path).and_then(|image| image.dataobj().read::<f32>());
    read.unwrap_err()
}

#[track_caller]
fn names(error: &Error, file: &str) {
    let path = error.path().unwrap_or_else(|| panic!("no file: {error}"));
    assert_eq!(path.file_name().unwrap(), file, "{error}");
    assert!(error.to_string().contains(file), "{error}");
}

#[test]
fn of_the_matrix_the_voxels_and_the_pieces() {
    let folder = folder();
    let mut analyze = seeds::analyze();
    analyze.files[2].1 = b"not a matrix".to_vec();
    names(&error_of(analyze.write(folder.path())), "seed.mat");
    let mut analyze = seeds::analyze();
    analyze.files[2].1 = seeds::mat5("other");
    names(&error_of(analyze.write(folder.path())), "seed.mat");

    for (mut seed, file) in [
        (seeds::parrec(), "seed.rec"),
        (seeds::analyze(), "seed.img"),
        (seeds::afni(), "seed+orig.BRIK"),
        (seeds::nhdr(), "seed.raw"),
        (seeds::mhd(), "seed.raw"),
    ] {
        let folder = crate::support::folder();
        seed.files[1].1.truncate(40);
        names(&error_of(seed.write(folder.path())), file);
        std::fs::remove_file(folder.path().join(file)).unwrap();
        names(&error_of(folder.path().join(&seed.files[0].0)), file);
    }
}

#[test]
fn of_one_of_many_pieces() {
    let folder = folder();
    let slice = |name: &str, bytes: &[u8]| written(folder.path(), name, bytes);
    let header = "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 3 4 3\nencoding: raw\ndata file: s%d.raw 0 2 1\n";
    for (name, whole, cut) in [
        ("a.nhdr", [7; 12].to_vec(), [7; 5].to_vec()),
        (
            "b.nhdr",
            gzipped(&[7; 12]),
            gzipped(&[7; 12])[..20].to_vec(),
        ),
    ] {
        for file in 0..3 {
            slice(&format!("s{file}.raw"), &whole);
        }
        let text = match name {
            "b.nhdr" => header.replace("raw\ndata", "gzip\ndata"),
            _ => header.to_owned(),
        };
        let path = written(folder.path(), name, text);
        assert!(
            voxload::load(&path)
                .unwrap()
                .dataobj()
                .read::<f32>()
                .is_ok()
        );
        slice("s1.raw", &cut);
        names(&error_of(&path), "s1.raw");
        std::fs::remove_file(folder.path().join("s1.raw")).unwrap();
        names(&error_of(&path), "s1.raw");
    }
}

#[test]
fn of_the_header_for_what_is_wrong_in_it() {
    let folder = folder();
    let result = loaded(
        folder.path(),
        "a.nhdr",
        seeds::NRRD.replace("dimension: 3", "dimension: x"),
    );
    names(&result.unwrap_err(), "a.nhdr");
    let text = format!("{}data file: LIST\na.raw\n", seeds::NRRD);
    names(
        &loaded(folder.path(), "b.nhdr", text).unwrap_err(),
        "b.nhdr",
    );
    // Bytes have no name.
    let error = DataobjImage::from_bytes(b"NRRD0004\ntype: uchar\n\n".to_vec()).unwrap_err();
    assert_eq!(error.path(), None);
}
