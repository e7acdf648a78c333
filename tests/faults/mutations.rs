//! Structured mutations of sound files of every format: an error, or exactly the voxels that the changed header describes.

use std::sync::atomic::{AtomicUsize, Ordering};

use voxload::format::Format;
use voxload::{
    ByteOrder, DataobjImage, FileHolder, FileMap, FileRole, Layout, Limits, LoadOptions,
};

use super::{Row, volume};
use crate::formats::seeds::{self, Seed};
use crate::support::errors::outcome;
use crate::support::nifti::Nifti;
use crate::support::rng::Rng;
use crate::support::source::CountingSource;
use crate::support::{folder, for_each_parallel};

/// The files of a sound image, and its format; `None` where the header names a file, which is found beside it.
pub struct Sound {
    format: Option<Format>,
    seed: Seed,
}

pub fn sound() -> Vec<Sound> {
    let one = Nifti::counting(&[4, 3, 2])
        .scl(2.0, 1.0)
        .extension(6, b"text");
    let two = one.clone().version(2).order(ByteOrder::Big);
    let nifti = |format, files: &[(&str, Vec<u8>)]| Sound {
        format: Some(format),
        seed: Seed {
            format: format.name(),
            files: files
                .iter()
                .map(|(name, bytes)| ((*name).to_owned(), bytes.clone()))
                .collect(),
        },
    };
    let (header, image) = one.pair();
    let mut all = vec![
        nifti(Format::Nifti1Single, &[("seed.nii", one.single())]),
        nifti(Format::Nifti2Single, &[("seed.nii", two.single())]),
        nifti(
            Format::Nifti1Pair,
            &[("seed.hdr", header), ("seed.img", image)],
        ),
    ];
    all.extend(seeds::all().into_iter().map(|seed| Sound {
        format: format_of(&seed),
        seed,
    }));
    all
}

fn format_of(seed: &Seed) -> Option<Format> {
    Some(match seed.files[0].0.as_str() {
        "seed.nhdr" | "seed.mhd" => return None,
        _ => match seed.format {
            "SPM2 Analyze" => Format::Spm2Analyze,
            "MGH" => Format::Mgh,
            "AFNI" => Format::Afni,
            "PAR/REC" => Format::ParRec,
            "MINC1" => Format::Minc1,
            "MINC2" => Format::Minc2,
            "ECAT 7" => Format::Ecat,
            "NRRD" => Format::Nrrd,
            "MetaImage" => Format::MetaImage,
            "CIFTI-2" => Format::Cifti2,
            other => panic!("{other}"),
        },
    })
}

/// Values that fields and counts like least.
const EXTREMES: [i64; 12] = [
    0,
    1,
    -1,
    2,
    0x7f,
    0x80,
    0x7fff,
    0x8000,
    0x7fff_ffff,
    0x8000_0000,
    i64::MAX,
    i64::MIN,
];

/// Overwrites a field of 1, 2, 4 or 8 bytes, a digit of a text, or takes, doubles or cuts a part.
fn mutate(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let at = rng.below(bytes.len());
    let part = at..(at + 1 + rng.below(16)).min(bytes.len());
    match rng.below(10) {
        0 => bytes[at] ^= 1 << rng.below(8),
        1 => bytes[at] = *rng.pick(b"0123456789-.:= \n\0\xff"),
        2 => drop(bytes.drain(part)),
        3 => {
            let again = bytes[part].to_vec();
            bytes.splice(at..at, again);
        }
        4 if rng.one_in(4) => bytes.truncate(at.max(1)),
        5 => bytes[at] = rng.bits() as u8,
        _ => {
            let size = *rng.pick(&[1, 2, 4, 8]);
            let at = at / size * size;
            let mut value = rng.pick(&EXTREMES).to_le_bytes()[..size].to_vec();
            if rng.one_in(2) {
                value.reverse();
            }
            if let Some(field) = bytes.get_mut(at..at + size) {
                field.copy_from_slice(&value);
            }
        }
    }
    if bytes.is_empty() {
        bytes.push(0);
    }
}

/// The stored voxels by the header's word alone: for formats whose voxels are one run of bytes.
fn described(image: &DataobjImage, file: &[u8]) -> Option<Vec<u8>> {
    let header = image.header();
    let plain = matches!(
        header.format,
        Format::Nifti1Single
            | Format::Nifti2Single
            | Format::Nifti1Pair
            | Format::Spm2Analyze
            | Format::Mgh
            | Format::Cifti2
    );
    if !plain || header.layout != Layout::FirstFastest {
        return None;
    }
    let start = header.data_offset as usize;
    let item = header.dtype.size_bytes();
    let voxels: usize = header.shape.iter().product();
    let mut bytes = file.get(start..start + voxels * item)?.to_vec();
    if header.byte_order == ByteOrder::Big {
        let unit = header.dtype.part_bytes();

        bytes.chunks_exact_mut(unit).for_each(<[u8]>::reverse);
    }
    Some(bytes)
}

/// How far a damaged file got.
#[derive(Default)]
pub struct Tried {
    loaded: bool,
    read: bool,
    compared: bool,
}

/// Loads one of the sound images in a damaged form: by name, or its files one by one as the format that it was.
fn load(
    sound: &Sound,
    files: &[(String, Vec<u8>)],
    options: &LoadOptions,
    by_name: bool,
) -> (voxload::Result<DataobjImage>, Option<tempfile::TempDir>) {
    let Some(format) = sound.format.filter(|_| !by_name) else {
        let folder = folder();
        let seed = Seed {
            format: sound.seed.format,
            files: files.to_vec(),
        };
        let path = seed.write(folder.path());
        return (DataobjImage::from_filename(path, options), Some(folder));
    };
    let roles: &[FileRole] = match files.len() {
        1 => &[FileRole::Image],
        _ => &[FileRole::Header, FileRole::Image, FileRole::Mat],
    };
    let holder = |bytes: &[u8]| FileHolder::from_source(CountingSource::new(bytes.to_vec()));
    let holders = files.iter().map(|(_, bytes)| holder(bytes));
    let map: FileMap = roles.iter().copied().zip(holders).collect();
    let options = options.clone().format(format);
    (DataobjImage::from_file_map(map, &options), None)
}

/// Loads and reads one of the sound images in a damaged form; panics on voxels that its header does not describe.
pub fn try_one(sound: &[Sound], number: usize, limits: Limits) -> Tried {
    let mut tried = Tried::default();
    let mut rng = Rng::new(number as u64);
    let sound = &sound[number % sound.len()];
    let mut files = sound.seed.files.clone();
    // Mostly the header; sometimes a file beside it.
    let damaged = match rng.one_in(10) {
        true => rng.below(files.len()),
        false => 0,
    };
    for _ in 0..=rng.below(3) {
        mutate(&mut files[damaged].1, &mut rng);
    }
    let options = LoadOptions::new()
        .limits(limits)
        .permit_truncated(rng.one_in(2))
        .strict_sort(rng.one_in(3));
    let (image, _folder) = load(sound, &files, &options, rng.one_in(8));
    let image = match image {
        Ok(image) => image,
        failed => {
            outcome(&failed);
            return tried;
        }
    };
    tried.loaded = true;
    image.header().fields.list();
    image.notes();
    let stored = image.dataobj().unscaled();
    outcome(&stored);
    outcome(&image.dataobj().read::<f32>());
    let Ok(stored) = stored else { return tried };
    tried.read = true;
    assert_eq!(stored.shape(), image.shape(), "mutation {number}");
    let (_, voxels) = files.get(1).unwrap_or(&files[0]);
    if let Some(right) = described(&image, voxels) {
        assert!(
            stored.as_bytes() == right,
            "mutation {number}: other voxels"
        );
        tried.compared = true;
    }
    tried
}

#[test]
fn a_changed_header_is_refused_or_obeyed() {
    let row = Row::new("structured mutations");
    let cases = volume(115_000, 2_015_000);
    let sound = sound();
    let limits = Limits::new().output(16 << 20);
    let counts: Vec<_> = sound
        .iter()
        .map(|_| [const { AtomicUsize::new(0) }; 4])
        .collect();
    for_each_parallel(0..cases, |number| {
        let tried = try_one(&sound, number, limits);
        let found = [true, tried.loaded, tried.read, tried.compared];
        for (count, found) in counts[number % sound.len()].iter().zip(found) {
            count.fetch_add(usize::from(found), Ordering::Relaxed);
        }
    });
    let mut sum = [0; 4];
    for (sound, counts) in sound.iter().zip(counts) {
        let counts = counts.map(AtomicUsize::into_inner);
        let [ran, loaded, read, compared] = counts;
        let name = &sound.seed.files[0].0;
        println!(
            "{} ({name}): of {ran}, {loaded} load, {read} read, {compared} compared",
            sound.seed.format
        );
        assert!(0 < loaded && loaded < ran, "{name}: {loaded} of {ran}");
        sum = std::array::from_fn(|k| sum[k] + counts[k]);
    }
    let [ran, loaded, read, compared] = sum;
    println!("of {ran}, {loaded} load, {read} read, {compared} compared with the header's word");
    assert!(loaded > ran / 10 && read > ran / 20 && compared > ran / 50);
    row.done(ran, cases);
}
