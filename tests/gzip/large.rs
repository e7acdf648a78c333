//! Files that are large enough for their first whole read to be cut up for all threads.

use voxload::{
    Access, DType, DataobjImage, ErrorKind, FileHolder, FileMap, FileRole, Float, FrameOptions,
    Index, LoadOptions, Mmap, Threads,
};

use super::files::{by_tool, libdeflate, open, scan};
use crate::support::nifti::{Nifti, gz};
use crate::support::rng::Rng;
use crate::support::source::CountingSource;
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

/// An image over a source that counts what is read of it.
fn counted(file: &[u8], options: &LoadOptions) -> (std::sync::Arc<CountingSource>, DataobjImage) {
    let source = CountingSource::new(file.to_vec());
    let holder = FileHolder::from_source(source.clone());
    let map = FileMap::from([(FileRole::Image, holder)]);
    let image = DataobjImage::from_file_map(map, options).expect("it loads");
    (source, image)
}

/// A read of the whole leaves an index: slices after it inflate their chunks, each once.
#[test]
fn nothing_is_inflated_twice_after_a_whole_read() {
    let bytes = scan(DType::I16, &[128, 128, 33, 16], 1).single();
    let plain = DataobjImage::from_bytes(bytes.clone()).expect("it loads");
    let options = LoadOptions::new().threads(Threads::new(2).expect("threads"));
    for (name, file) in members(&bytes) {
        if ["zlib -0", "zlib -1", "libdeflate -1"].contains(&name.as_str()) {
            // Without blocks of dynamic codes.
            continue;
        }
        for way in ["whole", "frames"] {
            let what = format!("{name}, {way}");
            let (source, image) = counted(&file, &options);
            match way {
                "whole" => drop(image.dataobj().read::<f32>().expect("a read")),
                _ => {
                    let frames = image.frames::<f32>(FrameOptions::new()).expect("a stream");
                    assert_eq!(frames.filter(|frame| frame.is_ok()).count(), 16, "{what}");
                }
            }
            assert_eq!(image.dataobj().access(), Access::Random, "{what}");
            source.reset();
            let mut read = Vec::new();
            for number in [9, 9, 3, 9, 3] {
                let index = Index::new().ellipsis().at(number);
                let found = image.dataobj().slice::<f32>(&index).expect("a slice");
                let right = plain.dataobj().slice::<f32>(&index).expect("a slice");
                assert_eq!(found, right, "{what}");
                read.push(source.bytes_read());
            }
            // Two frames of one megabyte are in a few chunks of four at most; once used in part, they are kept.
            assert!(read[0] < file.len() as u64 * 3 / 4, "{what}: {read:?}");
            assert_eq!(
                [read[1], read[3], read[4]],
                [read[0], read[2], read[2]],
                "{what}"
            );
            assert!(read[4] <= file.len() as u64, "{what}: {read:?}");
        }
    }
}

/// The index that a whole read leaves is written where the options say, before it is used.
#[test]
fn the_index_of_a_whole_read_is_kept() {
    let folder = folder();
    let bytes = scan(DType::I16, &[128, 128, 33, 16], 1).single();
    let path = write(&folder, "it.nii.gz", &gz(&bytes, 6));
    let index = folder.path().join("an.index");
    let options = LoadOptions::new()
        .gzip_index(&index)
        .threads(Threads::new(2).expect("threads"));
    let slice = Index::new().ellipsis().at(7);
    for _ in 0..2 {
        let image = DataobjImage::from_filename(&path, &options).expect("it loads");
        let whole = image.dataobj().read::<f32>().expect("a read");
        let frame = image.dataobj().slice::<f32>(&slice).expect("a slice");
        let size = frame.as_slice().len();
        assert!(frame.as_slice() == &whole.as_slice()[7 * size..8 * size]);
        assert!(index.exists());
    }
}

/// The values of every third frame from the second on. Frames are not kept: a stream has few.
fn some_frames(image: &DataobjImage) -> Vec<Vec<f32>> {
    let options = FrameOptions::new().range(2..).step(3);
    let frames = image.frames::<f32>(options).expect("a stream");
    frames
        .map(|frame| frame.expect("a frame").as_slice().to_vec())
        .collect()
}

/// Streams read in parts too, from any frame on, and to their end.
#[test]
fn streams_of_every_kind() {
    let bytes = scan(DType::I16, &[128, 128, 33, 16], 1).single();
    let plain = DataobjImage::from_bytes(bytes.clone()).expect("it loads");
    let right = some_frames(&plain);
    assert_eq!(right.len(), 5);
    let options = LoadOptions::new().threads(Threads::new(3).expect("threads"));
    for (name, file) in members(&bytes) {
        let (_, image) = counted(&file, &options);
        assert!(some_frames(&image) == right, "{name}");
        // Damage near the end is found when the last frame is read.
        let mut damaged = file.clone();
        damaged[file.len() - 6] ^= 1;
        let (_, image) = counted(&damaged, &options);
        let mut all = image.frames::<f32>(FrameOptions::new()).expect("a stream");
        let error = all.find_map(|frame| frame.err()).expect("a wrong checksum");
        assert!(
            matches!(error.kind(), ErrorKind::Integrity { .. }),
            "{name}: {error}"
        );
    }
}

#[cfg(feature = "gpu")]
#[test]
fn loads_to_a_device_of_every_kind() {
    let Some(gpu) = crate::support::devices::own("large gzip files to a device") else {
        return;
    };
    let bytes = scan(DType::I16, &[128, 128, 33, 16], 1).single();
    let plain = DataobjImage::from_bytes(bytes.clone()).expect("it loads");
    let right = plain.dataobj().read::<f32>().expect("a read");
    for (name, file) in members(&bytes) {
        let (source, image) = counted(&file, &LoadOptions::new());
        source.reset();
        let found = image.dataobj().read_gpu::<f32>(&gpu).expect("a load");
        assert!(found.download().expect("a copy") == right, "{name}");
        let read = source.bytes_read();
        assert!(
            read < file.len() as u64 * 3 / 2,
            "{name}: {read}, inflated once"
        );
        let mut damaged = file.clone();
        let at = file.len() - 6;
        damaged[at] ^= 1;
        let (_, image) = counted(&damaged, &LoadOptions::new());
        let error = image
            .dataobj()
            .read_gpu::<f32>(&gpu)
            .expect_err("a wrong checksum");
        assert!(
            matches!(error.kind(), ErrorKind::Integrity { .. }),
            "{name}: {error}"
        );
    }
}
