//! Devices that go away: a frame is right or an error, nothing hangs, the image and other devices serve on.

use std::task::Poll;
use std::time::{Duration, Instant};

use voxload::{Caching, DataobjImage, ErrorKind, FrameOptions, StreamOptions};

use super::{WAYS, check, driven, got_on, own_device, own_devices, small_slots};
use crate::support::environment::volume;
use crate::support::nifti::Nifti;
use crate::support::rng::Rng;
use crate::support::table::Row;
use crate::support::ways;

const FRAME: usize = 32 * 32 * 24;

fn series() -> DataobjImage {
    let bytes = Nifti::counting(&[32, 32, 24, 6]).scl(0.5, -3.0).single();
    DataobjImage::from_bytes(bytes).expect("it loads")
}

#[test]
fn a_device_destroyed_at_any_time_gives_no_wrong_frame() {
    let image = series();
    let whole = image.get_fdata::<f32>(Caching::Unchanged).expect("values");
    let mut rng = Rng::new(51);
    let undisturbed = Instant::now();
    if let Some((_device, _queue, gpu)) = own_device("how long it takes undisturbed") {
        let stream = image.stream::<f32>(&gpu, small_slots(FrameOptions::new()));
        let frames = stream
            .expect("a stream")
            .map(|item| item.and_then(|frame| got_on(&gpu, &frame)));
        assert_eq!(frames.filter(Result::is_ok).count(), 6);
    }
    // Making the device is in it, so that some devices live to the end.
    let longest = undisturbed.elapsed().as_micros() as usize;
    let row = Row::new("GPU: device destroyed under a stream");
    let (mut ran, mut lost, mut right) = (0, 0, 0);
    let rounds = volume(100, 1000);
    for round in 0..rounds {
        let Some((device, _queue, gpu)) = own_device("a device destroyed under a stream") else {
            return;
        };
        let gpu = driven(gpu, round / 2);
        let delay = Duration::from_micros(rng.below(longest) as u64);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(delay);
                device.destroy();
            });
            let options = small_slots(FrameOptions::new());
            let mut stream = match ways::stream::<f32>(&image, &gpu, options) {
                Ok(stream) => stream,
                Err(error) => {
                    assert_eq!(error.kind(), &ErrorKind::DeviceLost);
                    lost += 1;
                    return;
                }
            };
            let deadline = Instant::now() + Duration::from_secs(20);
            for _ in 0..7 {
                let item = if round % 2 == 0 {
                    stream.next()
                } else {
                    loop {
                        stream.pump(1 << 20);
                        match stream.try_next() {
                            Poll::Ready(item) => break item,
                            Poll::Pending => assert!(Instant::now() < deadline, "it hangs"),
                        }
                    }
                };
                match item.map(|item| item.and_then(|frame| got_on(&gpu, &frame))) {
                    Some(Ok(got)) => {
                        check("before the loss", &got, whole.as_slice(), FRAME);
                        right += 1;
                    }
                    Some(Err(error)) => {
                        assert_eq!(error.kind(), &ErrorKind::DeviceLost);
                        lost += 1;
                        break;
                    }
                    None => break,
                }
            }
        });
        ran += 1;
    }
    println!("{lost} streams met the loss, {right} frames were right");
    row.done(ran, rounds);
    assert!(
        lost > rounds / 15,
        "{lost}: the device was destroyed too late"
    );
    assert!(
        right > rounds / 15,
        "{right}: the device was destroyed too early"
    );
    let (_device, _queue, gpu) = own_device("another device").expect("there was one");
    let stream = image
        .stream::<f32>(&gpu, StreamOptions::new())
        .expect("a stream");
    assert_eq!(
        stream.filter(Result::is_ok).count(),
        6,
        "a new device serves"
    );
}

#[test]
fn a_device_destroyed_under_copies_of_a_kept_array() {
    let image = series();
    // Later and later, in each way to drive a device.
    let delays = volume(20, 200) as u64;
    for round in 0..delays * WAYS as u64 {
        let Some((device, _queue, gpu)) = own_device("a device destroyed under copies") else {
            return;
        };
        let gpu = driven(gpu, round as usize);
        let kept = ways::get_fdata_gpu::<f32>(&image, &gpu, Caching::Fill);
        kept.expect("the device is there");
        let options = small_slots(FrameOptions::new().looping());
        let mut stream = ways::stream::<f32>(&image, &gpu, options).expect("a stream");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_micros(
                    18_000 * (round / WAYS as u64) / delays,
                ));
                device.destroy();
            });
            let deadline = Instant::now() + Duration::from_secs(20);
            let error = loop {
                assert!(Instant::now() < deadline, "it hangs");
                if let Err(error) = stream.next().expect("it loops") {
                    break error;
                }
            };
            assert_eq!(error.kind(), &ErrorKind::DeviceLost);
        });
        image.uncache();
    }
}

#[test]
fn after_a_loss_there_is_nothing() {
    for (device, gpu) in own_devices("after a loss") {
        after_a_loss_there_is_nothing_on(&device, &gpu);
    }
}

fn after_a_loss_there_is_nothing_on(device: &wgpu::Device, gpu: &voxload::Gpu) {
    let image = series();
    let stream = ways::stream::<f32>(&image, gpu, StreamOptions::new());
    let mut stream = stream.expect("a stream");
    let held = stream.next().expect("an item").expect("a frame");
    device.destroy();
    let deadline = Instant::now() + Duration::from_secs(20);
    let error = loop {
        assert!(Instant::now() < deadline, "it hangs");
        match stream.next().expect("an item") {
            Ok(frame) => drop(frame),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), &ErrorKind::DeviceLost);
    assert!(stream.next().is_none());
    assert_eq!(stream.pump(1 << 20), 0);
    assert!(matches!(stream.try_next(), Poll::Ready(None)));
    assert_eq!(
        stream.seek(0).err().map(|error| error.kind().clone()),
        Some(ErrorKind::DeviceLost)
    );
    let error = ways::frame_values(gpu, &held).expect_err("the device is gone");
    assert_eq!(error.kind(), &ErrorKind::DeviceLost);
    let again = ways::stream::<f32>(&image, gpu, StreamOptions::new());
    let first = again.and_then(|mut stream| stream.next().expect("an item").map(drop));
    let error = first.expect_err("the device is gone");
    assert_eq!(error.kind(), &ErrorKind::DeviceLost);
    assert_eq!(
        image
            .frames::<f32>(FrameOptions::new())
            .expect("the CPU serves")
            .count(),
        6
    );
}

#[test]
fn a_notice_of_loss_ends_a_stream() {
    for (_device, gpu) in own_devices("a notice of loss") {
        let image = series();
        let options = StreamOptions::new().frames(FrameOptions::new().looping());
        let mut stream = ways::stream::<f32>(&image, &gpu, options).expect("a stream");
        stream.next().expect("an item").expect("a frame");
        gpu.mark_lost();
        let error = stream
            .next()
            .expect("an item")
            .expect_err("the device is lost");
        assert_eq!(error.kind(), &ErrorKind::DeviceLost);
        assert!(stream.next().is_none());
    }
}
