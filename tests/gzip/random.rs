//! Slices through the seek index: from many threads, each chunk inflated once, verified.

use voxload::{DType, DataobjImage, FileHolder, FileMap, FileRole, Index, LoadOptions};

use super::files::{bgzf, open, scan};
use crate::support::environment::volume;
use crate::support::nifti::gz;
use crate::support::rng::Rng;
use crate::support::slicing::random_index;
use crate::support::source::CountingSource;
use crate::support::{folder, write};

#[test]
fn sixteen_threads_on_one_image() {
    let folder = folder();
    let shape = [64, 64, 20, 30];
    let bytes = scan(DType::I16, &shape, 3).single();
    let plain = open(&write(&folder, "plain.nii", &bytes));
    let slices = volume(62, 10_000);
    for (name, file) in [("one.nii.gz", gz(&bytes, 6)), ("bgzf.nii.gz", bgzf(&bytes))] {
        let path = write(&folder, name, &file);
        let image = DataobjImage::from_filename(&path, &LoadOptions::new().gzip_cache(2 << 20))
            .expect("it loads");
        std::thread::scope(|scope| {
            for thread in 0..16 {
                let (image, plain) = (&image, &plain);
                scope.spawn(move || {
                    let mut rng = Rng::new(100 + thread);
                    for _ in 0..slices {
                        let index = random_index(&mut rng, &shape);
                        let found = image.dataobj().slice::<f32>(&index).expect("a slice");
                        let right = plain.dataobj().slice::<f32>(&index).expect("a slice");
                        assert_eq!(found.as_slice(), right.as_slice(), "{index:?}");
                    }
                });
            }
        });
    }
}

/// The time series of single voxels: what is read of the compressed file grows with the chunks that are touched, and
/// each of them is read, and so inflated, once.
#[test]
fn each_chunk_is_inflated_once() {
    let shape = [64, 64, 20, 60];
    let bytes = scan(DType::I16, &shape, 7).single();
    let compressed = gz(&bytes, 6);
    let length = compressed.len() as u64;
    let counted = CountingSource::new(compressed);
    let mut map = FileMap::new();
    let holder = FileHolder::from_source(counted.clone()).named("it.nii.gz");
    map.insert(FileRole::Image, holder);
    let options = LoadOptions::new().gzip_cache(bytes.len());
    let image = DataobjImage::from_file_map(map, &options).expect("it loads");
    let plain = DataobjImage::from_bytes(bytes).expect("it loads");
    let series = |image: &DataobjImage, [x, y, z]: [usize; 3]| {
        let index: Index = format!("[{x}, {y}, {z}]").parse().expect("an index");
        let values = image.dataobj().slice::<f32>(&index).expect("a slice");
        values.as_slice().to_vec()
    };
    let allowed = length + length / 20;
    counted.reset();
    // The first one goes through the file once, which makes the index.
    assert_eq!(series(&image, [63, 63, 19]), series(&plain, [63, 63, 19]));
    let once = counted.bytes_read();
    assert!(once <= allowed, "{once} bytes read of {length}");
    let mut rng = Rng::new(8);
    let mut touch = |count: usize| {
        counted.reset();
        for _ in 0..count {
            let voxel = [rng.below(64), rng.below(64), rng.below(20)];
            assert_eq!(series(&image, voxel), series(&plain, voxel), "{voxel:?}");
        }
        counted.bytes_read()
    };
    let first = touch(100);
    assert!(first <= allowed, "{first} bytes read of {length}");
    assert_eq!(touch(100), 0, "every chunk is there");
}

/// Damage that an index does not know of is found by the chunk's checksum: the file keeps its length, and its time
/// of modification is put back.
#[test]
fn damage_after_the_index_was_made() {
    let folder = folder();
    let bytes = scan(DType::I16, &[64, 64, 20, 30], 4).single();
    let file = gz(&bytes, 6);
    let path = write(&folder, "it.nii.gz", &file);
    let modified = std::fs::metadata(&path)
        .and_then(|m| m.modified())
        .expect("a time");
    let index_path = folder.path().join("it.index");
    let options = LoadOptions::new().gzip_index(&index_path);
    let frame = |image: &DataobjImage, t: usize| {
        let index: Index = format!("[..., {t}]").parse().expect("an index");
        image
            .dataobj()
            .slice::<f32>(&index)
            .map(|array| array.as_slice().to_vec())
    };
    let image = DataobjImage::from_filename(&path, &options).expect("it loads");
    let right: Vec<_> = (0..30)
        .map(|t| frame(&image, t).expect("a frame"))
        .collect();
    drop(image);
    assert!(index_path.exists(), "the index is kept");
    let mut rng = Rng::new(5);
    let all = image_values(&DataobjImage::from_filename(&path, &options).expect("it loads"));
    let mut found = 0;
    for _ in 0..100 {
        let mut flipped = file.clone();
        // Away from both ends, which the index itself is bound to.
        let at = 70_000 + rng.below(file.len() - 140_000);
        flipped[at] ^= 1 << rng.below(8);
        std::fs::write(&path, &flipped).expect("a write");
        let written = std::fs::File::options()
            .append(true)
            .open(&path)
            .expect("it opens");
        written.set_modified(modified).expect("a time");
        let image = DataobjImage::from_filename(&path, &options).expect("the header is sound");
        let mut errors = 0;
        for (t, right) in right.iter().enumerate() {
            match frame(&image, t) {
                Ok(values) => assert!(values == *right, "wrong values of frame {t}, byte {at}"),
                Err(_) => errors += 1,
            }
        }
        // Some bits may be either way: a match at another distance among zeros, say.
        let whole = image.dataobj().slice::<f32>(&Index::new());
        match whole {
            Ok(values) => assert!(values.as_slice() == all && errors == 0, "byte {at}"),
            Err(_) => assert!(errors > 0, "found by the whole read only, byte {at}"),
        }
        found += usize::from(errors > 0);
    }
    assert!(found > 80, "{found} of 100 flips changed anything");
}

fn image_values(image: &DataobjImage) -> Vec<f32> {
    let array = image.dataobj().slice::<f32>(&Index::new());
    array.expect("a read").as_slice().to_vec()
}
