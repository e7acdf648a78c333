use std::io::{Cursor, Read};

use flate2::read::GzDecoder;

use super::*;
use crate::testing::Rng;

const CHUNK: usize = chunk_table::USUAL_CHUNK;

/// Runs, and noise with many, few and no repetitions.
fn sample(length: usize) -> Vec<u8> {
    let mut random = Rng::new(length as u64);
    let kind = |i: usize| i / 40_000 % 4;
    (0..length)
        .map(|i| match kind(i) {
            0 => 0,
            1 => random.below(9) as u8,
            2 => (i / 7) as u8,
            _ => random.bits() as u8,
        })
        .collect()
}

/// Gzips in pieces of `piece` bytes.
fn gzipped(bytes: &[u8], level: u32, piece: usize) -> Vec<u8> {
    let file = Cursor::new(Vec::new());
    let mut writer = Output::new(file, Some(level), bytes.len() as u64);
    bytes
        .chunks(piece)
        .for_each(|piece| writer.write_all(piece).unwrap());
    writer.finish().unwrap().into_inner()
}

fn inflated(file: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn every_length_and_level_inflates_to_what_was_written() {
    for length in [0, 1, 5000, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 77] {
        let bytes = sample(length);
        let mut sizes = Vec::new();
        for level in 1..=9 {
            let file = gzipped(&bytes, level, 70_001);
            assert!(inflated(&file) == bytes, "{length} bytes, level {level}");
            sizes.push(file.len());
        }
        assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
    }
}

#[test]
fn the_file_does_not_depend_on_threads_and_pieces() {
    let bytes = sample(9 * CHUNK + 5);
    let right = gzipped(&bytes, 6, bytes.len());
    for (threads, piece) in [(1, 999_999), (2, 3 * CHUNK), (5, 12_345)] {
        let pool = threads::Threads::new(threads).unwrap();
        let found = pool.run(|| gzipped(&bytes, 6, piece));
        assert!(found == right, "{threads} threads");
    }
}

#[test]
fn the_table_has_every_chunk() {
    let bytes = sample(4 * CHUNK + 5);
    let file = gzipped(&bytes, 6, CHUNK);
    let extra = usize::from(u16::from_le_bytes([file[10], file[11]]));
    let mut at = 12 + extra;
    let table = &file[16..at];
    assert_eq!(table.len(), 17 + 8 * 5);
    let (entries, _) = table[13..].as_chunks::<8>();
    for (chunk, entry) in bytes.chunks(CHUNK).zip(entries) {
        let (packed, crc) = entry.split_at(4);
        let packed = u32::from_le_bytes(packed.try_into().unwrap()) as usize;
        assert_eq!(crc, crc32fast::hash(chunk).to_le_bytes());
        // By itself, with an end after it.
        let body = [&file[at..at + packed], &LAST_BLOCK].concat();
        let mut out = vec![0; chunk.len()];
        let made = libdeflater::Decompressor::new().deflate_decompress(&body, &mut out);
        assert_eq!(made, Ok(chunk.len()));
        assert!(out == chunk);
        at += packed;
    }
    assert_eq!(file[at..at + 2], LAST_BLOCK);
    assert_eq!(at + 10, file.len());
}

/// A file of one chunk is a plain gzip file, and so is one of which less was written than announced.
#[test]
fn files_without_a_table() {
    assert_eq!(gzipped(&sample(CHUNK), 6, CHUNK)[3], 0);
    let bytes = sample(2 * CHUNK);
    let mut writer = GzWriter::new(Cursor::new(Vec::new()), 6, 3 * CHUNK as u64);
    writer.write_all(&bytes).unwrap();
    let file = writer.finish().unwrap().into_inner();
    assert!(file[16..16 + 17 + 8 * 3].iter().all(|&byte| byte == 0));
    assert!(inflated(&file) == bytes);
}
