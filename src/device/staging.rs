//! Staging: a ring of slots that the host fills and the device reads.
//!
//! A slot is mapped memory: it is filled, unmapped, submitted, and free again when it is mapped once more, which is also
//! the only proof that the device did the work (a lost one "completes" everything else). Where mapping cannot be waited
//! for, as in browsers, it is host memory that goes up by `write_buffer`, and the map of a 4-byte probe is the proof.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use rayon::prelude::*;

use super::context::Context;
use crate::core::error::{Error, ErrorKind, Result};
use crate::core::threads;
use crate::read::wait::MaybeSend;
use crate::source::zeros;

/// How much host memory an upload may use, and how many threads. A stream that is inflated as it comes takes, in the
/// same memory, up to eight slots of at most 1 MiB, so that the device begins early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagingOptions {
    /// Slots of the ring; at least 1.
    pub slots: usize,
    /// Bytes of a slot, at least 4096; fewer where the device's limits or the volume are smaller.
    pub slot_bytes: u64,
    /// Threads that fill a slot at a time; 1 for none but the one that submits. What is inflated as it comes is read
    /// by one.
    pub workers: usize,
}

impl Default for StagingOptions {
    /// Four slots of 16 MiB, a thread for each processor up to four.
    fn default() -> Self {
        Self {
            slots: 4,
            slot_bytes: 16 << 20,
            workers: std::thread::available_parallelism().map_or(1, |n| n.get().min(4)),
        }
    }
}

/// What slots are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be copied from.
    Copy,
    /// To be read by a kernel.
    Bind,
}

/// The slots of an upload.
pub(crate) struct Ring {
    slots: Vec<Slot>,
    slot_bytes: u64,
    purpose: Purpose,
    /// Whether slots are host memory.
    writes: bool,
}

/// The device's side of a slot.
pub(crate) struct Slot {
    /// What the host maps and fills, where it does.
    staging: Option<wgpu::Buffer>,
    /// What a kernel reads or is copied from, where that cannot be the staging buffer itself.
    raw: Option<wgpu::Buffer>,
    /// What proves by being mapped that the device did some work; mapped while it is not on the device.
    probe: Option<wgpu::Buffer>,
}

impl Slot {
    /// Unmaps the slot's memory, or has its bytes written up. Nothing when there is nothing in it.
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

    /// What proves that what was sent has been done with: the memory itself, or the probe.
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
            // Only now: on a lost device the callback of its map must not.
            probe.unmap();
            encoder.copy_buffer_to_buffer(from, 0, probe, 0, 4);
        }
    }

    /// Whether the bytes are in host memory until they are sent.
    pub(super) fn is_written(&self) -> bool {
        self.staging.is_none()
    }

    /// The buffer that can be copied from.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a slot without memory, which is not made.
    pub fn bytes(&self) -> Result<&wgpu::Buffer> {
        self.staging
            .as_ref()
            .or(self.raw.as_ref())
            .ok_or_else(|| Error::usage("a staging slot without memory"))
    }

    /// Records what makes `used` bytes readable for a kernel, and says in which buffer.
    ///
    /// # Errors
    /// As [`Self::bytes`].
    pub fn bindable(&self, used: u64, encoder: &mut wgpu::CommandEncoder) -> Result<&wgpu::Buffer> {
        match (&self.staging, &self.raw) {
            (Some(staging), Some(raw)) => {
                encoder.copy_buffer_to_buffer(staging, 0, raw, 0, used);
                Ok(raw)
            }
            _ => self.bytes(),
        }
    }
}

/// The host's side of a slot: memory to be filled.
pub(crate) struct SlotMemory {
    pub slot: usize,
    /// Bytes that were filled, in whole words.
    pub used: u64,
    bytes: Bytes,
}

enum Bytes {
    Mapped(wgpu::Buffer),
    Host(Vec<u8>),
}

impl SlotMemory {
    /// Fills the memory from its start on.
    ///
    /// # Errors
    /// Those of `write`, and [`ErrorKind::DeviceLost`].
    pub fn fill(&mut self, write: impl FnOnce(&mut Writer<'_>) -> Result<()>) -> Result<()> {
        let written = |memory| {
            let mut writer = Writer::new(memory);
            write(&mut writer).map(|()| writer.used)
        };
        let used = match &mut self.bytes {
            Bytes::Mapped(staging) => {
                // The buffer was mapped; that it is no more can only mean that the device is gone.
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

/// Bytes of a piece of memory that a thread can be given.
const PIECE_BYTES: usize = 256 << 10;
/// Bytes that are worth a thread of their own.
const MIN_SHARE: usize = 1 << 20;

type Piece<'a> = wgpu::WriteOnly<'a, [u8; PIECE_BYTES]>;

/// Writes memory from its start on. It may be write-combined: written in order, never read.
pub(crate) struct Writer<'a> {
    free: wgpu::WriteOnly<'a, [u8]>,
    /// What follows, last first.
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

    /// Bytes written.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] when they do not fit: a task was cut too large.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<()> {
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

    /// Adds so many bytes, in about equal shares by at most so many threads: `write` is called with the range of a share
    /// and what to write it to.
    ///
    /// # Errors
    /// As [`Self::push`], and those of `write`.
    pub fn push_parallel(
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

/// A ring of an upload that was cancelled, until the device has finished what it was given.
pub(crate) trait LeavingRing: MaybeSend {
    /// The ring, all of whose slots are free; `None` when the device is lost.
    fn poll(&mut self) -> Poll<Option<Ring>>;
}

/// Rings that have done their work, one for each purpose: making one costs more than filling it.
#[derive(Default)]
pub(crate) struct SpareRings(Mutex<Spare>);

#[derive(Default)]
struct Spare {
    rings: Vec<Ring>,
    leaving: Vec<Box<dyn LeavingRing>>,
}

impl SpareRings {
    /// Keeps a ring from when the device has finished with it.
    pub fn keep_when_free(&self, ring: Box<dyn LeavingRing>) {
        self.spare().leaving.push(ring);
        self.collect();
    }

    /// Keeps the rings that are free by now, as far as the device was polled.
    fn collect(&self) {
        let mut free = Vec::new();
        self.spare().leaving.retain_mut(|ring| match ring.poll() {
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

    /// A spare ring like this one with so many slots, if there is one.
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

    /// Keeps a ring of which no slot is on the device, unless there is a larger one.
    pub fn keep(&self, ring: Ring) {
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

    /// Gives their memory back.
    pub fn clear(&self) {
        *self.spare() = Spare::default();
    }

    fn spare(&self) -> MutexGuard<'_, Spare> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The size of a slot for this many bytes in all: what the options say, unless limits or the upload are smaller.
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
    // Whole words; and positions in a slot are u32 in the kernels.
    options
        .slot_bytes
        .min(wanted)
        .min(allowed)
        .clamp(4, 1 << 31)
        & !3
}

impl Ring {
    /// Slots of at least `slot_bytes`, as many as an upload of `bytes` has a use for; kept from an earlier upload
    /// where possible.
    ///
    /// # Errors
    /// [`ErrorKind::GpuOutOfMemory`], [`ErrorKind::DeviceLost`].
    pub async fn take(
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
        // Slots of an upload that was cancelled may have come back.
        context.poll()?;
        match spare.take(&wanted, count) {
            Some(ring) => Ok(ring),
            None => wanted.made(context, count).await,
        }
    }

    /// # Errors
    /// As [`Self::take`].
    pub async fn new(
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

    /// The same with a probe in each slot, for work that moves no staged bytes.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub async fn with_probes(mut self, context: &Context) -> Result<Self> {
        for slot in &mut self.slots {
            if slot.probe.is_none() {
                slot.probe = Some(new_probe(context).await?);
            }
        }
        Ok(self)
    }

    /// The host's side of all slots.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfMemory`].
    pub fn memory(&self) -> Result<Vec<SlotMemory>> {
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
    pub fn bytes(&self) -> u64 {
        self.slot_bytes * self.slots.len() as u64
    }

    /// Memory beside it that kernels read from, where they cannot read the mapped one.
    pub fn raw_bytes(&self) -> u64 {
        let raw = self.slots.iter().filter_map(|slot| slot.raw.as_ref());
        raw.map(wgpu::Buffer::size).sum()
    }

    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }
}

async fn new_probe(context: &Context) -> Result<wgpu::Buffer> {
    let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
    context.buffer("voxload probe", 4, usage, true).await
}
