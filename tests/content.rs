//! Promise: the content of a file decides what it is, not its name. Where the two disagree and the file loads, a note
//! says so; what is no volume is named for what it is.

use std::path::{Path, PathBuf};

use voxload::format::{Format, formats};
use voxload::{DataobjImage, ErrorKind, FileRole, LoadOptions};

use crate::formats::seeds::{self, Seed};
use crate::gzip::files::by_tool;
use crate::support::errors::outcome;
use crate::support::nifti::{Nifti, gz};
use crate::support::rng::Rng;
use crate::support::{folder, overwrite, write};

/// Shape and values.
type Content = (Vec<usize>, Vec<u64>);

fn content(image: &DataobjImage) -> Content {
    let values = image.dataobj().read::<f64>().expect("it can be read");
    let bits = values.as_slice().iter().map(|value| value.to_bits());
    (image.shape().to_vec(), bits.collect())
}

fn open(path: &Path) -> DataobjImage {
    voxload::load(path).unwrap_or_else(|error| panic!("{error}"))
}

/// The notes about names, without the names.
fn name_notes(image: &DataobjImage) -> Vec<String> {
    let notes = image.notes();
    let named = notes.iter().filter(|note| note.field == "name");
    named
        .map(|note| {
            let (_, message) = note.message.split_once(": ").expect("a name");
            message.to_owned()
        })
        .collect()
}

/// Seeds whose content shows their format: all but Analyze, and NIfTI in one file and in two.
fn seeds() -> Vec<Seed> {
    let mut seeds = seeds::all();
    seeds.retain(|seed| seed.format != "SPM2 Analyze");
    for (format, version) in [("NIfTI-1", 1), ("NIfTI-2", 2)] {
        let nifti = Nifti::counting(&[4, 3, 2]).version(version).scl(0.5, -1.0);
        seeds.push(Seed {
            format,
            files: vec![("seed.nii".to_owned(), nifti.single())],
        });
        let (header, voxels) = nifti.pair();
        seeds.push(Seed {
            format: "NIfTI pair",
            files: vec![
                ("seed.hdr".to_owned(), header),
                ("seed.img".to_owned(), voxels),
            ],
        });
    }
    seeds
}

/// The bytes in this compression; `None` where there is no tool for it, or no support in this build.
fn compressed(bytes: &[u8], suffix: &str) -> Option<Vec<u8>> {
    match suffix {
        "" => Some(bytes.to_vec()),
        ".gz" => Some(gz(bytes, 6)),
        ".bz2" if cfg!(feature = "bz2") => by_tool("bzip2", &["-c", "-q"], bytes),
        ".zst" if cfg!(feature = "zst") => by_tool("zstd", &["-c", "-q"], bytes),
        _ => None,
    }
}

const SUFFIXES: [&str; 4] = ["", ".gz", ".bz2", ".zst"];

/// Every ending of every format, none, and endings of no format.
fn endings() -> Vec<&'static str> {
    let known = formats().flat_map(|info| {
        let images = info.image_endings.iter();
        info.header_endings.iter().chain(images).copied()
    });
    let mut endings: Vec<&str> = known.collect();
    endings.extend(["", ".dat", ".txt", ".nii.bak", ".NII", ".MGZ"]);
    endings.sort_unstable();
    endings.dedup();
    endings
}

/// Any format, under any name, in any compression, with any suffix: the same voxels as under its own name.
#[test]
fn any_format_under_any_name() {
    let (seeds, endings) = (seeds(), endings());
    let mut rng = Rng::new(16);
    let (mut cases, mut misnamed, mut formats) = (0, 0, std::collections::BTreeSet::new());
    while cases < 400 {
        let seed = rng.pick(&seeds);
        let (ending, promised) = (*rng.pick(&endings), *rng.pick(&SUFFIXES));
        let actual = if seed.format == "MINC2" {
            ""
        } else {
            *rng.pick(&SUFFIXES)
        };
        let Some(header) = compressed(&seed.files[0].1, actual) else {
            continue;
        };
        // Halves of a pair must differ in name, and a `.img` with a header in it has no room for its voxels.
        let image = seed.files.get(1).map(|(name, _)| name.to_lowercase());
        let root = seed.files[0].0.split('.').next().expect("a root");
        let image_ending = image.as_deref().and_then(|name| name.rsplit_once('.'));
        let is_image = |(_, image): (&str, &str)| ending.trim_start_matches('.') == image;
        // As in nibabel, `.nii` says that the voxels follow the header, whatever the magic says.
        let is_single = seed.format == "NIfTI pair" && ending.eq_ignore_ascii_case(".nii");
        // The other file has the same root.
        let is_rooted = image.is_none() || ending != ".nii.bak";
        if image_ending.is_some_and(is_image) || is_single || !is_rooted {
            continue;
        }
        let folder = folder();
        let right = folder.path().join("right");
        let wrong = folder.path().join("wrong");
        for place in [&right, &wrong] {
            std::fs::create_dir(place).expect("a folder");
            seed.write(place);
            std::fs::remove_file(place.join(&seed.files[0].0)).expect("a file");
        }
        let own = format!("{}{actual}", seed.files[0].0);
        let other = format!("{root}{ending}{promised}");
        overwrite(&right.join(&own), &header);
        overwrite(&wrong.join(&other), &header);
        let what = format!("{own} as {other}");
        if !actual.is_empty()
            && seed.files.len() == 2
            && !own.contains(".nhdr")
            && !own.contains(".mhd")
        {
            // By its own name too, the voxels' name follows the compression of the header's.
            let voxels = &seed.files[1];
            let name = format!("{}{actual}", voxels.0);
            overwrite(
                &right.join(&name),
                &compressed(&voxels.1, actual).expect("a tool"),
            );
        }
        let expected = content(&open(&right.join(&own)));
        let image =
            voxload::load(wrong.join(&other)).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(content(&image), expected, "{what}");
        let notes = name_notes(&image);
        assert_eq!(
            notes.iter().any(|note| note.contains("compressed")),
            {
                let mgz = ending.eq_ignore_ascii_case(".mgz") && promised.is_empty();
                actual != if mgz { ".gz" } else { promised }
            },
            "{what}: {notes:?}"
        );
        let as_it_is = own == other;
        assert!(
            as_it_is || own.to_lowercase() == other.to_lowercase() || !notes.is_empty() || {
                // NIfTI under another of NIfTI's endings is nothing to note in two cases: `.nii` of a pair's magic, and
                // endings that the format has too.
                image.header().format.name() != ""
                    && formats_with(ending).contains(&image.header().format)
            },
            "{what}: {notes:?}"
        );
        cases += 1;
        misnamed += usize::from(!notes.is_empty());
        formats.insert(seed.format);
    }
    assert!(misnamed > 300, "{misnamed} of {cases} had a wrong name");
    assert!(formats.len() >= 11, "{formats:?}");
}

fn formats_with(ending: &str) -> Vec<Format> {
    let with = formats().filter(|info| {
        let mut endings = info.header_endings.iter().chain(info.image_endings);
        endings.any(|known| known.eq_ignore_ascii_case(ending))
    });
    with.map(|info| info.format).collect()
}

#[test]
fn plain_content_under_gz_and_gzip_under_other_names() {
    let dir = folder();
    let nifti = Nifti::counting(&[4, 3, 2]);
    let (plain, zipped) = (nifti.single(), gz(&nifti.single(), 6));
    let right = content(&open(&write(&dir, "right.nii", &plain)));
    let not_compressed = "the content is not compressed, but the name ends in";
    let is_gzip = "the content is compressed by gzip, but the name does not end in .gz";
    let is_nifti = "the content is NIfTI-1, but the name does not end in";
    for (name, bytes, expected) in [
        ("right.nii.gz", &zipped, vec![]),
        (
            "plain.nii.gz",
            &plain,
            vec![format!("{not_compressed} .gz")],
        ),
        (
            "plain.nii.bz2",
            &plain,
            vec![format!("{not_compressed} .bz2")],
        ),
        ("zipped.nii", &zipped, vec![is_gzip.to_owned()]),
        (
            "nifti_inside.mgz",
            &zipped,
            vec![format!("{is_nifti} .nii")],
        ),
        (
            "nifti_inside.mgh",
            &zipped,
            vec![format!("{is_nifti} .nii"), is_gzip.to_owned()],
        ),
        (
            "plain_nifti.mgz",
            &plain,
            vec![format!("{is_nifti} .nii"), format!("{not_compressed} .mgz")],
        ),
        ("volume", &plain, vec![format!("{is_nifti} .nii")]),
        (
            "zipped.dat",
            &zipped,
            vec![format!("{is_nifti} .nii"), is_gzip.to_owned()],
        ),
    ] {
        let image = open(&write(&dir, name, bytes));
        assert_eq!(content(&image), right, "{name}");
        assert_eq!(name_notes(&image), expected, "{name}");
        assert_eq!(image.header().format, Format::Nifti1Single, "{name}");
    }
}

/// What should be compressed, is not, and is of no format: damaged, as before.
#[test]
fn damaged_compression_is_still_an_error() {
    let dir = folder();
    let bytes = gz(&Nifti::counting(&[40, 30, 20]).single(), 6);
    for (name, at) in [
        ("a.nii.gz", 0),
        ("b.nii.gz", 1),
        ("a.mgz", 0),
        ("a.nrrd.gz", 1),
    ] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x20;
        let error = voxload::load(write(&dir, name, &damaged)).expect_err(name);
        assert_eq!(
            outcome::<()>(&Err(error.clone())),
            "Integrity(gzip)",
            "{name}: {error}"
        );
        assert!(error.to_string().contains("1f 8b"), "{error}");
        // Further on, the damage is found by the whole read.
        let mut damaged = bytes.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0x20;
        let read = voxload::load(write(&dir, name, &damaged))
            .and_then(|image| image.dataobj().read::<f32>().map(drop));
        let found = outcome(&read);
        assert!(
            matches!(found.as_str(), "Integrity(gzip)" | "Truncated(voxel data)"),
            "{name}: {found}"
        );
    }
}

fn pair(dir: &tempfile::TempDir, header: &str, image: &str, bytes: &[u8]) -> PathBuf {
    let nifti = Nifti::counting(&[4, 3, 2]);
    write(dir, image, bytes);
    write(dir, header, &nifti.pair().0)
}

/// Voxels alone have no mark: of those that should be compressed and are not, the length decides.
#[test]
fn voxels_of_a_pair_under_a_wrong_suffix() {
    let nifti = Nifti::counting(&[4, 3, 2]);
    let voxels = nifti.pair().1;
    let dir = folder();
    let right = content(&open(&pair(&dir, "right.hdr", "right.img", &voxels)));
    let plain = open(&pair(&dir, "a.hdr.gz", "a.img.gz", &voxels));
    assert_eq!(content(&plain), right);
    assert_eq!(name_notes(&plain).len(), 2, "{:?}", plain.notes());
    let zipped = open(&pair(&dir, "b.hdr", "b.img", &gz(&voxels, 6)));
    assert_eq!(content(&zipped), right);
    assert_eq!(
        name_notes(&zipped),
        ["the content is compressed by gzip, but the name does not end in .gz"]
    );
    let mut damaged = gz(&voxels, 6);
    damaged[0] ^= 1;
    let error = voxload::load(pair(&dir, "c.hdr.gz", "c.img.gz", &damaged)).expect_err("damaged");
    assert_eq!(outcome::<()>(&Err(error.clone())), "Integrity(gzip)");
    assert!(
        error.path().is_some_and(|path| path.ends_with("c.img.gz")),
        "{error}"
    );
    // Voxels that begin as gzip does.
    let mut like_gzip = voxels.clone();
    like_gzip[..3].copy_from_slice(&[0x1f, 0x8b, 8]);
    let image = open(&pair(&dir, "d.hdr", "d.img", &like_gzip));
    let stored = image.dataobj().unscaled().expect("voxels");
    let (words, _) = like_gzip.as_chunks();
    let native = words
        .iter()
        .flat_map(|&word| i16::from_le_bytes(word).to_ne_bytes());
    assert_eq!(stored.as_bytes(), native.collect::<Vec<_>>());
}

/// A whole volume under the name of one half of a pair.
#[test]
fn a_single_file_named_as_half_a_pair() {
    for version in [1, 2] {
        let nifti = Nifti::counting(&[4, 3, 2]).version(version);
        let dir = folder();
        let right = content(&open(&write(&dir, "right.nii", &nifti.single())));
        for name in ["alone.img", "alone.hdr", "zipped.img.gz", "zipped.hdr.gz"] {
            let dir = folder();
            let bytes = match name.ends_with(".gz") {
                true => gz(&nifti.single(), 6),
                false => nifti.single(),
            };
            let image = open(&write(&dir, name, &bytes));
            assert_eq!(content(&image), right, "{name}");
            assert_eq!(name_notes(&image).len(), 1, "{name}: {:?}", image.notes());
            let files: Vec<_> = image.file_map().keys().copied().collect();
            assert_eq!(files, [FileRole::Image], "{name}");
        }
        // A header beside it that is none, here of ENVI's kind.
        let dir = folder();
        write(&dir, "a.hdr", b"ENVI\ndescription = {}\nsamples = 4\n");
        assert_eq!(
            content(&open(&write(&dir, "a.img", &nifti.single()))),
            right
        );
        // A pair stays a pair, although its header has the magic of a single file, as in nibabel.
        let dir = folder();
        let (mut header, voxels) = nifti.pair();
        let magic = if version == 1 { 345 } else { 5 };
        header[magic] = b'+';
        write(&dir, "a.img", &voxels);
        let image = open(&write(&dir, "a.hdr", &header));
        assert_eq!(content(&image), right);
        assert_eq!(name_notes(&image), [""; 0]);
    }
    let dir = folder();
    let error = voxload::load(write(&dir, "voxels.img", &[1; 400])).expect_err("no header");
    assert_eq!(*error.kind(), ErrorKind::NotFound);
    assert!(
        error
            .path()
            .is_some_and(|path| path.ends_with("voxels.hdr"))
    );
    // The header of a pair under the name of its voxels: where are they?
    let header = Nifti::counting(&[4, 3, 2]).pair().0;
    let error = voxload::load(write(&dir, "header.img", &header)).expect_err("no voxels");
    assert_eq!(*error.kind(), ErrorKind::NotFound);
}

const LFS: &[u8] = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n";
const ANNEX: &[u8] = b"/annex/objects/MD5E-s12345--00.nii.gz\n";
const LINK: &[u8] = b"../.git/annex/objects/Xx/0y/MD5E-s12345--00.nii.gz/MD5E-s12345--00.nii.gz";
const PAGE: &[u8] = b"<!DOCTYPE html>\n<html><body>Please log in</body></html>\n";

/// The kind, what it is called, and the file that is named.
fn refused(path: &Path) -> (&'static str, &'static str, PathBuf) {
    let loaded = voxload::load(path).and_then(|image| image.dataobj().read::<f32>().map(drop));
    let error = loaded.expect_err("no volume");
    let ErrorKind::NotAVolume { what, hint } = *error.kind() else {
        panic!("{}: {error}", path.display());
    };
    let line = error.to_string();
    assert!(line.ends_with(&format!("{what}: {hint}")), "{line}");
    (what, hint, error.path().expect("a path").to_owned())
}

#[test]
fn pointers_and_pages_are_named_under_every_ending() {
    let mut cases = 0;
    for (bytes, word, todo) in [
        (LFS, "Git LFS pointer", "git lfs pull"),
        (ANNEX, "git-annex pointer", "git annex get"),
        (LINK, "git-annex pointer", "git annex get"),
        (PAGE, "web page", "fetch the file"),
        (b"{\"RepetitionTime\": 2}", "JSON", "name the volume"),
        (b"<?xml version=\"1.0\"?>\n<a/>", "XML", "name the volume"),
        (b"%PDF-1.7\n", "PDF", "name the volume"),
        (b"PK\x03\x04\x14\0\0\0", "ZIP", "unpack"),
        (b"\x93NUMPY\x01\0", "NumPy", "nibabel"),
    ] {
        for ending in endings() {
            for suffix in ["", ".gz"] {
                let dir = folder();
                let path = write(&dir, &format!("a{ending}{suffix}"), bytes);
                let halves = [".img", ".rec", ".brik"];
                if halves.contains(&ending) {
                    // The header's absence is what is wrong.
                    continue;
                }
                let (what, hint, named) = refused(&path);
                assert!(
                    what.contains(word) && hint.contains(todo),
                    "{ending}: {what}: {hint}"
                );
                assert_eq!(named, path);
                cases += 1;
            }
        }
        let dir = folder();
        assert!(
            refused(&write(&dir, "a.nii.gz", &gz(bytes, 6)))
                .0
                .contains(word)
        );
        let error = DataobjImage::from_bytes(bytes.to_vec()).expect_err("no volume");
        assert!(error.to_string().contains(word), "{error}");
    }
    assert!(cases >= 300, "{cases}");
}

/// The part that is a pointer is the one that is named.
#[test]
fn a_pointer_in_place_of_voxels() {
    for pointer in [LFS, ANNEX, LINK, PAGE] {
        for seed in [
            seeds::analyze(),
            seeds::afni(),
            seeds::parrec(),
            seeds::nhdr(),
            seeds::mhd(),
        ] {
            let dir = folder();
            let path = seed.write(dir.path());
            let image = dir.path().join(&seed.files[1].0);
            overwrite(&image, pointer);
            assert_eq!(refused(&path).2, image, "{}", seed.format);
            // Named by its voxels, the header is found and the pointer still is the fault.
            if !seed.files[1].0.ends_with(".raw") {
                assert_eq!(refused(&image).2, image, "{}", seed.format);
            }
        }
        let dir = folder();
        let (header, _) = Nifti::counting(&[400, 300, 2]).pair();
        write(&dir, "a.hdr.gz", &gz(&header, 6));
        let image = write(&dir, "a.img.gz", pointer);
        assert_eq!(refused(&image).2, image);
    }
}

#[cfg(unix)]
#[test]
fn links_into_an_absent_annex_are_named() {
    let store = "../.git/annex/objects/Xx/0y/MD5E-s1--00.nii/MD5E-s1--00.nii";
    let dir = folder();
    let link = |name: &str, target: &str| {
        let path = dir.path().join(name);
        std::os::unix::fs::symlink(target, &path).expect("a link");
        path
    };
    let path = link("a.nii.gz", store);
    let (what, hint, named) = refused(&path);
    assert!(what.contains("git-annex") && hint.contains("git annex get"));
    assert_eq!(named, path);
    // Any other dangling link is what it was.
    let other = link("b.nii.gz", "elsewhere.nii.gz");
    assert_eq!(outcome(&voxload::load(other)), "NotFound");
    // Of a pair, the half that is not here.
    let (header, _) = Nifti::counting(&[4, 3, 2]).pair();
    let header = write(&dir, "p.hdr", &header);
    let image = link("p.img", store);
    assert_eq!(refused(&header).2, image);
    let header = link("q.hdr", store);
    let image = write(&dir, "q.img", &[0; 48]);
    assert_eq!(refused(&image).2, header);
}

/// A format that is asked for is the only one considered.
#[test]
fn formats_that_are_asked_for() {
    let dir = folder();
    let nifti = Nifti::counting(&[4, 3, 2]);
    let right = content(&open(&write(&dir, "right.nii", &nifti.single())));
    let family = [
        Format::Nifti1Single,
        Format::Nifti1Pair,
        Format::Nifti2Single,
    ];
    let load = |path: &Path, formats: &[Format]| {
        let options = LoadOptions::new().formats(formats.iter().copied());
        DataobjImage::from_filename(path, &options)
    };
    for name in ["a", "a.dat", "a.mgz", "a.img"] {
        let path = write(&dir, name, &nifti.single());
        let image = load(&path, &family).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(content(&image), right, "{name}");
        let image = load(&path, &[Format::Nifti1Single]).expect("one format");
        assert_eq!(content(&image), right, "{name}");
        let error = load(&path, &[Format::Minc1, Format::Nrrd]).expect_err("another");
        let expected = match name {
            "a.img" => true,
            _ => error
                .to_string()
                .contains("the content is NIfTI-1, not MINC1 or NRRD"),
        };
        assert!(expected, "{name}: {error}");
    }
    // Analyze has no mark: under another ending it is loaded on request, with the voxels beside it.
    let seed = seeds::analyze();
    let right = content(&open(&seed.write(dir.path())));
    let path = write(&dir, "seed.header", &seed.files[0].1);
    assert_eq!(outcome(&voxload::load(&path)), "UnknownFormat");
    let image = load(&path, &[Format::Spm2Analyze]).expect("it loads");
    assert_eq!(content(&image), right);
    // A pointer is named, whatever was asked for.
    let pointer = write(&dir, "pointer.nii", LFS);
    let error = load(&pointer, &[Format::Nifti1Single]).expect_err("a pointer");
    assert!(error.to_string().contains("Git LFS"), "{error}");
}

/// Bytes of a format in two files say that they are not enough, rather than reading voxels from the header.
#[test]
fn halves_from_bytes_are_refused() {
    for seed in [seeds::parrec(), seeds::afni()] {
        let error = DataobjImage::from_bytes(seed.files[0].1.clone()).expect_err("half");
        assert_eq!(outcome::<()>(&Err(error.clone())), "Usage", "{error}");
        assert!(error.to_string().contains(seed.format), "{error}");
    }
    let header = Nifti::counting(&[4, 3, 2]).pair().0;
    let error = DataobjImage::from_bytes(header).expect_err("half");
    assert!(error.to_string().contains("NIfTI-1 pair"), "{error}");
}
