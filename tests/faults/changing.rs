//! Files that others change while an image of them is in use: the old voxels, or an error that says so.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::SystemTime;

use voxload::{DataobjImage, LoadOptions, Mmap};

use super::{Row, volume};
use crate::support::errors::outcome;
use crate::support::nifti::{Nifti, gz};
use crate::support::rng::Rng;
use crate::support::{folder, overwrite};

const READERS: usize = 4;

/// What happens to the file.
#[derive(Debug, Clone, Copy)]
enum Change {
    Shorten,
    Rewrite,
    Replace,
    Delete,
}

const CHANGES: [Change; 4] = [
    Change::Shorten,
    Change::Rewrite,
    Change::Replace,
    Change::Delete,
];

impl Change {
    fn apply(self, path: &Path, other: &[u8], rng: &mut Rng) {
        match self {
            Self::Shorten => {
                let file = std::fs::File::options().write(true).open(path);
                let file = file.expect("it opens");
                let length = file.metadata().expect("a length").len();
                let shorter = 1 + rng.below(length as usize - 1) as u64;
                file.set_len(shorter).expect("it is shortened");
            }
            // In place: the same file with other bytes.
            Self::Rewrite => overwrite(path, other),
            Self::Replace => {
                let beside = path.with_extension("new");
                overwrite(&beside, other);
                std::fs::rename(&beside, path).expect("it is renamed");
            }
            Self::Delete => std::fs::remove_file(path).expect("it is deleted"),
        }
    }
}

/// A volume, its values, and another of the same length.
fn volumes(rng: &mut Rng, zipped: bool) -> (Vec<u8>, Vec<f32>, Vec<u8>) {
    let shape = [64, 32, 1 + rng.below(16)];
    let make = |rng: &mut Rng| {
        let mut nifti = Nifti::counting(&shape);
        nifti.data = rng.bytes(nifti.data.len());
        nifti.single()
    };
    let (bytes, other) = (make(rng), make(rng));
    let voxels = bytes[352..].chunks_exact(2);
    let values = voxels.map(|two| f32::from(i16::from_le_bytes([two[0], two[1]])));
    let values = values.collect();
    match zipped {
        true => (gz(&bytes, 1), values, gz(&other, 1)),
        false => (bytes, values, other),
    }
}

/// Writes a file that was last changed long ago: times of files are coarse.
fn write_old(path: &Path, bytes: &[u8]) {
    overwrite(path, bytes);
    let file = std::fs::File::options().append(true).open(path);
    let old = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    file.and_then(|file| file.set_modified(old))
        .expect("an old time");
}

fn allowed(found: &str) -> bool {
    found.starts_with("Changed") || found.starts_with("Truncated") || found == "NotFound"
}

/// Reads again and again until `stop` is set; every array is the old one.
fn keep_reading(image: &DataobjImage, values: &[f32], stop: &AtomicBool, errors: &AtomicUsize) {
    loop {
        let last = stop.load(Ordering::SeqCst);
        match image.dataobj().read::<f32>() {
            Ok(read) => assert!(read.as_slice() == values, "only the old voxels"),
            failed => {
                let found = outcome(&failed);
                assert!(allowed(&found), "{found}");
                errors.fetch_add(1, Ordering::SeqCst);
            }
        }
        if last {
            break;
        }
    }
}

#[test]
fn while_four_read_by_position() {
    let row = Row::new("changed under 4 readers, Mmap::Off");
    let cases = volume(500, 10_000);
    let folder = folder();
    let mut done = 0;
    for case in 0..cases {
        let mut rng = Rng::new(case as u64);
        let zipped = case % 3 == 0;
        let (bytes, values, other) = volumes(&mut rng, zipped);
        let name = if zipped { "it.nii.gz" } else { "it.nii" };
        let path = folder.path().join(name);
        write_old(&path, &bytes);
        let options = LoadOptions::new().mmap(Mmap::Off);
        let image = DataobjImage::from_filename(&path, &options).expect("it loads");
        let (stop, errors) = (AtomicBool::new(false), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..READERS {
                scope.spawn(|| keep_reading(&image, &values, &stop, &errors));
            }
            std::thread::sleep(std::time::Duration::from_micros(rng.below(1500) as u64));
            CHANGES[case % 4].apply(&path, &other, &mut rng);
            stop.store(true, Ordering::SeqCst);
        });
        // Every reader's last read began after the change.
        let found = outcome(&image.dataobj().read::<f32>());
        assert!(allowed(&found), "{:?}: {found}", CHANGES[case % 4]);
        assert!(errors.into_inner() >= READERS, "{:?}", CHANGES[case % 4]);
        done += 1;
    }
    row.done(done, cases);
}

#[test]
fn between_reads_of_a_mapping() {
    let row = Row::new("changed between reads, mapped");
    let cases = volume(500, 10_000);
    let folder = folder();
    let mut done = 0;
    for case in 0..cases {
        let mut rng = Rng::new(7_000_000 + case as u64);
        let (bytes, values, other) = volumes(&mut rng, false);
        let path = folder.path().join("it.nii");
        write_old(&path, &bytes);
        let image = voxload::load(&path).expect("it loads");
        let before = image.dataobj().read::<f32>().expect("it reads");
        assert!(before.as_slice() == values);
        CHANGES[case % 4].apply(&path, &other, &mut rng);
        for found in [
            outcome(&image.dataobj().read::<f32>()),
            outcome(&image.dataobj().slice::<f32>("[3, ..., ::-1]")),
        ] {
            assert!(allowed(&found), "{:?}: {found}", CHANGES[case % 4]);
        }
        assert!(before.as_slice() == values, "what was read stays");
        done += 1;
    }
    row.done(done, cases);
}
