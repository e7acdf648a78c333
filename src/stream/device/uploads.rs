//! What the caller's thread does: submits full staging slots, and learns from the slots that come back.

mod complaint;
mod send;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Instant;

pub(super) use complaint::Complaint;

use super::outlet::Outlet;
use super::places::{Arrived, At, Places};
use super::stager::{Kept, Room, Task};
use crate::device::timer::Timer;
use crate::device::upload::Ring;
use crate::device::{Gpu, PATIENCE};
use crate::error::{Error, ErrorKind, Result};
use crate::read::trace::Tracer;
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
            Task::Convert { .. } | Task::Upload { .. } => self.room.used,
            Task::Copy(pieces) => pieces.iter().map(|piece| piece.end - piece.start).sum(),
        }
    }
}

/// A block on its way to its place.
struct Flight {
    id: u64,
    block: usize,
    at: At,
    /// Slots that are on the device, and questions to it.
    out: usize,
    /// Whether a part of it was submitted.
    begun: bool,
    /// Whether all of it was submitted, or will not be.
    whole: bool,
    /// Whether nobody wants it any more.
    stale: bool,
    /// Whether nothing was lost, where that is asked.
    exact: Option<bool>,
}

/// A slot that the device has done with, or an answer of its; or what was lost with it.
struct Back {
    room: Option<Room>,
    flight: u64,
    mapped: bool,
    exact: Option<bool>,
}

/// A slot to be submitted, and where it belongs.
struct Parcel {
    staged: Staged,
    flight: u64,
    at: At,
    /// Whether it is the first of its flight.
    first: bool,
}

/// The device's side of a stream.
pub(super) struct Uploads {
    gpu: Gpu,
    ring: Arc<Ring>,
    kept: Option<Kept>,
    outlet: Option<Outlet>,
    timer: Option<Timer>,
    /// What proves that copies within the device were made, one for each slot, where there are such copies; mapped
    /// while they are not on the device.
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
        outlet: Option<&Outlet>,
        timed: bool,
        tracer: &Arc<Tracer>,
    ) -> Result<Self> {
        let slots = ring.slots().len();
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let probe = |_| gpu.buffer("voxload probe", 4, usage, true);
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
            outlet: outlet.cloned(),
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
                flight.exact = flight.exact.or(back.exact);
            }
            if let Some(room) = back.room {
                rooms.give(room);
            }
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
    pub fn arrived(&mut self, places: &mut Places) -> Option<Arrived> {
        self.retire(places);
        let first = self.flights.front()?;
        if first.stale || !first.whole || first.out > 0 {
            return None;
        }
        self.flights.pop_front().map(|flight| Arrived {
            block: flight.block,
            at: flight.at,
            exact: flight.exact,
        })
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

    /// Whether a frame is in the texture, or may be soon, that is not the one being staged.
    fn texture_is_taken(&self, places: &Places) -> bool {
        places.texture_is_held() || self.flights.iter().any(|flight| flight.whole)
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
            let (block, last) = (staged.block, staged.last);
            if last && self.outlet.is_some() && self.texture_is_taken(places) {
                break;
            }
            let Some(flight) = current(&mut self.flights, &mut self.next_id, block, places)? else {
                break;
            };
            if let Some(staged) = self.staged.pop_front() {
                flight.out += 1 + usize::from(last && self.outlet.is_some());
                flight.whole = last;
                bytes = with_this;
                parcels.push(Parcel {
                    staged,
                    flight: flight.id,
                    at: flight.at.clone(),
                    first: !std::mem::replace(&mut flight.begun, true),
                });
            }
        }
        if !parcels.is_empty() {
            self.last_sign = Instant::now();
            (self.tracer).submission(bytes, || self.send(parcels, bytes))?;
        }
        Ok(bytes)
    }

    /// What is to be made of an error of the device's.
    pub fn complaint(&self, error: Error) -> Complaint {
        Complaint::new(&self.gpu, error)
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
            begun: false,
            whole: false,
            stale: false,
            exact: None,
        });
        *next_id += 1;
    }
    Ok(flights.back_mut())
}
