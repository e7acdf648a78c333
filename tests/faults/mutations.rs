//! Structured mutations of sound headers: an error, or exactly the voxels that the changed header describes.

use std::sync::atomic::{AtomicUsize, Ordering};

use voxload::format::Format;
use voxload::{
    ByteOrder, DataobjImage, FileHolder, FileMap, FileRole, Layout, Limits, LoadOptions,
};

use super::{Row, volume};
use crate::formats::seeds;
use crate::support::errors::outcome;
use crate::support::for_each_parallel;
use crate::support::nifti::Nifti;
use crate::support::rng::Rng;
use crate::support::source::CountingSource;

/// A sound image: its header file, and those beside it.
pub struct Sound {
    format: Format,
    header: Vec<u8>,
    image: Option<Vec<u8>>,
    mat: Option<Vec<u8>>,
}

pub fn sound() -> Vec<Sound> {
    let one = Nifti::counting(&[4, 3, 2])
        .scl(2.0, 1.0)
        .extension(6, b"text");
    let two = one.clone().version(2).order(ByteOrder::Big);
    let single = |format, header| Sound {
        format,
        header,
        image: None,
        mat: None,
    };
    let (header, image) = one.pair();
    let pair = Sound {
        image: Some(image),
        ..single(Format::Nifti1Pair, header)
    };
    let of_seed = |format, seed: seeds::Seed| {
        let mut files = seed.files.into_iter().map(|(_, bytes)| bytes);
        Sound {
            format,
            header: files.next().expect("a header"),
            image: files.next(),
            mat: files.next(),
        }
    };
    vec![
        single(Format::Nifti1Single, one.single()),
        single(Format::Nifti2Single, two.single()),
        pair,
        of_seed(Format::Spm2Analyze, seeds::analyze()),
        of_seed(Format::Mgh, seeds::mgh()),
        of_seed(Format::Afni, seeds::afni()),
        of_seed(Format::ParRec, seeds::parrec()),
        of_seed(Format::Minc1, seeds::minc()),
        of_seed(Format::Ecat, seeds::ecat()),
        of_seed(Format::Nrrd, seeds::nrrd()),
        of_seed(Format::MetaImage, seeds::mha()),
        of_seed(Format::Cifti2, seeds::cifti()),
    ]
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

/// Loads and reads one of the sound images in a damaged form; panics on voxels that its header does not describe.
pub fn try_one(sound: &[Sound], number: usize, limits: Limits) -> Tried {
    let mut tried = Tried::default();
    let mut rng = Rng::new(number as u64);
    let sound = &sound[number % sound.len()];
    let mut header = sound.header.clone();
    for _ in 0..=rng.below(3) {
        mutate(&mut header, &mut rng);
    }
    let holder = |bytes: &[u8]| FileHolder::from_source(CountingSource::new(bytes.to_vec()));
    let key = if sound.image.is_some() {
        FileRole::Header
    } else {
        FileRole::Image
    };
    let mut map = FileMap::from([(key, holder(&header))]);
    map.extend(
        sound
            .image
            .as_deref()
            .map(|bytes| (FileRole::Image, holder(bytes))),
    );
    map.extend(
        sound
            .mat
            .as_deref()
            .map(|bytes| (FileRole::Mat, holder(bytes))),
    );
    let options = LoadOptions::new().format(sound.format).limits(limits);
    let image = match DataobjImage::from_file_map(map, &options) {
        Ok(image) => image,
        failed => {
            outcome(&failed);
            return tried;
        }
    };
    tried.loaded = true;
    let stored = image.dataobj().unscaled();
    outcome(&stored);
    outcome(&image.dataobj().read::<f32>());
    let Ok(stored) = stored else { return tried };
    tried.read = true;
    assert_eq!(stored.shape(), image.shape(), "mutation {number}");
    let file = sound.image.as_ref().unwrap_or(&header);
    if let Some(right) = described(&image, file) {
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
    let cases = volume(100_000, 2_000_000);
    let sound = sound();
    let limits = Limits::new().output(16 << 20);
    let counts = [const { AtomicUsize::new(0) }; 4];
    for_each_parallel(0..cases, |number| {
        let tried = try_one(&sound, number, limits);
        let found = [true, tried.loaded, tried.read, tried.compared];
        for (count, found) in counts.iter().zip(found) {
            count.fetch_add(usize::from(found), Ordering::Relaxed);
        }
    });
    let [ran, loaded, read, compared] = counts.map(AtomicUsize::into_inner);
    println!("of {ran}, {loaded} load, {read} read, {compared} compared with the header's word");
    assert!(loaded > ran / 10 && read > ran / 20 && compared > ran / 50);
    row.done(ran, cases);
}
