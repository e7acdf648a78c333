use std::path::PathBuf;

use super::nifti::Version;
use super::*;
use crate::core::dtype::ByteOrder;
use crate::core::error::{ErrorKind, Result};
use crate::header::fields::binary::Field;
use crate::header::fields::{analyze, mgh};

fn kind(result: Result<Detected>) -> ErrorKind {
    match result {
        Ok(found) => panic!("detected as {}", found.entry.name),
        Err(error) => error.kind().clone(),
    }
}

fn header(version: Version, magic: &str) -> Vec<u8> {
    let header = nifti::NiftiHeader {
        version,
        sizeof_hdr: version.header_bytes() as i64,
        magic: magic.to_owned(),
        ..Default::default()
    };
    header.to_bytes()
}

#[test]
fn name_and_content_decide() {
    use Format::*;
    for (version, magic, ending, expected) in [
        (Version::One, "n+1", Some(".nii"), Nifti1Single),
        (Version::One, "ni1", Some(".NII"), Nifti1Single),
        (Version::One, "n+1", Some(".hdr"), Nifti1Pair),
        (Version::One, "ni1", Some(".Img"), Nifti1Pair),
        (Version::Two, "n+2", Some(".nii"), Nifti2Single),
        (Version::Two, "bad", Some(".nii"), Nifti2Single),
        (Version::Two, "n+2", Some(".img"), Nifti2Pair),
        (Version::One, "n+1", None, Nifti1Single),
        (Version::One, "ni1", None, Nifti1Pair),
        (Version::Two, "n+2", None, Nifti2Single),
        (Version::Two, "ni2", None, Nifti2Pair),
    ] {
        let found = detect(&header(version, magic), ending, &[]).unwrap();
        assert_eq!(found.entry.format, expected, "{magic} {ending:?}");
        assert_eq!(found.by, By::Both, "{magic} {ending:?}");
    }
}

#[test]
fn content_decides_under_the_endings_of_others() {
    use Format::*;
    for (content, expected) in [
        (header(Version::One, "n+1"), Nifti1Single),
        (header(Version::One, "ni1"), Nifti1Pair),
        (header(Version::Two, "n+2"), Nifti2Single),
        (b"NRRD0004\n".to_vec(), Nrrd),
        (b"ObjectType = Image\n".to_vec(), MetaImage),
        (b"CDF\x01".to_vec(), Minc1),
        (b"MATRIX72v".to_vec(), Ecat),
        (b"# === DATA DESCRIPTION FILE ===\n#\n".to_vec(), ParRec),
        (b"\n\ntype  = string-attribute\nname = X".to_vec(), Afni),
    ] {
        let rows = FORMATS
            .iter()
            .find(|entry| entry.format == expected)
            .unwrap();
        for entry in FORMATS {
            for ending in entry.header_endings.iter().chain(entry.image_endings) {
                let found = detect(&content, Some(ending), &[]).unwrap();
                let named = rows.has_ending(ending);
                // A pair's header may be named as a single file's, and the other way round.
                let halves = [".hdr", ".img", ".nii"];
                let of_nifti = expected.name().starts_with("NIfTI") && halves.contains(ending);
                if !of_nifti {
                    let by = if named { By::Both } else { By::Content };
                    assert_eq!((found.entry.format, found.by), (expected, by), "{ending}");
                }
            }
        }
        for ending in ["", ".dat", ".txt"] {
            let found = detect(&content, Some(ending), &[]).unwrap();
            assert_eq!(
                (found.entry.format, found.by),
                (expected, By::Content),
                "{ending:?}"
            );
        }
        // Only the formats that the caller named are detected, whatever the name of the file is.
        let found = detect(&content, Some(".par"), &[expected, Minc1]).unwrap();
        assert_eq!(found.entry.format, expected);
        let others: Vec<Format> = [Nrrd, Minc1, Mgh]
            .into_iter()
            .filter(|f| *f != expected)
            .collect();
        let message = kind(detect(&content, None, &others)).to_string();
        assert!(message.contains(expected.name()), "{message}");
    }
}

#[test]
fn a_name_alone_decides_where_no_content_says_more() {
    let text = b"What is this?";
    for (ending, expected) in [
        (".mgh", Format::Mgh),
        (".PAR", Format::ParRec),
        (".head", Format::Afni),
    ] {
        let found = detect(text, Some(ending), &[]).unwrap();
        assert_eq!((found.entry.format, found.by), (expected, By::Name));
        let pointer = kind(detect(
            b"version https://git-lfs.github.com/spec/v1\n",
            Some(ending),
            &[],
        ));
        assert!(
            matches!(pointer, ErrorKind::NotAVolume { .. }),
            "{pointer:?}"
        );
    }
    // Analyze has no magic number. Its header size is enough only for files with its endings, or if the caller named
    // it.
    let mut analyze = header(Version::One, "");
    analyze[344..].fill(0);
    assert_eq!(
        detect(&analyze, Some(".hdr"), &[]).unwrap().entry.format,
        Format::Spm2Analyze
    );
    assert!(matches!(
        kind(detect(&analyze, Some(".dat"), &[])),
        ErrorKind::UnknownFormat(_)
    ));
    let asked = [Format::Nifti1Pair, Format::Analyze];
    assert_eq!(
        detect(&analyze, Some(".dat"), &asked).unwrap().entry.format,
        Format::Analyze
    );
}

#[test]
fn what_is_no_format_says_why() {
    let message = |ending| match kind(detect(b"What is this?", ending, &[])) {
        ErrorKind::UnknownFormat(message) => message,
        other => panic!("{other:?}"),
    };
    assert!(message(Some(".dat")).contains("no format's files end in \".dat\""));
    assert!(message(Some("")).contains("has no ending"));
    assert!(message(Some(".nii")).contains("not of a format whose files end in \".nii\""));
    assert!(message(None).contains("not of a known format"));
    assert_eq!(kind(detect(&[], Some(".nii"), &[])), ErrorKind::Empty);
    assert!(matches!(
        kind(detect(&header(Version::One, "xxx"), Some(".nii"), &[])),
        ErrorKind::UnknownFormat(_)
    ));
}

#[test]
fn a_cut_header_is_truncated_at_every_length() {
    // The first bytes of 348 and 540 may be of either version: one of them, or both zeros of the other byte order.
    let least = if ByteOrder::NATIVE == ByteOrder::Big {
        3
    } else {
        2
    };
    for (version, magic) in [(Version::One, "n+1"), (Version::Two, "n+2")] {
        let whole = header(version, magic);
        for have in 1..whole.len() {
            for ending in [None, Some(".nii"), Some(".hdr")] {
                let found = kind(detect(&whole[..have], ending, &[]));
                let ErrorKind::Truncated {
                    what: "header",
                    have: reported,
                    need,
                } = found
                else {
                    panic!("{have}: {found:?}");
                };
                assert_eq!(reported, have as u64);
                assert!(need == whole.len() as u64 || have < least, "{have}: {need}");
            }
        }
    }
}

#[test]
fn names_come_apart_and_together() {
    for (path, ending, compression, img) in [
        ("/d/foo.hdr", ".hdr", "", "/d/foo.img"),
        ("/d/foo.HDR.gz", ".HDR", ".gz", "/d/foo.IMG.gz"),
        ("foo.Hdr.GZ", ".Hdr", ".GZ", "foo.img.GZ"),
        ("a.b/c.d.hdr.bz2", ".hdr", ".bz2", "a.b/c.d.img.bz2"),
        ("d/.hdr", ".hdr", "", "d/.img"),
        (".hdr.zst", ".hdr", ".zst", ".img.zst"),
        ("foo", "", "", "foo.img"),
        ("foo.gz", "", ".gz", "foo.img.gz"),
    ] {
        let name = FileName::new(path);
        assert_eq!(
            (name.ending(), name.compression()),
            (ending, compression),
            "{path}"
        );
        assert_eq!(name.companion(".img"), PathBuf::from(img), "{path}");
        assert_eq!(name.path(), PathBuf::from(path));
    }
}

#[test]
fn files_of_pairs_and_singles() {
    let files = |format, path: &str| {
        let entry = FORMATS.iter().find(|entry| entry.format == format).unwrap();
        entry
            .files(&FileName::new(path))
            .map(|files| (files.header, files.image))
    };
    let both = |header: &str, image: &str| Some((PathBuf::from(header), PathBuf::from(image)));
    assert_eq!(files(Format::Nifti1Pair, "a.hdr"), both("a.hdr", "a.img"));
    assert_eq!(
        files(Format::Nifti1Pair, "a.IMG.gz"),
        both("a.HDR.gz", "a.IMG.gz")
    );
    assert_eq!(files(Format::Nifti2Single, "a.Nii"), both("a.Nii", "a.Nii"));
    assert_eq!(files(Format::Nifti1Single, "a.hdr"), None);
}

/// Checks that the rows of a table follow each other and have the names of its struct. Returns the end of the last one.
fn end_of(table: &[Field], names: &[&str]) -> usize {
    let own: Vec<&str> = table.iter().map(|field| field.name).collect();
    let names = names.iter().map(|name| name.trim_start_matches("r#"));
    assert!(names.len() == 0 || names.eq(own.iter().copied()));
    let mut end = 0;
    for field in table {
        assert!(field.offset >= end, "{}", field.name);
        assert_eq!(own.iter().filter(|name| **name == field.name).count(), 1);
        end = field.end();
    }
    end
}

#[test]
fn tables_are_in_order() {
    assert_eq!(end_of(analyze::TABLE, analyze::AnalyzeHeader::NAMES), 313);
    assert_eq!(end_of(mgh::TABLE, mgh::MghHeader::NAMES), 90);
    assert_eq!(end_of(ecat::MAIN, &[]), 512);
    assert_eq!(end_of(ecat::FRAME, &[]), 510);
}
