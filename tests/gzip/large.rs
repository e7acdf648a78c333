//! Files that are large enough for their first whole read to be cut up for all threads.

use voxload::{DType, DataobjImage, ErrorKind, Float, LoadOptions, Mmap};

use super::files::{by_tool, libdeflate, open, scan};
use crate::support::nifti::{Nifti, gz};
use crate::support::rng::Rng;
use crate::support::{folder, write};

/// Volumes of 17 MB in each of the ways to their output: wider than stored, as wide, narrower.
fn volumes() -> [Nifti; 3] {
    [
        scan(DType::I16, &[128, 128, 33, 16], 1),
        scan(DType::F32, &[128, 128, 33, 8], 2).scl(1.0, 0.0),
        scan(DType::F64, &[128, 128, 33, 4], 3),
    ]
}

/// Files of one member by different compressors; blocks of fixed codes and stored ones are in some.
fn members(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut members = vec![
        ("zlib -0".to_owned(), gz(bytes, 0)),
        ("zlib -1".to_owned(), gz(bytes, 1)),
        ("zlib -6".to_owned(), gz(bytes, 6)),
        ("libdeflate -1".to_owned(), libdeflate(bytes, 1)),
        ("libdeflate -9".to_owned(), libdeflate(bytes, 9)),
    ];
    for (tool, arguments) in [
        ("gzip", &["-c", "-1"][..]),
        ("gzip", &["-c", "-6"]),
        ("gzip", &["-c", "-9"]),
        ("pigz", &["-c", "-p", "2"]),
        ("pigz", &["-c", "-i", "-p", "2"]),
    ] {
        let made = by_tool(tool, arguments, bytes);
        members.extend(made.map(|file| (format!("{tool} {arguments:?}"), file)));
    }
    members
}

fn bits<T: Float>(image: &DataobjImage) -> Vec<u8> {
    let values = image.dataobj().read::<T>().expect("a read");
    bytemuck::cast_slice(values.as_slice()).to_vec()
}

#[test]
fn whole_reads_by_any_number_of_threads() {
    let folder = folder();
    for (number, volume) in volumes().iter().enumerate() {
        let bytes = volume.single();
        let plain = open(&write(&folder, "plain.nii", &bytes));
        let (narrow, wide) = (bits::<f32>(&plain), bits::<f64>(&plain));
        for (name, file) in members(&bytes) {
            let path = write(&folder, "it.nii.gz", &file);
            for threads in [2, 5] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
                pool.expect("threads").install(|| {
                    let mmap = if threads == 5 {
                        Mmap::Off
                    } else {
                        Mmap::ReadOnly
                    };
                    let options = LoadOptions::new().mmap(mmap);
                    let image = DataobjImage::from_filename(&path, &options).expect("it loads");
                    let what = format!("{name}, volume {number}, {threads} threads");
                    assert!(bits::<f32>(&image) == narrow, "{what}");
                    assert!(threads == 5 || bits::<f64>(&image) == wide, "{what}");
                });
            }
        }
    }
}

#[test]
fn damage_is_found() {
    let bytes = scan(DType::I16, &[128, 128, 33, 16], 4).single();
    let file = libdeflate(&bytes, 6);
    let mut rng = Rng::new(5);
    for number in 0..40 {
        let mut damaged = file.clone();
        match number % 4 {
            0 => damaged.truncate(file.len() - 1 - rng.below(file.len() / 2)),
            1 => drop(damaged.splice(file.len() / 2.., rng.bytes(file.len() / 3))),
            _ => damaged[100 + rng.below(file.len() - 100)] ^= 1 << rng.below(8),
        }
        let image = DataobjImage::from_bytes(damaged).expect("the header is sound");
        let error = image.dataobj().read::<f32>().expect_err("it is damaged");
        let found = matches!(
            error.kind(),
            ErrorKind::Integrity { .. } | ErrorKind::Truncated { .. }
        );
        assert!(found, "damage {number}: {error}");
    }
}
