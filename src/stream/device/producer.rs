//! Reading for a stream to a device: staging slots are filled with packets, or with values if the device cannot run the
//! kernel.

use std::iter::StepBy;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::StreamOptions;
use super::frames::Placements;
use super::texture_target::TextureTarget;
use crate::convert::Conversion;
use crate::convert::packet::Packet;
use crate::core::array::StoredArray;
use crate::core::dtype::DType;
use crate::core::error::{Error, Result};
use crate::core::float::Float;
use crate::core::shape::voxels;
use crate::device::cut::{Cut, CutPackets, check_convertible, is_supported};
use crate::device::gpu::Gpu;
use crate::device::kernel::Kernel;
use crate::device::load::fill;
use crate::device::staging::{self, Purpose, Ring, SlotMemory};
use crate::device::{DeviceArray, StagingOptions};
use crate::plan::Plan;
use crate::plan::gather::part;
use crate::read::ahead::{Epoch, Producer};
use crate::read::trace::{Stage, Tracer};
use crate::stream::frame_reader::FrameReader;

/// A part of a block.
pub(super) enum Task {
    /// Stored bytes to be converted by the device.
    Convert { packet: Packet, kernel: Kernel },
    /// Values that are on the device already: their byte ranges in the cached array.
    Copy(Vec<Range<u64>>),
    /// Values computed by the CPU: their byte range in the block.
    Upload { block: usize, bytes: Range<u64> },
}

/// The parts of a block.
pub(super) enum Tasks {
    Convert {
        packets: CutPackets,
        kernel: Kernel,
    },
    Copy(Option<Vec<Range<u64>>>),
    Upload {
        block: usize,
        bytes: u64,
        starts: StepBy<Range<u64>>,
        slot_bytes: u64,
    },
}

impl Iterator for Tasks {
    type Item = Task;

    fn next(&mut self) -> Option<Task> {
        match self {
            Self::Convert { packets, kernel } => Some(Task::Convert {
                packet: packets.next()?.packet,
                kernel: kernel.clone(),
            }),
            Self::Copy(pieces) => pieces.take().map(Task::Copy),
            Self::Upload {
                block,
                bytes,
                starts,
                slot_bytes,
            } => starts.next().map(|start| Task::Upload {
                block: *block,
                bytes: start..(start + *slot_bytes).min(*bytes),
            }),
        }
    }
}

/// An array on the device with the values of the whole image.
#[derive(Clone)]
pub(super) struct CachedArray {
    pub buffer: wgpu::Buffer,
    written: Arc<AtomicBool>,
}

impl CachedArray {
    pub(super) fn new<T: Float>(array: &DeviceArray<T>) -> Self {
        Self {
            buffer: array.buffer().clone(),
            written: array.written(),
        }
    }

    /// Whether it was modified, so that it no longer has the file's values.
    pub(super) fn is_modified(&self) -> bool {
        self.written.load(Ordering::Acquire)
    }
}

/// How blocks are converted.
enum Method {
    /// By kernels on the device, for boxes that are dense or not.
    Kernels {
        dense: Option<Kernel>,
        strided: Option<Kernel>,
    },
    /// By the CPU, for devices that cannot run the kernel: values are only copied to the device. The block that is
    /// being staged is kept.
    Cpu(Option<(usize, StoredArray)>),
}

/// Fills staging slots.
pub(super) struct FrameProducer {
    gpu: Gpu,
    reader: FrameReader,
    conversion: Conversion,
    staging: StagingOptions,
    cached: Option<CachedArray>,
    texture: Option<TextureTarget>,
    method: Method,
    slot_bytes: u64,
    /// Offset of all placements, in elements, from a position at which a binding may begin.
    phase: u64,
    tracer: Arc<Tracer>,
}

/// A producer, the staging slots that it fills, and what belongs to them.
pub(super) struct Prepared {
    pub producer: FrameProducer,
    pub ring: Ring,
    /// The array to copy from, if there is one.
    pub cached: Option<CachedArray>,
    /// Host memory in bytes, in addition to the staging slots.
    pub converted_bytes: u64,
}

impl FrameProducer {
    /// Makes a producer and its staging slots.
    ///
    /// # Errors
    /// Errors of [`check_convertible`] and of making the staging slots and the kernels;
    /// [`crate::ErrorKind::GpuUnsupported`] if the device can neither run kernels nor copy values to the placements.
    pub(super) async fn prepare(
        gpu: &Gpu,
        reader: FrameReader,
        cached: Option<CachedArray>,
        output: DType,
        placements: &Placements,
        options: &StreamOptions,
        tracer: &Arc<Tracer>,
    ) -> Result<Prepared> {
        let context = gpu.context();
        let texture = placements.texture().cloned();
        let mut conversion = reader.proxy().conversion(output)?;
        if let Some(texture) = &texture {
            conversion = texture.conversion(conversion);
        }
        let item = conversion.output.size_bytes() as u64;
        // Copies are of whole words.
        let whole_words = (frame_len(&reader) * item).is_multiple_of(4);
        let is_copyable = placements.can_be_copied_to();
        let checked = check_convertible(context, &conversion);
        let is_weak = !is_supported(checked.clone())?;
        if is_weak && !(is_copyable && (placements.are_padded() || whole_words)) {
            checked?;
        }
        let mut producer = Self {
            gpu: gpu.clone(),
            phase: placements.phase() / item,
            cached: cached.filter(|_| whole_words && is_copyable),
            texture,
            method: Method::Cpu(None),
            slot_bytes: 4096,
            staging: options.staging.clone(),
            tracer: Arc::clone(tracer),
            conversion,
            reader,
        };
        let mut converted_bytes = 0;
        let purpose = if is_weak {
            converted_bytes = producer.prepare_cpu()?;
            Purpose::Copy
        } else {
            producer.prepare_kernels().await?;
            Purpose::Bind
        };
        let slots = options.staging.slots.max(1);
        let mut ring = Ring::new(context, purpose, producer.slot_bytes, slots).await?;
        if producer.cached.is_some() {
            ring = ring.with_probes(context).await?;
        }
        Ok(Prepared {
            cached: producer.cached.clone(),
            producer,
            ring,
            converted_bytes,
        })
    }

    /// Selects conversion by the CPU. Returns the bytes of a block.
    fn prepare_cpu(&mut self) -> Result<u64> {
        if self.reader.order().blocks() == 0 {
            return Ok(0);
        }
        let bytes = self.block_bytes(0)?;
        let context = self.gpu.context();
        self.slot_bytes = staging::slot_bytes(context, Purpose::Copy, &self.staging, bytes);
        Ok(bytes)
    }

    /// Makes the kernels. The first block is as large as any; the last one may be split differently.
    async fn prepare_kernels(&mut self) -> Result<()> {
        let blocks = self.reader.order().blocks();
        let (mut dense, mut strided) = (None, None);
        for block in [0, blocks.saturating_sub(1)] {
            if block >= blocks {
                continue;
            }
            let plan = self.block_plan(block)?;
            if plan.empty {
                continue;
            }
            let cut = self.cut(&plan);
            let is_dense = cut.is_dense();
            self.slot_bytes = self.slot_bytes.max(cut.slot_bytes);
            let made = if is_dense { &mut dense } else { &mut strided };
            if made.is_none() {
                let kernels = self.gpu.kernels();
                // A stream that loops converts everything at least twice.
                let passes = 1 + u64::from(self.reader.order().loops());
                let voxels = plan.len().saturating_mul(blocks as u64 * passes);
                *made = Some(match self.texture {
                    Some(_) => kernels.reporting_losses(&self.conversion, is_dense).await?,
                    None => kernels.get(&self.conversion, is_dense, voxels).await?,
                });
            }
        }
        self.method = Method::Kernels { dense, strided };
        Ok(())
    }

    fn cut(&self, plan: &Plan) -> Cut {
        Cut::new(self.gpu.context(), &self.conversion, plan, &self.staging)
    }

    /// How a block is read, and where in its placement it is written.
    fn block_plan(&self, block: usize) -> Result<Plan> {
        match &self.texture {
            Some(texture) => texture.plan(&self.reader, block),
            None => Ok(self.reader.proxy().plan(&self.reader.selection(block)?)),
        }
    }

    /// Size of a block's values in bytes.
    fn block_bytes(&self, block: usize) -> Result<u64> {
        let voxels = voxels(&self.reader.selection(block)?.shape())?;
        Ok(voxels.saturating_mul(self.conversion.output.size_bytes() as u64))
    }

    /// The byte ranges of a block in the cached array; `None` if that was modified.
    fn pieces(&self, block: usize) -> Option<Vec<Range<u64>>> {
        self.cached.as_ref().filter(|array| !array.is_modified())?;
        let bytes = frame_len(&self.reader) * self.conversion.output.size_bytes() as u64;
        let piece = |frame: usize| frame as u64 * bytes..(frame as u64 + 1) * bytes;
        let pieces = self.reader.order().frames(block).map(piece);
        Some(pieces.filter(|piece| !piece.is_empty()).collect())
    }

    fn fill_packet(
        &mut self,
        packet: &Packet,
        memory: &mut SlotMemory,
        epoch: &Epoch,
    ) -> Result<()> {
        self.reader.skip_to(&packet.tile, epoch)?;
        let tracer = Some(Arc::clone(&self.tracer));
        let reader = self.reader.proxy().tile_reader(tracer);
        memory.fill(|writer| fill(packet, &reader, self.staging.workers, writer))
    }

    /// Fills a slot with some bytes of a block. The whole block is converted when its first bytes are requested.
    fn fill_converted(
        &mut self,
        block: usize,
        bytes: &Range<u64>,
        memory: &mut SlotMemory,
        epoch: &Epoch,
    ) -> Result<()> {
        epoch.check()?;
        let Method::Cpu(converted) = &mut self.method else {
            return Ok(());
        };
        let is_made = |(made, _): &(usize, StoredArray)| *made == block && bytes.start > 0;
        let values = match converted.take().filter(is_made) {
            Some((_, values)) => values,
            None => {
                let selection = self.reader.selection(block)?;
                let plan = self.reader.proxy().plan(&selection);
                self.reader.skip_to(&plan, epoch)?;
                let proxy = self.reader.proxy();
                proxy.fetch_stored(&self.conversion, &selection)?
            }
        };
        let (_, values) = converted.insert((block, values));
        let part = part(values.as_bytes(), bytes)?;
        let copy = || memory.fill(|writer| writer.push(part));
        self.tracer.time(Stage::Copy, copy)
    }

    fn finish_pass(&self) -> Result<()> {
        let is_read = self.cached.as_ref().is_none_or(CachedArray::is_modified);
        match is_read {
            true => self.reader.finish_pass(),
            false => Ok(()),
        }
    }
}

/// Number of voxels in a frame.
fn frame_len(reader: &FrameReader) -> u64 {
    let shape = reader.proxy().shape();
    let axes = match reader.order().is_series() {
        true => shape.len() - 1,
        false => shape.len(),
    };
    shape.iter().take(axes).map(|&n| n as u64).product()
}

impl Producer for FrameProducer {
    type Memory = SlotMemory;
    type Task = Task;
    type Tasks = Tasks;

    fn begin(&mut self, turn: usize) -> Result<Option<(usize, Tasks)>> {
        if self.reader.order().begins_pass(turn) {
            self.finish_pass()?;
        }
        let Some(block) = self.reader.order().block(turn) else {
            return Ok(None);
        };
        if let Some(pieces) = self.pieces(block) {
            return Ok(Some((block, Tasks::Copy(Some(pieces)))));
        }
        let mut plan = self.block_plan(block)?;
        if plan.empty {
            return Ok(Some((block, Tasks::Copy(Some(Vec::new())))));
        }
        let tasks = match &self.method {
            Method::Cpu(_) => {
                let (bytes, slot_bytes) = (self.block_bytes(block)?, self.slot_bytes);
                Tasks::Upload {
                    block,
                    bytes,
                    starts: (0..bytes).step_by(slot_bytes as usize),
                    slot_bytes,
                }
            }
            Method::Kernels { dense, strided } => {
                plan.out_first += self.phase;
                let cut = self.cut(&plan);
                let kernel = if cut.is_dense() { dense } else { strided };
                // The kernels of the first and of the last block are right for all others.
                let kernel = kernel.clone();
                let kernel =
                    kernel.ok_or_else(|| Error::usage("a block that is split differently"))?;
                let packets = Arc::new(cut).packets();
                Tasks::Convert { packets, kernel }
            }
        };
        Ok(Some((block, tasks)))
    }

    fn fill(&mut self, task: &Task, memory: &mut SlotMemory, epoch: &Epoch) -> Result<()> {
        memory.used = 0;
        match task {
            Task::Convert { packet, .. } => self.fill_packet(packet, memory, epoch),
            Task::Copy(_) => epoch.check(),
            Task::Upload { block, bytes } => self.fill_converted(*block, bytes, memory, epoch),
        }
    }
}
