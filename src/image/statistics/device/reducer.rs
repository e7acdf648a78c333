//! The pipelines of `statistics.wgsl`, made once for each device.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::{BLOCK_BYTES, LANES};
use crate::device::Gpu;
use crate::device::grid;
use crate::dtype::DType;
use crate::error::{ErrorKind, Result};

const SHADER: &str = concat!(
    include_str!("../../../../shaders/double.wgsl"),
    include_str!("../../../../shaders/decode.wgsl"),
    include_str!("../../../../shaders/statistics.wgsl"),
);

/// What a pipeline does with values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Job {
    /// Takes them into lanes and bins.
    Reduce,
    /// Takes them into series.
    OverTime,
}

impl Job {
    fn entry_point(self) -> &'static str {
        match self {
            Self::Reduce => "reduce",
            Self::OverTime => "over_time",
        }
    }
}

/// The pipelines that a device has made so far.
#[derive(Default)]
pub(crate) struct Reducers(Mutex<HashMap<(Job, DType), Reducer>>);

/// A pipeline and what it is bound by.
#[derive(Clone)]
pub(super) struct Reducer {
    pipeline: wgpu::ComputePipeline,
    bindings: wgpu::BindGroupLayout,
}

impl Reducers {
    /// The pipeline for values of this type.
    ///
    /// # Errors
    /// [`ErrorKind::GpuUnsupported`] for a device with limits too small for it, [`ErrorKind::Gpu`],
    /// [`ErrorKind::DeviceLost`].
    pub(super) fn get(&self, gpu: &Gpu, job: Job, values: DType) -> Result<Reducer> {
        check_limits(gpu)?;
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reducer) = made.get(&(job, values)) {
            return Ok(reducer.clone());
        }
        let reducer = gpu.guarded(0, || Reducer::new(gpu.device(), job, values))?;
        made.insert((job, values), reducer.clone());
        Ok(reducer)
    }
}

fn check_limits(gpu: &Gpu) -> Result<()> {
    let limits = gpu.limits();
    let lanes = LANES as u32;
    let enough = limits.max_storage_buffers_per_shader_stage >= 4
        && limits.max_uniform_buffers_per_shader_stage >= 1
        && limits.max_compute_workgroup_size_x >= lanes
        && limits.max_compute_invocations_per_workgroup >= lanes
        && BLOCK_BYTES.is_multiple_of(limits.min_storage_buffer_offset_alignment.into());
    if !enough {
        return Err(ErrorKind::GpuUnsupported("kernels of statistics".to_owned()).into());
    }
    Ok(())
}

impl Reducer {
    fn new(device: &wgpu::Device, job: Job, values: DType) -> Self {
        let entry = |binding, ty| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty,
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        };
        let storage = |read_only| wgpu::BufferBindingType::Storage { read_only };
        let bindings = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("voxload statistics"),
            entries: &[
                entry(0, storage(true)),
                entry(1, storage(false)),
                entry(2, storage(true)),
                entry(3, storage(false)),
                entry(4, wgpu::BufferBindingType::Uniform),
            ],
        });
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("voxload statistics"),
            bind_group_layouts: &[Some(&bindings)],
            immediate_size: 0,
        });
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("voxload statistics"),
            source: wgpu::ShaderSource::Wgsl(SHADER.into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some("voxload statistics"),
            layout: Some(&layout),
            module: &module,
            entry_point: Some(job.entry_point()),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &[("OUTPUT", f64::from(values as u32))],
                ..Default::default()
            },
            cache: None,
        });
        Self { pipeline, bindings }
    }

    /// Records so many workgroups over these resources, in the order of their bindings.
    pub fn record(
        &self,
        gpu: &Gpu,
        resources: [wgpu::BindingResource<'_>; 5],
        groups: u32,
        encoder: &mut wgpu::CommandEncoder,
    ) {
        let entries: Vec<wgpu::BindGroupEntry<'_>> = (0..)
            .zip(resources)
            .map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource })
            .collect();
        let bound = gpu.device().create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("voxload statistics"),
            layout: &self.bindings,
            entries: &entries,
        });
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &bound, &[]);
        let side = gpu.limits().max_compute_workgroups_per_dimension;
        let [x, y, z] = grid(groups, side);
        pass.dispatch_workgroups(x, y, z);
    }
}
