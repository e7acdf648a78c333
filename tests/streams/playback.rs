//! A render loop: `pump` and `try_next` never wait.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use voxload::{Caching, DataobjImage, FrameOptions, StreamOptions};

use super::{check, got, own_device, own_devices};
use crate::support::environment::is_long_run;
use crate::support::nifti::Nifti;
use crate::support::ways;

const SHAPE: [usize; 4] = [128, 128, 64, 8];
const FRAME: usize = 128 * 128 * 64;

fn series() -> DataobjImage {
    let bytes = Nifti::counting(&SHAPE).scl(0.5, -3.0).single();
    DataobjImage::from_bytes(bytes).expect("it loads")
}

/// Processor time of this thread.
#[cfg(target_os = "linux")]
fn thread_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// How long copying so many bytes takes.
fn copy_time(bytes: usize) -> Duration {
    let from = vec![1u8; bytes];
    let mut to = vec![0u8; bytes];
    let times = (0..5).map(|_| {
        let start = Instant::now();
        to.copy_from_slice(std::hint::black_box(&from));
        std::hint::black_box(&mut to);
        start.elapsed()
    });
    times.min().unwrap_or_default()
}

#[cfg(target_os = "linux")]
#[test]
fn a_call_takes_little_and_submits_once() {
    let Some((_device, _queue, gpu)) = own_device("playback") else {
        return;
    };
    let image = series();
    let whole = image.get_fdata::<f32>(Caching::Unchanged).expect("values");
    let options = StreamOptions::new().frames(FrameOptions::new().looping());
    let mut stream = image.stream::<f32>(&gpu, options).expect("a stream");
    let budget = 1 << 20;
    let (mut times, mut bytes, mut frames) = (Vec::new(), 0, 0);
    let start = Instant::now();
    while frames < 60 {
        assert!(start.elapsed() < Duration::from_secs(60), "{frames} frames");
        let before = stream.trace();
        let cpu = thread_time();
        let submitted = stream.pump(budget);
        times.push(thread_time() - cpu);
        let after = stream.trace();
        assert!(after.submissions - before.submissions <= 1);
        assert_eq!(after.bytes - before.bytes, submitted);
        bytes += submitted;
        assert!(bytes <= budget * times.len() as u64, "the budget holds");
        if let Poll::Ready(item) = stream.try_next() {
            let frame = item.expect("it loops").expect("a frame");
            assert_eq!(frame.index(), frames % 8);
            if frames % 7 == 0 {
                check(
                    "pump",
                    &got(&frame).expect("values"),
                    whole.as_slice(),
                    FRAME,
                );
            }
            frames += 1;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    // Each frame is 2 MiB, and a call submits at most 1 MiB.
    let calls = times.len();
    assert!(calls >= 2 * 60, "{calls} calls");
    times.sort_unstable();
    let allowed = copy_time(budget as usize) + Duration::from_millis(1);
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    println!(
        "pump of 1 MiB, {} calls, processor time: median {:?}, 99 % {:?}, most {:?}; allowed {allowed:?}; {:?}",
        times.len(),
        at(50),
        at(99),
        at(100),
        stream.trace()
    );
    // Times are compared where no other test runs beside this one; the bench has the exact figure.
    if is_long_run() {
        assert!(at(50) <= allowed);
        assert!(at(95) <= 4 * allowed);
    }
}

#[test]
fn small_budgets_add_up() {
    for (_device, gpu) in own_devices("small budgets") {
        small_budgets_add_up_on(&gpu);
    }
}

fn small_budgets_add_up_on(gpu: &voxload::Gpu) {
    let image = series();
    let options = StreamOptions::new().frames(FrameOptions::new().range(..1));
    let mut stream = ways::stream::<f32>(&image, gpu, options).expect("a stream");
    let (mut calls, mut bytes) = (0, 0);
    let start = Instant::now();
    loop {
        assert!(start.elapsed() < Duration::from_secs(60));
        bytes += stream.pump(64 << 10);
        calls += 1;
        match stream.try_next() {
            Poll::Ready(Some(frame)) => {
                assert_eq!(frame.expect("a frame").index(), 0);
                break;
            }
            Poll::Ready(None) => panic!("there is a frame"),
            Poll::Pending => std::thread::sleep(Duration::from_micros(100)),
        }
    }
    assert!(bytes >= 2 * FRAME as u64, "{bytes}");
    assert!(calls >= 32, "2 MiB at 64 KiB a call: {calls}");
    while stream.try_next().is_pending() {
        stream.pump(0);
    }
    assert!(matches!(stream.try_next(), Poll::Ready(None)));
}

#[test]
fn destroying_a_buffer_does_not_wait_for_a_stream() {
    let Some((device, _queue, gpu)) = own_device("others' buffers") else {
        return;
    };
    let image = series();
    let (done, frames) = (AtomicBool::new(false), AtomicUsize::new(0));
    let waits = std::thread::scope(|scope| {
        let others = scope.spawn(|| {
            let mut waits = Vec::new();
            while !done.load(Ordering::Relaxed) {
                let buffer = device.create_buffer(&wgpu::BufferDescriptor {
                    label: None,
                    size: 4096,
                    usage: wgpu::BufferUsages::COPY_DST,
                    mapped_at_creation: false,
                });
                let (start, before) = (Instant::now(), frames.load(Ordering::Relaxed));
                buffer.destroy();
                waits.push((frames.load(Ordering::Relaxed) - before, start.elapsed()));
                std::thread::sleep(Duration::from_millis(2));
            }
            waits
        });
        let looping = || StreamOptions::new().frames(FrameOptions::new().looping());
        let waiting = image.stream::<f32>(&gpu, looping()).expect("a stream");
        for frame in waiting.take(40) {
            drop(frame.expect("a frame"));
            frames.fetch_add(1, Ordering::Relaxed);
        }
        let mut pumped = image.stream::<f32>(&gpu, looping()).expect("a stream");
        while frames.load(Ordering::Relaxed) < 80 {
            pumped.pump(1 << 20);
            let more = usize::from(pumped.try_next().is_ready());
            frames.fetch_add(more, Ordering::Relaxed);
        }
        done.store(true, Ordering::Relaxed);
        others.join().expect("no panic")
    });
    let slow = waits.iter().filter(|(frames, _)| *frames > 2).count();
    let mut times: Vec<Duration> = waits.iter().map(|(_, wait)| *wait).collect();
    times.sort_unstable();
    let (median, most) = (times[times.len() / 2], times[times.len() - 1]);
    println!(
        "destroy: {} calls, {slow} of them while more than two frames came; median {median:?}, most {most:?}",
        waits.len()
    );
    // One that waited until the device has no work would wait for many frames: the streams always have some.
    assert!(waits.len() >= 20, "{} calls in 80 frames", waits.len());
    assert!(10 * slow <= waits.len(), "{slow} of {}", waits.len());
    if is_long_run() {
        // A submission on a software device is some milliseconds.
        assert!(median < Duration::from_millis(20), "{median:?}");
        assert!(most < Duration::from_secs(1), "{most:?}");
    }
}

#[test]
fn a_trace_says_what_the_stages_took() {
    use crate::support::backend::{Backend, Device, open};
    if Backend::available("a trace").len() < 2 {
        return;
    }
    let gpu = open(Device::Best);
    let image = Nifti::counting(&SHAPE).scl(0.5, -3.0).single();
    let image = DataobjImage::from_bytes(crate::support::nifti::gz(&image, 1)).expect("it loads");
    let mut stream = image
        .stream::<f32>(gpu, StreamOptions::new().timestamps())
        .expect("a stream");
    assert_eq!(stream.by_ref().filter(Result::is_ok).count(), 8);
    let trace = stream.trace();
    assert!(
        trace.inflate > Duration::ZERO && trace.stage > Duration::ZERO,
        "{trace:?}"
    );
    assert!(trace.submit > Duration::ZERO, "{trace:?}");
    assert!(trace.bytes > 16 * FRAME as u64, "{trace:?}");
    assert!(trace.submissions >= 1, "{trace:?}");
    let timed = gpu
        .device()
        .features()
        .contains(wgpu::Features::TIMESTAMP_QUERY);
    assert_eq!(trace.device.is_some(), timed);
    assert!(!timed || trace.device > Some(Duration::ZERO), "{trace:?}");
    println!("{trace:?}");
}
