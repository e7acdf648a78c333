//! Promise: `load_many` gives what reading the files one by one gives, in order, holds no more bytes than it may, and a
//! file that cannot be read is an error in its place.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use voxload::{
    Cancel, DType, ErrorKind, FileRequest, HostArray, Index, LoadOptions, Threads, Volume,
    load_many,
};

use crate::support::nifti::{Nifti, gz};
use crate::support::rng::Rng;
use crate::support::{folder, write};

const SHAPE: [usize; 3] = [40, 30, 20];
const VALUES: u64 = (40 * 30 * 20 * size_of::<f32>()) as u64;

/// Files of different voxels, every other one gzipped.
fn files(folder: &tempfile::TempDir, count: usize) -> Vec<PathBuf> {
    let mut rng = Rng::new(3);
    let file = |number: usize| {
        let data = rng.bytes(SHAPE.iter().product::<usize>() * 2);
        let scl = (0.5 + number as f64, -3.0);
        let nifti = Nifti::new(DType::I16, &SHAPE, data)
            .scl(scl.0, scl.1)
            .single();
        match number % 2 {
            0 => write(folder, &format!("{number}.nii"), &nifti),
            _ => write(folder, &format!("{number}.nii.gz"), &gz(&nifti, 1)),
        }
    };
    (0..count).map(file).collect()
}

fn one_by_one(path: &PathBuf, index: Option<&str>) -> HostArray<f32> {
    let image = voxload::load(path).expect("it loads");
    let part = image.dataobj().sliced(index.unwrap_or("[...]"));
    part.and_then(|part| part.read()).expect("sound")
}

fn assert_same(
    volumes: impl Iterator<Item = voxload::Result<Volume<HostArray<f32>>>>,
    paths: &[PathBuf],
    index: Option<&str>,
) {
    let mut count = 0;
    for (volume, path) in volumes.zip(paths) {
        let volume = volume.expect("sound");
        let right = one_by_one(path, index);
        assert_eq!(volume.values.shape(), right.shape());
        assert!(
            volume.values.as_slice() == right.as_slice(),
            "{}",
            path.display()
        );
        assert_eq!(volume.image.shape(), SHAPE);
        assert!(!volume.image.in_memory());
        count += 1;
    }
    assert_eq!(count, paths.len());
}

#[test]
fn all_files_in_order() {
    let folder = folder();
    let paths = files(&folder, 30);
    for threads in [1, 2, 5] {
        for ahead in [0, VALUES, 3 * VALUES, u64::MAX] {
            let many = load_many(paths.clone()).threads(threads).ahead(ahead);
            assert_same(many.read().expect("threads"), &paths, None);
        }
    }
    let many = load_many(paths.clone()).index("[3:9, ::-2, 7]");
    let many = many.expect("an index").read().expect("threads");
    assert_same(many, &paths, Some("[3:9, ::-2, 7]"));
    assert!(
        load_many(Vec::<PathBuf>::new())
            .read::<f32>()
            .expect("threads")
            .next()
            .is_none()
    );
    // In a pool of one thread, which waits itself.
    let one = Threads::new(1).expect("a pool");
    one.run(|| {
        assert_same(
            load_many(paths.clone()).read().expect("threads"),
            &paths,
            None,
        )
    });
}

#[test]
fn each_file_may_have_its_own_index() {
    let folder = folder();
    let paths = files(&folder, 8);
    let request = |(n, path): (usize, &PathBuf)| {
        let index = Index::new().at(n as i64).ellipsis();
        let request = FileRequest::new(path).index(index);
        request.expect("an index")
    };
    let requests: Vec<_> = paths.iter().enumerate().map(request).collect();
    let volumes = load_many(requests).read::<f32>().expect("threads");
    for ((n, path), volume) in paths.iter().enumerate().zip(volumes) {
        let right = one_by_one(path, Some(&format!("[{n}]")));
        assert!(volume.expect("sound").values.as_slice() == right.as_slice());
    }
}

#[test]
fn what_cannot_be_read_is_an_error_in_its_place() {
    let folder = folder();
    let mut paths = files(&folder, 9);
    let whole = std::fs::read(&paths[3]).expect("a file");
    let mut damaged = whole.clone();
    let at = damaged.len() / 2;
    damaged[at] ^= 0x10;
    std::fs::write(&paths[3], damaged).expect("writable");
    paths[5] = folder.path().join("missing.nii");
    let options = LoadOptions::new();
    let volumes = load_many(paths.clone()).options(options).threads(3);
    for (n, volume) in volumes.read::<f32>().expect("threads").enumerate() {
        let error = match n {
            3 | 5 => volume.expect_err("damaged or missing"),
            _ => {
                let right = one_by_one(&paths[n], None);
                assert!(volume.expect("sound").values.as_slice() == right.as_slice());
                continue;
            }
        };
        assert_eq!(error.path(), Some(paths[n].as_path()), "{error}");
        assert_eq!(
            matches!(error.kind(), ErrorKind::NotFound),
            n == 5,
            "{error}"
        );
    }
    // An index that does not fit names the file too.
    let volumes = load_many([paths[0].clone()]).index("[99]").expect("parses");
    let error = volumes.read::<f32>().expect("threads").next();
    let error = error.expect("one").expect_err("beyond the axis");
    assert_eq!(error.path(), Some(paths[0].as_path()), "{error}");
}

/// Files that are not read yet can be deleted: reading them then fails.
#[test]
fn no_more_bytes_are_read_than_allowed() {
    for (ahead, allowed) in [(2 * VALUES, 2), (0, 1), (5 * VALUES + 1, 5)] {
        let folder = folder();
        let paths = files(&folder, 12);
        let many = load_many(paths.clone()).threads(4).ahead(ahead);
        let volumes = many.read::<f32>().expect("threads");
        std::thread::sleep(Duration::from_millis(400));
        for path in &paths {
            std::fs::remove_file(path).expect("it is there");
        }
        let read = volumes.filter(|volume| volume.is_ok()).count();
        assert_eq!(read, allowed, "{ahead} bytes");
    }
}

#[test]
fn endless_files_are_asked_for_as_needed() {
    let folder = folder();
    let paths = files(&folder, 3);
    let many = load_many(paths.clone().into_iter().cycle()).threads(2);
    let volumes = many.read::<f32>().expect("threads").take(50);
    let cycled: Vec<_> = paths.iter().cycle().take(50).cloned().collect();
    assert_same(volumes, &cycled, None);
}

#[test]
fn cancelled_and_dropped_ones_end() {
    let folder = folder();
    let paths = files(&folder, 4);
    let start = Instant::now();
    for _ in 0..20 {
        let mut volumes = load_many(paths.clone().into_iter().cycle())
            .read::<f32>()
            .expect("threads");
        volumes.next().expect("endless").expect("sound");
    }
    let cancel = Cancel::new();
    let mut volumes = cancel.run(|| load_many(paths.clone()).read::<f32>().expect("threads"));
    cancel.cancel();
    let outcome = cancel.run(|| volumes.by_ref().find(|volume| volume.is_err()));
    let error = outcome.expect("an error").expect_err("cancelled");
    assert_eq!(*error.kind(), ErrorKind::Cancelled);
    assert!(start.elapsed() < Duration::from_secs(20));
    assert!(load_many(paths).threads(0).read::<f32>().is_err());
}

#[cfg(feature = "gpu")]
#[test]
fn on_a_device() {
    if !crate::support::adapter::ready("load_many on a device") {
        return;
    }
    let gpu = crate::support::adapter::BEST
        .as_ref()
        .expect("there is one");
    let folder = folder();
    let paths = files(&folder, 12);
    let many = load_many(paths.clone()).index("[..., 3:]").expect("parses");
    let volumes = many.threads(3).read_gpu::<f32>(gpu).expect("threads");
    let mut count = 0;
    for (volume, path) in volumes.zip(&paths) {
        let values = volume.expect("sound").values.download().expect("a device");
        let right = one_by_one(path, Some("[..., 3:]"));
        assert!(values.as_slice() == right.as_slice(), "{}", path.display());
        count += 1;
    }
    assert_eq!(count, paths.len());
}
