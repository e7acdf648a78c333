//! Promise: handles, mappings and files that change behave as `KeepFileOpen`, `Mmap` and `ErrorKind::Changed` document.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use voxload::{ByteOrder, Caching, DType, DataobjImage, KeepFileOpen, LoadOptions, Mmap};

use crate::support::errors::outcome;
#[cfg(target_os = "linux")]
use crate::support::handles;
use crate::support::nifti::{Nifti, gz};
use crate::support::rng::Rng;
use crate::support::{folder, overwrite, write};

/// Mappings of a file in this process.
#[cfg(target_os = "linux")]
fn mappings(path: &Path) -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("procfs");
    let name = path.to_str().expect("a name in UTF-8");
    maps.lines().filter(|line| line.ends_with(name)).count()
}

/// Mapped, by position, gzipped.
fn kinds(nifti: &Nifti) -> [(&'static str, Vec<u8>, Mmap); 4] {
    let bytes = nifti.single();
    [
        ("a.nii", bytes.clone(), Mmap::CopyOnWrite),
        ("b.nii", bytes.clone(), Mmap::ReadOnly),
        ("c.nii", bytes.clone(), Mmap::Off),
        ("d.nii.gz", gz(&bytes, 6), Mmap::CopyOnWrite),
    ]
}

#[cfg(target_os = "linux")]
#[test]
fn handles_are_kept_as_documented() {
    // More than a gzip stream reads ahead for the header.
    let data = Rng::new(8).bytes(1 << 20);
    let nifti = Nifti::new(DType::I16, &[128, 64, 64], data);
    let mut rows = 0;
    for (keep, expected) in [
        (KeepFileOpen::Auto, [0, 0, 0, 0]),
        (KeepFileOpen::No, [0, 0, 0, 0]),
        (KeepFileOpen::Yes, [0, 1, 1, 0]),
    ] {
        for (name, bytes, mmap) in kinds(&nifti) {
            let dir = folder();
            let path = write(&dir, name, &bytes);
            let options = LoadOptions::new().mmap(mmap).keep_file_open(keep);
            let image = DataobjImage::from_filename(&path, &options).expect("it loads");
            let mut found = vec![handles(&path)];
            image.dataobj().read::<f32>().expect("it can be read");
            found.push(handles(&path));
            image.dataobj().slice::<f32>("[..., 3]").expect("a slice");
            found.push(handles(&path));
            drop(image);
            found.push(handles(&path));
            assert_eq!(found, expected, "{keep:?} {mmap:?} {name}");
            rows += 1;
        }
    }
    assert_eq!(rows, 12);
}

#[cfg(target_os = "linux")]
#[test]
fn a_clone_of_the_proxy_keeps_the_file() {
    let dir = folder();
    let path = write(&dir, "a.nii", &Nifti::counting(&[20, 30]).single());
    let options = LoadOptions::new()
        .mmap(Mmap::Off)
        .keep_file_open(KeepFileOpen::Yes);
    let image = DataobjImage::from_filename(&path, &options).expect("it loads");
    let proxy = image.dataobj().clone();
    proxy.read::<f32>().expect("it can be read");
    drop(image);
    assert_eq!(handles(&path), 1);
    drop(proxy);
    assert_eq!(handles(&path), 0);
}

fn f32_volume(dir: &tempfile::TempDir) -> (PathBuf, Vec<u8>) {
    let values = (0..2000).flat_map(|n| (n as f32).to_ne_bytes());
    let nifti = Nifti::new(DType::F32, &[20, 100], values.collect());
    let bytes = nifti.order(ByteOrder::NATIVE).single();
    (write(dir, "zero_copy.nii", &bytes), bytes)
}

/// Options under which an array may be the mapping itself. The tests keep the contract: no other program knows the file.
#[expect(unsafe_code, reason = "no other program writes to the files of a test")]
fn zero_copy(mmap: Mmap) -> LoadOptions {
    // SAFETY: the file lies in a temporary folder of the test, and is only written to through other handles once
    // no array is left.
    unsafe { LoadOptions::new().mmap(mmap).zero_copy() }
}

#[cfg(target_os = "linux")]
#[test]
fn edits_of_a_zero_copy_array_stay_out_of_the_file() {
    let dir = folder();
    let (path, bytes) = f32_volume(&dir);
    let options = zero_copy(Mmap::CopyOnWrite);
    let mut image = DataobjImage::from_filename(&path, &options).expect("it loads");
    image.fdata_mut::<f32>().expect("it can be edited")[[3, 0]] = -1.0;
    let edited = image.get_fdata::<f32>(Caching::Fill).expect("it is there");
    assert_eq!(edited.as_slice()[..5], [0.0, 1.0, 2.0, -1.0, 4.0]);
    assert!(mappings(&path) >= 1, "it is the mapping");
    let held = edited.clone();
    drop((edited, image));
    assert_eq!(held.as_slice()[3], -1.0, "it outlives the image");
    drop(held);
    assert_eq!(mappings(&path), 0);
    assert!(
        std::fs::read(&path).expect("the file") == bytes,
        "the file is as it was"
    );
}

#[test]
fn a_read_only_mapping_cannot_be_edited() {
    let dir = folder();
    let (path, bytes) = f32_volume(&dir);
    let options = zero_copy(Mmap::ReadOnly);
    let mut image = DataobjImage::from_filename(&path, &options).expect("it loads");
    let values = image
        .get_fdata::<f32>(Caching::Fill)
        .expect("it can be read");
    assert_eq!(values.as_slice()[1999], 1999.0);
    drop(values);
    assert_eq!(outcome(&image.fdata_mut::<f32>().map(|_| ())), "Usage");
    image
        .fdata_mut::<f64>()
        .expect("a conversion is its own memory")[[0, 0]] = 1.0;
    drop(image);
    assert!(std::fs::read(&path).expect("the file") == bytes);
}

/// Without zero copy every mode gives arrays of their own, which can be edited.
#[cfg(target_os = "linux")]
#[test]
fn arrays_are_copies_by_default() {
    for mmap in [Mmap::CopyOnWrite, Mmap::ReadOnly, Mmap::Off] {
        let dir = folder();
        let (path, bytes) = f32_volume(&dir);
        let options = LoadOptions::new().mmap(mmap);
        let mut image = DataobjImage::from_filename(&path, &options).expect("it loads");
        image.fdata_mut::<f32>().expect("it can be edited")[[0, 0]] = 5.0;
        let held = image.get_fdata::<f32>(Caching::Fill).expect("it is there");
        drop(image);
        assert_eq!(mappings(&path), 0, "{mmap:?}: no mapping is left");
        assert_eq!(held.as_slice()[0], 5.0);
        assert!(std::fs::read(&path).expect("the file") == bytes);
    }
}

/// What happens to a file while an image of it lives.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Rewritten,
    Shortened,
    Lengthened,
    Replaced,
    Deleted,
}

fn commit(deed: Deed, path: &Path, other: &[u8]) {
    let open = || {
        std::fs::OpenOptions::new()
            .write(true)
            .open(path)
            .expect("it opens")
    };
    let length = path.metadata().expect("it is there").len();
    match deed {
        Deed::Rewritten => {
            overwrite(path, other);
            open().set_len(length).expect("it can be cut");
            let later = SystemTime::now() + Duration::from_secs(10);
            open().set_modified(later).expect("its time can be set");
        }
        Deed::Shortened => open().set_len(length / 2).expect("it can be cut"),
        Deed::Lengthened => open().set_len(length * 2).expect("it can be grown"),
        Deed::Replaced => {
            let beside = path.with_extension("new");
            overwrite(&beside, other);
            std::fs::rename(&beside, path).expect("it can be renamed");
        }
        Deed::Deleted => std::fs::remove_file(path).expect("it can be deleted"),
    }
}

/// The documented outcome; `None` for the old values.
fn expected(deed: Deed, keeps_handle: bool) -> Option<&'static str> {
    match deed {
        Deed::Rewritten => Some("Changed(modification time)"),
        Deed::Shortened | Deed::Lengthened => Some("Changed(length)"),
        Deed::Replaced if keeps_handle => None,
        Deed::Replaced => Some("Changed(identity)"),
        Deed::Deleted if keeps_handle => None,
        Deed::Deleted => Some("NotFound"),
    }
}

#[cfg(unix)]
#[test]
fn files_that_change_give_an_error_or_the_old_values() {
    let nifti = Nifti::counting(&[50, 60, 70]);
    let other = Nifti::new(DType::I16, &[50, 60, 70], vec![7; 420_000]).single();
    let deeds = [
        Deed::Rewritten,
        Deed::Shortened,
        Deed::Lengthened,
        Deed::Replaced,
        Deed::Deleted,
    ];
    let mut cases = 0;
    for deed in deeds {
        for (name, bytes, mmap) in kinds(&nifti) {
            for keep in [KeepFileOpen::Auto, KeepFileOpen::Yes] {
                for read_before in [false, true] {
                    let dir = folder();
                    let path = write(&dir, name, &bytes);
                    let options = LoadOptions::new().mmap(mmap).keep_file_open(keep);
                    let image = DataobjImage::from_filename(&path, &options).expect("it loads");
                    let before =
                        read_before.then(|| image.dataobj().read::<f32>().expect("a read"));
                    commit(deed, &path, &other);
                    let what = format!("{deed:?} {name} {keep:?} read before: {read_before}");
                    let keeps = keep == KeepFileOpen::Yes && read_before;
                    let zipped = name.ends_with(".gz");
                    check_after(&image, expected(deed, keeps), zipped, &what);
                    if let Some(before) = before {
                        assert_eq!(before.as_slice()[100], 100.0, "{what}");
                    }
                    cases += 1;
                }
            }
        }
    }
    assert_eq!(cases, 5 * 4 * 2 * 2);
}

fn check_after(image: &DataobjImage, expected: Option<&str>, zipped: bool, what: &str) {
    let read = image.dataobj().read::<f32>();
    match (&read, expected) {
        (Ok(values), None) => assert_old(values.as_slice(), what),
        // What was inflated may still be at hand.
        (Ok(values), Some(_)) if zipped => assert_old(values.as_slice(), what),
        (found, Some(expected)) => {
            assert_eq!(outcome(found), expected, "{what}");
            let slice = image.dataobj().slice::<f32>("[3, 4, 5]");
            assert!(zipped || outcome(&slice) == expected, "{what}: {slice:?}");
        }
        (Err(error), None) => panic!("{what}: {error}"),
    }
}

fn assert_old(values: &[f32], what: &str) {
    let old = (0..values.len()).map(|n| f32::from(n as i16));
    assert!(values.iter().copied().eq(old), "{what}: not the old values");
}

/// What an image keeps does not need the file any more.
#[test]
fn cached_values_survive_the_file() {
    let dir = folder();
    let path = write(&dir, "a.nii.gz", &gz(&Nifti::counting(&[5, 6]).single(), 9));
    let image = voxload::load(&path).expect("it loads");
    image
        .get_fdata::<f32>(Caching::Fill)
        .expect("it can be read");
    std::fs::remove_file(&path).expect("it can be deleted");
    let kept = image.get_fdata::<f32>(Caching::Fill).expect("it is kept");
    assert_eq!(kept.as_slice()[29], 29.0);
    assert_eq!(outcome(&voxload::load(&path)), "NotFound");
}
