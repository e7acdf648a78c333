//! Loads: plans are split into packets, read into staging slots and converted on the device. Also uploads of plain
//! bytes.

use std::collections::VecDeque;
use std::sync::Arc;

use super::context::Context;
use super::cut::{Cut, CutPacket, CutPackets, check_convertible};
use super::engine::{Engine, Part, upload};
use super::gpu::Gpu;
use super::kernel::{Kernel, workgroup};
use super::staging::{self, Purpose, Ring, Slot, SlotMemory, StagingOptions, Writer};
use crate::convert::Conversion;
use crate::convert::packet::Packet;
#[cfg(doc)]
use crate::core::error::ErrorKind;
use crate::core::error::{Error, Result};
use crate::core::scope;
use crate::plan::Plan;
use crate::read::ahead::{Ahead, Epoch, Producer};
use crate::read::tiles::TileReader;
use crate::read::wait::{MaybeSend, RunOn};
use crate::source::truncated;

/// Largest slot, in bytes, of a load on a software adapter that can be cancelled. There a submission can take until its
/// work is done.
const CANCELLABLE_SLOT_BYTES: u64 = 1 << 20;

/// Bytes copied from memory between two checks for cancellation.
const PIECE_BYTES: usize = 1 << 20;

/// Where values are written.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// A buffer that is large enough for everything that the plans write. Nothing else in it is changed.
    pub buffer: wgpu::Buffer,
    /// A word, initially 0, that becomes 1 if a texel does not represent its value exactly.
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

/// The reader of a load's bytes, and where it runs.
pub(crate) struct Feeder<R: TileReader> {
    reader: R,
    start: Start<R>,
}

type Start<R> = fn(Packets<R>, Vec<SlotMemory>) -> Result<Ahead<Packets<R>>>;

impl<R: TileReader> Feeder<R> {
    /// A reader that runs in the caller, and may borrow.
    #[cfg(test)]
    pub(crate) fn in_caller(reader: R) -> Self {
        Self {
            reader,
            start: |packets, memory| Ok(Ahead::in_caller(packets, memory)),
        }
    }

    /// A reader that runs at this site.
    pub(crate) fn at(run_on: RunOn, reader: R) -> Self
    where
        R: MaybeSend + 'static,
    {
        Self {
            reader,
            start: match run_on {
                RunOn::Caller => |packets, memory| Ok(Ahead::in_caller(packets, memory)),
                #[cfg(not(target_family = "wasm"))]
                RunOn::Thread => |packets, memory| Ahead::start(RunOn::Thread, packets, memory),
            },
        }
    }
}

/// A conversion of stored voxels on a device. Each plan is a block, and all have the same target.
pub(crate) struct Load<'a> {
    pub gpu: &'a Gpu,
    pub conversion: &'a Conversion,
    pub plans: &'a [Plan],
    pub target: Target,
    pub options: &'a StagingOptions,
    /// If set, no packet has more voxels than this, and each is written to the start of the target.
    pub max_part: Option<u64>,
}

/// A packet on the device: the plan that it belongs to, and the range of that plan's output that it has written.
pub(crate) type Converted<'a> = Part<'a, CutPacket>;

impl Load<'_> {
    /// Reads and converts all plans. `after` records what is to be done after a packet was converted.
    ///
    /// # Errors
    /// Those of [`check_convertible`] and of the reader, [`ErrorKind::GpuLimit`], [`ErrorKind::GpuOutOfMemory`],
    /// [`ErrorKind::DeviceLost`], [`ErrorKind::Gpu`]; [`ErrorKind::Usage`] for a buffer without `STORAGE`,
    /// [`ErrorKind::Shape`] for one too small.
    pub(crate) async fn run<R: TileReader>(
        self,
        feeder: Feeder<R>,
        after: impl FnMut(&Converted<'_>, &mut wgpu::CommandEncoder),
    ) -> Result<()> {
        let threads = feeder.reader.threads();
        let mut options = self.options.clone();
        if self.gpu.context().is_software() && scope::is_cancellable() {
            options.slot_bytes = options.slot_bytes.min(CANCELLABLE_SLOT_BYTES);
        }
        let load = Load {
            options: &options,
            ..self
        };
        threads.run_async(load.run_here(feeder, after)).await
    }

    async fn run_here<R: TileReader>(
        self,
        feeder: Feeder<R>,
        mut after: impl FnMut(&Converted<'_>, &mut wgpu::CommandEncoder),
    ) -> Result<()> {
        let (gpu, context) = (self.gpu, self.gpu.context());
        check_convertible(context, self.conversion)?;
        context.check_lost()?;
        if self.plans.iter().all(|plan| plan.empty) {
            return Ok(());
        }
        self.check_target()?;
        let cuts: Vec<Arc<Cut>> = self.plans.iter().map(|plan| self.cut(plan)).collect();
        let kernel = self.kernel(&cuts).await?;
        let slot_bytes = cuts.iter().map(|cut| cut.slot_bytes).max().unwrap_or(0);
        let bytes = cuts.iter().map(|cut| cut.bytes).sum();
        let spare = gpu.spare_rings();
        let ring = Ring::take(
            context,
            spare,
            Purpose::Bind,
            self.options,
            slot_bytes,
            bytes,
        );
        let (ring, tracer) = (ring.await?, feeder.reader.tracer().cloned());
        let memory = ring.memory()?;
        let engine = Engine::new(context, ring, tracer, true).await?;
        let packets = Packets {
            cuts: cuts.into(),
            reader: feeder.reader,
            workers: self.options.workers,
        };
        let ahead = (feeder.start)(packets, memory)?;
        let record = |part: &Converted<'_>, slot: &Slot, used, encoder: &mut _| {
            let dispatch = Dispatch {
                context,
                kernel: &kernel,
                packet: &part.task.packet,
                target: &self.target,
                shift: 0,
            };
            dispatch.record(slot, used, encoder)?;
            after(part, encoder);
            Ok(())
        };
        upload(engine, ahead, gpu.spare_rings(), record).await
    }

    fn cut(&self, plan: &Plan) -> Arc<Cut> {
        let cut = Cut::new(self.gpu.context(), self.conversion, plan, self.options);
        Arc::new(match self.max_part {
            Some(max) => cut.with_max_part(max),
            None => cut,
        })
    }

    async fn kernel(&self, cuts: &[Arc<Cut>]) -> Result<Kernel> {
        let (kernels, dense) = (self.gpu.kernels(), cuts.iter().all(|cut| cut.is_dense()));
        if self.target.losses.is_some() {
            return kernels.reporting_losses(self.conversion, dense).await;
        }
        let voxels = self.plans.iter().map(Plan::len).sum();
        kernels.get(self.conversion, dense, voxels).await
    }

    fn check_target(&self) -> Result<()> {
        let target = &self.target.buffer;
        if !target.usage().contains(wgpu::BufferUsages::STORAGE) {
            return Err(Error::usage("the buffer to load into lacks usage STORAGE"));
        }
        let item = self.conversion.output.size_bytes() as u64;
        let ends = self.plans.iter().map(|plan| match self.max_part {
            Some(max) => max.min(plan.len()),
            None => plan.out_range().end,
        });
        // Kernels write whole words.
        let end = ends.max().unwrap_or(0);
        let needed = end.saturating_mul(item).saturating_add(3) & !3;
        if needed > target.size() {
            return Err(Error::shape(
                format_args!("a buffer of {} bytes", target.size()),
                format_args!("at least {needed} bytes"),
            ));
        }
        Ok(())
    }
}

/// The packets of a load, block by block.
pub(crate) struct Packets<R> {
    cuts: VecDeque<Arc<Cut>>,
    reader: R,
    workers: usize,
}

impl<R: TileReader> Producer for Packets<R> {
    type Memory = SlotMemory;
    type Task = CutPacket;
    type Tasks = CutPackets;

    fn begin(&mut self, turn: usize) -> Result<Option<(usize, CutPackets)>> {
        match self.cuts.pop_front() {
            Some(cut) => Ok(Some((turn, cut.packets()))),
            None => self.reader.finish().map(|()| None),
        }
    }

    fn fill(&mut self, task: &CutPacket, memory: &mut SlotMemory, epoch: &Epoch) -> Result<()> {
        epoch.check()?;
        memory.fill(|writer| fill(&task.packet, &self.reader, self.workers, writer))
    }
}

/// Writes the head and the stored bytes, with at most `workers` threads.
///
/// # Errors
/// Errors of the reader, and [`ErrorKind::Truncated`] if it returns too few bytes.
pub(crate) fn fill(
    packet: &Packet,
    reader: &impl TileReader,
    workers: usize,
    writer: &mut Writer<'_>,
) -> Result<()> {
    reader
        .threads()
        .run(|| fill_here(packet, reader, workers, writer))
}

fn fill_here(
    packet: &Packet,
    reader: &impl TileReader,
    workers: usize,
    writer: &mut Writer<'_>,
) -> Result<()> {
    writer.push(bytemuck::cast_slice(&packet.head))?;
    let tile = &packet.tile;
    let bytes = usize::try_from(packet.bytes).map_err(|_| {
        Error::shape(
            packet.bytes,
            "a size that fits in this machine's address space",
        )
    })?;
    if !reader.is_random() {
        return read_into(writer, bytes, |sink| reader.read_tile(tile, sink));
    }
    writer.push_parallel(bytes, workers, |range, writer| {
        let part = range.start as u64..range.end as u64;
        read_into(writer, range.len(), |sink| {
            reader.read_part(tile, part, sink)
        })
    })
}

/// Writes `need` bytes that are read from the reader.
fn read_into(
    writer: &mut Writer<'_>,
    need: usize,
    read: impl FnOnce(&mut dyn FnMut(&[u8])) -> Result<()>,
) -> Result<()> {
    let start = writer.used();
    let mut outcome = Ok(());
    read(&mut |bytes| {
        for piece in bytes.chunks(PIECE_BYTES) {
            if outcome.is_ok() {
                outcome = scope::check().and_then(|()| writer.push(piece));
            }
        }
    })?;
    outcome?;
    match writer.used() - start {
        have if have == need => Ok(()),
        // The rest of the slot has bytes of an earlier packet, which must not be taken for voxels.
        have => Err(truncated("voxel data", have as u64, need as u64)),
    }
}

/// The dispatch of the kernel for one packet, or a copy that has the same effect.
pub(crate) struct Dispatch<'a> {
    pub context: &'a Context,
    pub kernel: &'a Kernel,
    pub packet: &'a Packet,
    pub target: &'a Target,
    /// Byte offset that is added to the packet's window in the target. A binding may begin there.
    pub shift: u64,
}

impl Dispatch<'_> {
    /// Records the dispatch, after the commands that make the slot's bytes readable.
    ///
    /// # Errors
    /// As [`Slot::bytes`].
    pub(crate) fn record(
        &self,
        slot: &Slot,
        used: u64,
        encoder: &mut wgpu::CommandEncoder,
    ) -> Result<()> {
        let (context, packet) = (self.context, self.packet);
        let target = &self.target.buffer;
        if let Some(place) = &packet.copy
            && target.usage().contains(wgpu::BufferUsages::COPY_DST)
        {
            // A copy is faster than any kernel, and on a discrete device it moves the bytes directly over the bus.
            let data = 4 * packet.head.len() as u64;
            let (start, length) = (self.shift + place.start, place.end - place.start);
            encoder.copy_buffer_to_buffer(slot.bytes()?, data, target, start, length);
            return Ok(());
        }
        let raw = slot.bindable(used, encoder)?;
        let window = wgpu::BufferBinding {
            buffer: target,
            offset: self.shift + packet.window.start,
            size: wgpu::BufferSize::new(packet.window.end - packet.window.start),
        };
        let losses = self.target.losses.as_ref();
        let bindings = self.kernel.bind(context, raw, window, losses);
        let groups = packet.invocations.div_ceil(workgroup(context));
        let pipeline = &self.kernel.pipeline;
        pipeline.record(context, &bindings, groups, encoder);
        Ok(())
    }
}

/// Copies `bytes` to the start of a buffer that is at least as large, in whole words.
///
/// # Errors
/// [`ErrorKind::GpuOutOfMemory`], [`ErrorKind::DeviceLost`], [`ErrorKind::Gpu`].
pub(crate) async fn copy_bytes(
    gpu: &Gpu,
    bytes: &[u8],
    target: &wgpu::Buffer,
    options: &StagingOptions,
) -> Result<()> {
    let context = gpu.context();
    if bytes.is_empty() {
        return context.check_lost();
    }
    let total = bytes.len() as u64;
    let slot_bytes = staging::slot_bytes(context, Purpose::Copy, options, total);
    let spare = gpu.spare_rings();
    let ring = Ring::take(context, spare, Purpose::Copy, options, slot_bytes, total).await?;
    let pieces = Pieces {
        bytes,
        piece: slot_bytes as usize,
        workers: options.workers,
    };
    let ahead = Ahead::in_caller(pieces, ring.memory()?);
    let engine = Engine::new(context, ring, None, false).await?;
    let record = |part: &Part<'_, usize>, slot: &Slot, used, encoder: &mut wgpu::CommandEncoder| {
        encoder.copy_buffer_to_buffer(slot.bytes()?, 0, target, *part.task as u64, used);
        Ok(())
    };
    upload(engine, ahead, gpu.spare_rings(), record).await
}

/// Bytes in memory, split into pieces. Each task is the start of a piece.
struct Pieces<'a> {
    bytes: &'a [u8],
    piece: usize,
    workers: usize,
}

impl Producer for Pieces<'_> {
    type Memory = SlotMemory;
    type Task = usize;
    type Tasks = std::iter::StepBy<std::ops::Range<usize>>;

    fn begin(&mut self, turn: usize) -> Result<Option<(usize, Self::Tasks)>> {
        let starts = (0..self.bytes.len()).step_by(self.piece);
        Ok((turn == 0).then_some((turn, starts)))
    }

    fn fill(&mut self, &start: &usize, memory: &mut SlotMemory, _: &Epoch) -> Result<()> {
        let end = self.bytes.len().min(start.saturating_add(self.piece));
        let bytes = self.bytes.get(start..end).unwrap_or_default();
        memory.fill(|writer| {
            writer.push_parallel(bytes.len(), self.workers, |range, writer| {
                writer.push(bytes.get(range).unwrap_or_default())
            })?;
            let padding = bytes.len().next_multiple_of(4) - bytes.len();
            // Copies are of whole words, so the bytes are padded with zeros.
            writer.push([0; 3].get(..padding).unwrap_or_default())
        })
    }
}
