//! The device's side of a stream: transfers of blocks from staging slots to their placements.

use std::collections::VecDeque;
use std::task::{self, Poll};

use super::frames::{Arrived, Placement, Placements};
use super::producer::{CachedArray, FrameProducer, Task};
use super::texture_target::TextureTarget;
use crate::convert::texel::Fidelity;
use crate::core::error::{Error, Result};
use crate::device::context::Context;
use crate::device::cut::binding_align;
use crate::device::engine::{Engine, Recorder};
use crate::device::load::Dispatch;
use crate::device::staging::{Slot, SlotMemory};
use crate::read::ahead::{Filled, Pool};

type Staged = Filled<FrameProducer>;

/// Number of bytes that are submitted for a slot.
fn bytes_of(staged: &Staged) -> u64 {
    match &staged.task {
        Task::Convert { .. } | Task::Upload { .. } => staged.memory.used,
        Task::Copy(pieces) => pieces.iter().map(|piece| piece.end - piece.start).sum(),
    }
}

/// A block on its way to its placement.
struct Transfer {
    id: u64,
    block: usize,
    placement: Placement,
    /// Number of its parts, and of words to be read back, that the device has not finished.
    on_device: usize,
    /// Whether a part of it was submitted.
    is_begun: bool,
    /// Whether nothing more of it will be submitted.
    is_whole: bool,
    /// Whether it is no longer needed.
    is_stale: bool,
    /// Whether nothing was lost, where that is asked.
    fidelity: Option<Fidelity>,
}

/// A part of a block that is about to be submitted.
struct Submission {
    staged: Staged,
    transfer: u64,
    placement: Placement,
    /// Whether it is the first part of its block.
    is_first: bool,
}

/// Blocks that are staged, and blocks that are on the device.
pub(super) struct Transfers {
    context: Context,
    engine: Engine<u64>,
    cached: Option<CachedArray>,
    texture: Option<TextureTarget>,
    staged: VecDeque<Staged>,
    transfers: VecDeque<Transfer>,
    next_id: u64,
    /// Bytes that earlier calls were allowed to submit and did not.
    carried: u64,
}

impl Transfers {
    pub(super) fn new(
        context: &Context,
        engine: Engine<u64>,
        cached: Option<CachedArray>,
        texture: Option<TextureTarget>,
    ) -> Self {
        Self {
            context: context.clone(),
            engine,
            cached,
            texture,
            staged: VecDeque::new(),
            transfers: VecDeque::new(),
            next_id: 0,
            carried: 0,
        }
    }

    /// Bytes of the device memory that kernels read from.
    pub(super) fn raw_bytes(&self) -> u64 {
        self.engine.ring().raw_bytes()
    }

    pub(super) fn push(&mut self, staged: Staged) {
        self.staged.push_back(staged);
    }

    /// Collects what the device has finished and returns the slots to be filled again.
    ///
    /// # Errors
    /// [`crate::ErrorKind::DeviceLost`], and errors of earlier submissions.
    pub(super) fn collect(
        &mut self,
        placements: &mut Placements,
        pool: &Pool<SlotMemory>,
        cx: &mut task::Context<'_>,
    ) -> Result<()> {
        while let Poll::Ready(returned) = self.engine.poll_completed(cx)? {
            let mut transfers = self.transfers.iter_mut();
            if let Some(transfer) = transfers.find(|transfer| transfer.id == returned.key) {
                transfer.on_device -= 1;
                let fidelity = |losses| Fidelity::of(losses == 0);
                transfer.fidelity = transfer.fidelity.or(returned.word.map(fidelity));
            }
            if let Some(memory) = returned.memory {
                pool.give(memory);
            }
        }
        self.retire(placements);
        Ok(())
    }

    /// As [`Engine::check_timeout`].
    ///
    /// # Errors
    /// As [`Engine::check_timeout`].
    pub(super) fn check_timeout(&mut self) -> Result<()> {
        self.engine.check_timeout()
    }

    /// Frees the placements of blocks that are no longer needed, once the device has finished them.
    fn retire(&mut self, placements: &mut Placements) {
        self.transfers.retain(|transfer| {
            let is_done = transfer.is_stale && transfer.on_device == 0;
            if is_done {
                placements.free(transfer.placement.number);
            }
            !is_done
        });
    }

    /// Discards everything that was not returned to the caller.
    pub(super) fn abandon(&mut self, placements: &mut Placements, pool: &Pool<SlotMemory>) {
        for staged in self.staged.drain(..) {
            pool.give(staged.memory);
        }
        for transfer in &mut self.transfers {
            transfer.is_stale = true;
            transfer.is_whole = true;
        }
        self.retire(placements);
    }

    /// Discards a block whose last part will not come.
    pub(super) fn abandon_incomplete(
        &mut self,
        placements: &mut Placements,
        pool: &Pool<SlotMemory>,
    ) {
        // Blocks are staged in order, so everything after the last part of one belongs to the next one.
        while self.staged.back().is_some_and(|staged| !staged.last) {
            if let Some(staged) = self.staged.pop_back() {
                pool.give(staged.memory);
            }
        }
        if self.staged.is_empty()
            && let Some(last) = self.transfers.back_mut().filter(|last| !last.is_whole)
        {
            last.is_stale = true;
            last.is_whole = true;
        }
        self.retire(placements);
    }

    /// The next block, if it is complete. Its placement then belongs to the caller.
    pub(super) fn arrived(&mut self, placements: &mut Placements) -> Option<Arrived> {
        self.retire(placements);
        let first = self.transfers.front()?;
        if first.is_stale || !first.is_whole || first.on_device > 0 {
            return None;
        }
        self.transfers.pop_front().map(|transfer| Arrived {
            block: transfer.block,
            placement: transfer.placement,
            fidelity: transfer.fidelity,
        })
    }

    /// Whether a block that is still needed is on its way.
    pub(super) fn are_under_way(&self) -> bool {
        !self.staged.is_empty() || self.transfers.iter().any(|transfer| !transfer.is_stale)
    }

    /// Whether values were to be copied from an array that was modified.
    pub(super) fn source_is_modified(&self) -> bool {
        let copies =
            |staged: &Staged| matches!(&staged.task, Task::Copy(pieces) if !pieces.is_empty());
        let is_modified = self.cached.as_ref().is_some_and(CachedArray::is_modified);
        is_modified && self.staged.iter().any(copies)
    }

    /// Whether a frame is in the texture, or may be soon, that is not the one being staged.
    fn texture_is_taken(&self, placements: &Placements) -> bool {
        placements.texture_is_held() || self.transfers.iter().any(|transfer| transfer.is_whole)
    }

    /// Submits staged slots that have placements, in one submission: at most `max_bytes`, plus what earlier calls did
    /// not use. Returns the number of bytes.
    ///
    /// # Errors
    /// [`crate::ErrorKind::GpuOutOfMemory`], [`crate::ErrorKind::DeviceLost`], [`crate::ErrorKind::Gpu`].
    pub(super) fn submit(&mut self, placements: &mut Placements, max_bytes: u64) -> Result<u64> {
        let allowed = self.carried.saturating_add(max_bytes);
        self.carried = 0;
        let mut submissions = Vec::new();
        let mut bytes = 0u64;
        while let Some(staged) = self.staged.front() {
            let with_this = bytes.saturating_add(bytes_of(staged));
            if with_this > allowed {
                if submissions.is_empty() {
                    self.carried = allowed;
                }
                break;
            }
            let asks = staged.last && self.texture.is_some();
            if asks && self.texture_is_taken(placements) {
                break;
            }
            let (block, last) = (staged.block, staged.last);
            if !self.is_transferring(block, placements)? {
                break;
            }
            let (transfer, staged) = (self.transfers.back_mut(), self.staged.pop_front());
            if let Some((transfer, staged)) = transfer.zip(staged) {
                transfer.on_device += 1 + usize::from(asks);
                transfer.is_whole = last;
                bytes = with_this;
                submissions.push(Submission {
                    staged,
                    transfer: transfer.id,
                    placement: transfer.placement.clone(),
                    is_first: !std::mem::replace(&mut transfer.is_begun, true),
                });
            }
        }
        if !submissions.is_empty() {
            self.send(submissions, bytes)?;
        }
        Ok(bytes)
    }

    /// Whether the last transfer is for this block. If the one before it is complete, a new transfer is begun; `false`
    /// if there is no free placement.
    /// no placement for it.
    fn is_transferring(&mut self, block: usize, placements: &mut Placements) -> Result<bool> {
        if self.transfers.back().is_some_and(|last| !last.is_whole) {
            return Ok(true);
        }
        let Some((placement, scope)) = placements.take()? else {
            return Ok(false);
        };
        self.transfers.push_back(Transfer {
            id: self.next_id,
            block,
            placement,
            on_device: 0,
            is_begun: false,
            is_whole: false,
            is_stale: false,
            fidelity: None,
        });
        self.next_id += 1;
        scope.map_or(Ok(()), |scope| self.engine.watch(scope))?;
        Ok(true)
    }

    fn send(&mut self, submissions: Vec<Submission>, bytes: u64) -> Result<()> {
        let Self {
            context,
            engine,
            cached,
            texture,
            ..
        } = self;
        engine.submit(bytes, |recorder| {
            for submission in submissions {
                let parts = Parts {
                    context,
                    cached: cached.as_ref(),
                    texture: texture.as_ref(),
                };
                parts.record(submission, recorder)?;
            }
            Ok(())
        })
    }
}

/// What is needed to record parts of blocks.
struct Parts<'a> {
    context: &'a Context,
    cached: Option<&'a CachedArray>,
    texture: Option<&'a TextureTarget>,
}

impl Parts<'_> {
    fn record(&self, submission: Submission, recorder: &mut Recorder<'_, u64>) -> Result<()> {
        let Submission {
            staged,
            transfer,
            placement,
            is_first,
        } = submission;
        let Staged {
            task, memory, last, ..
        } = staged;
        let around = |encoder: &mut wgpu::CommandEncoder, work: Work<'_>| {
            if let Some(texture) = self.texture.filter(|_| is_first) {
                texture.record_begin(encoder);
            }
            work(encoder)?;
            if let Some(texture) = self.texture.filter(|_| last) {
                texture.record_end(encoder);
            }
            Ok(())
        };
        match &task {
            Task::Convert { packet, kernel } => {
                let dispatch = Dispatch {
                    context: self.context,
                    kernel,
                    packet,
                    target: &placement.target,
                    shift: placement.offset - placement.offset % binding_align(self.context),
                };
                recorder.slot(memory, transfer, |slot, used, encoder| {
                    around(encoder, &mut |encoder| dispatch.record(slot, used, encoder))
                })?;
            }
            Task::Upload { bytes, .. } => {
                let (into, to) = (&placement.target.buffer, placement.offset + bytes.start);
                let copy = |slot: &Slot, used, encoder: &mut wgpu::CommandEncoder| {
                    encoder.copy_buffer_to_buffer(slot.bytes()?, 0, into, to, used);
                    Ok(())
                };
                recorder.slot(memory, transfer, copy)?;
            }
            Task::Copy(pieces) => {
                let cached = self.cached.filter(|_| !pieces.is_empty());
                let from = cached.map(|cached| &cached.buffer);
                recorder.copies(memory, transfer, from, |encoder| {
                    copy_pieces(from, pieces, &placement, encoder)
                })?;
            }
        }
        if let Some(texture) = self.texture.filter(|_| last) {
            recorder.word(&texture.probe, transfer);
        }
        Ok(())
    }
}

type Work<'a> = &'a mut dyn FnMut(&mut wgpu::CommandEncoder) -> Result<()>;

/// Records copies of these ranges of a buffer, one after the other, to a placement.
fn copy_pieces(
    from: Option<&wgpu::Buffer>,
    pieces: &[std::ops::Range<u64>],
    placement: &Placement,
    encoder: &mut wgpu::CommandEncoder,
) -> Result<()> {
    let from = from.ok_or_else(|| Error::usage("there is no array to copy from"))?;
    let mut to = placement.offset;
    for piece in pieces {
        let size = piece.end - piece.start;
        encoder.copy_buffer_to_buffer(from, piece.start, &placement.target.buffer, to, size);
        to += size;
    }
    Ok(())
}
