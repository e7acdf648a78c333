//! What streams read: gzip files once and to their end, files that change or fail, all slots held, seeks, drops.

use std::task::Poll;
use std::time::{Duration, Instant};

use voxload::{
    Access, ArrayProxy, ByteOrder, Caching, DType, DataobjImage, Error, ErrorKind, Extra, FileMap,
    FrameOptions, Header, LoadOptions, Mmap, ProxySpec, Scaling,
};

use super::{check, items};
use crate::support::backend::Backend;
use crate::support::errors::kind;
use crate::support::nifti::{Nifti, gz};
use crate::support::rng::Rng;
use crate::support::source::CountingSource;
use crate::support::{folder, header_of, overwrite, write};

const FRAME: usize = 16 * 16 * 8;

fn series(frames: usize) -> Nifti {
    Nifti::counting(&[16, 16, 8, frames]).scl(0.5, -3.0)
}

fn spec(frames: usize) -> ProxySpec {
    ProxySpec::new(&[16, 16, 8, frames], DType::I16)
        .byte_order(ByteOrder::Little)
        .scaling(Scaling::linear(0.5, -3.0))
}

/// An image over a source that counts.
fn counted(frames: usize, access: Access) -> (std::sync::Arc<CountingSource>, DataobjImage) {
    let source = CountingSource::with_access(series(frames).data, access);
    let header: Header = header_of(&spec(frames));
    let proxy = ArrayProxy::new(source.clone(), spec(frames)).expect("a proxy");
    let image = DataobjImage::new(proxy, header, Extra::new(), FileMap::new());
    (source, image.expect("an image"))
}

#[test]
fn every_byte_is_read_once_and_in_order() {
    for backend in Backend::every_way("every byte is read once") {
        for access in [Access::Random, Access::Sequential] {
            let (source, image) = counted(20, access);
            let stream = items::<f32>(backend, &image, FrameOptions::new()).expect("a stream");
            assert_eq!(stream.filter(|item| item.is_ok()).count(), 20);
            assert_eq!(source.bytes_read(), 20 * 2 * FRAME as u64, "{backend:?}");
            let (_, image) = counted(20, access);
            let few = FrameOptions::new().range(18..);
            let stream = items::<f32>(backend, &image, few).expect("a stream");
            assert_eq!(stream.count(), 2);
        }
    }
}

#[test]
fn no_more_is_read_ahead_than_there_is_room_for() {
    let (source, image) = counted(1000, Access::Random);
    let mut frames = image.frames::<f32>(FrameOptions::new()).expect("a stream");
    // Waits until so many frames have been read, and a little for one too many.
    let reads_no_more_than = |frames: u64| {
        let (wanted, start) = (frames * 2 * FRAME as u64, Instant::now());
        while source.reach() < wanted {
            assert!(start.elapsed() < Duration::from_secs(60), "it hangs");
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(source.reach(), wanted);
    };
    let first = frames.next();
    reads_no_more_than(3);
    drop(first);
    reads_no_more_than(4);
}

#[test]
fn damage_at_the_end_of_a_gzip_file_is_the_last_item() {
    let whole = gz(&series(9).single(), 6);
    let flipped = {
        let mut bytes = whole.clone();
        let crc = bytes.len() - 6;
        bytes[crc] ^= 1;
        bytes
    };
    let cut = whole[..whole.len() - 3].to_vec();
    for backend in Backend::every_way("damage at the end of a gzip file") {
        for (bytes, expected) in [
            (&whole, "Ok"),
            (&flipped, "Integrity(gzip)"),
            (&cut, "Truncated(gzip trailer)"),
        ] {
            let image = DataobjImage::from_bytes(bytes.clone()).expect("it loads");
            let stream = items::<f32>(backend, &image, FrameOptions::new()).expect("a stream");
            let got: Vec<_> = stream.take(20).collect();
            let good = got.iter().take_while(|item| item.is_ok()).count();
            let last = got.get(good).map(|item| item.as_ref().err().map(kind));
            match expected {
                "Ok" => assert_eq!((good, last), (9, None), "{backend:?}"),
                error => {
                    // The last frame comes only where the damage is after all that it is read from.
                    assert!(good >= 8, "{backend:?} {expected}: {good}");
                    assert_eq!(last, Some(Some(error.to_owned())), "{backend:?}");
                }
            }
            assert!(got.len() <= good + 1, "nothing after the error");
        }
        // A stream that does not come to the end cannot tell, and does not read that far.
        let image = DataobjImage::from_bytes(flipped.clone()).expect("it loads");
        let some = FrameOptions::new().range(..8);
        let stream = items::<f32>(backend, &image, some).expect("a stream");
        assert!(stream.map(|item| item.is_ok()).eq([true; 8]));
    }
}

#[test]
fn other_readers_do_not_send_a_gzip_stream_back() {
    let image = DataobjImage::from_bytes(gz(&series(40).single(), 1)).expect("it loads");
    let whole = image.get_fdata::<f32>(Caching::Unchanged).expect("values");
    for backend in Backend::every_way("other readers of a gzip file") {
        let stream = items::<f32>(backend, &image, FrameOptions::new()).expect("a stream");
        let mut frames = 0;
        for item in stream {
            image.dataobj().slice::<f32>("[..., 0]").expect("a slice");
            check("between", &item.expect("a frame"), whole.as_slice(), FRAME);
            frames += 1;
        }
        assert_eq!(frames, 40);
    }
}

#[test]
fn a_file_that_changes_is_an_item() {
    for backend in Backend::every_way("a file that changes under a stream") {
        for mmap in [Mmap::CopyOnWrite, Mmap::Off] {
            let dir = folder();
            let path = write(&dir, "a.nii", &series(50).single());
            let options = LoadOptions::new().mmap(mmap);
            let image = DataobjImage::from_filename(&path, &options).expect("it loads");
            let mut stream = items::<f32>(backend, &image, FrameOptions::new()).expect("a stream");
            assert!(stream.next().is_some_and(|item| item.is_ok()));
            std::thread::sleep(Duration::from_millis(30));
            overwrite(&path, &series(51).single());
            let mut rest: Vec<_> = stream.take(60).collect();
            let last = rest.pop().expect("an item").err().expect("an error");
            assert!(kind(&last).starts_with("Changed"), "{backend:?}: {last}");
            assert!(rest.iter().all(Result::is_ok), "then the end");
            assert!(rest.len() < 10, "what was read ahead: {}", rest.len());
        }
    }
}

#[test]
fn a_failed_read_is_an_item_and_can_be_passed_by() {
    for backend in Backend::every_way("a failed read") {
        let (source, image) = counted(20, Access::Random);
        let whole = image.get_fdata::<f32>(Caching::Unchanged).expect("values");
        source.fail_from(6);
        let options = FrameOptions::new();
        let mut stream = items::<f32>(backend, &image, options).expect("a stream");
        let mut good = 0;
        let error = loop {
            match stream.next().expect("an item") {
                Ok(got) => check("before", &got, whole.as_slice(), FRAME),
                Err(error) => break error,
            }
            good += 1;
        };
        assert_eq!((good, kind(&error).as_str()), (6, "Io"), "{backend:?}");
        assert!(stream.next().is_none());
        drop(stream);
        source.fail_from(u64::MAX);
        let stream = items::<f32>(backend, &image, FrameOptions::new()).expect("a stream");
        assert_eq!(stream.filter(Result::is_ok).count(), 20, "it is well again");
    }
}

#[test]
fn a_file_too_short_is_refused_at_once() {
    let mut bytes = series(5).single();
    bytes.truncate(bytes.len() - 1);
    let image = DataobjImage::from_bytes(bytes).expect("it loads");
    for backend in Backend::every_way("a file too short for a stream") {
        let error = items::<f32>(backend, &image, FrameOptions::new()).err();
        assert_eq!(
            error.as_ref().map(kind).as_deref(),
            Some("Truncated(voxel data)")
        );
        let enough = FrameOptions::new().range(..4);
        let stream = items::<f32>(backend, &image, enough).expect("a stream");
        assert_eq!(stream.filter(Result::is_ok).count(), 4);
    }
}

#[test]
fn options_of_zero_and_types_without_floats_are_errors() {
    let image = DataobjImage::from_bytes(series(3).single()).expect("it loads");
    let colours = Nifti::new(DType::Rgb24, &[2, 2, 2, 2], vec![7; 48]).single();
    let colours = DataobjImage::from_bytes(colours).expect("it loads");
    let complex = Nifti::new(DType::C64, &[2, 2, 2, 2], vec![0; 128]).single();
    let complex = DataobjImage::from_bytes(complex).expect("it loads");
    let new = FrameOptions::new;
    for backend in Backend::every_way("options of streams") {
        for options in [new().step(0), new().block(0), new().slots(0)] {
            let error = items::<f32>(backend, &image, options).err();
            assert_eq!(error.as_ref().map(kind).as_deref(), Some("Usage"));
        }
        let error = items::<f32>(backend, &colours, new()).err();
        assert_eq!(error.as_ref().map(kind).as_deref(), Some("DType"));
        let real_parts = items::<f32>(backend, &complex, new());
        assert_eq!(real_parts.is_ok(), backend == Backend::Cpu);
    }
}

#[test]
fn held_frames_are_an_error_and_stay_as_they_are() {
    let image = DataobjImage::from_bytes(series(8).single()).expect("it loads");
    let mut frames = image.frames::<f32>(FrameOptions::new()).expect("a stream");
    let held: Vec<_> = frames
        .by_ref()
        .take(3)
        .map(|item| item.expect("a frame"))
        .collect();
    let before: Vec<Vec<f32>> = held.iter().map(|frame| frame.as_slice().to_vec()).collect();
    for _ in 0..3 {
        let error = frames.next().expect("an item").err();
        assert_eq!(
            error.as_ref().map(Error::kind),
            Some(&ErrorKind::FramesHeld(3))
        );
        assert!(frames.try_next().is_pending());
    }
    for (frame, before) in held.iter().zip(&before) {
        assert_eq!(frame.as_slice(), before);
    }
    drop(held);
    assert_eq!(
        frames
            .map(|item| item.expect("a frame").index())
            .collect::<Vec<_>>(),
        [3, 4, 5, 6, 7]
    );
    // With all frames given out the end comes, held or not.
    let mut frames = image
        .frames::<f32>(FrameOptions::new().range(..3))
        .expect("a stream");
    let held: Vec<_> = frames.by_ref().take(3).collect();
    assert!(frames.next().is_none());
    assert!(matches!(frames.try_next(), Poll::Ready(None)));
    drop(frames);
    assert_eq!(held.len(), 3);
    assert!(
        held.iter()
            .all(|item| item.as_ref().is_ok_and(|frame| frame.as_slice()[1] != 0.0))
    );
}

#[test]
fn seeks_go_anywhere() {
    let mut rng = Rng::new(35);
    for compressed in [false, true] {
        let bytes = series(30).single();
        let bytes = if compressed { gz(&bytes, 1) } else { bytes };
        let image = DataobjImage::from_bytes(bytes).expect("it loads");
        let whole = image.get_fdata::<f32>(Caching::Unchanged).expect("values");
        let options = FrameOptions::new().range(1..).step(2);
        let mut frames = image.frames::<f32>(options).expect("a stream");
        for _ in 0..60 {
            let frame = 1 + 2 * rng.below(15);
            frames.seek(frame).expect("it is selected");
            for expected in (frame..30).step_by(2).take(rng.below(4)) {
                let got = frames.next().expect("an item").expect("a frame");
                assert_eq!(got.index(), expected);
                let part = &whole.as_slice()[expected * FRAME..(expected + 1) * FRAME];
                assert_eq!(got.as_slice(), part);
            }
        }
        for frame in [0, 2, 31, 100] {
            let error = frames.seek(frame).expect_err("it is not selected");
            assert_eq!(kind(&error), "Index");
        }
        while frames.next().is_some() {}
        frames.seek(29).expect("from the end, too");
        assert_eq!(
            frames
                .map(|item| item.expect("a frame").index())
                .collect::<Vec<_>>(),
            [29]
        );
    }
}

/// Threads of this process with the name of a stream's.
#[cfg(target_os = "linux")]
fn stream_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("procfs");
    let name = |task: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
    };
    let names = tasks.filter_map(name);
    names.filter(|name| name.trim() == "voxload stream").count()
}

/// Waits until there are so many: a thread takes its name, and its leave, a moment after it was begun and joined.
#[cfg(target_os = "linux")]
fn await_threads(count: usize) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while stream_threads() != count {
        let found = stream_threads();
        assert!(Instant::now() < deadline, "{found}, not {count}");
        std::thread::yield_now();
    }
}

/// Bytes that the best device has allocated.
#[cfg(target_os = "linux")]
fn device_bytes(backend: Backend) -> u64 {
    match backend {
        Backend::Cpu => 0,
        #[cfg(feature = "gpu")]
        Backend::Gpu(device) => {
            let gpu = crate::support::backend::open(device);
            let device = gpu.device();
            // wgpu keeps the memory of a `write_buffer` until the next submission.
            gpu.queue().submit([]);
            device
                .poll(wgpu::PollType::wait_indefinitely())
                .expect("it answers");
            let report = device.generate_allocator_report();
            report.map_or(0, |report| report.total_allocated_bytes)
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "run by `streams_dropped_at_any_time_leave_nothing` in a process of its own"]
fn child_drops_streams() {
    // The threads of rayon's pool have the name of the thread that makes it, which is not to be a stream's.
    assert!(rayon::current_num_threads() > 0);
    let image = DataobjImage::from_bytes(gz(&series(60).single(), 1)).expect("it loads");
    let mut rng = Rng::new(36);
    for backend in Backend::every_way("streams dropped at any time") {
        let mut before = 0;
        // In browsers there are none.
        #[cfg(feature = "gpu")]
        let in_caller = backend == Backend::Gpu(crate::support::backend::Device::AsInBrowsers);
        #[cfg(not(feature = "gpu"))]
        let in_caller = false;
        let threads = usize::from(!in_caller);
        for round in 0..200 {
            let options = FrameOptions::new().looping().slots(1 + rng.below(4));
            let mut stream = items::<f32>(backend, &image, options).expect("a stream");
            await_threads(threads);
            for _ in 0..rng.below(6) {
                stream.next();
            }
            if rng.one_in(2) {
                std::thread::sleep(Duration::from_micros(rng.below(300) as u64));
            }
            drop(stream);
            await_threads(0);
            // Kernels and what they need are made once, by the first streams.
            if round == 100 {
                before = device_bytes(backend);
            }
        }
        let after = device_bytes(backend);
        assert!(after <= before, "{backend:?}: {before}, then {after}");
        println!("dropped 200");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn streams_dropped_at_any_time_leave_nothing() {
    let text = crate::support::child::run_test("streams::sources::child_drops_streams");
    assert!(text.contains("dropped 200"), "{text}");
    println!("{text}");
}
