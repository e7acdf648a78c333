//! The kernel's variants: one pipeline for each kind of conversion.

use std::fmt;

use super::context::Context;
use super::pipelines::{Pipeline, Pipelines, Program, STORAGE, STORAGE_READ};
use crate::convert::Conversion;
use crate::convert::packet::MAX_STEPS;
use crate::dtype::{ByteOrder, DType};
use crate::error::Result;
use crate::scaling::{Factor, Step};

/// How a kernel computes: all ways give the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KernelMethod {
    /// Doubles in integers: exact on every device, with no optional feature.
    Integers,
    /// The device's own doubles (features `SHADER_F64` and `SHADER_INT64`).
    NativeF64,
    /// A table of all results, for 8- and 16-bit stored types; made by the CPU.
    Table,
}

impl KernelMethod {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Integers, Self::NativeF64, Self::Table];
}

impl fmt::Display for KernelMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Integers => "exact integers",
            Self::NativeF64 => "native f64",
            Self::Table => "table",
        })
    }
}

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

impl Variant {
    /// The program of this variant.
    fn program(&self, context: &Context) -> Program {
        let mut bindings = vec![(0, STORAGE_READ), (1, STORAGE)];
        if self.watch {
            bindings.push((2, STORAGE));
        }
        if self.method == KernelMethod::Table {
            bindings.push((3, STORAGE_READ));
        }
        Program {
            label: "voxload convert",
            shader: match self.method {
                KernelMethod::Integers => "convert in integers",
                KernelMethod::NativeF64 => NATIVE,
                KernelMethod::Table => "convert by table",
            },
            source: source(self.method),
            entry_point: self.entry_point(),
            constants: self.constants(workgroup(context)).to_vec(),
            bindings,
        }
    }
}

/// The name of the shader of native f64.
pub(super) const NATIVE: &str = "convert in native f64";

/// A pipeline, and what else it needs.
#[derive(Clone)]
pub(crate) struct Kernel {
    pub pipeline: Pipeline,
    pub(super) table: Option<wgpu::Buffer>,
}

impl Kernel {
    /// The kernel that does a conversion in this way, of boxes that are dense or not. `table` is that of the conversion,
    /// for the way that needs it.
    ///
    /// # Errors
    /// As [`Pipelines::get`].
    pub async fn new(
        context: &Context,
        pipelines: &Pipelines,
        conversion: &Conversion,
        dense: bool,
        method: KernelMethod,
        table: Option<wgpu::Buffer>,
    ) -> Result<Self> {
        let program = Variant::of(conversion, dense, method).program(context);
        let pipeline = pipelines.get(context, &program).await?;
        Ok(Self { pipeline, table })
    }

    /// The kernel that also reports lost values; it computes in integers.
    ///
    /// # Errors
    /// As [`Pipelines::get`].
    pub async fn watching(
        context: &Context,
        pipelines: &Pipelines,
        conversion: &Conversion,
        dense: bool,
    ) -> Result<Self> {
        let variant = Variant::of(conversion, dense, KernelMethod::Integers).watching();
        let program = variant.program(context);
        Ok(Self {
            pipeline: pipelines.get(context, &program).await?,
            table: None,
        })
    }

    /// Binds it to a packet, a window of the output, and where it is to report losses.
    pub fn bind(
        &self,
        context: &Context,
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
        self.pipeline.bind(context, "voxload convert", &entries)
    }
}

/// Invocations of a workgroup.
pub(crate) fn workgroup(context: &Context) -> u32 {
    let limits = context.limits();
    64.min(limits.max_compute_workgroup_size_x)
        .min(limits.max_compute_invocations_per_workgroup)
}
