//! Promise: files that are not volumes, and pairs whose header and image do not fit, give the documented error.

use std::path::PathBuf;

use tempfile::TempDir;
use voxload::{ByteOrder, LoadOptions, Mmap};

use crate::malformed::seed;
use crate::support::errors::outcome;
use crate::support::nifti::{gz, one, put_real};
use crate::support::table::Row;
use crate::support::{folder, write};

/// Loads by name and reads, mapped and not: the first error, or `Ok`.
fn first_error(path: &PathBuf) -> String {
    let unmapped = LoadOptions::new().mmap(Mmap::Off);
    let mut found = Vec::new();
    for options in [LoadOptions::new(), unmapped] {
        let image = voxload::DataobjImage::from_filename(path, &options);
        found.push(match &image {
            Ok(image) => outcome(&image.dataobj().read::<f32>()),
            Err(error) => {
                assert!(error.path().is_some(), "an error names its file: {error}");
                outcome(&image)
            }
        });
    }
    assert_eq!(found[0], found[1], "mapped and not mapped");
    found.swap_remove(0)
}

#[test]
fn pairs_and_paths() {
    let row = Row::new("malformed pairs and paths");
    let cases = paths() + contents_and_names() + pairs();
    row.done(cases, if cfg!(unix) { 48 } else { 34 });
}

/// Links, folders, devices and names that are too long, with the errors of Unix.
#[cfg(unix)]
fn paths() -> usize {
    use std::os::unix::fs::symlink;

    let dir = folder();
    let at = |name: &str| dir.path().join(name);
    let good = write(&dir, "good.nii", &seed(1, ByteOrder::Little).single());
    std::fs::create_dir(at("folder.nii")).expect("a folder");
    symlink(at("gone.nii"), at("dangling.nii")).expect("a link");
    symlink(&good, at("link.nii")).expect("a link");
    symlink(at("loop.nii"), at("loop.nii")).expect("a link");
    let long = "n".repeat(300) + ".nii";
    let table: [(&str, &str); 12] = [
        ("good.nii", "Ok"),
        ("link.nii", "Ok"),
        ("gone.nii", "NotFound"),
        ("dangling.nii", "NotFound"),
        ("no folder/a.nii", "NotFound"),
        ("folder.nii", "NotAFile"),
        ("loop.nii", "Io"),
        (&long, "Io"),
        ("good.nii/a.nii", "Io"),
        ("", "NotAFile"),
        (".", "NotAFile"),
        ("..", "NotAFile"),
    ];
    for (name, expected) in table {
        assert_eq!(first_error(&at(name)), expected, "{name}");
    }
    assert_eq!(first_error(&PathBuf::new()), "NotFound");
    assert_eq!(first_error(&PathBuf::from("/dev/null")), "NotAFile");
    table.len() + 2
}

fn contents_and_names() -> usize {
    let bytes = seed(1, ByteOrder::Little).single();
    let text =
        b"This is no volume, it is a text that is longer than a header would be. ".repeat(20);
    let table: [(&str, &[u8], &str); 24] = [
        ("empty.nii", b"", "Empty"),
        ("empty.nii.gz", b"", "Empty"),
        ("empty.hdr", b"", "Empty"),
        ("one.nii", b"\x5c", "Truncated(header)"),
        ("one.nii.gz", b"\x1f", "Integrity(gzip)"),
        ("two.nii.gz", b"\x1f\x8b", "Truncated(gzip header)"),
        ("text.nii", &text, "UnknownFormat"),
        ("text.nii.gz", &text, "Integrity(gzip)"),
        ("text.gz.nii", &gz(&text, 6), "UnknownFormat"),
        ("short.nii", b"short", "UnknownFormat"),
        ("zeros.nii", &[0; 1000], "UnknownFormat"),
        ("ones.nii", &[0xff; 1000], "UnknownFormat"),
        ("volume", &bytes, "Ok"),
        ("volume.txt", &bytes, "Ok"),
        ("volume.nii.txt", &bytes, "Ok"),
        ("volume.nii.bz2", &bytes, "Ok"),
        ("volume.nii.zst", &bytes, "Ok"),
        ("volume.nii.gz", &bytes, "Ok"),
        ("text.nii.bz2", &text, "Integrity(bzip2)"),
        ("text.nii.zst", &text, "Integrity(zstd)"),
        ("text", &text, "UnknownFormat"),
        ("text.txt", &text, "UnknownFormat"),
        ("nothing.nii.gz", &gz(b"", 6), "Empty"),
        ("twice.nii.gz", &gz(&gz(&bytes, 6), 6), "NotAVolume"),
    ];
    for (name, content, expected) in table {
        let dir = folder();
        let path = write(&dir, name, content);
        assert_eq!(first_error(&path), expected, "{name}");
    }
    table.len()
}

#[cfg(not(unix))]
fn paths() -> usize {
    0
}

type Make = fn(&TempDir) -> PathBuf;

/// The header and the image of a pair.
fn halves() -> (Vec<u8>, Vec<u8>) {
    seed(1, ByteOrder::Little).pair()
}

fn pairs() -> usize {
    let table: [(&str, Make, &str); 10] = [
        (
            "no image",
            |dir| write(dir, "a.hdr", &halves().0),
            "NotFound",
        ),
        (
            "no header",
            |dir| write(dir, "a.img", &halves().1),
            "NotFound",
        ),
        (
            "empty image",
            |dir| {
                write(dir, "a.img", b"");
                write(dir, "a.hdr", &halves().0)
            },
            "Empty",
        ),
        (
            "empty header",
            |dir| {
                write(dir, "a.hdr", b"");
                write(dir, "a.img", &halves().1)
            },
            "Empty",
        ),
        (
            "image is a folder",
            |dir| {
                std::fs::create_dir(dir.path().join("a.img")).expect("a folder");
                write(dir, "a.hdr", &halves().0)
            },
            "NotAFile",
        ),
        (
            "image cut",
            |dir| {
                write(dir, "a.img", &halves().1[..47]);
                write(dir, "a.hdr", &halves().0)
            },
            "Truncated(voxel data)",
        ),
        (
            "header cut",
            |dir| {
                write(dir, "a.hdr", &halves().0[..347]);
                write(dir, "a.img", &halves().1)
            },
            "Truncated(header)",
        ),
        (
            "negative offset",
            |dir| {
                let mut header = halves().0;
                put_real(&mut header, one::VOX_OFFSET, -16.0, ByteOrder::Little);
                write(dir, "a.img", &halves().1);
                write(dir, "a.hdr", &header)
            },
            "Header(vox_offset)",
        ),
        (
            "magic and offset of a single file",
            |dir| {
                let mut header = halves().0;
                header[one::MAGIC..one::MAGIC + 3].copy_from_slice(b"n+1");
                put_real(&mut header, one::VOX_OFFSET, 100.0, ByteOrder::Little);
                write(dir, "a.img", &halves().1);
                write(dir, "a.hdr", &header)
            },
            "Header(vox_offset)",
        ),
        (
            "header without extension flag",
            |dir| {
                write(dir, "a.img", &halves().1);
                write(dir, "a.hdr", &halves().0[..348])
            },
            "Ok",
        ),
    ];
    for (name, make, expected) in table {
        let dir = folder();
        assert_eq!(first_error(&make(&dir)), expected, "{name}");
    }
    table.len()
}
