//! Splits a load into packets that fit the staging slots and the device, and checks whether the device can run it.

use std::ops::Range;
use std::sync::Arc;

use super::context::Context;
use super::kernel::workgroup;
use super::staging::{self, Purpose, StagingOptions};
use crate::convert::Conversion;
use crate::convert::packet::{self, MAX_STEPS, Packet};
use crate::core::dtype::DType;
use crate::core::error::{ErrorKind, Result};
use crate::plan::{Plan, Tiles};

/// The smallest binding size to which a load can be adapted.
const MIN_BINDING: u64 = 4096;

/// Checks that this conversion has a kernel and that the device can run it.
///
/// # Errors
/// [`ErrorKind::DType`] for stored types without a kernel, [`ErrorKind::GpuUnsupported`] for a device without compute
/// shaders or with limits that are too small.
pub(crate) fn check_convertible(context: &Context, conversion: &Conversion) -> Result<()> {
    let has_kernel = matches!(conversion.output, DType::F16 | DType::F32 | DType::F64)
        || conversion.window.is_some()
        || conversion.is_copy();
    if conversion.stored.is_complex() || conversion.stored.is_colour() || !has_kernel {
        return Err(ErrorKind::DType {
            stored: conversion.stored.to_string(),
            wanted: format!("{} on the GPU", conversion.output),
        }
        .into());
    }
    if conversion.steps.len() > MAX_STEPS {
        let found = format!("{} steps of scaling", conversion.steps.len());
        return Err(ErrorKind::GpuUnsupported(found).into());
    }
    let limits = context.limits();
    let binding = context.max_binding();
    if limits.max_storage_buffers_per_shader_stage < 2
        || limits.max_bind_groups < 1
        || limits.max_compute_workgroups_per_dimension < 1
        || workgroup(context) < 1
    {
        return Err(ErrorKind::GpuUnsupported("compute shaders".to_owned()).into());
    }
    if binding < MIN_BINDING {
        let found = format!("a storage binding of {binding} bytes, {MIN_BINDING} are needed");
        return Err(ErrorKind::GpuUnsupported(found).into());
    }
    Ok(())
}

/// The same check for a kernel that reports lost values.
///
/// # Errors
/// Those of [`check_convertible`].
pub(crate) fn check_reports_losses(context: &Context, conversion: &Conversion) -> Result<()> {
    check_convertible(context, conversion)?;
    match context.limits().max_storage_buffers_per_shader_stage {
        0..3 => Err(ErrorKind::GpuUnsupported("three storage buffers".to_owned()).into()),
        _ => Ok(()),
    }
}

/// Whether the device can run the kernel; `false` if it lacks a feature or its limits are too small.
///
/// # Errors
/// Other errors of the check, which mean that there is no kernel.
pub(crate) fn is_supported(checked: Result<()>) -> Result<bool> {
    match checked {
        Err(error) if matches!(error.kind(), ErrorKind::GpuUnsupported(_)) => Ok(false),
        other => other.map(|()| true),
    }
}

/// How a load is split into packets that fit the slots and the device.
pub(crate) struct Cut {
    conversion: Conversion,
    plan: Plan,
    pub slot_bytes: u64,
    /// Bytes of all packets, approximately.
    pub bytes: u64,
    /// Largest number of voxels gathered for one packet.
    gathered: u64,
    /// Largest range of output elements that one packet writes to.
    out_span: u64,
    /// Words for tables in one packet.
    table_words: u64,
    /// Bindings must begin at multiples of this many bytes.
    align: u64,
    /// Whether each packet is written to the start of the output.
    is_rebased: bool,
}

/// A packet, and the range of the plan's output that it writes.
pub(crate) struct CutPacket {
    pub packet: Packet,
    pub range: Range<u64>,
}

/// The alignment of bindings in bytes.
pub(crate) fn binding_align(context: &Context) -> u64 {
    u64::from(context.limits().min_storage_buffer_offset_alignment).max(8)
}

impl Cut {
    pub(crate) fn new(
        context: &Context,
        conversion: &Conversion,
        plan: &Plan,
        options: &StagingOptions,
    ) -> Self {
        let limits = context.limits();
        let stored = conversion.stored.size_bytes() as u64;
        let output = conversion.output.size_bytes() as u64;
        let plan = plan.coalesced(0);
        let head = 4 * packet::head_words(plan.axes.len()) as u64;
        let tabled = conversion.block != 0;
        let bytes = plan.gather(stored).total.saturating_mul(stored);
        // Leaves space for the heads, and up to half a slot for tables.
        let table_share = if tabled { bytes / 2 + 4096 } else { 0 };
        let wanted = head.saturating_add(bytes).saturating_add(table_share);
        let wanted_bytes = wanted.max(MIN_BINDING);
        let slot_bytes = staging::slot_bytes(context, Purpose::Bind, options, wanted_bytes);
        let table_bytes = if tabled { slot_bytes / 3 } else { 0 };
        let room = slot_bytes.saturating_sub(head + table_bytes);
        // One dispatch is one grid, which must not exceed the number of workgroups per dimension.
        let side = u64::from(limits.max_compute_workgroups_per_dimension);
        let grid = side
            .saturating_pow(3)
            .saturating_mul(workgroup(context).into());
        let align = binding_align(context);
        let binding = limits.max_storage_buffer_binding_size.min(1 << 31);
        Self {
            conversion: conversion.clone(),
            slot_bytes,
            bytes: wanted,
            gathered: (room / stored).min(grid).min(u32::MAX.into()),
            out_span: (binding & !3).saturating_sub(align) / output,
            table_words: table_bytes / 4,
            align,
            is_rebased: false,
            plan,
        }
    }

    /// Whether the plan is contiguous and in the same order in the file and in the output. Then all its parts are too.
    pub(crate) fn is_dense(&self) -> bool {
        self.plan.is_dense()
    }

    /// Limits the output of a packet to this many voxels, and writes each packet to the start of the output.
    pub(crate) fn with_max_part(mut self, max: u64) -> Self {
        self.out_span = self.out_span.min(max);
        self.is_rebased = true;
        self
    }

    /// The packets, in ascending order in the file.
    pub(crate) fn packets(self: Arc<Self>) -> CutPackets {
        let stored = self.conversion.stored.size_bytes() as u64;
        CutPackets {
            tiles: self.plan.tiles(stored, self.gathered, self.out_span),
            parts: Vec::new().into_iter(),
            cut: self,
        }
    }

    fn packet(&self, mut tile: Plan) -> CutPacket {
        let range = tile.out_range();
        if self.is_rebased {
            tile.out_first -= range.start;
        }
        CutPacket {
            packet: packet::packet(&self.conversion, tile, self.align),
            range,
        }
    }

    /// The tile, halved until the table entries of each part fit in its head.
    fn with_tables_that_fit(&self, tile: Plan) -> Vec<Plan> {
        let mut stack = vec![tile];
        let mut parts = Vec::new();
        while let Some(tile) = stack.pop() {
            match tile.axes.last() {
                Some(slowest) if !packet::tables_fit(&self.conversion, &tile, self.table_words) => {
                    let (k, count) = (tile.axes.len() - 1, slowest.count);
                    stack.push(tile.restrict(k, count / 2..count));
                    stack.push(tile.restrict(k, 0..count / 2));
                }
                _ => parts.push(tile),
            }
        }
        parts
    }
}

/// Makes the packets of [`Cut::packets`] one by one.
pub(crate) struct CutPackets {
    cut: Arc<Cut>,
    tiles: Tiles,
    parts: std::vec::IntoIter<Plan>,
}

impl Iterator for CutPackets {
    type Item = CutPacket;

    fn next(&mut self) -> Option<CutPacket> {
        loop {
            if let Some(tile) = self.parts.next() {
                return Some(self.cut.packet(tile));
            }
            let tile = self.tiles.next()?;
            self.parts = self.cut.with_tables_that_fit(tile).into_iter();
        }
    }
}
