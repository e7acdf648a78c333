//! The kernel on the GPU: which variant a conversion takes, and a load cut into packets for it.

mod choice;
mod kernel;
mod packet;
mod table;
#[cfg(test)]
mod tests;
mod trial;

use std::ops::Range;

use kernel::{Kernel, workgroup};
use packet::{MAX_STEPS, Packet};

pub use choice::{KernelChoice, KernelMethod, KernelRate, KernelReport};
pub(crate) use kernel::Kernels;

use super::Conversion;
use crate::dtype::{DType, Float};
use crate::error::{Error, ErrorKind, Result};
use crate::gpu::upload::{self, Purpose, Ring, Slot, StagingOptions, Writer};
use crate::gpu::{DeviceArray, Gpu};
use crate::index::plan::{Plan, TileReader};

/// The smallest binding that a load can be cut down to.
const MIN_BINDING: u64 = 4096;

impl Gpu {
    /// Whether there is a kernel for this conversion and the device can run it.
    ///
    /// # Errors
    /// [`ErrorKind::DType`] for stored types without a kernel, [`ErrorKind::GpuUnsupported`] for a device without
    /// compute shaders or with limits too small for any.
    pub(crate) fn can_convert(&self, conversion: &Conversion) -> Result<()> {
        let float = matches!(conversion.output, DType::F16 | DType::F32 | DType::F64);
        if conversion.stored.is_complex() || conversion.stored.is_colour() || !float {
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
        let limits = self.limits();
        let binding = limits
            .max_storage_buffer_binding_size
            .min(limits.max_buffer_size);
        if limits.max_storage_buffers_per_shader_stage < 2
            || limits.max_bind_groups < 1
            || limits.max_compute_workgroups_per_dimension < 1
            || workgroup(self) < 1
        {
            return Err(ErrorKind::GpuUnsupported("compute shaders".to_owned()).into());
        }
        if binding < MIN_BINDING {
            let found = format!("a storage binding of {binding} bytes, {MIN_BINDING} are needed");
            return Err(ErrorKind::GpuUnsupported(found).into());
        }
        Ok(())
    }
}

/// Loads the whole of an output of this shape: `plan` covers it.
///
/// # Errors
/// Those of [`Gpu::can_convert`] and of the reader, [`ErrorKind::LimitExceeded`], [`ErrorKind::GpuOutOfMemory`],
/// [`ErrorKind::DeviceLost`], [`ErrorKind::Gpu`].
pub(crate) fn load<T: Float>(
    gpu: &Gpu,
    conversion: &Conversion,
    plan: &Plan,
    reader: &dyn TileReader,
    shape: &[usize],
    options: &StagingOptions,
) -> Result<DeviceArray<T>> {
    gpu.can_convert(conversion)?;
    if conversion.output != T::DTYPE {
        return Err(Error::usage(format_args!(
            "a conversion to {} cannot fill an array of {}",
            conversion.output,
            T::DTYPE
        )));
    }
    let array = DeviceArray::<T>::zeroed(gpu, shape)?;
    let covered = plan.len();
    if covered != array.len() as u64 {
        return Err(Error::shape(shape, format_args!("{covered} voxels")));
    }
    load_into(gpu, conversion, plan, reader, array.buffer(), options)?;
    Ok(array)
}

/// Loads into a buffer that has room for all that `plan` writes; nothing else in it is changed.
///
/// # Errors
/// Those of [`load`]; [`ErrorKind::Usage`] for a buffer without `STORAGE`, [`ErrorKind::Shape`] for one too small.
pub(crate) fn load_into(
    gpu: &Gpu,
    conversion: &Conversion,
    plan: &Plan,
    reader: &dyn TileReader,
    target: &wgpu::Buffer,
    options: &StagingOptions,
) -> Result<()> {
    gpu.can_convert(conversion)?;
    gpu.check_lost()?;
    check_target(conversion, plan, target)?;
    if plan.empty {
        return Ok(());
    }
    let cut = Cut::new(gpu, conversion, plan, options);
    let kernel = gpu
        .kernels()
        .get_for(gpu, conversion, cut.is_dense(), plan.len())?;
    let ring = Ring::take(gpu, Purpose::Bind, options, cut.slot_bytes, cut.bytes)?;
    ring.run(
        gpu,
        options.workers,
        cut.packets(),
        |packet, writer| fill(packet, reader, writer),
        |packet, slot, used, encoder| dispatch(gpu, &kernel, packet, target, slot, used, encoder),
    )
}

/// Converts plans one after the other, part by part, into the start of `scratch`; each part's places in its plan's
/// output go on from those of the part before. `then` records what is to be done with a part: the number of its plan,
/// its range of that output.
///
/// Parts have at most `most` voxels, for which `scratch` has room. The plans are in stored order, the first the largest.
///
/// # Errors
/// Those of [`load`].
pub(crate) fn for_each_part(
    gpu: &Gpu,
    conversion: &Conversion,
    plans: &[Plan],
    most: u64,
    reader: &dyn TileReader,
    scratch: &wgpu::Buffer,
    mut then: impl FnMut(usize, Range<u64>, &mut wgpu::CommandEncoder),
) -> Result<()> {
    gpu.can_convert(conversion)?;
    gpu.check_lost()?;
    let Some(first) = plans.first().filter(|plan| !plan.empty) else {
        return Ok(());
    };
    let options = StagingOptions::default();
    let cuts: Vec<Cut<'_>> = plans
        .iter()
        .map(|plan| Cut::new(gpu, conversion, plan, &options).with_parts_of(most))
        .collect();
    let dense = cuts.iter().all(Cut::is_dense);
    let voxels = first.len() * plans.len() as u64;
    let kernel = gpu.kernels().get_for(gpu, conversion, dense, voxels)?;
    let slot_bytes = cuts.iter().map(|cut| cut.slot_bytes).max().unwrap_or(0);
    let bytes = cuts.iter().map(|cut| cut.bytes).sum();
    let ring = Ring::take(gpu, Purpose::Bind, &options, slot_bytes, bytes)?;
    let parts = cuts.iter().enumerate().flat_map(|(number, cut)| {
        cut.tiles().map(move |mut tile| {
            let range = tile.out_range();
            tile.out_first -= range.start;
            (number, range, packet::packet(conversion, tile, cut.align))
        })
    });
    ring.run(
        gpu,
        // One worker: parts come in their order.
        1,
        parts,
        |(_, _, packet), writer| fill(packet, reader, writer),
        |(number, range, packet), slot, used, encoder| {
            dispatch(gpu, &kernel, packet, scratch, slot, used, encoder);
            then(*number, range.clone(), encoder);
        },
    )
}

fn check_target(conversion: &Conversion, plan: &Plan, target: &wgpu::Buffer) -> Result<()> {
    if !target.usage().contains(wgpu::BufferUsages::STORAGE) {
        return Err(Error::usage("the buffer to load into lacks usage STORAGE"));
    }
    let item = conversion.output.size_bytes() as u64;
    // Whole words are written, or read and merged.
    let needed = plan.out_range().end.saturating_mul(item).saturating_add(3) & !3;
    if needed > target.size() {
        return Err(Error::shape(
            format_args!("a buffer of {} bytes", target.size()),
            format_args!("at least {needed} bytes"),
        ));
    }
    Ok(())
}

/// How a load is cut into packets that fit the slots and the device.
struct Cut<'a> {
    conversion: &'a Conversion,
    plan: Plan,
    slot_bytes: u64,
    /// Bytes of all packets, about.
    bytes: u64,
    /// Voxels gathered for one packet.
    gathered: u64,
    /// Elements of the output that one packet reaches over.
    out_span: u64,
    /// Words for the tables of one packet.
    table_words: u64,
    /// Bindings begin at multiples of this many bytes.
    align: u64,
}

impl<'a> Cut<'a> {
    fn new(gpu: &Gpu, conversion: &'a Conversion, plan: &Plan, options: &StagingOptions) -> Self {
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
        let align = u64::from(limits.min_storage_buffer_offset_alignment).max(8);
        let binding = limits.max_storage_buffer_binding_size.min(1 << 31);
        Self {
            conversion,
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
    fn is_dense(&self) -> bool {
        matches!(self.plan.axes[..], [axis] if axis.stored == 1 && axis.out == 1)
    }

    /// The same with at most this many voxels of the output in a packet.
    fn with_parts_of(mut self, most: u64) -> Self {
        self.out_span = self.out_span.min(most);
        self
    }

    fn packets(&self) -> impl Iterator<Item = Packet> + Send {
        self.tiles()
            .map(|tile| packet::packet(self.conversion, tile, self.align))
    }

    fn tiles(&self) -> impl Iterator<Item = Plan> + Send {
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
                Some(slowest) if !packet::tables_fit(self.conversion, &tile, self.table_words) => {
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

/// Writes the head and the stored bytes.
fn fill(packet: &Packet, reader: &dyn TileReader, writer: &mut Writer) -> Result<()> {
    writer.push(bytemuck::cast_slice(&packet.head))?;
    let start = writer.used();
    let mut outcome = Ok(());
    reader.read_tile(&packet.tile, &mut |bytes| {
        if outcome.is_ok() {
            outcome = writer.push(bytes);
        }
    })?;
    outcome?;
    let read = (writer.used() - start) as u64;
    if read != packet.bytes {
        // What an earlier packet left in the slot must not pass for voxels.
        return Err(ErrorKind::Truncated {
            what: "voxel data",
            have: read,
            need: packet.bytes,
        }
        .into());
    }
    Ok(())
}

/// Records the kernel for one packet.
fn dispatch(
    gpu: &Gpu,
    kernel: &Kernel,
    packet: &Packet,
    target: &wgpu::Buffer,
    slot: &Slot,
    used: u64,
    encoder: &mut wgpu::CommandEncoder,
) {
    let raw = slot.bindable(used, encoder);
    let window = wgpu::BufferBinding {
        buffer: target,
        offset: packet.window.start,
        size: wgpu::BufferSize::new(packet.window.end - packet.window.start),
    };
    let bindings = kernel.bind(gpu, raw, window);
    let mut pass = encoder.begin_compute_pass(&Default::default());
    pass.set_pipeline(&kernel.pipeline);
    pass.set_bind_group(0, &bindings, &[]);
    let [x, y, z] = grid(
        packet.invocations.div_ceil(workgroup(gpu)),
        gpu.limits().max_compute_workgroups_per_dimension,
    );
    pass.dispatch_workgroups(x, y, z);
}

/// A grid of at least this many workgroups with no side above `side`.
pub(crate) fn grid(groups: u32, side: u32) -> [u32; 3] {
    let x = groups.min(side);
    let y = groups.div_ceil(x).min(side);
    [x, y, groups.div_ceil(x).div_ceil(y)]
}
