//! The kernel's variants: one pipeline for each kind of conversion, made once for each device.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::packet::MAX_STEPS;
use crate::convert::Conversion;
use crate::dtype::{ByteOrder, DType};
use crate::error::Result;
use crate::gpu::Gpu;
use crate::scaling::{Factor, Step};

const SHADER: &str = concat!(
    include_str!("../../../shaders/double.wgsl"),
    include_str!("../../../shaders/decode.wgsl"),
    include_str!("../../../shaders/convert.wgsl"),
);

/// What makes one variant of the kernel different from another: the constants of `convert.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Variant {
    stored: DType,
    swapped: bool,
    output: DType,
    copy: bool,
    steps: [u8; MAX_STEPS],
    tables: bool,
    dense: bool,
    watch: bool,
}

impl Variant {
    fn of(conversion: &Conversion, dense: bool, watch: bool) -> Self {
        let mut steps = [0; MAX_STEPS];
        for (kind, step) in steps.iter_mut().zip(&conversion.steps) {
            *kind = match step {
                Step::Multiply(_) => 1,
                Step::Add(_) => 2,
                Step::Clip { .. } => 3,
                Step::RoundToF32 => 4,
            };
        }
        let table = |step: &Step| {
            matches!(
                step,
                Step::Multiply(Factor::Table(_)) | Step::Add(Factor::Table(_))
            )
        };
        Self {
            stored: conversion.stored,
            swapped: conversion.order != ByteOrder::NATIVE && conversion.stored.part_bytes() > 1,
            output: conversion.output,
            copy: conversion.is_copy(),
            steps,
            tables: conversion.steps.iter().any(table),
            dense,
            watch,
        }
    }

    fn constants(&self, workgroup: u32) -> [(&'static str, f64); 12] {
        [
            ("WORKGROUP", workgroup.into()),
            ("STORED", code(self.stored).into()),
            ("SWAPPED", u32::from(self.swapped).into()),
            ("OUTPUT", code(self.output).into()),
            ("COPY", u32::from(self.copy).into()),
            ("STEP0", self.steps[0].into()),
            ("STEP1", self.steps[1].into()),
            ("STEP2", self.steps[2].into()),
            ("STEP3", self.steps[3].into()),
            ("TABLES", u32::from(self.tables).into()),
            ("DENSE", u32::from(self.dense).into()),
            ("WATCH", u32::from(self.watch).into()),
        ]
    }

    fn entry_point(&self) -> &'static str {
        match (self.output.size_bytes() < 4, self.watch) {
            (true, false) => "convert_parts",
            (false, false) => "convert_words",
            (true, true) => "watch_parts",
            (false, true) => "watch_words",
        }
    }
}

/// The number of a stored type in the shaders: its place in [`DType::ALL`].
fn code(dtype: DType) -> u32 {
    dtype as u32
}

/// The pipelines that a device has made so far.
#[derive(Default)]
pub(crate) struct Kernels(Mutex<Made>);

#[derive(Default)]
struct Made {
    base: Option<Base>,
    pipelines: HashMap<Variant, Kernel>,
}

#[derive(Clone)]
struct Base {
    module: wgpu::ShaderModule,
    plain: Bindings,
    watched: Bindings,
}

#[derive(Clone)]
struct Bindings {
    group: wgpu::BindGroupLayout,
    layout: wgpu::PipelineLayout,
}

/// A pipeline and what it is bound by.
#[derive(Clone)]
pub(crate) struct Kernel {
    pub pipeline: wgpu::ComputePipeline,
    pub bindings: wgpu::BindGroupLayout,
}

impl Kernels {
    /// The kernel for a conversion, of boxes that are dense or not, that reports losses or not; made once.
    pub fn get(
        &self,
        gpu: &Gpu,
        conversion: &Conversion,
        dense: bool,
        watch: bool,
    ) -> Result<Kernel> {
        let variant = Variant::of(conversion, dense, watch);
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kernel) = made.pipelines.get(&variant) {
            return Ok(kernel.clone());
        }
        let base = match &made.base {
            Some(base) => base.clone(),
            None => made.base.insert(Base::new(gpu)?).clone(),
        };
        let bindings = if watch { base.watched } else { base.plain };
        let kernel = gpu.guarded(0, || Kernel {
            pipeline: gpu
                .device()
                .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                    label: Some("voxload convert"),
                    layout: Some(&bindings.layout),
                    module: &base.module,
                    entry_point: Some(variant.entry_point()),
                    compilation_options: wgpu::PipelineCompilationOptions {
                        constants: &variant.constants(workgroup(gpu)),
                        ..Default::default()
                    },
                    cache: None,
                }),
            bindings: bindings.group,
        })?;
        made.pipelines.insert(variant, kernel.clone());
        Ok(kernel)
    }
}

impl Base {
    fn new(gpu: &Gpu) -> Result<Self> {
        gpu.guarded(0, || Self {
            module: gpu
                .device()
                .create_shader_module(wgpu::ShaderModuleDescriptor {
                    label: Some("voxload convert"),
                    source: wgpu::ShaderSource::Wgsl(SHADER.into()),
                }),
            plain: Bindings::new(gpu, &[storage(0, true), storage(1, false)]),
            watched: Bindings::new(
                gpu,
                &[storage(0, true), storage(1, false), storage(2, false)],
            ),
        })
    }
}

impl Bindings {
    fn new(gpu: &Gpu, entries: &[wgpu::BindGroupLayoutEntry]) -> Self {
        let label = Some("voxload convert");
        let group = gpu
            .device()
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label, entries });
        let layout = gpu
            .device()
            .create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label,
                bind_group_layouts: &[Some(&group)],
                immediate_size: 0,
            });
        Self { group, layout }
    }
}

fn storage(binding: u32, read_only: bool) -> wgpu::BindGroupLayoutEntry {
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Storage { read_only },
            has_dynamic_offset: false,
            min_binding_size: None,
        },
        count: None,
    }
}

/// Invocations of a workgroup.
pub(super) fn workgroup(gpu: &Gpu) -> u32 {
    let limits = gpu.limits();
    64.min(limits.max_compute_workgroup_size_x)
        .min(limits.max_compute_invocations_per_workgroup)
}

#[cfg(test)]
impl Kernels {
    /// How many pipelines there are.
    pub fn count(&self) -> usize {
        self.0.lock().unwrap().pipelines.len()
    }
}
