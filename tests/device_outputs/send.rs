//! Futures of asynchronous calls can be moved between the threads of an executor, and so can what they give.

use half::f16;
use voxload::{
    ArrayProxy, BufferTarget, Caching, DataobjImage, DeviceArray, Frame, FrameStream, Gpu,
    RawVolume, StagingOptions, StatisticsOptions, StreamOptions, TextureOptions,
};

fn is_send<T: Send>(_: T) {}
fn is_shared<T: Send + Sync>() {}

/// Never called: that it compiles is the test.
#[expect(dead_code, reason = "that it compiles is the test")]
#[expect(clippy::too_many_arguments, reason = "one of each kind")]
fn futures_are_send(
    gpu: &Gpu,
    image: &DataobjImage,
    dataobj: &ArrayProxy,
    array: &DeviceArray<f32>,
    frame: &Frame<f64>,
    stream: &mut FrameStream<f16>,
    buffer: &wgpu::Buffer,
    texture: &wgpu::Texture,
) {
    let target = BufferTarget::new(buffer);
    let (texels, statistics) = (TextureOptions::default(), StatisticsOptions::new());
    let mut out = vec![0.0];
    is_send(Gpu::request());
    is_send(Gpu::with_adapter_async(0));
    is_send(Gpu::adapters_async());
    let scaling = voxload::Scaling::none();
    let (stored, output) = (voxload::DType::U8, voxload::DType::F32);
    is_send(gpu.kernel_rates_async(stored, &scaling, output));
    is_send(image.get_fdata_gpu_async::<f32>(gpu, Caching::Fill));
    is_send(image.get_fdata_async::<f32>(Caching::Fill));
    is_send(image.texture_async(gpu, &texels));
    is_send(image.texture_into_async(gpu, texture, &texels));
    is_send(image.statistics_gpu_async::<f32>(gpu, &statistics));
    is_send(image.temporal_statistics_gpu_async::<f32>(gpu));
    is_send(image.stream_async::<f32>(gpu, StreamOptions::new()));
    is_send(dataobj.read_gpu_async::<f16>(gpu));
    is_send(dataobj.read_into_buffer_async::<f16>(gpu, &target));
    is_send(dataobj.raw_on_gpu_async(gpu));
    is_send(gpu.traced_load_async::<f16>(dataobj, &StagingOptions::new()));
    is_send(DeviceArray::<f32>::zeroed_async(gpu, &[1]));
    is_send(DeviceArray::<f32>::from_slice_async(gpu, &[1], &[1.0]));
    is_send(array.download_async());
    is_send(array.download_into_async(&mut out));
    is_send(frame.download_async());
    is_send(stream.next_async());
}

#[test]
fn handles_can_be_shared_by_threads() {
    is_shared::<Gpu>();
    is_shared::<DataobjImage>();
    is_shared::<DeviceArray<f32>>();
    is_shared::<RawVolume>();
    is_send::<Option<FrameStream<f32>>>(None);
    is_send::<Option<Frame<f32>>>(None);
}
