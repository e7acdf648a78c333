//! Voxels in several files: as many as the sizes need, or an error that names both counts.

use std::path::Path;

use super::{field, gzipped, loaded, values, written, zlibbed};
use crate::support::folder;

/// Eight files of a slice of 3 x 4 voxels, the numbers from 100 * the number of the file on.
fn slices(folder: &Path) {
    for file in 0..8i16 {
        let voxels = (0..12).flat_map(|n| (n + 100 * file).to_le_bytes());
        written(folder, &format!("s{file}.raw"), voxels.collect::<Vec<u8>>());
    }
}

const META: &str = "ObjectType = Image\nNDims = 3\nDimSize = 3 4 4\nElementType = MET_SHORT\n\
                    ElementSpacing = 1 1 1\nElementByteOrderMSB = False\n";

const NRRD: &str =
    "NRRD0004\ntype: int16\ndimension: 3\nsizes: 3 4 4\nendian: little\nencoding: raw\n";

fn names(count: usize) -> String {
    (0..count).map(|file| format!("s{file}.raw\n")).collect()
}

/// The first voxel of each slice.
fn firsts(values: &[f64]) -> Vec<f64> {
    values.chunks(12).map(|slice| slice[0]).collect()
}

#[test]
fn metaimage_takes_the_first_files() {
    let folder = folder();
    slices(folder.path());
    for (data_file, expected) in [
        (format!("LIST 2\n{}", names(8)), [0.0, 100.0, 200.0, 300.0]),
        (format!("LIST\n{}", names(8)), [0.0, 100.0, 200.0, 300.0]),
        (format!("LIST\n{}", names(4)), [0.0, 100.0, 200.0, 300.0]),
        // A number of axes that leaves none over is ignored.
        (format!("LIST 3\n{}", names(8)), [0.0, 100.0, 200.0, 300.0]),
        (format!("LIST 0\n{}", names(8)), [0.0, 100.0, 200.0, 300.0]),
        ("s%d.raw 0 7 1\n".to_owned(), [0.0, 100.0, 200.0, 300.0]),
        ("s%d.raw 0 3 1\n".to_owned(), [0.0, 100.0, 200.0, 300.0]),
        ("s%d.raw 0 7 2\n".to_owned(), [0.0, 200.0, 400.0, 600.0]),
        ("s%d.raw 0 7\n".to_owned(), [0.0, 100.0, 200.0, 300.0]),
        ("s%d.raw 3\n".to_owned(), [300.0, 400.0, 500.0, 600.0]),
        ("s%d.raw\n".to_owned(), [100.0, 200.0, 300.0, 400.0]),
    ] {
        let text = format!("{META}ElementDataFile = {data_file}");
        let image = loaded(folder.path(), "list.mhd", text).unwrap();
        let found = values(&image);
        assert_eq!(firsts(&found), expected, "{data_file}");
        assert_eq!(found[47], expected[3] + 11.0, "{data_file}");
    }
}

#[test]
fn metaimage_without_enough_files_names_both_counts() {
    let folder = folder();
    slices(folder.path());
    for (data_file, have, need) in [
        (format!("LIST\n{}", names(3)), "3 files", "4"),
        // 4 x 4 files of a row each.
        (format!("LIST 1\n{}", names(8)), "8 files", "16"),
        ("s%d.raw 0 1 1\n".to_owned(), "2 files", "4"),
        ("s%d.raw 7 0 1\n".to_owned(), "0 files", "4"),
    ] {
        let text = format!("{META}ElementDataFile = {data_file}");
        let (of, message) = field(loaded(folder.path(), "few.mhd", text));
        assert_eq!(of, "ElementDataFile");
        assert!(
            message.contains(have) && message.contains(&format!("expected {need}")),
            "{message}"
        );
        assert!(message.contains("few.mhd"), "{message}");
    }
    for step in ["0", "-1"] {
        let text = format!("{META}ElementDataFile = s%d.raw 0 3 {step}\n");
        assert_eq!(
            field(loaded(folder.path(), "step.mhd", text)).0,
            "ElementDataFile"
        );
    }
}

#[test]
fn metaimage_pieces_may_be_compressed_and_have_spaces_in_their_names() {
    let folder = folder();
    for file in 0..4u8 {
        let name = format!("a b {file}.zraw");
        written(folder.path(), &name, zlibbed(&[file; 24]));
    }
    let text = format!("{META}CompressedData = True\nElementDataFile = a b %d.zraw 0 3 1\n");
    let image = loaded(folder.path(), "spaces.mhd", text).unwrap();
    assert_eq!(firsts(&values(&image)), [0.0, 257.0, 514.0, 771.0]);
}

#[test]
fn nrrd_takes_as_many_files_as_the_sizes_say() {
    let folder = folder();
    slices(folder.path());
    for (data_file, expected) in [
        (format!("LIST\n{}", names(4)), [0.0, 100.0, 200.0, 300.0]),
        (format!("LIST 2\n{}", names(4)), [0.0, 100.0, 200.0, 300.0]),
        ("s%d.raw 0 3 1".to_owned(), [0.0, 100.0, 200.0, 300.0]),
        ("s%d.raw 0 6 2 2".to_owned(), [0.0, 200.0, 400.0, 600.0]),
        ("s%d.raw 6 0 -2".to_owned(), [600.0, 400.0, 200.0, 0.0]),
        // The last number need not be one of a file.
        ("s%d.raw 0 7 2".to_owned(), [0.0, 200.0, 400.0, 600.0]),
    ] {
        let text = format!("{NRRD}data file: {data_file}\n");
        let image = loaded(folder.path(), "list.nhdr", text).unwrap();
        let found = values(&image);
        assert_eq!(firsts(&found), expected, "{data_file}");
        assert_eq!(found[47], expected[3] + 11.0, "{data_file}");
    }
}

#[test]
fn nrrd_slabs_divide_the_last_axis() {
    let folder = folder();
    for file in 0..2u8 {
        written(folder.path(), &format!("slab{file}.raw"), [file; 48]);
    }
    let text = format!("{NRRD}data file: slab%d.raw 0 1 1 3\n");
    let image = loaded(folder.path(), "slabs.nhdr", text).unwrap();
    assert_eq!(firsts(&values(&image)), [0.0, 0.0, 257.0, 257.0]);
    let (_, message) = field(loaded(
        folder.path(),
        "three.nhdr",
        format!("{NRRD}data file: slab%d.raw 0 2 1 3\n"),
    ));
    assert!(
        message.contains("3 files") && message.contains("divides 4"),
        "{message}"
    );
}

#[test]
fn nrrd_with_other_counts_names_both() {
    let folder = folder();
    slices(folder.path());
    for (data_file, have, need) in [
        (format!("LIST 2\n{}", names(8)), "8 files", "4 of 2 axes"),
        (format!("LIST\n{}", names(8)), "8 files", "4 of 2 axes"),
        (format!("LIST\n{}", names(3)), "3 files", "4 of 2 axes"),
        ("LIST\n".to_owned(), "0 files", "4 of 2 axes"),
        (format!("LIST 1\n{}", names(8)), "8 files", "16 of 1 axes"),
        ("s%d.raw 0 7 1".to_owned(), "8 files", "4 of 2 axes"),
        ("s%d.raw 0 7 1 1".to_owned(), "8 files", "16 of 1 axes"),
    ] {
        let text = format!("{NRRD}data file: {data_file}\n");
        let (of, message) = field(loaded(folder.path(), "list8.nhdr", text));
        assert_eq!(of, "datafile");
        assert!(
            message.contains(have) && message.contains(need),
            "{message}"
        );
    }
    for bad in [
        "LIST 4\ns0.raw",
        "LIST 0\ns0.raw",
        "LIST x\ns0.raw",
        "s%d.raw 0 3",
        "s%d.raw 0 3 0",
        "s%d.raw 0 3 -1",
    ] {
        let text = format!("{NRRD}data file: {bad}\n");
        assert_eq!(
            field(loaded(folder.path(), "bad.nhdr", text)).0,
            "datafile",
            "{bad}"
        );
    }
    // A percent sign without a number is a name.
    written(folder.path(), "50%.raw", [7; 96]);
    let text = format!("{NRRD}data file: 50%.raw\n");
    let image = loaded(folder.path(), "percent.nhdr", text).unwrap();
    assert_eq!(values(&image), [1799.0; 48]);
}

#[test]
fn nrrd_skips_from_the_start_or_the_end() {
    let folder = folder();
    let voxels: Vec<u8> = (0..48i16).flat_map(i16::to_le_bytes).collect();
    let expected: Vec<f64> = (0..48).map(f64::from).collect();
    for encoding in ["raw", "gzip"] {
        for (skip, before, after) in [(0, 0, 0), (5, 5, 0), (-1, 0, 0), (-1, 9, 0), (-4, 9, 3)] {
            for rest in ["attached", "detached"] {
                let inner = [&vec![1; before][..], &voxels, &vec![2; after]].concat();
                let stored = match encoding {
                    "gzip" => gzipped(&inner),
                    _ => inner,
                };
                let header = NRRD.replace("raw", encoding);
                let header = format!("{header}byte skip: {skip}\n");
                let image = if rest == "attached" {
                    let bytes = [header.as_bytes(), b"\n", &stored].concat();
                    loaded(folder.path(), "skip.nrrd", bytes)
                } else {
                    written(folder.path(), "skip.raw", stored);
                    let text = format!("{header}data file: skip.raw\n");
                    loaded(folder.path(), "skip.nhdr", text)
                };
                let image = image.unwrap();
                assert_eq!(values(&image), expected, "{encoding} {skip} {rest}");
                let taken = image.dataobj().slice::<f64>("[1, 2, :]");
                assert_eq!(taken.unwrap().as_slice(), [7.0, 19.0, 31.0, 43.0]);
            }
        }
        // The end is before the voxels' length.
        let stored = match encoding {
            "gzip" => gzipped(&voxels[1..]),
            _ => voxels[1..].to_vec(),
        };
        let header = NRRD.replace("raw", encoding);
        let bytes = [header.as_bytes(), b"byte skip: -1\n\n", &stored].concat();
        let read = loaded(folder.path(), "short.nrrd", bytes)
            .and_then(|image| image.dataobj().read::<f32>());
        let error = read.unwrap_err();
        assert!(
            matches!(error.kind(), voxload::ErrorKind::Truncated { .. }),
            "{error}"
        );
    }
    // In a compressed file, where the length is not known either.
    let bytes = [NRRD.as_bytes(), b"byte skip: -1\n\n", b"pad", &voxels].concat();
    let image = loaded(folder.path(), "whole.nrrd.gz", gzipped(&bytes)).unwrap();
    assert_eq!(values(&image), expected);
}

#[test]
fn nrrd_lists_with_a_skip_for_each_file() {
    let folder = folder();
    for (file, before, after) in [(0u8, 0, 0), (1, 3, 0), (2, 9, 0), (3, 9, 2)] {
        let bytes = [vec![9; before], vec![file; 24], vec![8; after]].concat();
        written(folder.path(), &format!("k{file}.raw"), bytes);
    }
    let header = NRRD.replace("NRRD0004", "NRRD0006");
    let list = "data file: SKIPLIST\n0 k0.raw\n3 k1.raw\n-1 k2.raw\n-3 k3.raw\n";
    let image = loaded(folder.path(), "skips.nhdr", format!("{header}{list}")).unwrap();
    assert_eq!(firsts(&values(&image)), [0.0, 257.0, 514.0, 771.0]);
    let both = format!("{header}byte skip: 2\n{list}");
    assert_eq!(
        field(loaded(folder.path(), "both.nhdr", both)).0,
        "byteskip"
    );
}
