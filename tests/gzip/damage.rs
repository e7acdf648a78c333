//! Nothing corrupt gets through a whole read, nothing takes more than it should.

use std::sync::atomic::{AtomicUsize, Ordering};

use libdeflater::Decompressor;
use voxload::{DType, DataobjImage, ErrorKind};

use super::files::{bgzf, libdeflate, members, mgzip, scan};
use crate::support::environment::volume;
use crate::support::for_each_parallel;
use crate::support::nifti::gz;
use crate::support::rng::Rng;
use crate::support::table::Row;

/// The error of a file that must give one.
fn refused(bytes: Vec<u8>, what: &str) -> voxload::Error {
    match read(bytes) {
        Ok(_) => panic!("{what} got through"),
        Err(error) => error,
    }
}

/// All values as f32, or the error.
fn read(bytes: Vec<u8>) -> voxload::Result<Vec<f32>> {
    let image = DataobjImage::from_bytes(bytes)?;
    Ok(image
        .dataobj()
        .slice::<f32>(&voxload::Index::new())?
        .as_slice()
        .to_vec())
}

#[test]
fn a_thousand_flips_that_still_inflate() {
    let row = Row::new("gz: flips that still inflate");
    let bytes = scan(DType::I16, &[64, 64, 20, 6], 4).single();
    let file = gz(&bytes, 6);
    let mut rng = Rng::new(40);
    let mut silent = Vec::new();
    let mut out = vec![0; bytes.len()];
    let mut decompressor = Decompressor::new();
    while silent.len() < 1000 {
        let mut flipped = file.clone();
        flipped[3000 + rng.below(file.len() - 3008)] ^= 1 << rng.below(8);
        let body = &flipped[10..flipped.len() - 8];
        let inflated = decompressor.deflate_decompress(body, &mut out);
        if inflated == Ok(bytes.len()) && out != bytes {
            silent.push(flipped);
        }
    }
    let cases = silent.len();
    for_each_parallel(silent, |flipped| {
        let error = refused(flipped, "a silent flip is found");
        assert!(
            matches!(error.kind(), ErrorKind::Integrity { .. }),
            "{error}"
        );
    });
    row.done(cases, 1000);
}

#[test]
fn trailers_of_every_kind_of_file() {
    let bytes = scan(DType::I16, &[40, 40, 20, 6], 4).single();
    let half = bytes.len() / 2;
    let kinds = [
        gz(&bytes, 6),
        libdeflate(&bytes, 9),
        [gz(&bytes[..half], 6), gz(&bytes[half..], 6)].concat(),
        [gz(&bytes, 6), gz(&bytes, 6)].concat(),
        members(&bytes, 10_000),
        mgzip(&bytes, 10_000),
        bgzf(&bytes),
    ];
    for (kind, file) in kinds.iter().enumerate() {
        assert!(read(file.clone()).is_ok(), "kind {kind}");
        // The last trailer, and the first of several, found by the header after it.
        let mut ends = vec![file.len()];
        let second = (20..file.len() - 20)
            .find(|&at| file[at..].starts_with(&[0x1f, 0x8b, 8]) && matches!(file[at + 3], 0 | 4));
        ends.extend(second);
        for end in ends {
            for byte in end - 8..end {
                let mut changed = file.clone();
                changed[byte] ^= 0x10;
                let error = refused(changed, "a wrong trailer");
                assert!(
                    matches!(error.kind(), ErrorKind::Integrity { .. }),
                    "kind {kind}, byte {byte} of {end}: {error}"
                );
            }
        }
        for missing in 1..=9 {
            let error = refused(file[..file.len() - missing].to_vec(), "no trailer");
            assert!(
                matches!(error.kind(), ErrorKind::Truncated { .. }),
                "kind {kind}: {error}"
            );
        }
    }
}

/// Any change of any kind of file: the right values or an error.
#[test]
fn mutated_files() {
    let row = Row::new("gz: mutated files of every kind");
    let nifti = scan(DType::I16, &[17, 13, 11], 4);
    let bytes = nifti.single();
    let right = read(bytes.clone()).expect("it is sound");
    let seeds = [
        gz(&bytes, 6),
        gz(&bytes, 1),
        gz(&bytes, 0),
        members(&bytes, 1000),
        mgzip(&bytes, 1000),
        bgzf(&bytes),
        [gz(&bytes, 6), vec![0; 50]].concat(),
    ];
    let tries = volume(10_000, 2_000_000);
    let (ran, loaded) = (AtomicUsize::new(0), AtomicUsize::new(0));
    for_each_parallel(0..tries, |number| {
        let mut rng = Rng::new(number as u64);
        let mut file = rng.pick(&seeds).clone();
        for _ in 0..=rng.below(3) {
            mutate(&mut file, &mut rng);
        }
        if let Ok(values) = read(file) {
            assert!(values == right, "mutation {number} gives wrong values");
            loaded.fetch_add(1, Ordering::Relaxed);
        }
        ran.fetch_add(1, Ordering::Relaxed);
    });
    println!(
        "{} of {tries} mutated files load, with the right values",
        loaded.into_inner()
    );
    row.done(ran.into_inner(), tries);
}

pub fn mutate(file: &mut Vec<u8>, rng: &mut Rng) {
    let at = rng.below(file.len());
    let length = 1 + rng.below(40);
    match rng.below(7) {
        0 | 1 => file[at] ^= 1 << rng.below(8),
        2 => file[at] = rng.bits() as u8,
        3 => file.truncate(at.max(1)),
        4 => drop(file.splice(at..at, rng.bytes(length))),
        5 => drop(file.drain(at..(at + length).min(file.len() - 1).max(at))),
        _ => {
            let from = rng.below(file.len());
            let part = file[from..(from + length).min(file.len())].to_vec();
            file.splice(at..at, part);
        }
    }
}

/// Found by fuzzing: after an empty member, a member that its damaged header hid had the same trailer.
#[test]
fn a_damaged_header_between_equal_members() {
    let bytes = scan(DType::I16, &[9, 8, 7], 3).single();
    for part in [&b""[..], &bytes[..100]] {
        let tail = [gz(part, 6), gz(part, 6)].concat();
        let file = [gz(&bytes, 6), tail.clone()].concat();
        assert!(read(file.clone()).is_ok());
        // Reserved flags of the last header.
        let mut damaged = file.clone();
        damaged[file.len() - tail.len() / 2 + 3] |= 0x20;
        let error = refused(damaged, "a damaged header");
        assert!(
            matches!(error.kind(), ErrorKind::Integrity { .. }),
            "{error}"
        );
    }
}
