use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use libdeflater::{CompressionLvl, Compressor, Decompressor};

use super::*;
use crate::testing::Rng;

/// Bytes of several kinds: none, zeros, runs, text-like, noise that does not deflate.
fn samples() -> Vec<Vec<u8>> {
    let mut random = Rng::new(19);
    let mut samples = vec![vec![], vec![7], vec![0; 400_000]];
    for symbols in [2, 11, 60, 256] {
        samples.push((0..300_000).map(|_| random.below(symbols) as u8).collect());
    }
    // Frequent symbols beside rare ones: codes of every length, also of more than the tables' bits.
    let skewed =
        |random: &mut Rng| (random.bits().trailing_zeros() * 7 + random.below(7) as u32) as u8;
    samples.push((0..900_000).map(|_| skewed(&mut random)).collect());
    let mut runs = Vec::new();
    while runs.len() < 700_000 {
        let byte = random.below(256) as u8;
        let length = 1 << random.below(14);
        match random.below(3) {
            0 => runs.extend(random.bytes(length)),
            1 => runs.resize(runs.len() + length, byte),
            _ => {
                let from = runs.len().saturating_sub(1 + random.below(40_000));
                let again = runs[from..]
                    .iter()
                    .copied()
                    .take(length)
                    .collect::<Vec<_>>();
                runs.extend(again);
            }
        }
    }
    samples.push(runs);
    samples
}

fn by_libdeflate(bytes: &[u8], level: i32) -> Vec<u8> {
    let mut compressor = Compressor::new(CompressionLvl::new(level).unwrap());
    let mut out = vec![0; compressor.deflate_compress_bound(bytes.len())];
    let length = compressor.deflate_compress(bytes, &mut out).unwrap();
    out.truncate(length);
    out
}

fn by_zlib(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 4 + 1000);
    let mut state = Compress::new(Compression::new(level), false);
    let status = state.compress_vec(bytes, &mut out, FlushCompress::Finish);
    assert_eq!(status.unwrap(), Status::StreamEnd);
    out
}

fn checked(data: &[u8], expected: &[u8]) -> Option<Range<usize>> {
    let padded = [data, &[0xff; PADDING]].concat();
    last_block(&padded, data.len(), expected)
}

/// With the bit cleared that says that the block is the last one, the data inflates to the same bytes and does not end.
fn assert_is_last(data: &[u8], expected: &[u8], bit: usize) {
    let mut open = data.to_vec();
    assert_eq!(open[bit / 8] >> (bit % 8) & 1, 1);
    open[bit / 8] ^= 1 << (bit % 8);
    let mut out = Vec::with_capacity(expected.len() + 1);
    let mut state = Decompress::new(false);
    let status = state.decompress_vec(&open, &mut out, FlushDecompress::None);
    assert_eq!(status.unwrap(), Status::Ok, "it does not end");
    assert!(out == expected);
}

#[test]
fn the_last_block_of_every_compressor_is_found() {
    for (number, bytes) in samples().iter().enumerate() {
        for level in 1..=9 {
            for data in [by_libdeflate(bytes, level), by_zlib(bytes, level as u32)] {
                let found = checked(&data, bytes);
                let found = found.unwrap_or_else(|| panic!("sample {number}, level {level}"));
                assert_eq!(found.end.div_ceil(8), data.len());
                assert_is_last(&data, bytes, found.start);
            }
        }
        let data = by_zlib(bytes, 0);
        let stored = checked(&data, bytes).expect("stored blocks");
        assert_is_last(&data, bytes, stored.start);
    }
}

#[test]
fn other_bytes_are_noticed() {
    let mut random = Rng::new(4);
    for bytes in samples().iter().filter(|bytes| !bytes.is_empty()) {
        let data = by_libdeflate(bytes, 4);
        for _ in 0..50 {
            let mut other = bytes.clone();
            other[random.below(bytes.len())] ^= 1 << random.below(8);
            assert_eq!(checked(&data, &other), None);
        }
        assert_eq!(checked(&data, &bytes[1..]), None);
        assert_eq!(checked(&data, &[&bytes[..], &[0]].concat()), None);
        assert_eq!(checked(&[&data[..], &[0]].concat(), bytes), None);
        assert_eq!(checked(&data[..data.len() - 1], bytes), None);
    }
}

/// Whatever the data: no panic, and nothing is accepted that does not inflate to the bytes.
#[test]
fn ten_thousand_mutations() {
    let mut random = Rng::new(5);
    let mut decompressor = Decompressor::new();
    let samples: Vec<_> = (samples().iter())
        .map(|bytes| bytes[..bytes.len().min(3000)].to_vec())
        .collect();
    let mut accepted = 0;
    for number in 0..10_000 {
        let bytes = random.pick(&samples);
        let mut data = by_zlib(bytes, number % 10);
        for _ in 0..=random.below(2) {
            let at = random.below(data.len());
            data[at] ^= 1 << random.below(8);
        }
        if checked(&data, bytes).is_some() {
            let mut out = vec![0; bytes.len()];
            let made = decompressor.deflate_decompress(&data, &mut out);
            assert_eq!(made, Ok(bytes.len()), "mutation {number}");
            assert!(out == *bytes, "mutation {number}");
            accepted += 1;
        }
    }
    // Flips in the bits after the last block, and pairs of flips that undo each other.
    assert!(accepted < 1500, "{accepted}");
}
