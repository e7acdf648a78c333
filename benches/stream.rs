//! Streams of a 4-D int16 series with slope and intercept, in frames of 2 MiB stored, on the CPU and on the best
//! adapter; `pump` as a render loop calls it; and loads of a `.nii.gz` to a device buffer, compared with their slowest
//! stage.
//!
//! `cargo bench --bench stream`. After criterion's output it prints the promised figures.

#![allow(
    unreachable_pub,
    reason = "files are shared with the tests and the command"
)]

#[path = "../cli/src/bench/phantom.rs"]
mod phantom;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::task::Poll;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use phantom::Phantom;
use voxload::{DType, DataobjImage, FrameOptions, Gpu, StageTime, StagingOptions, StreamOptions};

const SHAPE: [usize; 4] = [128, 128, 64, 24];
const STORED_BYTES: usize = 2 * SHAPE[0] * SHAPE[1] * SHAPE[2] * SHAPE[3];

/// Number of runs, of which the median is used.
const RUNS: usize = 7;

/// Number of measured calls of `pump`.
const CALLS: usize = 1000;

fn criterion_lines(image: &DataobjImage, gpu: Option<&Gpu>) {
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let mut group = criterion.benchmark_group("stream");
    group.throughput(Throughput::Bytes(STORED_BYTES as u64));
    let id = |backend: &str| {
        BenchmarkId::from_parameter(format!("dtype=i16/out=f32/frame=2MiB/backend={backend}"))
    };
    group.bench_function(id("cpu"), |b| {
        b.iter(|| {
            let frames = image.frames::<f32>(FrameOptions::new()).expect("a stream");
            frames.filter(Result::is_ok).count()
        });
    });
    if let Some(gpu) = gpu {
        group.bench_function(id("gpu"), |b| {
            b.iter(|| {
                let stream = image.stream::<f32>(gpu, StreamOptions::new());
                stream.expect("a stream").filter(Result::is_ok).count()
            });
        });
    }
    group.finish();
    criterion.final_summary();
}

#[cfg(target_os = "linux")]
fn thread_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

#[cfg(not(target_os = "linux"))]
fn thread_time() -> Duration {
    Duration::ZERO
}

fn copy_time(bytes: usize) -> Duration {
    let from = vec![1u8; bytes];
    let mut to = vec![0u8; bytes];
    let mut times: Vec<_> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            to.copy_from_slice(std::hint::black_box(&from));
            std::hint::black_box(&mut to);
            start.elapsed()
        })
        .collect();
    median(&mut times)
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Playback as in a render loop, for each of several budgets.
fn playback(image: &DataobjImage, gpu: &Gpu) {
    for budget in [256 << 10, 1 << 20, 4 << 20] {
        let options = StreamOptions::new().frames(FrameOptions::new().looping());
        let mut stream = image.stream::<f32>(gpu, options).expect("a stream");
        let (mut idle, mut submitting, mut frames, mut max) = (vec![], vec![], 0, 0);
        for _ in 0..CALLS {
            let before = stream.trace().submissions;
            let start = thread_time();
            stream.pump(budget);
            let time = thread_time() - start;
            let submissions = stream.trace().submissions - before;
            max = submissions.max(max);
            match submissions {
                0 => idle.push(time),
                _ => submitting.push(time),
            }
            if let Poll::Ready(Some(frame)) = stream.try_next() {
                frame.expect("a frame");
                frames += 1;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let trace = stream.trace();
        let at = |times: &mut Vec<Duration>, part: usize| {
            times.sort_unstable();
            let place = times.len().saturating_sub(1) * part / 100;
            times.get(place).copied().unwrap_or_default()
        };
        println!(
            "pump of {} KiB: {CALLS} calls, {frames} frames; processor time of a call with a submission: median {:?}, \
             99 % {:?}, most {:?} ({} calls), without: median {:?}, most {:?}; allowed {:?}",
            budget >> 10,
            at(&mut submitting, 50),
            at(&mut submitting, 99),
            at(&mut submitting, 100),
            submitting.len(),
            at(&mut idle, 50),
            at(&mut idle, 100),
            copy_time(budget as usize) + Duration::from_millis(1),
        );
        println!(
            "  submissions of a call: at most {max} (promised: 1); wall time of a submission: {:?} on average",
            trace.submit / u32::try_from(trace.submissions.max(1)).unwrap_or(u32::MAX)
        );
    }
}

/// The first read of a gzip file to a device buffer: the whole, compared with its busiest stage.
fn overlap(path: &Path, gpu: &Gpu) {
    let mut runs: Vec<_> = (0..RUNS)
        .map(|_| {
            let staging = StagingOptions::default();
            // A new image each time, because the first read of an image makes an index that the next one would use.
            let image = voxload::load(path).expect("a volume");
            let proxy = image.dataobj();
            let loaded = gpu.traced_load::<f32>(proxy, &staging);
            loaded.expect("it loads").trace
        })
        .collect();
    runs.sort_by_key(|trace| trace.wall);
    let Some(trace) = runs.get(RUNS / 2) else {
        return;
    };
    let StageTime {
        name: stage, busy, ..
    } = trace.slowest();
    println!("gz to a device buffer: {trace:?}");
    println!(
        "  whole / slowest stage ({stage}) = {:.2} (promised: at most 1.2)",
        trace.wall.as_secs_f64() / busy.as_secs_f64()
    );
}

fn compress(from: &Path, to: &Path) {
    let file = std::fs::File::create(to).expect("a file");
    let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::new(6));
    let bytes = std::fs::read(from).expect("the phantom");
    encoder.write_all(&bytes).expect("room for the phantom");
    encoder.finish().expect("room for the phantom");
}

/// Both inflate to 210 MB: int16 with scaling, and f32 without.
fn packed_series(folder: &Path) -> [(&'static str, PathBuf); 2] {
    [
        ("i16, scaled", DType::I16, 100),
        ("f32, as stored", DType::F32, 50),
    ]
    .map(|(name, dtype, frames)| {
        let (plain, packed) = (
            folder.join("packed.nii"),
            folder.join(format!("{dtype}.nii.gz")),
        );
        let mut series = Phantom::of_bytes(0, dtype);
        series.shape = [SHAPE[0], SHAPE[1], SHAPE[2], frames];
        if dtype == DType::F32 {
            series.slope = 0.0;
        }
        series.write(&plain).expect("room for the phantom");
        compress(&plain, &packed);
        (name, packed)
    })
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder for the phantom");
    let path = folder.path().join("phantom.nii");
    let series = Phantom {
        shape: SHAPE,
        ..Phantom::of_bytes(0, DType::I16)
    };
    series.write(&path).expect("room for the phantom");
    let image = voxload::load(&path).expect("a volume");
    println!("series of shape {:?}", image.shape());
    let gpu = Gpu::new().ok();
    println!("adapter: {gpu:?}");
    criterion_lines(&image, gpu.as_ref());
    if let Some(gpu) = &gpu {
        playback(&image, gpu);
        for (name, packed) in packed_series(folder.path()) {
            println!("{name}:");
            overlap(&packed, gpu);
        }
    }
}
