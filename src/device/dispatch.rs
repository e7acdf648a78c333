//! The kernel on the GPU: which variant a conversion takes, and a load cut into packets for it.
//!
//! [`load_into`] does a load from begin to end. Whoever must not block takes a [`Load`], fills its packets and records
//! their commands when it suits.

use std::ops::Range;

use crate::convert::Conversion;
use crate::convert::packet::{MAX_STEPS, Packet};
use crate::device::cut::Cut;
use crate::device::kernel::{Kernel, workgroup};
use crate::device::upload::{Purpose, Ring, Slot, StagingOptions, Writer};
use crate::device::{DeviceArray, Gpu};
use crate::dtype::DType;
use crate::error::{Error, ErrorKind, Result};
use crate::float::Float;
use crate::plan::Plan;
use crate::read::tiles::TileReader;

/// The smallest binding that a load can be cut down to.
pub(super) const MIN_BINDING: u64 = 4096;

impl Gpu {
    /// Whether there is a kernel for this conversion and the device can run it.
    ///
    /// # Errors
    /// [`ErrorKind::DType`] for stored types without a kernel, [`ErrorKind::GpuUnsupported`] for a device without
    /// compute shaders or with limits too small for any.
    pub(crate) fn can_convert(&self, conversion: &Conversion) -> Result<()> {
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

    /// The same, and telling of losses.
    ///
    /// # Errors
    /// Those of [`Self::can_convert`].
    pub(crate) fn can_convert_watched(&self, conversion: &Conversion) -> Result<()> {
        self.can_convert(conversion)?;
        match self.limits().max_storage_buffers_per_shader_stage {
            0..3 => Err(ErrorKind::GpuUnsupported("three storage buffers".to_owned()).into()),
            _ => Ok(()),
        }
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

/// Where values go.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// A buffer that has room for all that the plan writes; nothing else in it is changed.
    pub buffer: wgpu::Buffer,
    /// A word that becomes 1 when a value was not to be represented exactly; 0 before.
    pub losses: Option<wgpu::Buffer>,
}

impl From<&wgpu::Buffer> for Target {
    fn from(buffer: &wgpu::Buffer) -> Self {
        Self {
            buffer: buffer.clone(),
            losses: None,
        }
    }
}

/// Loads into a target.
///
/// # Errors
/// Those of [`load`]; [`ErrorKind::Usage`] for a buffer without `STORAGE`, [`ErrorKind::Shape`] for one too small.
pub(crate) fn load_into(
    gpu: &Gpu,
    conversion: &Conversion,
    plan: &Plan,
    reader: &dyn TileReader,
    target: impl Into<Target>,
    options: &StagingOptions,
) -> Result<()> {
    let Some(load) = Load::new(gpu, conversion, plan, target.into(), options)? else {
        return Ok(());
    };
    let ring = Ring::take(gpu, Purpose::Bind, options, load.slot_bytes(), load.bytes())?;
    ring.run(
        gpu,
        options.workers,
        load.packets(),
        |packet, writer| fill(packet, reader, writer),
        |packet, slot, used, encoder| load.record(gpu, packet, slot, used, encoder),
        reader.tracer(),
    )
}

/// A load made ready: its packets, and what the device does with each.
pub(crate) struct Load {
    cut: Cut,
    kernel: Kernel,
    target: Target,
}

impl Load {
    /// Checks that the device and the target can do it, and makes the kernel; `None` when there is nothing to do.
    ///
    /// # Errors
    /// Those of [`load_into`], but for the reader's.
    pub fn new(
        gpu: &Gpu,
        conversion: &Conversion,
        plan: &Plan,
        target: Target,
        options: &StagingOptions,
    ) -> Result<Option<Self>> {
        gpu.can_convert(conversion)?;
        gpu.check_lost()?;
        if plan.empty {
            return Ok(None);
        }
        check_target(conversion, plan, &target.buffer)?;
        let cut = Cut::new(gpu, conversion, plan, options);
        let (kernels, dense) = (gpu.kernels(), cut.is_dense());
        let kernel = match target.losses {
            Some(_) => kernels.watching(gpu, conversion, dense)?,
            None => kernels.get_for(gpu, conversion, dense, plan.len())?,
        };
        Ok(Some(Self {
            kernel,
            cut,
            target,
        }))
    }

    /// Bytes that a staging slot must have.
    pub fn slot_bytes(&self) -> u64 {
        self.cut.slot_bytes
    }

    /// Bytes of all packets, about.
    pub fn bytes(&self) -> u64 {
        self.cut.bytes
    }

    /// The packets, ascending in the file.
    pub fn packets(&self) -> impl Iterator<Item = Packet> + Send + '_ {
        self.cut.packets()
    }

    /// Records what the device does with a packet that [`fill`] has written to a slot. Packets may come in any order.
    pub fn record(
        &self,
        gpu: &Gpu,
        packet: &Packet,
        slot: &Slot,
        used: u64,
        encoder: &mut wgpu::CommandEncoder,
    ) {
        let dispatch = Dispatch {
            gpu,
            kernel: &self.kernel,
            packet,
            target: &self.target,
            shift: 0,
        };
        dispatch.record(slot, used, encoder);
    }
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
    let cuts: Vec<Cut> = plans
        .iter()
        .map(|plan| Cut::new(gpu, conversion, plan, &options).with_parts_of(most))
        .collect();
    let dense = cuts.iter().all(Cut::is_dense);
    let target = Target::from(scratch);
    let voxels = first.len() * plans.len() as u64;
    let kernel = gpu.kernels().get_for(gpu, conversion, dense, voxels)?;
    let slot_bytes = cuts.iter().map(|cut| cut.slot_bytes).max().unwrap_or(0);
    let bytes = cuts.iter().map(|cut| cut.bytes).sum();
    let ring = Ring::take(gpu, Purpose::Bind, &options, slot_bytes, bytes)?;
    let parts = cuts.iter().enumerate().flat_map(|(number, cut)| {
        cut.tiles().map(move |mut tile| {
            let range = tile.out_range();
            tile.out_first -= range.start;
            (number, range, cut.packet(tile))
        })
    });
    ring.run(
        gpu,
        // One worker: parts come in their order.
        1,
        parts,
        |(_, _, packet), writer| fill(packet, reader, writer),
        |(number, range, packet), slot, used, encoder| {
            let dispatch = Dispatch {
                gpu,
                kernel: &kernel,
                packet,
                target: &target,
                shift: 0,
            };
            dispatch.record(slot, used, encoder);
            then(*number, range.clone(), encoder);
        },
        reader.tracer(),
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

/// Writes the head and the stored bytes.
///
/// # Errors
/// Those of the reader, and [`ErrorKind::Truncated`] when it gives too little.
pub(crate) fn fill(packet: &Packet, reader: &dyn TileReader, writer: &mut Writer) -> Result<()> {
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

/// The kernel for one packet, or the copy that does as well.
pub(crate) struct Dispatch<'a> {
    pub gpu: &'a Gpu,
    pub kernel: &'a Kernel,
    pub packet: &'a Packet,
    pub target: &'a Target,
    /// Bytes by which the packet's window lies further behind in the target; a binding may begin there.
    pub shift: u64,
}

impl Dispatch<'_> {
    /// Records it, with what makes the slot's bytes readable.
    pub fn record(&self, slot: &Slot, used: u64, encoder: &mut wgpu::CommandEncoder) {
        let (gpu, packet) = (self.gpu, self.packet);
        let target = &self.target.buffer;
        if let Some(place) = &packet.copy
            && target.usage().contains(wgpu::BufferUsages::COPY_DST)
        {
            // No kernel is as fast, and on a discrete device the bytes cross the bus to where they are wanted.
            let data = 4 * packet.head.len() as u64;
            let (start, length) = (self.shift + place.start, place.end - place.start);
            encoder.copy_buffer_to_buffer(slot.staging(), data, target, start, length);
            return;
        }
        let raw = slot.bindable(used, encoder);
        let window = wgpu::BufferBinding {
            buffer: target,
            offset: self.shift + packet.window.start,
            size: wgpu::BufferSize::new(packet.window.end - packet.window.start),
        };
        let losses = self.target.losses.as_ref();
        let bindings = self.kernel.bind(gpu, raw, window, losses);
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&self.kernel.pipeline);
        pass.set_bind_group(0, &bindings, &[]);
        let [x, y, z] = grid(
            packet.invocations.div_ceil(workgroup(gpu)),
            gpu.limits().max_compute_workgroups_per_dimension,
        );
        pass.dispatch_workgroups(x, y, z);
    }
}

/// A grid of at least this many workgroups with no side above `side`.
pub(crate) fn grid(groups: u32, side: u32) -> [u32; 3] {
    let x = groups.min(side);
    let y = groups.div_ceil(x).min(side);
    [x, y, groups.div_ceil(x).div_ceil(y)]
}
