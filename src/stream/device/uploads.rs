//! What the caller's thread does: submits full staging slots, and learns from the slots that come back.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::time::Instant;

use super::places::{At, Places};
use super::stager::{Kept, Room, Task};
use crate::convert::gpu::{Dispatch, binding_align};
use crate::error::{Error, ErrorKind, Result};
use crate::gpu::timer::Timer;
use crate::gpu::trace::Tracer;
use crate::gpu::upload::Ring;
use crate::gpu::{Gpu, PATIENCE};
use crate::stream::ahead::Rooms;

/// A full staging slot.
pub(super) struct Staged {
    pub block: usize,
    pub task: Task,
    pub room: Room,
    /// Whether it is the last of its block.
    pub last: bool,
}

impl Staged {
    /// Bytes that the device is given to do.
    fn bytes(&self) -> u64 {
        match &self.task {
            Task::Convert { .. } => self.room.used,
            Task::Copy(pieces) => pieces.iter().map(|piece| piece.end - piece.start).sum(),
        }
    }
}

/// A block on its way to its place.
struct Flight {
    id: u64,
    block: usize,
    at: At,
    /// Slots that are on the device.
    out: usize,
    /// Whether all of it was submitted, or will not be.
    whole: bool,
    /// Whether nobody wants it any more.
    stale: bool,
}

/// A slot that the device has done with, or that was lost with it.
struct Back {
    room: Room,
    flight: u64,
    mapped: bool,
}

/// A slot to be submitted, and where it belongs.
struct Parcel {
    staged: Staged,
    flight: u64,
    at: At,
}

/// The device's side of a stream.
pub(super) struct Uploads {
    gpu: Gpu,
    ring: Arc<Ring>,
    kept: Option<Kept>,
    timer: Option<Timer>,
    /// What proves that copies within the device were made, one for each slot, where there are such copies.
    probes: Vec<wgpu::Buffer>,
    tracer: Arc<Tracer>,
    staged: VecDeque<Staged>,
    flights: VecDeque<Flight>,
    next_id: u64,
    back: Sender<Back>,
    backs: Receiver<Back>,
    /// Bytes that earlier calls were allowed and did not use.
    carried: u64,
    last_sign: Instant,
}

impl Uploads {
    /// # Errors
    /// As [`Timer::new`] and [`Gpu::buffer`].
    pub fn new(
        gpu: &Gpu,
        ring: &Arc<Ring>,
        kept: Option<&Kept>,
        timed: bool,
        tracer: &Arc<Tracer>,
    ) -> Result<Self> {
        let slots = ring.slots().len();
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let probe = |_| gpu.buffer("voxload probe", 4, usage, false);
        let probes = (0..kept.map_or(0, |_| slots)).map(probe);
        let (back, backs) = mpsc::channel();
        Ok(Self {
            timer: match timed {
                true => Timer::new(gpu, slots, tracer)?,
                false => None,
            },
            probes: probes.collect::<Result<_>>()?,
            gpu: gpu.clone(),
            ring: Arc::clone(ring),
            kept: kept.cloned(),
            tracer: Arc::clone(tracer),
            staged: VecDeque::new(),
            flights: VecDeque::new(),
            next_id: 0,
            back,
            backs,
            carried: 0,
            last_sign: Instant::now(),
        })
    }

    /// A room for each staging slot.
    pub fn rooms(&self) -> impl Iterator<Item = Room> + use<> {
        (0..self.ring.slots().len()).map(|slot| Room { slot, used: 0 })
    }

    pub fn raw_bytes(&self) -> u64 {
        self.ring.raw_bytes()
    }

    pub fn push(&mut self, staged: Staged) {
        self.staged.push_back(staged);
    }

    /// Takes note of slots that came back: the thread may fill them again.
    ///
    /// # Errors
    /// [`ErrorKind::DeviceLost`] when one did not come back whole.
    pub fn collect(&mut self, places: &mut Places, rooms: &Rooms<Room>) -> Result<()> {
        while let Ok(back) = self.backs.try_recv() {
            if !back.mapped {
                return Err(ErrorKind::DeviceLost.into());
            }
            self.last_sign = Instant::now();
            if let Some(flight) = self.flights.iter_mut().find(|f| f.id == back.flight) {
                flight.out -= 1;
            }
            rooms.give(back.room);
        }
        self.retire(places);
        Ok(())
    }

    /// An error when the device has work and has finished none of it for a minute; asked right after a poll.
    pub fn check_patience(&self) -> Result<()> {
        let busy = self.flights.iter().any(|flight| flight.out > 0);
        if busy && self.last_sign.elapsed() > PATIENCE {
            return Err(ErrorKind::Gpu("no answer within a minute".to_owned()).into());
        }
        Ok(())
    }

    /// Frees the places of what nobody wants, once the device has done with them.
    fn retire(&mut self, places: &mut Places) {
        self.flights.retain(|flight| {
            let done = flight.stale && flight.out == 0;
            if done {
                places.free(flight.at.place);
            }
            !done
        });
    }

    /// Forgets everything that was not given out.
    pub fn abandon(&mut self, places: &mut Places, rooms: &Rooms<Room>) {
        for staged in self.staged.drain(..) {
            rooms.give(staged.room);
        }
        for flight in &mut self.flights {
            flight.stale = true;
            flight.whole = true;
        }
        self.retire(places);
    }

    /// Forgets a block of which the last part will not come.
    pub fn forsake_incomplete(&mut self, places: &mut Places, rooms: &Rooms<Room>) {
        // Blocks are staged in order: what stands behind the last part of one is all of the next.
        while self.staged.back().is_some_and(|staged| !staged.last) {
            if let Some(staged) = self.staged.pop_back() {
                rooms.give(staged.room);
            }
        }
        if self.staged.is_empty()
            && let Some(flight) = self.flights.back_mut().filter(|flight| !flight.whole)
        {
            flight.stale = true;
            flight.whole = true;
        }
        self.retire(places);
    }

    /// The next block, if it has arrived; its place is the caller's from here on.
    pub fn arrived(&mut self, places: &mut Places) -> Option<(usize, At)> {
        self.retire(places);
        let first = self.flights.front()?;
        if first.stale || !first.whole || first.out > 0 {
            return None;
        }
        self.flights.pop_front().map(|f| (f.block, f.at))
    }

    /// Whether a block that is wanted is on its way.
    pub fn are_under_way(&self) -> bool {
        !self.staged.is_empty() || self.flights.iter().any(|flight| !flight.stale)
    }

    /// Whether values were to be copied from an array that is no longer as the file has it.
    pub fn source_was_written(&self) -> bool {
        let copies =
            |staged: &Staged| matches!(&staged.task, Task::Copy(pieces) if !pieces.is_empty());
        self.kept.as_ref().is_some_and(Kept::was_written) && self.staged.iter().any(copies)
    }

    /// Submits staged slots for which there are places, of at most `max_bytes` and what earlier calls left, in one
    /// submission. Gives their bytes.
    ///
    /// # Errors
    /// [`ErrorKind::GpuOutOfMemory`], [`ErrorKind::DeviceLost`], [`ErrorKind::Gpu`].
    pub fn submit(&mut self, places: &mut Places, max_bytes: u64) -> Result<u64> {
        let allowed = self.carried.saturating_add(max_bytes);
        self.carried = 0;
        let mut parcels = Vec::new();
        let mut bytes = 0u64;
        while let Some(staged) = self.staged.front() {
            let with_this = bytes.saturating_add(staged.bytes());
            if with_this > allowed {
                if parcels.is_empty() {
                    self.carried = allowed;
                }
                break;
            }
            let block = staged.block;
            let Some(flight) = current(&mut self.flights, &mut self.next_id, block, places)? else {
                break;
            };
            if let Some(staged) = self.staged.pop_front() {
                flight.out += 1;
                flight.whole = staged.last;
                bytes = with_this;
                parcels.push(Parcel {
                    staged,
                    flight: flight.id,
                    at: flight.at.clone(),
                });
            }
        }
        if !parcels.is_empty() {
            self.last_sign = Instant::now();
            (self.tracer).submission(bytes, || self.send(parcels, bytes))?;
        }
        Ok(bytes)
    }

    /// Submits parcels, and has each slot come back when the device has done with it.
    fn send(&self, parcels: Vec<Parcel>, bytes: u64) -> Result<()> {
        let device = self.gpu.device();
        self.gpu.scoped(bytes, || {
            let mut encoder = device.create_command_encoder(&Default::default());
            let mut timed = Vec::new();
            for parcel in &parcels {
                let slot = parcel.staged.room.slot;
                match &self.timer {
                    Some(timer) => {
                        if timer.around(slot, &mut encoder, |e| self.record(parcel, e)) {
                            timed.push((timer, slot));
                        }
                    }
                    None => self.record(parcel, &mut encoder),
                }
            }
            self.gpu.queue().submit([encoder.finish()]);
            for (timer, slot) in timed {
                timer.read(slot);
            }
            for parcel in parcels {
                self.ask_back(parcel);
            }
        })
    }

    fn record(&self, parcel: &Parcel, encoder: &mut wgpu::CommandEncoder) {
        let Parcel { staged, at, .. } = parcel;
        match &staged.task {
            Task::Convert { packet, kernel } => {
                let Some(slot) = self.ring.slots().get(staged.room.slot) else {
                    return;
                };
                slot.staging().unmap();
                let dispatch = Dispatch {
                    gpu: &self.gpu,
                    kernel,
                    packet,
                    target: &(&at.buffer).into(),
                    shift: at.offset - at.offset % binding_align(&self.gpu),
                };
                dispatch.record(slot, staged.room.used, encoder);
            }
            Task::Copy(pieces) => {
                let (Some(kept), Some(probe)) = (&self.kept, self.probes.get(staged.room.slot))
                else {
                    return;
                };
                let mut to = at.offset;
                for piece in pieces {
                    let size = piece.end - piece.start;
                    encoder.copy_buffer_to_buffer(&kept.buffer, piece.start, &at.buffer, to, size);
                    to += size;
                }
                encoder.copy_buffer_to_buffer(&kept.buffer, 0, probe, 0, 4);
            }
        }
    }

    /// Has the slot come back: by its own map, or by that of its probe, made after the submission.
    fn ask_back(&self, parcel: Parcel) {
        let Parcel { staged, flight, .. } = parcel;
        let Staged { task, room, .. } = staged;
        let slot = room.slot;
        let back = self.back.clone();
        let come = move |mapped| {
            // Nobody listens any more when the stream was dropped.
            let _ = back.send(Back {
                room,
                flight,
                mapped,
            });
        };
        match (task, self.ring.slots().get(slot), self.probes.get(slot)) {
            (Task::Convert { .. }, Some(slot), _) => {
                let come = move |result: Result<_, _>| come(result.is_ok());
                slot.staging().map_async(wgpu::MapMode::Write, .., come);
            }
            (Task::Copy(pieces), _, Some(probe)) if !pieces.is_empty() => {
                let kept = probe.clone();
                probe.map_async(wgpu::MapMode::Read, .., move |result| {
                    kept.unmap();
                    come(result.is_ok());
                });
            }
            // A block without voxels: there is nothing to prove.
            _ => come(true),
        }
    }

    /// What is to be made of an error of the device's.
    pub fn complaint(&self, error: Error) -> Complaint {
        let doubted = matches!(error.kind(), ErrorKind::Gpu(_));
        Complaint {
            answer: doubted.then(|| self.gpu.ask()),
            error,
            since: Instant::now(),
        }
    }
}

/// The flight that this block is on; a new one when it begins here, and there is a place.
fn current<'a>(
    flights: &'a mut VecDeque<Flight>,
    next_id: &mut u64,
    block: usize,
    places: &mut Places,
) -> Result<Option<&'a mut Flight>> {
    if flights.back().is_none_or(|last| last.whole) {
        let Some(at) = places.take()? else {
            return Ok(None);
        };
        flights.push_back(Flight {
            id: *next_id,
            block,
            at,
            out: 0,
            whole: false,
            stale: false,
        });
        *next_id += 1;
    }
    Ok(flights.back_mut())
}

/// An error of the device's. A lost device may complain of anything, so it is asked whether it still answers before
/// anybody is told; without waiting.
pub(super) struct Complaint {
    error: Error,
    answer: Option<Result<Receiver<bool>>>,
    since: Instant,
}

impl Complaint {
    /// The error, once it is clear which one it is.
    pub fn settle(&self) -> Option<Error> {
        let lost = || Some(ErrorKind::DeviceLost.into());
        match &self.answer {
            None => Some(self.error.clone()),
            Some(Err(_)) => lost(),
            Some(Ok(answer)) => match answer.try_recv() {
                Ok(true) => Some(self.error.clone()),
                Err(TryRecvError::Empty) if self.since.elapsed() < PATIENCE => None,
                _ => lost(),
            },
        }
    }
}
