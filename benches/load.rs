//! Whole loads of a 4-D int16 series with slope and intercept to f32 on the host: voxload, nifti-rs, and the lower
//! bound (reading and writing the same bytes without arithmetic), in one run on one file in the page cache.
//!
//! `cargo bench --bench load`, or with another file: `VOXLOAD_BENCH_FILE=bold.nii cargo bench --bench load`. After
//! criterion's output it prints the promised ratios, from medians of alternating runs.

#![allow(
    unreachable_pub,
    reason = "files are shared with the tests and the command"
)]

#[path = "../cli/src/bench/floor.rs"]
mod floor;
#[path = "../cli/src/bench/memory.rs"]
mod memory;
#[path = "../cli/src/bench/phantom.rs"]
mod phantom;

use std::path::{Path, PathBuf};
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput};
use nifti::{IntoNdArray, NiftiObject, ReaderOptions};
use voxload::DataobjImage;

/// Stored bytes of the phantom.
const PHANTOM_BYTES: usize = 420_000_000;

/// Alternating runs, from whose medians the ratios are computed.
const RUNS: usize = 7;

fn nifti_rs(path: &Path) -> ndarray::ArrayD<f32> {
    let object = ReaderOptions::new()
        .read_file(path)
        .expect("nifti-rs reads the phantom");
    object
        .into_volume()
        .into_ndarray::<f32>()
        .expect("nifti-rs converts the phantom")
}

fn fresh(image: &DataobjImage) -> voxload::HostArray<f32> {
    image.dataobj().read().expect("voxload reads the phantom")
}

fn floor_fresh(stored: &[u8], output: usize) -> memmap2::MmapMut {
    let mut out = floor::fresh(output).expect("memory for the floor");
    floor::move_voxels(stored, 2, &mut out, 4);
    out
}

fn criterion_lines(path: &Path, image: &DataobjImage, stored: &[u8], output: usize) {
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let mut group = criterion.benchmark_group("load");
    group.throughput(Throughput::Bytes(output as u64));
    let id = |who: &str, buffer: &str| {
        BenchmarkId::from_parameter(format!("dtype=i16/out=f32/buffer={buffer}/who={who}"))
    };
    group.bench_function(id("voxload", "fresh"), |b| {
        b.iter_with_large_drop(|| fresh(image))
    });
    let mut warm = vec![0f32; output / 4];
    group.bench_function(id("voxload", "warm"), |b| {
        b.iter(|| image.dataobj().read_into(&mut warm).expect("voxload reads"));
    });
    group.bench_function(id("floor", "fresh"), |b| {
        b.iter_with_large_drop(|| floor_fresh(stored, output));
    });
    group.bench_function(id("nifti-rs", "fresh"), |b| {
        b.iter_with_large_drop(|| nifti_rs(path))
    });
    group.finish();
    criterion.final_summary();
}

/// One timed run after an untimed run of the same kind, so that each finds the free memory that its own kind has left.
fn timed<T>(work: impl Fn() -> T) -> f64 {
    drop(work());
    let start = Instant::now();
    let made = work();
    let seconds = start.elapsed().as_secs_f64();
    drop(made);
    seconds
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn ratios(path: &Path, image: &DataobjImage, stored: &[u8], output: usize) {
    let (mut ours, mut floors, mut peers) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        ours.push(timed(|| fresh(image)));
        floors.push(timed(|| floor_fresh(stored, output)));
        peers.push(timed(|| nifti_rs(path)));
    }
    let (ours, floor, peer) = (median(ours), median(floors), median(peers));
    println!("load fresh f32: voxload {ours:.4} s, floor {floor:.4} s, nifti-rs {peer:.4} s");
    println!(
        "  voxload / floor     = {:.2} (promised: at most 1.3)",
        ours / floor
    );
    println!(
        "  nifti-rs / voxload  = {:.2} (promised: at least 5)",
        peer / ours
    );
    let differing = differing(path, image);
    println!("  values in which nifti-rs differs from voxload: {differing}");
    let (peak, _) = memory::peak_of(|| fresh(image));
    let over = peak.saturating_sub(output as u64) as f64 / f64::from(1 << 20);
    println!("  peak anonymous memory over the output: {over:.1} MiB (promised: at most 64)");
}

fn differing(path: &Path, image: &DataobjImage) -> usize {
    let theirs = nifti_rs(path);
    let ours = fresh(image);
    let ours = ours.view();
    ours.iter()
        .zip(theirs.iter())
        .filter(|(a, b)| a.to_bits() != b.to_bits())
        .count()
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder for the phantom");
    let path = std::env::var_os("VOXLOAD_BENCH_FILE").map_or_else(
        || {
            let path = folder.path().join("phantom.nii");
            phantom::Phantom::of_bytes(PHANTOM_BYTES, voxload::DType::I16)
                .write(&path)
                .expect("room for the phantom");
            path
        },
        PathBuf::from,
    );
    let image = voxload::load(&path).expect("a volume");
    let header = image.header();
    let bytes = floor::map(&path).expect("the file maps");
    let start = header.data_offset as usize;
    let stored = &bytes[start..start + header.data_bytes().expect("a size") as usize];
    let output = header.voxels().expect("a size") as usize * 4;
    criterion_lines(&path, &image, stored, output);
    ratios(&path, &image, stored, output);
}
