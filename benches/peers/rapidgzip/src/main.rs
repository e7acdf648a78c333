//! A first read of a gzip file without an index: rapidgzip-core on 1, 2, 4 and all threads, and one call of libdeflate,
//! alternately. Prints medians in MB/s of output.
//!
//! `cargo run --release --manifest-path benches/peers/rapidgzip/Cargo.toml -- FILE.nii.gz`

use std::time::Instant;

use libdeflater::Decompressor;
use rapidgzip_core::Decoder;

const RUNS: usize = 7;

fn one_shot(compressed: &[u8], size: usize) -> Vec<u8> {
    let mut out = vec![0; size];
    let written = Decompressor::new().gzip_decompress(compressed, &mut out);
    assert_eq!(written.expect("a single member"), size);
    out
}

fn rapidgzip(compressed: &[u8], size: usize, threads: usize) -> Vec<u8> {
    let decoder = Decoder::builder().decoder_threads(threads).build().expect("a decoder");
    let mut out = Vec::with_capacity(size);
    decoder.decode(compressed, &mut out).expect("a sound file");
    out
}

fn main() {
    let path = std::env::args().nth(1).expect("a gzip file");
    let compressed = std::fs::read(path).expect("the file");
    let trailer = compressed.last_chunk::<4>().expect("a trailer");
    let size = u32::from_le_bytes(*trailer) as usize;
    let right = one_shot(&compressed, size);
    let all = std::thread::available_parallelism().map_or(1, |n| n.get());
    // 0: libdeflate.
    let ways = [0, 1, 2, 4, all];
    let mut times = vec![Vec::new(); ways.len()];
    for _ in 0..RUNS {
        for (times, threads) in times.iter_mut().zip(ways) {
            let start = Instant::now();
            let out = match threads {
                0 => one_shot(&compressed, size),
                threads => rapidgzip(&compressed, size, threads),
            };
            times.push(start.elapsed().as_secs_f64());
            assert!(out == right, "other bytes");
        }
    }
    for (times, threads) in times.iter_mut().zip(ways) {
        times.sort_by(f64::total_cmp);
        let rate = size as f64 / 1e6 / times[RUNS / 2];
        match threads {
            0 => println!("libdeflate, one shot: {rate:.0} MB/s"),
            threads => println!("rapidgzip-core, {threads} threads of {all} cores: {rate:.0} MB/s"),
        }
    }
}
