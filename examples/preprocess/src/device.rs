//! The second pass on a device: voxload streams frames to it, and a kernel of this program normalises them there.

use voxload::{DataobjImage, DeviceArray, FrameOptions, Gpu, NiftiWriter, StreamOptions};

use crate::frames::Kind;
use crate::maps::Maps;
use crate::memory::Plan;
use crate::{Outcome, progress};

/// Number of invocations in a workgroup, as in `normalise.wgsl`.
const GROUP: u32 = 64;

/// Writes every frame to every file.
pub(crate) fn write(
    image: &DataobjImage,
    gpu: &Gpu,
    maps: Maps,
    plan: &Plan,
    writers: &mut [(Kind, NiftiWriter)],
) -> Outcome {
    let frames = image.shape().last().copied().unwrap_or_default();
    let bar = progress("frames", frames);
    let normaliser = Normaliser::new(gpu, maps)?;
    let mut normal = vec![0f32; normaliser.normal.len()];
    let options = StreamOptions::new().frames(FrameOptions::new().slots(plan.slots));
    for frame in image.stream::<f32>(gpu, options)? {
        let frame = frame?;
        for (kind, writer) in &mut *writers {
            normaliser.run(gpu, *kind, frame.buffer(), frame.offset_bytes());
            normaliser.normal.download_into(&mut normal)?;
            writer.write_values(&normal)?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

/// The kernel with its inputs and outputs.
struct Normaliser {
    pipeline: wgpu::ComputePipeline,
    /// The mean as f32, the rounding error of that, the standard deviation.
    maps: [DeviceArray<f32>; 3],
    normal: DeviceArray<f32>,
    params: wgpu::Buffer,
}

impl Normaliser {
    fn new(gpu: &Gpu, maps: Maps) -> Outcome<Self> {
        let limits = gpu.limits();
        let voxels = maps.mean.len();
        let bytes = 4 * voxels as u64;
        let largest = limits.max_storage_buffer_binding_size;
        if bytes > largest {
            let message = format!("a frame of {bytes} bytes is above one binding ({largest})");
            return Err(format!("{message}: use --backend cpu").into());
        }
        let Maps { mean, std } = maps;
        let upload = |values: Vec<f32>| DeviceArray::from_slice(gpu, &[values.len()], &values);
        let low = |&mean: &f64| (mean - f64::from(mean as f32)) as f32;
        let maps = [
            upload(mean.iter().map(|&mean| mean as f32).collect())?,
            upload(mean.iter().map(low).collect())?,
            upload(std.iter().map(|&std| std as f32).collect())?,
        ];
        let shader = wgpu::include_wgsl!("normalise.wgsl");
        let device = gpu.device();
        let module = device.create_shader_module(shader);
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some("normalise"),
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        let params = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("params"),
            size: 16,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let normal = DeviceArray::zeroed(gpu, &[voxels])?;
        Ok(Self {
            pipeline,
            maps,
            normal,
            params,
        })
    }

    fn run(&self, gpu: &Gpu, kind: Kind, values: &wgpu::Buffer, offset: u64) {
        let count = self.normal.len() as u32;
        let max = gpu.limits().max_compute_workgroups_per_dimension;
        let groups = count.div_ceil(GROUP).max(1);
        let [x, y] = [groups.min(max), groups.div_ceil(max)];
        let params = [kind as u32, count, x * GROUP, 0];
        gpu.queue()
            .write_buffer(&self.params, 0, bytemuck::cast_slice(&params));
        let [high, low, std] = &self.maps;
        let values = wgpu::BufferBinding {
            buffer: values,
            offset,
            size: None,
        };
        let resources = [
            wgpu::BindingResource::Buffer(values),
            high.buffer().as_entire_binding(),
            low.buffer().as_entire_binding(),
            std.buffer().as_entire_binding(),
            self.normal.buffer().as_entire_binding(),
            self.params.as_entire_binding(),
        ];
        let entries: Vec<_> = (0..)
            .zip(resources)
            .map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource })
            .collect();
        let device = gpu.device();
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &self.pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        let mut encoder = device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups(x, y, 1);
        drop(pass);
        gpu.queue().submit([encoder.finish()]);
    }
}
