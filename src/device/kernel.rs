//! The kernel's variants: one pipeline for each kind of conversion, made once for each device.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::choice::{Choices, KernelMethod};
use super::table::Tables;
use crate::convert::Conversion;
use crate::convert::packet::MAX_STEPS;
use crate::device::Gpu;
use crate::dtype::{ByteOrder, DType};
use crate::error::Result;
use crate::scaling::{Factor, Step};

macro_rules! shader {
    ($($name:literal),*) => {
        concat!($(include_str!(concat!("../../shaders/", $name, ".wgsl"))),*)
    };
}

/// The shader of each way to compute: all share the packets, the places and the entry points.
fn source(method: KernelMethod) -> &'static str {
    match method {
        KernelMethod::Integers => shader!("double", "decode", "integers", "steps", "convert"),
        KernelMethod::NativeF64 => shader!("double", "decode", "native", "steps", "convert"),
        KernelMethod::Table => shader!("double", "decode", "table", "convert"),
    }
}

/// What makes one variant of the kernel different from another: the constants of `convert.wgsl`, and the shader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Variant {
    method: KernelMethod,
    stored: DType,
    swapped: bool,
    output: DType,
    copy: bool,
    steps: [u8; MAX_STEPS],
    tables: bool,
    dense: bool,
    /// Whether lost values are reported.
    watch: bool,
}

impl Variant {
    pub fn of(conversion: &Conversion, dense: bool, method: KernelMethod) -> Self {
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
        let swapped = conversion.order != ByteOrder::NATIVE && conversion.stored.part_bytes() > 1;
        Self {
            method,
            stored: conversion.stored,
            // A table is made for the bytes as they lie.
            swapped: swapped && method != KernelMethod::Table,
            output: conversion.output,
            copy: conversion.is_copy(),
            steps,
            tables: conversion.steps.iter().any(table),
            dense,
            watch: false,
        }
    }

    /// The same, reporting lost values.
    fn watching(self) -> Self {
        Self {
            watch: true,
            ..self
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

/// The pipelines that a device has made so far, and which of them is for what.
#[derive(Default)]
pub(crate) struct Kernels {
    made: Mutex<Made>,
    tables: Tables,
    pub(super) choices: Choices,
    /// A text of the shader of native f64 to replace, for tests of the self-test.
    #[cfg(test)]
    pub(super) altered: Mutex<Option<(&'static str, &'static str)>>,
}

#[derive(Default)]
struct Made {
    /// For each way to compute, and whether lost values are reported.
    bases: HashMap<(KernelMethod, bool), Base>,
    pipelines: HashMap<Variant, Pipeline>,
}

#[derive(Clone)]
struct Base {
    module: wgpu::ShaderModule,
    bindings: wgpu::BindGroupLayout,
    layout: wgpu::PipelineLayout,
}

#[derive(Clone)]
struct Pipeline {
    pipeline: wgpu::ComputePipeline,
    bindings: wgpu::BindGroupLayout,
}

/// A pipeline, and what it is bound by and to.
#[derive(Clone)]
pub(crate) struct Kernel {
    pub pipeline: wgpu::ComputePipeline,
    bindings: wgpu::BindGroupLayout,
    pub(super) table: Option<wgpu::Buffer>,
}

impl Kernel {
    /// Binds it to a packet, a window of the output, and where it is to report losses.
    pub fn bind(
        &self,
        gpu: &Gpu,
        packet: &wgpu::Buffer,
        window: wgpu::BufferBinding<'_>,
        losses: Option<&wgpu::Buffer>,
    ) -> wgpu::BindGroup {
        let entry = |binding, resource| wgpu::BindGroupEntry { binding, resource };
        let mut entries = vec![
            entry(0, packet.as_entire_binding()),
            entry(1, wgpu::BindingResource::Buffer(window)),
        ];
        if let Some(losses) = losses {
            entries.push(entry(2, losses.as_entire_binding()));
        }
        if let Some(table) = &self.table {
            entries.push(entry(3, table.as_entire_binding()));
        }
        gpu.device().create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("voxload convert"),
            layout: &self.bindings,
            entries: &entries,
        })
    }
}

impl Kernels {
    /// The kernel that does a conversion in this way, of boxes that are dense or not; its pipeline is made once.
    pub fn get_by(
        &self,
        gpu: &Gpu,
        conversion: &Conversion,
        dense: bool,
        method: KernelMethod,
    ) -> Result<Kernel> {
        let Pipeline { pipeline, bindings } =
            self.pipeline(gpu, &Variant::of(conversion, dense, method))?;
        let table = match method {
            KernelMethod::Table => Some(self.tables.get(gpu, conversion)?),
            _ => None,
        };
        Ok(Kernel {
            pipeline,
            bindings,
            table,
        })
    }

    /// The kernel that also reports lost values; it computes in integers.
    pub fn watching(&self, gpu: &Gpu, conversion: &Conversion, dense: bool) -> Result<Kernel> {
        let variant = Variant::of(conversion, dense, KernelMethod::Integers).watching();
        let Pipeline { pipeline, bindings } = self.pipeline(gpu, &variant)?;
        Ok(Kernel {
            pipeline,
            bindings,
            table: None,
        })
    }

    fn pipeline(&self, gpu: &Gpu, variant: &Variant) -> Result<Pipeline> {
        let mut made = self.made();
        if let Some(pipeline) = made.pipelines.get(variant) {
            return Ok(pipeline.clone());
        }
        let key = (variant.method, variant.watch);
        let base = match made.bases.get(&key) {
            Some(base) => base.clone(),
            None => {
                let base = Base::new(gpu, variant, &self.source(variant.method))?;
                made.bases.insert(key, base.clone());
                base
            }
        };
        let pipeline = gpu.guarded(0, || Pipeline {
            pipeline: gpu
                .device()
                .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                    label: Some("voxload convert"),
                    layout: Some(&base.layout),
                    module: &base.module,
                    entry_point: Some(variant.entry_point()),
                    compilation_options: wgpu::PipelineCompilationOptions {
                        constants: &variant.constants(workgroup(gpu)),
                        ..Default::default()
                    },
                    cache: None,
                }),
            bindings: base.bindings,
        })?;
        made.pipelines.insert(*variant, pipeline.clone());
        Ok(pipeline)
    }

    fn source(&self, method: KernelMethod) -> Cow<'static, str> {
        #[cfg(test)]
        if method == KernelMethod::NativeF64
            && let Some((from, to)) = *self.altered.lock().unwrap()
        {
            return source(method).replace(from, to).into();
        }
        source(method).into()
    }

    /// Whether the table of a conversion is on the device already.
    pub(super) fn has_table(&self, conversion: &Conversion) -> bool {
        self.tables.has(conversion)
    }

    fn made(&self) -> MutexGuard<'_, Made> {
        // Only whole pipelines are ever put in.
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Base {
    fn new(gpu: &Gpu, variant: &Variant, source: &str) -> Result<Self> {
        let storage = |binding, read_only| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: wgpu::BufferBindingType::Storage { read_only },
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        };
        let mut entries = vec![storage(0, true), storage(1, false)];
        if variant.watch {
            entries.push(storage(2, false));
        }
        if variant.method == KernelMethod::Table {
            entries.push(storage(3, true));
        }
        let device = gpu.device();
        gpu.guarded(0, || {
            let bindings = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: Some("voxload convert"),
                entries: &entries,
            });
            Self {
                module: device.create_shader_module(wgpu::ShaderModuleDescriptor {
                    label: Some("voxload convert"),
                    source: wgpu::ShaderSource::Wgsl(source.into()),
                }),
                layout: device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                    label: Some("voxload convert"),
                    bind_group_layouts: &[Some(&bindings)],
                    immediate_size: 0,
                }),
                bindings,
            }
        })
    }
}

/// Invocations of a workgroup.
pub(crate) fn workgroup(gpu: &Gpu) -> u32 {
    let limits = gpu.limits();
    64.min(limits.max_compute_workgroup_size_x)
        .min(limits.max_compute_invocations_per_workgroup)
}

#[cfg(test)]
impl Kernels {
    /// How many pipelines there are.
    pub fn count(&self) -> usize {
        self.made().pipelines.len()
    }
}
