//! Where frames are put: ranges of the caller's buffer with nothing else touched, new buffers that stay valid.

use half::f16;
use voxload::{
    Caching, DType, DataobjImage, ErrorKind, Float, FrameOptions, Gpu, StagingOptions,
    StreamOptions, StreamTarget,
};

use super::{check, got_on, own_device, own_devices, small_slots};
use crate::support::backend::{Backend, Device, open};
use crate::support::devices::callers_gpu;
use crate::support::errors::kind;
use crate::support::naive::Out;
use crate::support::nifti::Nifti;
use crate::support::rng::Rng;
use crate::support::ways;

const POISON: u8 = 0xa5;

/// All bytes of a buffer.
fn read_back(gpu: &Gpu, buffer: &wgpu::Buffer) -> Vec<u8> {
    let down = gpu.device().create_buffer(&wgpu::BufferDescriptor {
        label: Some("the test's"),
        size: buffer.size(),
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    encoder.copy_buffer_to_buffer(buffer, 0, &down, 0, buffer.size());
    gpu.queue().submit([encoder.finish()]);
    down.map_async(wgpu::MapMode::Read, .., |result| result.expect("it maps"));
    let poll = gpu.device().poll(wgpu::PollType::wait_indefinitely());
    poll.expect("the device answers");
    let view = down.get_mapped_range(..).expect("it is mapped");
    view.to_vec()
}

fn poisoned(gpu: &Gpu, size: u64) -> wgpu::Buffer {
    let buffer = gpu.device().create_buffer(&wgpu::BufferDescriptor {
        label: Some("the caller's"),
        size,
        usage: wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::COPY_SRC
            | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let poison = vec![POISON; size as usize];
    gpu.queue().write_buffer(&buffer, 0, &poison);
    buffer
}

/// Streams into a range and looks at every byte of the buffer after each frame.
fn into_a_range<T: Out>(gpu: &Gpu, image: &DataobjImage, slots: usize, offset: u64) -> usize {
    let whole = image.get_fdata::<T>(Caching::Unchanged).expect("values");
    let frame_len: usize = image.shape()[..3].iter().product();
    let size = (frame_len * size_of::<T>()) as u64;
    let align = u64::from(gpu.limits().min_storage_buffer_offset_alignment).max(8);
    let stride = size.next_multiple_of(4).next_multiple_of(align);
    let buffer = poisoned(gpu, offset + stride * slots as u64 + 512);
    let options = small_slots(FrameOptions::new().slots(slots)).target(StreamTarget::BufferRange {
        buffer: buffer.clone(),
        offset,
    });
    let stream = ways::stream::<T>(image, gpu, options).expect("a stream");
    let own = ways::stream::<T>(image, gpu, small_slots(FrameOptions::new().slots(slots)));
    let own = own.expect("a stream").device_bytes();
    let places = slots as u64 * size.next_multiple_of(4);
    assert_eq!(own - stream.device_bytes(), places, "no frames of its own");
    let mut frames = 0;
    for item in stream {
        let frame = item.expect("a frame");
        assert!(frame.array().is_none());
        let place = (frame.offset_bytes() - offset) / stride;
        assert_eq!(frame.offset_bytes(), offset + place * stride);
        assert!(place < slots as u64);
        check(
            "range",
            &got_on(gpu, &frame).expect("values"),
            whole.as_slice(),
            frame_len,
        );
        let bytes = read_back(gpu, &buffer);
        let start = frame.offset_bytes() as usize;
        let values: &[T] = &whole.as_slice()[frames * frame_len..][..frame_len];
        assert_eq!(
            &bytes[start..start + size as usize],
            bytemuck::cast_slice::<T, u8>(values)
        );
        for (at, &byte) in bytes.iter().enumerate() {
            let from = (at as u64).wrapping_sub(offset);
            let inside = from < stride * slots as u64 && from % stride < size;
            assert!(inside || byte == POISON, "byte {at} of {}", bytes.len());
        }
        frames += 1;
    }
    frames
}

#[test]
fn ranges_of_a_callers_buffer_and_nothing_else() {
    let test = "ranges of a caller's buffer";
    let Some((_device, _queue, own)) = own_device(test) else {
        return;
    };
    // An odd number of voxels: the last half word of an f16 frame is not the stream's.
    let image = Nifti::counting(&[23, 11, 9, 5]).scl(0.5, 1.0).single();
    let image = DataobjImage::from_bytes(image).expect("it loads");
    let mut frames = 0;
    let ways = [Device::Awaited, Device::AsInBrowsers].map(open);
    for gpu in [
        &own,
        open(Device::Best),
        open(Device::Tiny),
        ways[0],
        ways[1],
    ] {
        for (slots, offset) in [(1, 0), (1, 40), (2, 256), (3, 8 * 77)] {
            frames += into_a_range::<f16>(gpu, &image, slots, offset);
            frames += into_a_range::<f32>(gpu, &image, slots, offset);
            frames += into_a_range::<f64>(gpu, &image, slots, offset);
        }
        frames += into_a_range::<f16>(gpu, &image, 2, 4);
        frames += into_a_range::<f32>(gpu, &image, 2, 12);
    }
    assert_eq!(frames, 5 * 14 * 5);
}

#[test]
fn kept_arrays_are_copied_to_ranges() {
    for (_device, gpu) in own_devices("kept arrays to ranges") {
        let image = Nifti::counting(&[23, 11, 9, 5]).single();
        let image = DataobjImage::from_bytes(image).expect("it loads");
        ways::get_fdata_gpu::<f32>(&image, &gpu, Caching::Fill).expect("values");
        assert_eq!(into_a_range::<f32>(&gpu, &image, 2, 12), 5);
        ways::get_fdata_gpu::<f16>(&image, &gpu, Caching::Fill).expect("values");
        assert_eq!(
            into_a_range::<f16>(&gpu, &image, 2, 12),
            5,
            "half words are not copied"
        );
    }
}

fn refusal<T: Float>(
    gpu: &Gpu,
    image: &DataobjImage,
    buffer: &wgpu::Buffer,
    offset: u64,
) -> String {
    let options = StreamOptions::new().target(StreamTarget::BufferRange {
        buffer: buffer.clone(),
        offset,
    });
    let error = image
        .stream::<T>(gpu, options)
        .expect_err("it does not fit");
    kind(&error)
}

#[test]
fn ranges_that_do_not_serve_are_refused() {
    let Some((device, _queue, gpu)) = own_device("ranges that do not serve") else {
        return;
    };
    let image = Nifti::counting(&[16, 16, 8, 4]).single();
    let image = DataobjImage::from_bytes(image).expect("it loads");
    let exact = poisoned(&gpu, 3 * 16 * 16 * 8 * 4);
    assert_eq!(refusal::<f32>(&gpu, &image, &exact, 2), "Usage");
    assert_eq!(refusal::<f64>(&gpu, &image, &exact, 4), "Usage");
    assert_eq!(refusal::<f32>(&gpu, &image, &exact, 4), "Shape");
    assert_eq!(refusal::<f64>(&gpu, &image, &exact, 0), "Shape");
    assert_eq!(refusal::<f32>(&gpu, &image, &exact, u64::MAX - 3), "Shape");
    let unfit = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: exact.size(),
        usage: wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    assert_eq!(refusal::<f32>(&gpu, &image, &unfit, 0), "Usage");
    let fits = StreamOptions::new().target(StreamTarget::BufferRange {
        buffer: exact,
        offset: 0,
    });
    let stream = image.stream::<f32>(&gpu, fits).expect("it fits exactly");
    assert_eq!(stream.filter(Result::is_ok).count(), 4);
}

#[test]
fn arrays_that_callers_keep_stay_valid() {
    for (_device, gpu) in own_devices("arrays that callers keep") {
        arrays_that_callers_keep_stay_valid_on(&gpu);
    }
}

fn arrays_that_callers_keep_stay_valid_on(gpu: &Gpu) {
    let image = Nifti::counting(&[16, 16, 8, 12]).single();
    let image = DataobjImage::from_bytes(image).expect("it loads");
    let whole = image.get_fdata::<f32>(Caching::Unchanged).expect("values");
    let stream = ways::stream::<f32>(&image, gpu, StreamOptions::new()).expect("a stream");
    let keep = |item: voxload::Result<voxload::Frame<f32>>| {
        let frame = item.expect("a frame");
        frame.array().expect("a new buffer").clone()
    };
    let kept: Vec<_> = stream.map(keep).collect();
    assert_eq!(kept.len(), 12);
    for (array, values) in kept.iter().zip(whole.as_slice().chunks(16 * 16 * 8)) {
        assert_eq!(array.shape(), [16, 16, 8]);
        assert_eq!(ways::download(array).expect("values").as_slice(), values);
    }
    // Without a handle on them there are as many buffers as slots.
    let stream = ways::stream::<f32>(&image, gpu, StreamOptions::new()).expect("a stream");
    let mut buffers = Vec::new();
    for item in stream {
        let frame = item.expect("a frame");
        if !buffers.contains(frame.buffer()) {
            buffers.push(frame.buffer().clone());
        }
    }
    assert!(buffers.len() <= 3, "{}", buffers.len());
}

#[test]
fn held_frames_and_seeks() {
    for (_device, gpu) in own_devices("held frames and seeks on a device") {
        held_frames_and_seeks_on(&gpu);
    }
}

fn held_frames_and_seeks_on(gpu: &Gpu) {
    let image = Nifti::counting(&[32, 32, 16, 10]).scl(0.1, 0.0).single();
    let image = DataobjImage::from_bytes(image).expect("it loads");
    let whole = image.get_fdata::<f32>(Caching::Unchanged).expect("values");
    let options = small_slots(FrameOptions::new());
    let mut stream = ways::stream::<f32>(&image, gpu, options).expect("a stream");
    let held: Vec<_> = (0..3)
        .map(|_| stream.next().expect("one").expect("a frame"))
        .collect();
    for _ in 0..3 {
        let error = stream.next().expect("an item").err();
        let error = error.as_ref().map(voxload::Error::kind);
        assert_eq!(error, Some(&ErrorKind::FramesHeld(3)));
        stream.pump(1 << 20);
        assert!(stream.try_next().is_pending());
    }
    for frame in &held {
        check(
            "held",
            &got_on(gpu, frame).expect("values"),
            whole.as_slice(),
            32 * 32 * 16,
        );
    }
    drop(held);
    let mut rng = Rng::new(41);
    for _ in 0..60 {
        let frame = rng.below(10);
        stream.seek(frame).expect("it is selected");
        for expected in (frame..10).take(rng.below(4)) {
            let next = stream.next().expect("an item").expect("a frame");
            let got = got_on(gpu, &next).expect("values");
            assert_eq!(got.frames, [expected]);
            check("sought", &got, whole.as_slice(), 32 * 32 * 16);
        }
    }
    assert_eq!(
        stream.seek(10).err().as_ref().map(kind).as_deref(),
        Some("Index")
    );
}

#[test]
fn frames_above_the_limits_are_refused() {
    if Backend::available("frames above the limits").len() < 2 {
        return;
    }
    let frame = vec![0; 8 << 20];
    let image = Nifti::new(DType::U8, &[256, 256, 128, 1], frame).single();
    let image = DataobjImage::from_bytes(image).expect("it loads");
    let gpu = callers_gpu(|limits| {
        limits.max_buffer_size = 16 << 20;
        limits.max_storage_buffer_binding_size = 1 << 20;
    });
    let error = image.stream::<f32>(&gpu, StreamOptions::new()).err();
    let limit = ErrorKind::GpuLimit {
        limit: "max_buffer_size",
        needed: 32 << 20,
        allowed: 16 << 20,
    };
    assert_eq!(error.as_ref().map(voxload::Error::kind), Some(&limit));
    let staging = StagingOptions::new()
        .slots(2)
        .slot_bytes(1 << 30)
        .workers(1);
    let large = StreamOptions::new().staging(staging);
    let stream = image.stream::<f16>(&gpu, large).expect("this one fits");
    assert_eq!(stream.filter(Result::is_ok).count(), 1);
}
