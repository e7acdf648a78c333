//! A file of any length, the same memory: 4 GiB through both backends, in processes of their own.
#![cfg(target_os = "linux")]

use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use voxload::{DType, DataobjImage, FrameOptions};

use crate::support::child::{run_test, status_bytes};
use crate::support::folder;
use crate::support::nifti::{Nifti, one, put_int};

const MIB: u64 = 1 << 20;
/// Host memory that a stream may take over that of the process at its start.
const MOST_HOST: u64 = 256 * MIB;
/// Device memory that it may take.
#[cfg(feature = "gpu")]
const MOST_DEVICE: u64 = 160 * MIB;

const SHAPE: [usize; 3] = [256, 256, 64];
const FRAME: usize = SHAPE[0] * SHAPE[1] * SHAPE[2];
/// Of 8 MiB: 4 GiB in all.
const FRAMES: usize = 512;

/// A sparse series of int16, where the first and last voxel of each frame say which one it is.
fn sparse(frames: usize) -> (tempfile::TempDir, PathBuf) {
    let dir = folder();
    let path = dir.path().join("long.nii");
    let mut header = Nifti::new(DType::I16, &[1, 1, 1, 1], vec![0; 2])
        .scl(0.5, -3.0)
        .single();
    for (axis, length) in SHAPE.iter().chain([&frames]).enumerate() {
        let at = one::DIM.nth(axis + 1);
        put_int(&mut header, at, *length as i64, voxload::ByteOrder::Little);
    }
    header.truncate(352);
    let mut file = std::fs::File::create(&path).expect("a file");
    file.write_all(&header).expect("a header");
    file.set_len(352 + 2 * (FRAME * frames) as u64)
        .expect("a sparse file");
    for frame in 0..frames {
        for voxel in [frame * FRAME, (frame + 1) * FRAME - 1] {
            file.seek(SeekFrom::Start(352 + 2 * voxel as u64))
                .expect("a place");
            file.write_all(&(frame as i16).to_le_bytes())
                .expect("a mark");
        }
    }
    (dir, path)
}

fn check(frame: usize, values: &[f32]) {
    assert_eq!(values.len(), FRAME);
    let mark = frame as f32 * 0.5 - 3.0;
    assert_eq!(
        [values[0], values[FRAME - 1]],
        [mark, mark],
        "frame {frame}"
    );
    assert!(values[1..FRAME - 1].iter().all(|&value| value == -3.0));
}

/// Runs `work` and gives the highest of what `sample` says meanwhile.
fn peak(sample: impl Fn() -> u64 + Sync, work: impl FnOnce()) -> u64 {
    /// Ends the sampling when `work` has returned, or has panicked: the scope waits for the thread.
    struct Done<'a>(&'a AtomicBool);
    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    let (done, peak) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                peak.fetch_max(sample(), Ordering::Relaxed);
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
        });
        let _done = Done(&done);
        work();
        peak.fetch_max(sample(), Ordering::Relaxed);
    });
    peak.into_inner()
}

/// A failure inside comes out; it does not wait for the sampling thread forever.
#[test]
#[should_panic(expected = "work failed")]
fn a_panic_ends_the_measure() {
    peak(|| 0, || panic!("work failed"));
}

/// Counts the frames of a CPU stream of so many slots, all held, and the host memory that it takes.
fn through_the_cpu(frames: usize, slots: usize) -> u64 {
    let start = status_bytes("RssAnon");
    let (_dir, path) = sparse(frames);
    let image = voxload::load(path).expect("it loads");
    let peak = peak(
        || status_bytes("RssAnon").saturating_sub(start),
        || {
            let options = FrameOptions::new().slots(slots);
            let stream = image.frames::<f32>(options).expect("a stream");
            println!("said: {}", stream.host_bytes() / MIB);
            let mut held = Vec::new();
            let mut count = 0;
            for item in stream {
                let frame = item.expect("a frame");
                if count % 37 == 0 {
                    check(count, frame.as_slice());
                }
                count += 1;
                held.push(frame);
                if held.len() == slots {
                    held.remove(0);
                }
            }
            assert_eq!(count, frames);
        },
    );
    println!(
        "host peak of the CPU stream: {:.1} MiB",
        peak as f64 / MIB as f64
    );
    peak
}

#[test]
#[ignore = "run by `four_gib_stream_in_bounded_memory` in a process of its own"]
fn child_streams_on_the_cpu() {
    assert!(through_the_cpu(FRAMES, 3) < MOST_HOST);
    println!("streamed {FRAMES}");
}

/// The measure can fail: frames that are held do count.
#[test]
#[ignore = "run by `frames_held_are_seen` in a process of its own"]
fn child_holds_many_frames() {
    assert!(through_the_cpu(24, 20) > MOST_HOST);
    println!("seen");
}

#[cfg(feature = "gpu")]
#[test]
#[ignore = "run by `four_gib_stream_in_bounded_memory` in a process of its own"]
fn child_streams_on_the_gpu() {
    use crate::support::backend::{Backend, Device, open};
    use voxload::StreamOptions;

    let start = status_bytes("RssAnon");
    if Backend::available("4 GiB through the GPU").len() < 2 {
        println!("streamed {FRAMES}");
        return;
    }
    let gpu = open(Device::Best);
    let allocated = || {
        let report = gpu.device().generate_allocator_report();
        report.map_or(0, |report| report.total_allocated_bytes)
    };
    let shared = gpu.is_software();
    let device_peak = AtomicU64::new(0);
    let (_dir, path) = sparse(FRAMES);
    let image = voxload::load(path).expect("it loads");
    let host = || {
        let device = allocated();
        device_peak.fetch_max(device, Ordering::Relaxed);
        let own = if shared { device } else { 0 };
        status_bytes("RssAnon").saturating_sub(start + own)
    };
    let host_peak = peak(host, || {
        let stream = image
            .stream::<f32>(gpu, StreamOptions::new())
            .expect("a stream");
        println!(
            "said: host {}, device {}",
            stream.host_bytes(),
            stream.device_bytes()
        );
        let mut count = 0;
        for item in stream {
            let frame = item.expect("a frame");
            assert_eq!(frame.index(), count);
            if count % 37 == 0 {
                check(count, frame.download().expect("values").as_slice());
            }
            count += 1;
        }
        assert_eq!(count, FRAMES);
    });
    let device_peak = device_peak.into_inner();
    let mib = |bytes| bytes as f64 / MIB as f64;
    println!("host peak of the GPU stream: {:.1} MiB", mib(host_peak));
    println!("device peak of the GPU stream: {:.1} MiB", mib(device_peak));
    assert!(host_peak < MOST_HOST);
    assert!(
        device_peak > 48 * MIB || !shared,
        "the report counts frames"
    );
    assert!(device_peak < MOST_DEVICE);
    println!("streamed {FRAMES}");
}

#[test]
fn four_gib_stream_in_bounded_memory() {
    let text = run_test("streams::bounded::child_streams_on_the_cpu");
    assert!(text.contains("streamed 512"), "{text}");
    println!("{text}");
    #[cfg(feature = "gpu")]
    {
        let text = run_test("streams::bounded::child_streams_on_the_gpu");
        assert!(text.contains("streamed 512"), "{text}");
        println!("{text}");
    }
}

#[test]
fn frames_held_are_seen() {
    let text = run_test("streams::bounded::child_holds_many_frames");
    assert!(text.contains("seen"), "{text}");
}

/// What a stream says of its memory does not depend on the number of frames.
#[test]
fn the_bytes_of_a_stream_are_fixed() {
    let bytes = |frames: usize| {
        let image = Nifti::counting(&[64, 64, 16, frames]).single();
        let image = DataobjImage::from_bytes(image).expect("it loads");
        let stream = image.frames::<f32>(FrameOptions::new()).expect("a stream");
        stream.host_bytes()
    };
    assert_eq!(bytes(2), bytes(30));
    assert!(bytes(2) >= 3 * 4 * 64 * 64 * 16);
}
