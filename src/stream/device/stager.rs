//! What the thread of a stream to a device does: it fills staging slots with packets.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::StreamOptions;
use super::converted::Converted;
use super::outlet::Outlet;
use super::places::Places;
use crate::convert::Conversion;
use crate::convert::packet::Packet;
use crate::device::proxy::able;
use crate::device::upload::{self, Purpose, Ring, Writer};
use crate::device::{Cut, Kernel, fill};
use crate::device::{DeviceArray, Gpu, StagingOptions};
use crate::dtype::DType;
use crate::error::Result;
use crate::float::Float;
use crate::plan::Plan;
use crate::read::trace::{Stage, Tracer};
use crate::stream::ahead::{Producer, Wanted};
use crate::stream::feed::Feed;

/// A staging slot, and how much of it is filled.
pub(super) struct Room {
    pub slot: usize,
    pub used: u64,
}

/// A part of a block.
pub(super) enum Task {
    /// Stored bytes to be converted on the device.
    Convert { packet: Packet, kernel: Kernel },
    /// Values that are on the device already: their bytes in the kept array.
    Copy(Vec<Range<u64>>),
    /// Values that the CPU makes: their bytes in the block.
    Upload { block: usize, bytes: Range<u64> },
}

/// An array with the values of the whole image on the device.
#[derive(Clone)]
pub(super) struct Kept {
    pub buffer: wgpu::Buffer,
    written: Arc<AtomicBool>,
}

impl Kept {
    pub fn new<T: Float>(array: &DeviceArray<T>) -> Self {
        Self {
            buffer: array.buffer().clone(),
            written: array.written(),
        }
    }

    /// Whether it is no longer as the file has it.
    pub fn was_written(&self) -> bool {
        self.written.load(Ordering::Acquire)
    }
}

/// Fills staging slots.
pub(super) struct Stager {
    gpu: Gpu,
    feed: Feed,
    conversion: Conversion,
    staging: StagingOptions,
    ring: Arc<Ring>,
    kept: Option<Kept>,
    outlet: Option<Outlet>,
    /// What the CPU converts for a device that cannot.
    converted: Option<Converted>,
    /// Host memory of that.
    converted_bytes: u64,
    slot_bytes: u64,
    /// Elements by which every place begins behind a position where a binding may begin.
    phase: u64,
    tracer: Arc<Tracer>,
}

impl Stager {
    /// # Errors
    /// Those of [`Gpu::can_convert`] and of making the staging slots and the kernels; for a device that cannot run
    /// them [`crate::ErrorKind::GpuUnsupported`] where values cannot be copied to the places either.
    pub fn new(
        gpu: &Gpu,
        feed: Feed,
        kept: Option<Kept>,
        output: DType,
        places: &Places,
        options: &StreamOptions,
        tracer: &Arc<Tracer>,
    ) -> Result<Self> {
        let outlet = places.outlet().cloned();
        let mut conversion = feed.proxy().conversion(output)?;
        if let Some(outlet) = &outlet {
            conversion = outlet.conversion(conversion);
        }
        let slots = options.staging.slots.max(1);
        let blocks = feed.turns().blocks();
        let item = conversion.output.size_bytes() as u64;
        // Copies are of whole words.
        let whole_words = (frame_len(&feed) * item).is_multiple_of(4);
        let copied_to = places.can_be_copied_to() && (places.are_padded() || whole_words);
        let converted = match able(gpu.can_convert(&conversion))? {
            false if copied_to => Some(Converted::default()),
            _ => gpu.can_convert(&conversion).map(|()| None)?,
        };
        let mut slot_bytes = 4096;
        let mut block_bytes = 0;
        if converted.is_some() && blocks > 0 {
            block_bytes = Converted::block_bytes(&feed, &conversion, 0)?;
            slot_bytes = upload::slot_bytes(gpu, Purpose::Copy, &options.staging, block_bytes);
        }
        // The first block is as large as any, the last one may be cut otherwise.
        for block in [0, blocks.saturating_sub(1)] {
            if block < blocks && converted.is_none() {
                let plan = block_plan(&feed, outlet.as_ref(), block)?;
                if !plan.empty {
                    let cut = Cut::new(gpu, &conversion, &plan, &options.staging);
                    let voxels = plan.len().saturating_mul(blocks as u64);
                    let (kernels, dense) = (gpu.kernels(), cut.is_dense());
                    match outlet {
                        Some(_) => kernels.watching(gpu, &conversion, dense)?,
                        None => kernels.get_for(gpu, &conversion, dense, voxels)?,
                    };
                    slot_bytes = slot_bytes.max(cut.slot_bytes);
                }
            }
        }
        let purpose = match converted {
            Some(_) => Purpose::Copy,
            None => Purpose::Bind,
        };
        let kept = kept.filter(|_| whole_words && places.can_be_copied_to());
        Ok(Self {
            ring: Arc::new(Ring::new(gpu, purpose, slot_bytes, slots)?),
            gpu: gpu.clone(),
            phase: places.phase() / item,
            kept,
            outlet,
            converted,
            converted_bytes: block_bytes,
            slot_bytes,
            staging: options.staging.clone(),
            tracer: Arc::clone(tracer),
            conversion,
            feed,
        })
    }

    pub fn ring(&self) -> &Arc<Ring> {
        &self.ring
    }

    /// The array to copy from, where there is one.
    pub fn kept(&self) -> Option<&Kept> {
        self.kept.as_ref()
    }

    /// Host memory beside the staging slots, in bytes.
    pub fn converted_bytes(&self) -> u64 {
        self.converted_bytes
    }

    /// A block of the kept array, while that is as the file has it.
    fn pieces(&self, block: usize) -> Option<Vec<Range<u64>>> {
        self.kept.as_ref().filter(|kept| !kept.was_written())?;
        let bytes = frame_len(&self.feed) * self.conversion.output.size_bytes() as u64;
        let piece = |frame: usize| frame as u64 * bytes..(frame as u64 + 1) * bytes;
        let pieces = self.feed.turns().frames(block).map(piece);
        Some(pieces.filter(|piece| !piece.is_empty()).collect())
    }

    fn fill_converted(
        &mut self,
        block: usize,
        bytes: &Range<u64>,
        room: &mut Room,
        wanted: &Wanted,
    ) -> Result<()> {
        wanted.check()?;
        if let Some(converted) = &mut self.converted {
            let (feed, conversion) = (&mut self.feed, &self.conversion);
            let values = converted.bytes(feed, conversion, block, bytes, wanted)?;
            let push = |values: &&[u8], writer: &mut Writer| writer.push(values);
            let copy = || self.ring.fill(room.slot, &values, push);
            room.used = self.tracer.time(Stage::Copy, copy)?;
        }
        Ok(())
    }

    fn packets(&self, plan: Plan) -> Result<Vec<Task>> {
        let cut = Cut::new(&self.gpu, &self.conversion, &plan, &self.staging);
        let (kernels, dense) = (self.gpu.kernels(), cut.is_dense());
        let kernel = match self.outlet {
            Some(_) => kernels.watching(&self.gpu, &self.conversion, dense)?,
            None => kernels.get(&self.gpu, &self.conversion, dense)?,
        };
        let task = |packet| Task::Convert {
            packet,
            kernel: kernel.clone(),
        };
        Ok(cut.packets().map(task).collect())
    }
}

/// How a block is read, and where in its place it goes.
fn block_plan(feed: &Feed, outlet: Option<&Outlet>, block: usize) -> Result<Plan> {
    match outlet {
        Some(outlet) => outlet.plan(feed, block),
        None => Ok(feed.proxy().plan(&feed.selection(block)?)),
    }
}

/// Voxels of a frame.
fn frame_len(feed: &Feed) -> u64 {
    let shape = feed.proxy().shape();
    let axes = if shape.len() > 3 {
        shape.len() - 1
    } else {
        shape.len()
    };
    shape.iter().take(axes).map(|&n| n as u64).product()
}

impl Producer for Stager {
    type Room = Room;
    type Task = Task;

    fn tasks(&mut self, block: usize) -> Result<Vec<Task>> {
        if let Some(pieces) = self.pieces(block) {
            return Ok(vec![Task::Copy(pieces)]);
        }
        let mut plan = block_plan(&self.feed, self.outlet.as_ref(), block)?;
        if plan.empty {
            return Ok(vec![Task::Copy(Vec::new())]);
        }
        if self.converted.is_some() {
            let bytes = Converted::block_bytes(&self.feed, &self.conversion, block)?;
            return Ok(Converted::tasks(block, bytes, self.slot_bytes));
        }
        plan.out_first += self.phase;
        self.packets(plan)
    }

    fn fill(&mut self, task: &Task, room: &mut Room, wanted: &Wanted) -> Result<()> {
        room.used = 0;
        let packet = match task {
            Task::Convert { packet, .. } => packet,
            Task::Copy(_) => return wanted.check(),
            Task::Upload { block, bytes } => {
                return self.fill_converted(*block, bytes, room, wanted);
            }
        };
        self.feed.skip_to(&packet.tile, wanted)?;
        let proxy = self.feed.proxy();
        let session = proxy.source().begin()?;
        let reader = proxy.tile_reader(&session, Some(&self.tracer));
        room.used = (self.ring).fill(room.slot, packet, |packet, writer| {
            fill(packet, &reader, writer)
        })?;
        session.end()
    }

    fn end_of_pass(&mut self) -> Result<()> {
        if self.kept.as_ref().is_some_and(|kept| !kept.was_written()) {
            return Ok(());
        }
        self.feed.end_of_pass()
    }
}
