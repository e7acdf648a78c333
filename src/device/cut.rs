//! How a load is cut into packets that fit the staging slots and the device.

use super::dispatch::MIN_BINDING;
use super::kernel::workgroup;
use crate::convert::Conversion;
use crate::convert::packet::{self, Packet};
use crate::device::Gpu;
use crate::device::upload::{self, Purpose, StagingOptions};
use crate::plan::Plan;

/// How a load is cut into packets that fit the slots and the device.
pub(crate) struct Cut {
    conversion: Conversion,
    plan: Plan,
    pub slot_bytes: u64,
    /// Bytes of all packets, about.
    pub bytes: u64,
    /// Voxels gathered for one packet.
    gathered: u64,
    /// Elements of the output that one packet reaches over.
    out_span: u64,
    /// Words for the tables of one packet.
    table_words: u64,
    /// Bindings begin at multiples of this many bytes.
    align: u64,
}

/// Where bindings may begin: at multiples of this many bytes.
pub(crate) fn binding_align(gpu: &Gpu) -> u64 {
    u64::from(gpu.limits().min_storage_buffer_offset_alignment).max(8)
}

impl Cut {
    pub fn new(gpu: &Gpu, conversion: &Conversion, plan: &Plan, options: &StagingOptions) -> Self {
        let limits = gpu.limits();
        let stored = conversion.stored.size_bytes() as u64;
        let output = conversion.output.size_bytes() as u64;
        let plan = plan.coalesced(0);
        let head = 4 * packet::head_words(plan.axes.len()) as u64;
        let tabled = conversion.block != 0;
        let bytes = plan.gather(stored).total.saturating_mul(stored);
        // Room for the heads, and for tables a third of the slot.
        let table_share = if tabled { bytes / 2 + 4096 } else { 0 };
        let wanted = head.saturating_add(bytes).saturating_add(table_share);
        let slot_bytes = upload::slot_bytes(gpu, Purpose::Bind, options, wanted.max(MIN_BINDING));
        let table_bytes = if tabled { slot_bytes / 3 } else { 0 };
        let room = slot_bytes.saturating_sub(head + table_bytes);
        // One dispatch is one grid, however few workgroups a side may have.
        let side = u64::from(limits.max_compute_workgroups_per_dimension);
        let grid = side.saturating_pow(3).saturating_mul(workgroup(gpu).into());
        let align = binding_align(gpu);
        let binding = limits.max_storage_buffer_binding_size.min(1 << 31);
        Self {
            conversion: conversion.clone(),
            slot_bytes,
            bytes: wanted,
            gathered: (room / stored).min(grid).min(u32::MAX.into()),
            out_span: (binding & !3).saturating_sub(align) / output,
            table_words: table_bytes / 4,
            align,
            plan,
        }
    }

    /// Whether stored and output voxels follow each other alike: the parts of such a plan are then like it.
    pub fn is_dense(&self) -> bool {
        self.plan.is_dense()
    }

    /// The same with at most this many voxels of the output in a packet.
    pub fn with_parts_of(mut self, most: u64) -> Self {
        self.out_span = self.out_span.min(most);
        self
    }

    pub fn packets(&self) -> impl Iterator<Item = Packet> + Send + '_ {
        self.tiles().map(|tile| self.packet(tile))
    }

    /// The packet of one of the tiles.
    pub fn packet(&self, tile: Plan) -> Packet {
        packet::packet(&self.conversion, tile, self.align)
    }

    pub fn tiles(&self) -> impl Iterator<Item = Plan> + Send + '_ {
        let stored = self.conversion.stored.size_bytes() as u64;
        self.plan
            .tiles(stored, self.gathered, self.out_span)
            .flat_map(|tile| self.with_tables_that_fit(tile))
    }

    /// The tile, halved until the table entries of each part fit its head.
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
