//! The ways to drive a device, so that each test body runs on all of them: calls that block, calls that are awaited, and
//! awaited ones that work as in browsers (bytes go up by `write_buffer`, files are read in the polls of the future).

use std::sync::{Mutex, PoisonError};

use voxload::{
    ArrayProxy, BufferTarget, Caching, DataobjImage, DeviceArray, Fidelity, Float, Frame,
    FrameStream, Gpu, HostArray, Index, RawVolume, Result, Statistics, StatisticsOptions,
    StreamOptions, TemporalStatistics, Texture3d, TextureOptions,
};

static AWAITED: Mutex<Vec<Gpu>> = Mutex::new(Vec::new());

/// The same device, on which these functions await what they ask for.
pub fn awaited(gpu: Gpu) -> Gpu {
    let mut awaited = AWAITED.lock().unwrap_or_else(PoisonError::into_inner);
    awaited.push(gpu.clone());
    gpu
}

/// The same, working as in browsers.
pub fn as_in_browsers(gpu: Gpu) -> Gpu {
    gpu.set_browser_like(true);
    gpu
}

fn is_awaited(gpu: &Gpu) -> bool {
    let awaited = AWAITED.lock().unwrap_or_else(PoisonError::into_inner);
    gpu.is_browser_like() || awaited.iter().any(|other| other.is_same_device(gpu))
}

macro_rules! either {
    ($gpu:expr, $object:expr, $blocking:ident, $awaited:ident, $($argument:expr),*) => {
        match is_awaited($gpu) {
            true => pollster::block_on($object.$awaited($($argument),*)),
            false => $object.$blocking($($argument),*),
        }
    };
}

pub fn get_fdata_gpu<T: Float>(
    image: &DataobjImage,
    gpu: &Gpu,
    caching: Caching,
) -> Result<DeviceArray<T>> {
    either!(gpu, image, get_fdata_gpu, get_fdata_gpu_async, gpu, caching)
}

/// [`DataobjImage::get_fdata`], awaited where calls of this device are.
pub fn get_fdata<T: Float>(
    image: &DataobjImage,
    gpu: &Gpu,
    caching: Caching,
) -> Result<HostArray<T>> {
    either!(gpu, image, get_fdata, get_fdata_async, caching)
}

pub fn slice_gpu<T: Float>(
    dataobj: &ArrayProxy,
    gpu: &Gpu,
    index: &Index,
) -> Result<DeviceArray<T>> {
    let part = dataobj.sliced(index)?;
    either!(gpu, part, read_gpu, read_gpu_async, gpu)
}

pub fn slice_into_buffer<T: Float>(
    dataobj: &ArrayProxy,
    gpu: &Gpu,
    index: &Index,
    target: &BufferTarget<'_>,
) -> Result<()> {
    let part = dataobj.sliced(index)?;
    match is_awaited(gpu) {
        true => pollster::block_on(part.read_into_buffer_async::<T>(gpu, target)),
        false => part.read_into_buffer::<T>(gpu, target),
    }
}

pub fn download<T: Float>(array: &DeviceArray<T>) -> Result<HostArray<T>> {
    either!(array.gpu(), array, download, download_async,)
}

pub fn raw_on_gpu(dataobj: &ArrayProxy, gpu: &Gpu) -> Result<RawVolume> {
    either!(gpu, dataobj, raw_on_gpu, raw_on_gpu_async, gpu)
}

pub fn texture(image: &DataobjImage, gpu: &Gpu, options: &TextureOptions) -> Result<Texture3d> {
    either!(gpu, image, texture, texture_async, gpu, options)
}

pub fn texture_into(
    image: &DataobjImage,
    gpu: &Gpu,
    texture: &wgpu::Texture,
    options: &TextureOptions,
) -> Result<Fidelity> {
    either!(
        gpu,
        image,
        texture_into,
        texture_into_async,
        gpu,
        texture,
        options
    )
}

pub fn statistics<T: Float>(
    image: &DataobjImage,
    gpu: &Gpu,
    options: &StatisticsOptions,
) -> Result<Statistics> {
    match is_awaited(gpu) {
        true => pollster::block_on(image.statistics_gpu_async::<T>(gpu, options)),
        false => image.statistics_gpu::<T>(gpu, options),
    }
}

pub fn temporal_statistics<T: Float>(
    image: &DataobjImage,
    gpu: &Gpu,
) -> Result<TemporalStatistics<T>> {
    either!(
        gpu,
        image,
        temporal_statistics_gpu,
        temporal_statistics_gpu_async,
        gpu
    )
}

/// A stream, and how its items are waited for.
pub struct Stream<T: Float> {
    stream: FrameStream<T>,
    is_awaited: bool,
}

pub fn stream<T: Float>(
    image: &DataobjImage,
    gpu: &Gpu,
    options: StreamOptions,
) -> Result<Stream<T>> {
    Ok(Stream {
        stream: either!(gpu, image, stream, stream_async, gpu, options)?,
        is_awaited: is_awaited(gpu),
    })
}

impl<T: Float> std::ops::Deref for Stream<T> {
    type Target = FrameStream<T>;

    fn deref(&self) -> &FrameStream<T> {
        &self.stream
    }
}

impl<T: Float> std::ops::DerefMut for Stream<T> {
    fn deref_mut(&mut self) -> &mut FrameStream<T> {
        &mut self.stream
    }
}

impl<T: Float> Iterator for Stream<T> {
    type Item = Result<Frame<T>>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.is_awaited {
            true => pollster::block_on(self.stream.next_async()),
            false => self.stream.next(),
        }
    }
}

/// The values of a frame of a stream on this device.
pub fn frame_values<T: Float>(gpu: &Gpu, frame: &Frame<T>) -> Result<HostArray<T>> {
    either!(gpu, frame, download, download_async,)
}
