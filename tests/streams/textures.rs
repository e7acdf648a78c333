//! Streams into the caller's texture: every frame, read back, is what `texels()` makes of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use half::f16;
use voxload::{
    Caching, DataobjImage, ErrorKind, Fidelity, Float, FrameOptions, Gpu, HostArray, HostTexels,
    Index, Result, StagingOptions, StreamOptions, StreamTarget, Texels, TextureOptions, Window,
};

use super::{driven, own_device, small_slots};
use crate::device_outputs::devices::{devices, download_texture};
use crate::support::environment::volume;
use crate::support::errors::kind;
use crate::support::nifti::Nifti;
use crate::support::table::Row;
use crate::support::ways;

const SHAPE: [usize; 4] = [23, 18, 9, 6];

fn series(slope: f64) -> DataobjImage {
    let bytes = Nifti::counting(&SHAPE).scl(slope, -3.0).single();
    DataobjImage::from_bytes(bytes).expect("it loads")
}

fn texture(gpu: &Gpu, shape: [u32; 3], format: wgpu::TextureFormat) -> wgpu::Texture {
    gpu.device().create_texture(&wgpu::TextureDescriptor {
        label: Some("the caller's"),
        size: wgpu::Extent3d {
            width: shape[0],
            height: shape[1],
            depth_or_array_layers: shape[2],
        },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D3,
        format,
        usage: wgpu::TextureUsages::COPY_SRC | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    })
}

fn fitting(gpu: &Gpu, texels: Texels) -> wgpu::Texture {
    texture(gpu, [23, 18, 9], texels.format())
}

fn into_texture(frames: FrameOptions, texture: &wgpu::Texture, texels: Texels) -> StreamOptions {
    let staging = StagingOptions::new().slots(3).slot_bytes(4096).workers(1);
    let options = small_slots(frames).staging(staging);
    options.target(StreamTarget::Texture {
        texture: texture.clone(),
        texels,
    })
}

/// What the CPU makes of a frame.
fn wanted(image: &DataobjImage, texels: Texels, frame: usize) -> HostTexels {
    let index = Index::new().ellipsis().at(frame as i64);
    let options = TextureOptions::new(texels).index(index).expect("an index");
    image.texels(&options).expect("texels")
}

/// Looks at what is in the texture.
fn check(gpu: &Gpu, image: &DataobjImage, texels: Texels, frame: &voxload::Frame<impl Float>) {
    let held = frame.texture().expect("it is in a texture");
    let wanted = wanted(image, texels, frame.index());
    assert!(
        download_texture(gpu, held) == wanted.bytes,
        "frame {} as {texels:?}",
        frame.index()
    );
    assert_eq!(
        frame.fidelity(),
        Some(wanted.fidelity),
        "frame {}",
        frame.index()
    );
    assert_eq!(frame.shape(), &SHAPE[..3]);
    assert!(frame.array().is_none());
}

/// Streams all frames, waiting for each; gives their numbers.
fn waited<T: Float>(
    gpu: &Gpu,
    image: &DataobjImage,
    texels: Texels,
    frames: FrameOptions,
) -> Vec<usize> {
    let texture = fitting(gpu, texels);
    let options = into_texture(frames, &texture, texels);
    let mut stream = ways::stream::<T>(image, gpu, options).expect("a stream");
    assert_eq!(stream.slots(), 1);
    let mut order = Vec::new();
    while let Some(item) = stream.next() {
        let frame = item.expect("a frame");
        // The next one is not to be had while this one is held, and does not touch it.
        let next = stream.next().map(|item| item.map(drop));
        let held = Some(ErrorKind::FramesHeld(1));
        let refused = next.and_then(Result::err);
        assert!(refused.is_none() || refused.as_ref().map(voxload::Error::kind) == held.as_ref());
        check(gpu, image, texels, &frame);
        order.push(frame.index());
    }
    order
}

/// The same by `pump`, at most one submission a call.
fn pumped<T: Float>(gpu: &Gpu, image: &DataobjImage, texels: Texels) {
    let texture = fitting(gpu, texels);
    let options = into_texture(FrameOptions::new().looping(), &texture, texels);
    let mut stream = ways::stream::<T>(image, gpu, options).expect("a stream");
    let (start, mut frames) = (Instant::now(), 0);
    while frames < 14 {
        assert!(start.elapsed() < Duration::from_secs(60), "{frames} frames");
        let before = stream.trace().submissions;
        stream.pump(5000);
        assert!(stream.trace().submissions - before <= 1);
        if let Poll::Ready(item) = stream.try_next() {
            let frame = item.expect("it loops").expect("a frame");
            assert_eq!(frame.index(), frames % 6);
            for _ in 0..3 {
                stream.pump(1 << 20);
                std::thread::sleep(Duration::from_millis(1));
            }
            assert!(stream.try_next().is_pending(), "it is held");
            check(gpu, image, texels, &frame);
            frames += 1;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

fn all_ways<T: Float>(gpu: &Gpu, image: &DataobjImage, texels: Texels) {
    let forward = waited::<T>(gpu, image, texels, FrameOptions::new());
    assert_eq!(forward, [0, 1, 2, 3, 4, 5]);
    let reverse = FrameOptions::new().reverse().slots(5);
    assert_eq!(waited::<T>(gpu, image, texels, reverse), [5, 4, 3, 2, 1, 0]);
    pumped::<T>(gpu, image, texels);
}

#[test]
fn every_frame_is_what_the_cpu_makes_of_it() {
    let window = Window::new(-100.0, 9000.0).expect("it rises");
    for device in devices("streams to textures") {
        for image in [series(0.5), series(0.3)] {
            all_ways::<f32>(&device.gpu, &image, Texels::R32Float);
            all_ways::<f16>(&device.gpu, &image, Texels::R16Float);
            all_ways::<f64>(&device.gpu, &image, Texels::R8Unorm(window));
        }
    }
}

#[test]
fn exactness_is_told_of_each_frame() {
    // Small numbers first, which f16 has, then odd ones above 2048, which it has not, then small ones again.
    let values = [vec![7i16; 60], vec![4097; 60], vec![9; 60]].concat();
    let array = HostArray::from_vec(&[5, 4, 3, 3], values).expect("it fits");
    let image = DataobjImage::from_array(array, None).expect("an image");
    for device in devices("exactness of streamed textures") {
        let texture = texture(&device.gpu, [5, 4, 3], wgpu::TextureFormat::R16Float);
        let options = into_texture(FrameOptions::new(), &texture, Texels::R16Float);
        let stream = ways::stream::<f16>(&image, &device.gpu, options).expect("a stream");
        let found: Vec<_> = stream
            .map(|item| item.expect("a frame").fidelity())
            .collect();
        let wanted = [Fidelity::Exact, Fidelity::Rounded, Fidelity::Exact];
        assert_eq!(found, wanted.map(Some));
    }
}

#[test]
fn seeks_and_kept_copies() {
    let image = series(0.5);
    for device in devices("seeks in streams to textures") {
        let gpu = &device.gpu;
        // Textures are made of the file, not of what is kept.
        ways::get_fdata_gpu::<f32>(&image, gpu, Caching::Fill).expect("values");
        let texture = fitting(gpu, Texels::R32Float);
        let options = into_texture(FrameOptions::new(), &texture, Texels::R32Float);
        let mut stream = ways::stream::<f32>(&image, gpu, options).expect("a stream");
        for to in [4, 0, 5, 2, 2, 3, 1] {
            stream.seek(to).expect("it is selected");
            let frame = stream.next().expect("an item").expect("a frame");
            assert_eq!(frame.index(), to);
            // A seek while a frame is held leaves it as it is.
            stream.seek(0).expect("it is selected");
            stream.pump(u64::MAX);
            check(gpu, &image, Texels::R32Float, &frame);
        }
        image.uncache();
    }
}

#[test]
fn a_device_destroyed_at_any_time_is_told_of() {
    let image = series(0.5);
    let row = Row::new("GPU: device destroyed under a stream into a texture");
    let (mut lost, mut frames) = (0, 0);
    let rounds = volume(100, 1000) as u64;
    for round in 0..rounds {
        let Some((device, _queue, gpu)) = own_device("a device destroyed under a texture") else {
            return;
        };
        let gpu = driven(gpu, round as usize);
        let texture = fitting(&gpu, Texels::R32Float);
        let options = into_texture(FrameOptions::new().looping(), &texture, Texels::R32Float);
        let seen = AtomicUsize::new(0);
        let deadline = Instant::now() + Duration::from_secs(20);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // Half of the devices live until some frames were seen, however slow this machine is.
                let wanted = (round as usize / 2 % 5) * (round as usize % 2);
                while seen.load(Ordering::Acquire) < wanted && Instant::now() < deadline {
                    std::thread::sleep(Duration::from_micros(100));
                }
                std::thread::sleep(Duration::from_micros(70_000 * round / rounds));
                device.destroy();
            });
            let items = ways::stream::<f32>(&image, &gpu, options).map(|mut stream| {
                loop {
                    assert!(Instant::now() < deadline, "it hangs");
                    match stream.next().expect("it loops") {
                        Ok(frame) => {
                            assert!(frame.fidelity().is_some());
                            seen.fetch_add(1, Ordering::AcqRel);
                        }
                        Err(error) => break error,
                    }
                }
            });
            let error = items.unwrap_or_else(|error| error);
            assert_eq!(error.kind(), &ErrorKind::DeviceLost);
            lost += 1;
        });
        frames += seen.into_inner();
    }
    row.done(lost, rounds as usize);
    assert!(
        frames > rounds as usize / 15,
        "{frames}: the device was destroyed too early"
    );
}

#[test]
fn textures_that_do_not_serve_are_refused() {
    let image = series(0.5);
    for device in devices("textures that do not serve") {
        let gpu = &device.gpu;
        let with = |texture: &wgpu::Texture, texels, frames| {
            let options = into_texture(frames, texture, texels);
            let error = image.stream::<f32>(gpu, options).err();
            error.as_ref().map(kind)
        };
        let r32 = wgpu::TextureFormat::R32Float;
        let good = texture(gpu, [23, 18, 9], r32);
        let new = FrameOptions::new;
        assert_eq!(with(&good, Texels::R32Float, new()), None);
        let shape = Some("Shape".to_owned());
        let usage = Some("Usage".to_owned());
        for sides in [[22, 18, 9], [23, 19, 9], [23, 18, 8], [18, 23, 9]] {
            let wrong = texture(gpu, sides, r32);
            assert_eq!(with(&wrong, Texels::R32Float, new()), shape);
        }
        assert_eq!(with(&good, Texels::R32Float, new().block(2)), usage);
        assert_eq!(with(&good, Texels::R16Float, new()), usage, "f32 asked for");
        let narrow = fitting(gpu, Texels::R16Float);
        assert_eq!(with(&narrow, Texels::R32Float, new()), usage);
        let options = into_texture(new(), &good, Texels::R32Float);
        let mut stream = image.stream::<f32>(gpu, options).expect("a stream");
        let frame = stream.next().expect("an item").expect("a frame");
        assert_eq!(frame.download().err().as_ref().map(kind), usage);
    }
}
