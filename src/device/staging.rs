//! Staging: a ring of memory slots that the host fills and the device reads.
//!
//! A slot is mapped memory. It is filled, unmapped and submitted, and it is free again when it can be mapped once more.
//! That mapping is also the only proof that the device did the work: everything else seems to succeed on a lost device.
//! If a call cannot wait for a mapping, as in browsers, a slot is host memory that is uploaded by `write_buffer`, and
//! the proof is the mapping of a 4-byte probe.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use super::context::Context;
use crate::core::error::{Error, ErrorKind, Result};
use crate::core::parallel::*;
use crate::core::threads;
use crate::read::wait::MaybeSend;
use crate::source::zeros;

/// How much host memory an upload may use, and how many threads. For a source that is inflated while it is read, the
/// same memory is divided into up to eight slots of at most 1 MiB, so that the device starts early.
///
/// ```
/// let options = voxload::StagingOptions::new().slots(8).slot_bytes(1 << 20).workers(2);
/// # let _ = options;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct StagingOptions {
    pub(crate) slots: usize,
    pub(crate) slot_bytes: u64,
    pub(crate) workers: usize,
}

impl StagingOptions {
    /// Four slots of 16 MiB, a thread for each processor up to four.
    pub fn new() -> Self {
        Self::default()
    }

    /// Slots of the ring; at least 1.
    pub fn slots(mut self, slots: usize) -> Self {
        self.slots = slots;
        self
    }

    /// Bytes of a slot, at least 4096; fewer if the device's limits or the volume are smaller.
    pub fn slot_bytes(mut self, bytes: u64) -> Self {
        self.slot_bytes = bytes;
        self
    }

    /// Threads that fill a slot together; with 1, only the submitting thread does. A source that is inflated while it
    /// is read is read by one thread.
    pub fn workers(mut self, threads: usize) -> Self {
        self.workers = threads;
        self
    }
}

impl Default for StagingOptions {
    /// Four slots of 16 MiB; one thread per processor, up to four.
    fn default() -> Self {
        Self {
            slots: 4,
            slot_bytes: 16 << 20,
            workers: std::thread::available_parallelism().map_or(1, |n| n.get().min(4)),
        }
    }
}

/// What a ring's slots are used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// They are copied from.
    Copy,
    /// They are bound to kernels.
    Bind,
}

/// The slots of an upload.
pub(crate) struct Ring {
    slots: Vec<Slot>,
    slot_bytes: u64,
    purpose: Purpose,
    /// Whether slots are host memory that is uploaded by `write_buffer`.
    writes: bool,
}

/// The device's side of a slot.
pub(crate) struct Slot {
    /// The buffer that the host maps and fills; `None` if the slot is host memory.
    staging: Option<wgpu::Buffer>,
    /// The buffer that a kernel reads or that is copied from, if that cannot be the staging buffer.
    raw: Option<wgpu::Buffer>,
    /// A buffer whose mapping proves that work was done. It is mapped except while the device uses it.
    probe: Option<wgpu::Buffer>,
}

impl Slot {
    /// Unmaps the slot's memory, or uploads its bytes. Does nothing if nothing was written to it.
    pub(super) fn send(&self, memory: &SlotMemory, context: &Context) {
        match (&memory.bytes, &self.raw) {
            (Bytes::Mapped(staging), _) => staging.unmap(),
            (Bytes::Host(bytes), Some(raw)) => {
                if let Some(used) = bytes.get(..memory.used as usize) {
                    context.queue().write_buffer(raw, 0, used);
                }
            }
            (Bytes::Host(_), None) => {}
        }
    }

    /// The buffer whose mapping proves that the work is done: the memory itself, or the probe.
    pub(super) fn proof(&self) -> Option<(&wgpu::Buffer, wgpu::MapMode)> {
        let staging = self.staging.as_ref().map(|b| (b, wgpu::MapMode::Write));
        staging.or_else(|| self.probe_proof())
    }

    pub(super) fn probe_proof(&self) -> Option<(&wgpu::Buffer, wgpu::MapMode)> {
        self.probe.as_ref().map(|b| (b, wgpu::MapMode::Read))
    }

    /// Records a copy of four bytes to the probe.
    pub(super) fn record_probe(&self, from: &wgpu::Buffer, encoder: &mut wgpu::CommandEncoder) {
        if let Some(probe) = &self.probe {
            // Not unmapped earlier, because on a lost device the map's callback must not run before.
            probe.unmap();
            encoder.copy_buffer_to_buffer(from, 0, probe, 0, 4);
        }
    }

    /// Whether the bytes are in host memory until they are sent.
    pub(super) fn is_written(&self) -> bool {
        self.staging.is_none()
    }

    /// The buffer to copy from.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a slot without memory, which does not occur.
    pub(crate) fn bytes(&self) -> Result<&wgpu::Buffer> {
        self.staging
            .as_ref()
            .or(self.raw.as_ref())
            .ok_or_else(|| Error::usage("a staging slot without memory"))
    }

    /// Records what is needed to make `used` bytes readable by a kernel. Returns their buffer.
    ///
    /// # Errors
    /// As [`Self::bytes`].
    pub(crate) fn bindable(
        &self,
        used: u64,
        encoder: &mut wgpu::CommandEncoder,
    ) -> Result<&wgpu::Buffer> {
        match (&self.staging, &self.raw) {
            (Some(staging), Some(raw)) => {
                encoder.copy_buffer_to_buffer(staging, 0, raw, 0, used);
                Ok(raw)
            }
            _ => self.bytes(),
        }
    }
}

/// The host's side of a slot: the memory to fill.
pub(crate) struct SlotMemory {
    pub slot: usize,
    /// Number of bytes that were written, in whole words.
    pub used: u64,
    bytes: Bytes,
}

enum Bytes {
    Mapped(wgpu::Buffer),
    Host(Vec<u8>),
}

impl SlotMemory {
    /// Fills the memory from its start.
    ///
    /// # Errors
    /// Errors of `write`, and [`ErrorKind::DeviceLost`].
    pub(crate) fn fill(&mut self, write: impl FnOnce(&mut Writer<'_>) -> Result<()>) -> Result<()> {
        let written = |memory| {
            let mut writer = Writer::new(memory);
            write(&mut writer).map(|()| writer.used)
        };
        let used = match &mut self.bytes {
            Bytes::Mapped(staging) => {
                // The buffer was mapped. If it no longer is, the device is lost.
                let view = staging.get_mapped_range_mut(..);
                let mut view = view.map_err(|_| ErrorKind::DeviceLost)?;
                written(view.slice(..))?
            }
            Bytes::Host(bytes) => written(bytes.as_mut_slice().into())?,
        };
        self.used = (used as u64).next_multiple_of(4);
        Ok(())
    }
}

/// Size of the pieces that can be filled by different threads.
const PIECE_BYTES: usize = 256 << 10;
/// Smallest number of bytes for which another thread is used.
const MIN_SHARE: usize = 1 << 20;

type Piece<'a> = wgpu::WriteOnly<'a, [u8; PIECE_BYTES]>;

/// Writes to memory from its start. The memory may be write-combined: it is written in order and never read.
pub(crate) struct Writer<'a> {
    free: wgpu::WriteOnly<'a, [u8]>,
    /// The following pieces, the last one first.
    more: Vec<Piece<'a>>,
    size: usize,
    used: usize,
}

impl<'a> Writer<'a> {
    fn new(memory: wgpu::WriteOnly<'a, [u8]>) -> Self {
        Self {
            size: memory.len(),
            free: memory,
            more: Vec::new(),
            used: 0,
        }
    }

    fn of_pieces(mut pieces: Vec<Piece<'a>>) -> Self {
        pieces.reverse();
        Self {
            free: wgpu::WriteOnly::default(),
            size: pieces.len() * PIECE_BYTES,
            more: pieces,
            used: 0,
        }
    }

    /// Number of bytes written.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] if they do not fit, because a task was made too large.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Result<()> {
        let end = self.used.saturating_add(bytes.len());
        if end > self.size {
            return Err(self.too_small(end));
        }
        self.used = end;
        while !bytes.is_empty() {
            if self.free.is_empty() {
                let next = self.more.pop().ok_or_else(|| self.too_small(end))?;
                self.free = next.into();
            }
            let (now, later) = bytes.split_at(bytes.len().min(self.free.len()));
            if let Some(mut place) = self.free.split_off(..now.len()) {
                place.copy_from_slice(now);
            }
            bytes = later;
        }
        Ok(())
    }

    /// Appends `count` bytes in about equal shares, on up to `workers` threads. `write` is called with the range of a
    /// share and the memory for it.
    ///
    /// # Errors
    /// As [`Self::push`], and errors of `write`.
    pub(crate) fn push_parallel(
        &mut self,
        count: usize,
        workers: usize,
        write: impl Fn(Range<usize>, &mut Writer<'_>) -> Result<()> + Sync,
    ) -> Result<()> {
        let workers = workers.min(count / MIN_SHARE);
        if workers < 2 {
            return write(0..count, self);
        }
        let end = self.used.saturating_add(count);
        let memory = self.free.split_off(..count);
        let memory = memory.ok_or_else(|| self.too_small(end))?;
        let (pieces, rest) = memory.into_chunks();
        let mut pieces: Vec<Piece<'_>> = pieces.into_iter().collect();
        let share = pieces.len().div_ceil(workers);
        let mut shares = Vec::with_capacity(workers);
        while !pieces.is_empty() {
            let later = pieces.split_off(share.min(pieces.len()));
            let start = shares.len() * share * PIECE_BYTES;
            shares.push((start, std::mem::replace(&mut pieces, later)));
        }
        let write_share = |(start, pieces): (usize, Vec<Piece<'_>>)| {
            let mut writer = Writer::of_pieces(pieces);
            write(start..start + writer.size, &mut writer)
        };
        threads::parallel(|scope| {
            let shares = shares.into_par_iter();
            shares.try_for_each(|share| scope.enter(|| write_share(share)))
        })?;
        if !rest.is_empty() {
            let start = count - rest.len();
            write(start..count, &mut Writer::new(rest))?;
        }
        self.used = end;
        Ok(())
    }

    fn too_small(&self, end: usize) -> Error {
        let size = self.size;
        Error::shape(end, format_args!("at most {size} bytes in a staging slot"))
    }
}

/// The ring of a cancelled upload, which the device may still use.
pub(crate) trait BusyRing: MaybeSend {
    /// The ring once all its slots are free; `None` if the device is lost.
    fn poll(&mut self) -> Poll<Option<Ring>>;
}

/// Rings for reuse, one for each purpose: making a ring takes longer than filling it.
#[derive(Default)]
pub(crate) struct SpareRings(Mutex<Spare>);

#[derive(Default)]
struct Spare {
    rings: Vec<Ring>,
    busy: Vec<Box<dyn BusyRing>>,
}

impl SpareRings {
    /// Keeps a ring once the device has finished with it.
    pub(crate) fn keep_when_free(&self, ring: Box<dyn BusyRing>) {
        self.spare().busy.push(ring);
        self.collect();
    }

    /// Keeps the rings that have become free. A ring becomes free only when the device is polled.
    fn collect(&self) {
        let mut free = Vec::new();
        self.spare().busy.retain_mut(|ring| match ring.poll() {
            Poll::Ready(ring) => {
                free.extend(ring);
                false
            }
            Poll::Pending => true,
        });
        for ring in free {
            self.keep_one(ring);
        }
    }

    /// A spare ring that can be used for `wanted` with `count` slots, if there is one.
    fn take(&self, wanted: &Ring, count: usize) -> Option<Ring> {
        self.collect();
        let rings = &mut self.spare().rings;
        let fits = |ring: &Ring| {
            ring.is_like(wanted)
                && ring.slot_bytes >= wanted.slot_bytes
                && ring.slots.len() >= count
        };
        let found = rings.iter().position(fits)?;
        Some(rings.swap_remove(found))
    }

    /// Keeps a ring that the device no longer uses, unless a larger one is kept already.
    pub(crate) fn keep(&self, ring: Ring) {
        self.collect();
        self.keep_one(ring);
    }

    fn keep_one(&self, ring: Ring) {
        let rings = &mut self.spare().rings;
        match rings.iter_mut().find(|kept| kept.is_like(&ring)) {
            Some(kept) if kept.bytes() >= ring.bytes() => {}
            Some(kept) => *kept = ring,
            None => rings.push(ring),
        }
    }

    /// Frees the memory of the rings.
    pub(crate) fn clear(&self) {
        *self.spare() = Spare::default();
    }

    fn spare(&self) -> MutexGuard<'_, Spare> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The slot size for an upload of this many bytes: that of the options, or less if limits or the upload are smaller.
pub(crate) fn slot_bytes(
    context: &Context,
    purpose: Purpose,
    options: &StagingOptions,
    bytes: u64,
) -> u64 {
    let allowed = match purpose {
        Purpose::Copy => context.limits().max_buffer_size,
        Purpose::Bind => context.max_binding(),
    };
    let wanted = bytes.saturating_add(3) & !3;
    // A slot has whole words, and kernels index it by u32.
    options
        .slot_bytes
        .min(wanted)
        .min(allowed)
        .clamp(4, 1 << 31)
        & !3
}

impl Ring {
    /// A ring with slots of at least `slot_bytes`, and as many slots as an upload of `bytes` can use. One from an
    /// earlier upload is reused if possible.
    ///
    /// # Errors
    /// [`ErrorKind::GpuOutOfMemory`], [`ErrorKind::DeviceLost`].
    pub(crate) async fn take(
        context: &Context,
        spare: &SpareRings,
        purpose: Purpose,
        options: &StagingOptions,
        slot_bytes: u64,
        bytes: u64,
    ) -> Result<Self> {
        let useful = usize::try_from(bytes.div_ceil(slot_bytes)).unwrap_or(usize::MAX);
        let count = options.slots.min(useful).max(1);
        let wanted = Self::empty(context, purpose, slot_bytes);
        // Polling can free the slots of a cancelled upload.
        context.poll()?;
        match spare.take(&wanted, count) {
            Some(ring) => Ok(ring),
            None => wanted.made(context, count).await,
        }
    }

    /// Makes a ring.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub(crate) async fn new(
        context: &Context,
        purpose: Purpose,
        slot_bytes: u64,
        count: usize,
    ) -> Result<Self> {
        let empty = Self::empty(context, purpose, slot_bytes);
        empty.made(context, count).await
    }

    fn empty(context: &Context, purpose: Purpose, slot_bytes: u64) -> Self {
        Self {
            slots: Vec::new(),
            slot_bytes,
            purpose,
            writes: context.is_browser_like(),
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        (self.purpose, self.writes) == (other.purpose, other.writes)
    }

    async fn made(mut self, context: &Context, count: usize) -> Result<Self> {
        for _ in 0..count {
            let slot = match self.writes {
                true => self.written_slot(context).await?,
                false => self.mapped_slot(context).await?,
            };
            self.slots.push(slot);
        }
        Ok(self)
    }

    async fn mapped_slot(&self, context: &Context) -> Result<Slot> {
        let direct = self.purpose == Purpose::Bind && context.maps_primary();
        let mut staging = wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC;
        if direct {
            staging |= wgpu::BufferUsages::STORAGE;
        }
        let staging = context.buffer("voxload staging", self.slot_bytes, staging, true);
        Ok(Slot {
            staging: Some(staging.await?),
            raw: match self.purpose {
                Purpose::Bind if !direct => Some(self.raw(context).await?),
                _ => None,
            },
            probe: None,
        })
    }

    async fn written_slot(&self, context: &Context) -> Result<Slot> {
        Ok(Slot {
            staging: None,
            raw: Some(self.raw(context).await?),
            probe: Some(new_probe(context).await?),
        })
    }

    async fn raw(&self, context: &Context) -> Result<wgpu::Buffer> {
        let usage = wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::COPY_SRC
            | wgpu::BufferUsages::COPY_DST;
        let raw = context.buffer("voxload stored bytes", self.slot_bytes, usage, false);
        raw.await
    }

    /// The same ring with a probe in each slot, for work that moves no staged bytes.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub(crate) async fn with_probes(mut self, context: &Context) -> Result<Self> {
        for slot in &mut self.slots {
            if slot.probe.is_none() {
                slot.probe = Some(new_probe(context).await?);
            }
        }
        Ok(self)
    }

    /// The host's sides of all slots.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfMemory`].
    pub(crate) fn memory(&self) -> Result<Vec<SlotMemory>> {
        let memory = |(slot, buffers): (usize, &Slot)| {
            Ok(SlotMemory {
                slot,
                used: 0,
                bytes: match &buffers.staging {
                    Some(staging) => Bytes::Mapped(staging.clone()),
                    None => Bytes::Host(zeros(self.slot_bytes)?),
                },
            })
        };
        self.slots.iter().enumerate().map(memory).collect()
    }

    /// Host memory of all slots.
    pub(crate) fn bytes(&self) -> u64 {
        self.slot_bytes * self.slots.len() as u64
    }

    /// Device memory of buffers that kernels read, if they cannot read the mapped ones.
    pub(crate) fn raw_bytes(&self) -> u64 {
        let raw = self.slots.iter().filter_map(|slot| slot.raw.as_ref());
        raw.map(wgpu::Buffer::size).sum()
    }

    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }
}

async fn new_probe(context: &Context) -> Result<wgpu::Buffer> {
    let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
    context.buffer("voxload probe", 4, usage, true).await
}
