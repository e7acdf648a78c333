//! Reads of files, cancelled at random times: how long each needs to end, what memory stays, and whether the next read is
//! right.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use voxload::{Caching, Cancel, DType, DataobjImage, HostArray, Result};

use super::{in_time, is_cancelled};
use crate::support::child::{run_test, status_bytes};
use crate::support::environment::volume;
use crate::support::nifti::{Nifti, gz};
use crate::support::rng::Rng;
use crate::support::table::Row;
use crate::support::{folder, write};

/// What a read may take to end, in the long run, on a machine that does nothing else.
const PROMISED: Duration = Duration::from_millis(50);

/// Memory that may stay: staging memory and what allocators keep.
const STAYS: u64 = 96 << 20;

/// A way to read a file.
type Way = fn(&DataobjImage) -> Result<HostArray<f32>>;

fn to_host(image: &DataobjImage) -> Result<HostArray<f32>> {
    image.get_fdata::<f32>(Caching::Unchanged)
}

#[cfg(feature = "gpu")]
fn to_device(image: &DataobjImage) -> Result<HostArray<f32>> {
    let gpu = crate::support::adapter::BEST
        .as_ref()
        .expect("there is one");
    image
        .get_fdata_gpu::<f32>(gpu, Caching::Unchanged)?
        .download()
}

fn ways() -> Vec<(&'static str, Way)> {
    #[cfg(feature = "gpu")]
    if crate::support::adapter::ready("reads cancelled at random") {
        return vec![("host", to_host), ("device", to_device)];
    }
    vec![("host", to_host)]
}

/// A series of so many bytes, plain and gzipped, that compresses as scans do.
fn files(folder: &tempfile::TempDir, bytes: usize) -> [(&'static str, PathBuf); 2] {
    let frames = bytes / (2 * 128 * 128 * 64);
    let shape = [128, 128, 64, frames.max(1)];
    let mut rng = Rng::new(9);
    let noise = rng.bytes(1 << 20);
    let voxel = |n: usize| {
        (800 + (n / 37 % 500) as i16 + i16::from(noise[n % noise.len()] % 32)).to_le_bytes()
    };
    let data = (0..shape.iter().product()).flat_map(voxel).collect();
    let nifti = Nifti::new(DType::I16, &shape, data)
        .scl(0.25, -3.0)
        .single();
    [
        ("plain", write(folder, "it.nii", &nifti)),
        ("gzipped", write(folder, "it.nii.gz", &gz(&nifti, 1))),
    ]
}

/// A read that is cancelled after a while: what it gave, and what it took from then on.
fn cancelled(
    image: &DataobjImage,
    way: Way,
    after: Duration,
) -> (Result<HostArray<f32>>, Option<Duration>) {
    let cancel = Cancel::new();
    let (token, (sender, receiver)) = (cancel.clone(), mpsc::channel());
    let (stop, stopped) = mpsc::channel::<()>();
    let canceller = std::thread::spawn(move || {
        // The read may end before.
        if stopped.recv_timeout(after) == Err(mpsc::RecvTimeoutError::Timeout) {
            let at = Instant::now();
            token.cancel();
            sender.send(at).expect("the reader waits");
        }
    });
    let outcome = cancel.run(|| way(image));
    let ended = Instant::now();
    drop(stop);
    canceller.join().expect("no panic");
    let took = receiver.recv().ok().map(|at| ended.duration_since(at));
    (outcome, took)
}

fn check_one(name: &str, path: &Path, way: Way, count: usize, seed: u64) -> (usize, Vec<Duration>) {
    let image = voxload::load(path).expect("it loads");
    let right = way(&image).expect("sound");
    // The least of several: the first reads make a device's kernels and get fresh memory.
    let timed = || {
        let start = Instant::now();
        drop(way(&image).expect("sound"));
        start.elapsed()
    };
    let whole = timed().min(timed()).min(timed());
    let mut rng = Rng::new(seed);
    let before = settled();
    let (mut ended, mut took) = (0, Vec::new());
    for number in 0..count {
        let after = whole.mul_f64(rng.unit());
        let (outcome, from_then) = cancelled(&image, way, after);
        match outcome {
            Ok(values) => assert!(values.as_slice() == right.as_slice(), "{name} {number}"),
            Err(_) => {
                assert!(
                    is_cancelled(&outcome),
                    "{name} {number}: {:?}",
                    outcome.err()
                );
                ended += 1;
                took.extend(from_then);
            }
        }
        assert!(!image.in_memory(), "{name} {number}: nothing is kept");
        // Not each time: a whole read is long.
        if number % 20 == 0 {
            let values = way(&image).expect("the next read");
            assert!(
                values.as_slice() == right.as_slice(),
                "{name}: after {number}"
            );
        }
    }
    drop(way(&image).expect("the next read"));
    let after = settled();
    println!(
        "{name}: {count} reads of {:.0} ms, {ended} cancelled; memory {} MiB before, {} MiB after",
        whole.as_secs_f64() * 1e3,
        before >> 20,
        after >> 20
    );
    assert!(
        after <= before + STAYS,
        "{name}: {before} bytes before, {after} after"
    );
    assert_eq!(own_threads(), Vec::<String>::new(), "{name}");
    (ended, took)
}

/// Anonymous memory of this process, once that of arrays has been given back.
fn settled() -> u64 {
    let mut least = u64::MAX;
    for _ in 0..40 {
        least = least.min(status_bytes("RssAnon"));
        std::thread::sleep(Duration::from_millis(25));
    }
    least
}

/// Threads that reads have made.
fn own_threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("procfs");
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names
        .map(|name| name.trim().to_owned())
        .filter(|name| name.starts_with("voxload s") || name.starts_with("voxload w"))
        .collect()
}

#[test]
#[ignore = "run by `at_random_times` in a process of its own"]
fn child_at_random_times() {
    let count = volume(60, 1000);
    in_time_of(count, move || {
        let folder = folder();
        let files = files(&folder, volume(24 << 20, 400 << 20));
        let ways = ways();
        let (mut ended, mut took) = (0, Vec::new());
        for (number, (way, read)) in ways.iter().enumerate() {
            for (name, path) in &files {
                let said = format!("{name} to {way}");
                let count = count / (files.len() * ways.len());
                let one = check_one(&said, path, *read, count, 70 + number as u64);
                print_figures(&said, &one.1);
                ended += one.0;
                took.extend(one.1);
            }
        }
        print_figures("all", &took);
        assert!(
            ended >= count / 4,
            "{ended} of {count} were cancelled in time"
        );
        if volume(0, 1) == 1 {
            let most = took.iter().max().expect("some");
            assert!(*most <= PROMISED, "{most:?}");
        }
    });
}

fn in_time_of(count: usize, work: impl FnOnce() + Send + 'static) {
    match count {
        0..1000 => in_time(work),
        _ => work(),
    }
}

fn print_figures(name: &str, took: &[Duration]) {
    let mut sorted = took.to_vec();
    sorted.sort_unstable();
    let at = |share: f64| {
        let place = (sorted.len() as f64 * share) as usize;
        let found = sorted.get(place.min(sorted.len().saturating_sub(1)));
        found.map_or(f64::NAN, |took| took.as_secs_f64() * 1e3)
    };
    println!(
        "cancelled | {name} | {} | median {:.1} ms | p99 {:.1} ms | max {:.1} ms",
        sorted.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

#[test]
fn at_random_times() {
    let row = Row::new("reads cancelled at random");
    let count = volume(60, 1000);
    let text = run_test("cancel::random::child_at_random_times");
    for line in text.lines().filter(|line| line.contains("cancelled")) {
        println!("{line}");
    }
    row.done(count, count);
}
