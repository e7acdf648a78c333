//! Variants of the kernel: one pipeline for each kind of conversion.

use std::borrow::Cow;
use std::fmt;

use super::context::Context;
use super::pipelines::{Pipeline, Pipelines, Program, STORAGE, STORAGE_READ};
use crate::convert::Conversion;
use crate::convert::wgsl::{self, Specialization};
use crate::core::error::Result;

/// How a kernel computes values. All methods give the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KernelMethod {
    /// Doubles in integers: exact on every device, and without optional features.
    Integers,
    /// The device's native f64 (features `SHADER_F64` and `SHADER_INT64`).
    NativeF64,
    /// A table of all results, for 8- and 16-bit stored types, computed on the CPU.
    Table,
}

impl KernelMethod {
    /// All methods.
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

/// The shader of each method. All have the same packets and entry points.
fn source(method: KernelMethod) -> fn() -> Cow<'static, str> {
    match method {
        KernelMethod::Integers => || wgsl::by_integers().into(),
        KernelMethod::NativeF64 => || wgsl::by_native_f64().into(),
        KernelMethod::Table => || wgsl::by_table().into(),
    }
}

/// What distinguishes the variants of the kernel: the shader and its constants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Variant {
    method: KernelMethod,
    fixed: Specialization,
}

impl Variant {
    pub(super) fn of(conversion: &Conversion, dense: bool, method: KernelMethod) -> Self {
        let mut fixed = Specialization::of(conversion, dense);
        // Tables are indexed by the bytes in file order.
        fixed.swapped &= method != KernelMethod::Table;
        Self { method, fixed }
    }

    /// The same variant, reporting lost values.
    fn reporting_losses(mut self) -> Self {
        self.fixed.watch = true;
        self
    }

    fn constants(&self, workgroup: u32) -> [(&'static str, f64); 12] {
        self.fixed.constants(workgroup)
    }

    fn entry_point(&self) -> &'static str {
        self.fixed.entry_point()
    }
}

impl Variant {
    /// The program for this variant.
    fn program(&self, context: &Context) -> Program {
        let mut bindings = vec![(0, STORAGE_READ), (1, STORAGE)];
        if self.fixed.watch {
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

/// The name of the shader with native f64.
pub(super) const NATIVE: &str = "convert in native f64";

/// A pipeline and the table that it needs, if any.
#[derive(Clone)]
pub(crate) struct Kernel {
    pub pipeline: Pipeline,
    pub(super) table: Option<wgpu::Buffer>,
}

impl Kernel {
    /// The kernel for a conversion by this method, of boxes that are dense or not. `table` is the conversion's table,
    /// for the method that needs one.
    ///
    /// # Errors
    /// As [`Pipelines::get`].
    pub(crate) async fn new(
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

    /// The kernel that also reports lost values. It computes in integers.
    ///
    /// # Errors
    /// As [`Pipelines::get`].
    pub(crate) async fn reporting_losses(
        context: &Context,
        pipelines: &Pipelines,
        conversion: &Conversion,
        dense: bool,
    ) -> Result<Self> {
        let variant = Variant::of(conversion, dense, KernelMethod::Integers).reporting_losses();
        let program = variant.program(context);
        Ok(Self {
            pipeline: pipelines.get(context, &program).await?,
            table: None,
        })
    }

    /// Binds a packet, a window of the output, and the buffer for lost values.
    pub(crate) fn bind(
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

/// Number of invocations in a workgroup.
pub(crate) fn workgroup(context: &Context) -> u32 {
    let limits = context.limits();
    64.min(limits.max_compute_workgroup_size_x)
        .min(limits.max_compute_invocations_per_workgroup)
}
