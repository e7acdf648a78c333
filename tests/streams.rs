//! Promise: a stream gives the bits of the whole, frame by frame, on both backends, in a fixed number of bytes, and
//! neither hangs nor gives a wrong frame whatever happens meanwhile.

mod bits;
mod bounded;
mod caches;
#[cfg(feature = "gpu")]
mod loss;
#[cfg(feature = "gpu")]
mod playback;
mod sources;
#[cfg(feature = "gpu")]
mod targets;
#[cfg(feature = "gpu")]
mod textures;
#[cfg(feature = "gpu")]
mod weak;

use voxload::{DataobjImage, Float, FrameOptions, Result};
#[cfg(feature = "gpu")]
use voxload::{Gpu, StagingOptions, StreamOptions};

use crate::support::backend::Backend;
#[cfg(feature = "gpu")]
use crate::support::backend::{open, ready};
#[cfg(feature = "gpu")]
use crate::support::devices::callers;
use crate::support::naive::Out;
#[cfg(feature = "gpu")]
use crate::support::ways;

/// A frame on the host, wherever it was computed.
pub struct Got<T> {
    frames: Vec<usize>,
    shape: Vec<usize>,
    values: Vec<T>,
}

impl<T> Got<T> {
    pub fn values(&self) -> &[T] {
        &self.values
    }
}

pub type Items<T> = Box<dyn Iterator<Item = Result<Got<T>>>>;

/// A stream's items on the host, each dropped before the next is asked for.
pub fn items<T: Float>(
    backend: Backend,
    image: &DataobjImage,
    options: FrameOptions,
) -> Result<Items<T>> {
    match backend {
        Backend::Cpu => {
            let got = |frame: voxload::HostFrame<T>| Got {
                frames: frame.frames().to_vec(),
                shape: frame.shape().to_vec(),
                values: frame.as_slice().to_vec(),
            };
            let frames = image.frames::<T>(options)?;
            Ok(Box::new(frames.map(move |item| item.map(got))))
        }
        #[cfg(feature = "gpu")]
        Backend::Gpu(device) => {
            let gpu = open(device);
            let stream = ways::stream::<T>(image, gpu, small_slots(options))?;
            Ok(Box::new(stream.map(|item| got_on(gpu, &item?))))
        }
    }
}

/// Staging slots that are smaller than most frames of the tests.
#[cfg(feature = "gpu")]
fn small_slots(options: FrameOptions) -> StreamOptions {
    StreamOptions::new().frames(options).staging(
        StagingOptions::new()
            .slots(3)
            .slot_bytes(16 << 10)
            .workers(1),
    )
}

#[cfg(feature = "gpu")]
fn got<T: Float>(frame: &voxload::Frame<T>) -> Result<Got<T>> {
    got_of(frame, frame.download()?)
}

/// The same, of a frame of a stream on this device.
#[cfg(feature = "gpu")]
fn got_on<T: Float>(gpu: &Gpu, frame: &voxload::Frame<T>) -> Result<Got<T>> {
    got_of(frame, ways::frame_values(gpu, frame)?)
}

#[cfg(feature = "gpu")]
fn got_of<T: Float>(frame: &voxload::Frame<T>, values: voxload::HostArray<T>) -> Result<Got<T>> {
    Ok(Got {
        frames: frame.frames().to_vec(),
        shape: frame.shape().to_vec(),
        values: values.into_vec(),
    })
}

/// A device of the test's own in each way to drive it.
#[cfg(feature = "gpu")]
fn own_devices(test: &str) -> Vec<(wgpu::Device, Gpu)> {
    let way = |way: usize| {
        let (device, _queue, gpu) = own_device(test)?;
        Some((device, driven(gpu, way)))
    };
    (0..WAYS).filter_map(way).collect()
}

/// How many ways there are to drive a device.
#[cfg(feature = "gpu")]
const WAYS: usize = 3;

/// The same device, driven in one of the ways.
#[cfg(feature = "gpu")]
fn driven(gpu: Gpu, way: usize) -> Gpu {
    match way % WAYS {
        0 => gpu,
        1 => ways::awaited(gpu),
        _ => ways::as_in_browsers(gpu),
    }
}

/// A device of the test's own, as a caller makes it: wgpu's default limits, no features.
#[cfg(feature = "gpu")]
fn own_device(test: &str) -> Option<(wgpu::Device, wgpu::Queue, Gpu)> {
    ready(test).then(|| {
        let (device, queue) = callers(|_| {});
        let gpu = Gpu::from_device(&device, &queue);
        (device, queue, gpu)
    })
}

/// Compares a frame's values with those of the whole array.
pub fn check<T: Out>(what: &str, got: &Got<T>, whole: &[T], frame_len: usize) {
    let expected = got
        .frames
        .iter()
        .flat_map(|frame| &whole[frame * frame_len..(frame + 1) * frame_len]);
    assert_eq!(got.values.len(), got.frames.len() * frame_len, "{what}");
    assert_eq!(
        got.shape.iter().product::<usize>(),
        got.values.len(),
        "{what}: {:?}",
        got.shape
    );
    for (n, (&found, &expected)) in got.values.iter().zip(expected).enumerate() {
        let nans = found.is_not_a_number() && expected.is_not_a_number();
        assert!(
            nans || found.bits() == expected.bits(),
            "{what}: frames {:?}: voxel {n} is {found:?}, not {expected:?}",
            got.frames
        );
    }
}
