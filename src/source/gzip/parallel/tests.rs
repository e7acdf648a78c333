//! However a file is split: the right bytes or none.

use std::io::Write;

use flate2::write::GzEncoder;
use flate2::{Compress, Compression, FlushCompress};
use libdeflater::Decompressor;

use super::super::chunk::Inflater;
use super::*;
use crate::source::memory::MemorySource;
use crate::testing::Rng;

/// Smooth 16-bit voxels with noise; every third stretch is masked.
fn scan(length: usize, masked: bool, seed: u64) -> Vec<u8> {
    let mut random = Rng::new(seed);
    let voxel = |i: usize| match masked && (i / 30_000).is_multiple_of(3) {
        true => 0,
        false => (i / 50 % 3000) as u16 + random.below_u64(13) as u16,
    };
    (0..length / 2)
        .map(voxel)
        .flat_map(u16::to_le_bytes)
        .collect()
}

fn gz(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn cut(threads: usize, part: u64) -> Cut {
    Cut {
        part,
        max_part: 32 << 20,
        threads,
    }
}

/// Each chunk of the index inflates by itself.
fn check(index: &Index, file: &[u8], bytes: &[u8]) {
    let mut inflater = Inflater::default();
    let mut end = 0;
    for chunk in &index.chunks {
        assert_eq!(chunk.out.start, end);
        end = chunk.out.end;
        let read = |at: u64, place: &mut [u8]| {
            place.copy_from_slice(&file[at as usize..at as usize + place.len()]);
            Ok(())
        };
        let found = inflater.inflate(chunk, read).unwrap();
        assert!(found == &bytes[chunk.out.start as usize..end as usize]);
    }
    assert_eq!(end, bytes.len() as u64);
    assert!(index.complete);
}

/// The inflated bytes, assembled from the parts; `None` if the file is left to other methods.
fn inflated(file: &[u8], need: usize, cut: Cut) -> Option<Vec<u8>> {
    let source = Source::Memory(MemorySource::new(file.to_vec()));
    let mut end = 0;
    let in_order = |range: &Range<u64>| {
        assert_eq!(range.start, end, "one after the other");
        end = range.end;
        range.clone()
    };
    let part = |at, bytes: &[u8], range: Range<u64>| {
        assert_eq!(range, at..at + bytes.len() as u64);
        bytes.to_vec()
    };
    let member = Member::only(&source, Some(need as u64)).unwrap()?;
    let (parts, index) = inflate_cut(&source, member, cut, in_order, part).unwrap()?;
    assert!(parts.len() > 1, "it was cut");
    if let Some(index) = index {
        check(&index, file, &parts.concat());
    }
    Some(parts.concat())
}

#[test]
fn the_right_bytes_or_none() {
    for masked in [false, true] {
        let bytes = scan(3 << 20, masked, 5 + u64::from(masked));
        for level in 1..=9 {
            let file = gz(&bytes, level);
            for (threads, part) in [(2, 300_000), (4, 400_000), (8, 250_000), (3, 1_000_000)] {
                let found = inflated(&file, bytes.len(), cut(threads, part));
                assert!(found.is_some_and(|found| found == bytes), "level {level}");
            }
        }
    }
}

/// Level 1 writes blocks with fixed codes, as long as the file is: it is cut between codes, and there is no index.
#[test]
fn blocks_with_fixed_codes() {
    let noise = scan(2 << 20, false, 61);
    let zeros = vec![0; 1 << 20];
    for bytes in [
        noise.clone(),
        [&zeros[..], &noise].concat(),
        [&noise[..], &zeros, &noise].concat(),
        [&noise[..], &zeros].concat(),
    ] {
        let file = gz(&bytes, 1);
        for (threads, part) in [(2, 300_000), (3, 70_000)] {
            let found = inflated(&file, bytes.len(), cut(threads, part));
            assert!(found.is_some_and(|found| found == bytes));
        }
        let source = Source::Memory(MemorySource::new(file));
        let member = Member::only(&source, Some(bytes.len() as u64)).unwrap();
        let mut parts = Parts::new(member.unwrap(), cut(3, 100_000));
        let lengths = |_, bytes: &[u8], ()| bytes.len();
        let lengths = parts.inflate(&source, usize::MAX, |_| (), lengths).unwrap();
        assert_eq!(lengths.unwrap().iter().sum::<usize>(), bytes.len());
        assert!(parts.finish().unwrap().is_none());
    }
}

/// Blocks of both kinds in one member, cut wherever they may be.
#[test]
fn fixed_and_dynamic_codes_in_turns() {
    let bytes = scan(3 << 20, false, 71);
    let mut body = Vec::with_capacity(4 << 20);
    let pieces = bytes.chunks(300_000);
    let last = pieces.len() - 1;
    for (number, piece) in pieces.enumerate() {
        let level = [1, 6][number % 2];
        let flush = match number == last {
            true => FlushCompress::Finish,
            false => FlushCompress::Sync,
        };
        let mut state = Compress::new(Compression::new(level), false);
        state.compress_vec(piece, &mut body, flush).unwrap();
        assert_eq!(state.total_in(), piece.len() as u64);
    }
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    let crc = crc32fast::hash(&bytes).to_le_bytes();
    let length = (bytes.len() as u32).to_le_bytes();
    let file = [&head[..], &body, &crc, &length].concat();
    for (threads, part) in [(2, 300_000), (3, 70_000), (4, 150_000), (2, 1_000_000)] {
        let found = inflated(&file, bytes.len(), cut(threads, part));
        assert!(found.is_some_and(|found| found == bytes), "{part}");
    }
}

/// Bytes after the voxels and a file name in the header do not prevent it.
#[test]
fn tails_and_names() {
    let bytes = scan(2 << 20, false, 9);
    let file = gz(&bytes, 6);
    for tail in [0, 1, 1000, 1 << 20] {
        let found = inflated(&file, bytes.len() - tail, cut(4, 300_000));
        assert!(found.is_some_and(|found| found == bytes), "{tail}");
    }
    let mut named = vec![0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3];
    named.extend(b"series.nii\0");
    named.extend(&file[10..]);
    let found = inflated(&named, bytes.len(), cut(4, 300_000));
    assert!(found.is_some_and(|found| found == bytes));
}

/// Data that repeats at the largest distance, so that everything depends on the window, with some noise, so that there are blocks.
fn repeated(times: usize) -> Vec<u8> {
    let mut random = Rng::new(4);
    let bytes = scan(31_000, false, 3).repeat(times).into_iter();
    bytes
        .map(|byte| match random.below_u64(40) {
            0 => random.below_u64(256) as u8,
            _ => byte,
        })
        .collect()
}

#[test]
fn what_never_settles_is_inflated_again() {
    let bytes = repeated(150);
    let found = inflated(&gz(&bytes, 9), bytes.len(), cut(4, 200_000));
    assert!(found.is_some_and(|found| found == bytes));
}

/// One thread inflates it once; several would inflate all of it twice.
#[test]
fn what_never_settles_in_large_parts_is_left_to_one_thread() {
    let bytes = repeated(200);
    for threads in [2, 4] {
        let found = inflated(&gz(&bytes, 6), bytes.len(), cut(threads, 1_500_000));
        assert!(found.is_none(), "{threads} threads");
    }
}

/// What cannot be repaired after that is inflated again.
#[test]
fn noise_first_and_then_what_never_settles() {
    let bytes = [scan(8 << 20, false, 6), repeated(200)].concat();
    let found = inflated(&gz(&bytes, 6), bytes.len(), cut(2, 1_500_000));
    assert!(found.is_some_and(|found| found == bytes));
}

/// Parts that inflate to far more than planned, and far less.
#[test]
fn density_that_varies() {
    let noise = scan(3 << 20, false, 41);
    for zeros in [300_000, 5 << 20, 20 << 20] {
        let zeros = vec![0; zeros];
        for bytes in [
            [&zeros[..], &noise].concat(),
            [&noise[..], &zeros].concat(),
            [&noise[..1 << 20], &zeros, &noise[1 << 20..]].concat(),
        ] {
            let found = inflated(&gz(&bytes, 6), bytes.len(), cut(3, 300_000));
            assert!(found.is_some_and(|found| found == bytes));
        }
    }
}

/// A reader that goes forwards, in pieces of any size, with an index at the end.
#[test]
fn forwards_and_an_index_that_is_thinned_out() {
    let bytes = scan(14 << 20, false, 51);
    let file = gz(&bytes, 6);
    let source = Source::Memory(MemorySource::new(file.clone()));
    let member = Member::only(&source, None).unwrap().unwrap();
    let mut parts = Parts::new(member, cut(3, 20_000));
    let mut all = Vec::new();
    while !parts.is_done() {
        let copied = |_, bytes: &[u8], ()| bytes.to_vec();
        let pieces = parts.inflate(&source, 7, |_| (), copied).unwrap();
        all.extend(pieces.unwrap().concat());
    }
    assert!(all == bytes);
    let index = parts.finish().unwrap().unwrap();
    assert!(
        (60..=MANY_CHUNKS).contains(&index.chunks.len()),
        "{}",
        index.chunks.len()
    );
    check(&index, &file, &bytes);
}

#[test]
fn files_that_are_not_for_this() {
    let bytes = scan(2 << 20, false, 21);
    let whole = gz(&bytes, 6);
    let half = bytes.len() / 2;
    let members = [gz(&bytes[..half], 6), gz(&bytes[half..], 6)].concat();
    let padded = [whole.clone(), vec![0; 100]].concat();
    let stored = gz(&bytes, 0);
    let cut_off = whole[..whole.len() - 1000].to_vec();
    for file in [members, padded, stored, cut_off, Vec::new(), vec![0x1f; 9]] {
        assert!(inflated(&file, bytes.len(), cut(4, 300_000)).is_none());
    }
    assert!(inflated(&whole, bytes.len() + 1, cut(4, 300_000)).is_none());
}

/// A member that ends early and has a copy of its trailer at the end of the file: only inflating shows where it ends.
#[test]
fn an_end_before_the_end() {
    let bytes = scan(2 << 20, false, 23);
    let whole = gz(&bytes, 6);
    for after in [vec![7; 50], scan(300_000, false, 24), whole.clone()] {
        let trailer = &whole[whole.len() - TRAILER_BYTES..];
        let file = [&whole[..], &after, trailer].concat();
        assert!(inflated(&file, bytes.len(), cut(4, 300_000)).is_none());
    }
}

#[test]
fn damage_never_gets_through() {
    let bytes = scan(1 << 20, false, 31);
    for level in [1, 6] {
        let file = gz(&bytes, level);
        let mut random = Rng::new(32);
        let mut through = 0;
        for _ in 0..300 {
            let mut damaged = file.clone();
            for _ in 0..=random.below(2) {
                let at = random.below(file.len());
                damaged[at] ^= 1 << random.below_u64(8);
            }
            if let Some(found) = inflated(&damaged, bytes.len(), cut(3, 200_000)) {
                assert_eq!(found, bytes);
                through += 1;
            }
        }
        assert!(through < 10, "only bits that mean nothing: {through}");
    }
}

#[test]
fn the_marker_comes_out_of_a_stream() {
    let marker = Marker::new();
    let mut out = [0; 20];
    let block = marker.at(Boundary::of_blocks(0)).to_le_bytes();
    let made = Decompressor::new().deflate_decompress(&block, &mut out);
    assert_eq!((made, &out[..8]), (Ok(8), &marker.bytes[..]));
    // In a block, whether that is the last one or not.
    for is_final in [false, true] {
        let mut input = Vec::new();
        let low = lead_in_fixed(3, is_final, &mut input);
        input.push(low);
        lead_out(3, marker.at(Boundary::in_block(3)), &mut input);
        let made = Decompressor::new().deflate_decompress(&input, &mut out);
        assert_eq!((made, &out[..8]), (Ok(8), &marker.bytes[..]));
    }
}
