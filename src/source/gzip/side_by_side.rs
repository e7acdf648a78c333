//! A first whole read of one member on all threads.
//!
//! The compressed bytes are cut where blocks of deflate seem to begin ([`super::guess`]). Which bits belong to which code
//! does not depend on the 32 KiB before a part, only what they repeat does. So each part is inflated at once behind a
//! window of zeros; when the part before it has been, its front is inflated again behind the bytes that really stand there,
//! until 32 KiB in a row are what they were: from there on everything is.
//!
//! Nothing is believed. A part that ends exactly where the next one begins proves that one's beginning, as the first
//! begins with the member; the whole has the member's checksum and length. Whatever does not fit is left to the other
//! ways through the file.

mod part;

use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::GzipSource;
use super::framing::{Header, TRAILER_BYTES, Trailer};
use crate::error::{Error, Result};
use crate::source::{Session, most_tail, resize};
use part::{Member, Part, PartInflater, Room};

/// Inflated bytes of a file for which it is worth it.
const LEAST_BYTES: u64 = 16 << 20;

/// Inflated bytes that all threads have in hand, about.
const IN_HAND: u64 = 24 << 20;

/// How many times larger than expected a part may turn out.
const MOST_TIMES: u64 = 2;

/// Compressed bytes in which the header of the member has to end.
const HEADER_BYTES: u64 = 64 << 10;

/// Compressed bytes of a part at least.
const LEAST_PART: u64 = 16 << 10;

/// How a file is cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    /// Inflated bytes of a file that it is worth it for.
    pub least: u64,
    /// Inflated bytes of a part, about.
    pub part: u64,
    pub threads: usize,
}

impl Cut {
    /// For the threads there are; `None` for one.
    fn usual() -> Option<Self> {
        let threads = rayon::current_num_threads();
        let part = (IN_HAND / threads as u64).clamp(1 << 20, 16 << 20);
        let least = LEAST_BYTES;
        (threads > 1).then_some(Self {
            least,
            part,
            threads,
        })
    }
}

impl GzipSource {
    /// Inflates a file of one member on all threads: each part goes to `work` with its place in the file and what
    /// `place`, called in the file's order, gave for it; the results are in that order. `None` when the file is not made
    /// for that or not as it should be; what was handed out may then be wrong. Voxels end at inflated byte `need`.
    ///
    /// # Errors
    /// What reading the compressed file gives.
    pub fn side_by_side<W: Send, R: Send>(
        &self,
        need: u64,
        place: impl FnMut(&Range<u64>) -> W + Send,
        work: impl Fn(u64, &[u8], W) -> R + Sync,
    ) -> Result<Option<Vec<R>>> {
        match Cut::usual() {
            Some(cut) => self.cut_up(cut, need, place, work),
            None => Ok(None),
        }
    }

    pub(super) fn cut_up<W: Send, R: Send>(
        &self,
        cut: Cut,
        need: u64,
        place: impl FnMut(&Range<u64>) -> W + Send,
        work: impl Fn(u64, &[u8], W) -> R + Sync,
    ) -> Result<Option<Vec<R>>> {
        let session = self.compressed.begin()?;
        let Some(member) = self.only_member(&session, need)?.filter(|member| {
            let worth = member.total >= cut.least;
            worth && member.body.end - member.body.start >= 2 * LEAST_PART
        }) else {
            return Ok(None);
        };
        let job = Job {
            inflater: PartInflater::new(&session, &member),
            member: &member,
            cut,
            work: &work,
            state: Mutex::new(State::new(&member, cut, place)),
            changed: Condvar::new(),
        };
        rayon::in_place_scope(|scope| {
            for _ in 1..cut.threads {
                scope.spawn(|_| job.run());
            }
            job.run();
        });
        let results = job.finish()?;
        session.end()?;
        Ok(results)
    }

    /// The member of a file that seems to have one only, and nothing behind it: its trailer says so.
    fn only_member(&self, session: &Session<'_>, need: u64) -> Result<Option<Member>> {
        let length = self.compressed.len()?.unwrap_or_default();
        let Some(end) = length.checked_sub(TRAILER_BYTES as u64) else {
            return Ok(None);
        };
        let mut start = Vec::new();
        resize(&mut start, length.min(HEADER_BYTES))?;
        session.read_at(0, &mut start)?;
        let mut trailer = [0; TRAILER_BYTES];
        session.read_at(end, &mut trailer)?;
        let trailer = Trailer::parse(&trailer);
        // The length is modulo 2^32.
        let behind = trailer.length.wrapping_sub(need as u32).into();
        let header = Header::parse(&start);
        Ok(header
            .filter(|header| header.length as u64 <= end && behind <= most_tail(need))
            .map(|header| Member {
                body: header.length as u64..end,
                total: need.saturating_add(behind),
                trailer,
            }))
    }
}

/// What the threads work on.
struct Job<'a, P, R, F> {
    inflater: PartInflater<'a>,
    member: &'a Member,
    cut: Cut,
    work: &'a F,
    state: Mutex<State<P, R>>,
    changed: Condvar,
}

/// How far the file has been cut and inflated.
struct State<P, R> {
    /// Parts that threads have taken, and the bit at which the next one begins.
    taken: usize,
    bit: u64,
    /// Compressed bytes of a part.
    step: u64,
    /// Parts, from the first on, whose length is known; where they end, and the bytes before that.
    known: usize,
    out: u64,
    window: Option<Vec<u8>>,
    place: P,
    /// By the number of the part.
    results: Vec<(usize, crc32fast::Hasher, R)>,
    /// Whether it leads nowhere.
    given_up: bool,
    error: Option<Error>,
}

impl<P, R> State<P, R> {
    fn new(member: &Member, cut: Cut, place: P) -> Self {
        let compressed = member.body.end - member.body.start;
        let ratio = (member.total / compressed).max(1);
        Self {
            taken: 0,
            bit: member.body.start * 8,
            step: (cut.part / ratio).max(LEAST_PART),
            known: 0,
            out: 0,
            window: None,
            place,
            results: Vec::new(),
            given_up: false,
            error: None,
        }
    }
}

impl<P, W, R, F> Job<'_, P, R, F>
where
    P: FnMut(&Range<u64>) -> W,
    F: Fn(u64, &[u8], W) -> R,
{
    /// Takes parts until there are no more, or until this leads nowhere.
    fn run(&self) {
        // Nobody waits for a thread that has panicked.
        let _guard = OnPanic(self);
        match self.parts() {
            Ok(true) => {}
            Ok(false) => self.give_up(),
            Err(error) => {
                self.lock().error.get_or_insert(error);
                self.give_up();
            }
        }
    }

    /// Goes all the way with one part after the other; `false` when one does not fit.
    fn parts(&self) -> Result<bool> {
        let mut room = Room::new(MOST_TIMES * self.cut.part);
        while let Some(part) = self.take()? {
            if !self.inflater.inflate(&part, &mut room)? {
                return Ok(false);
            }
            let Some((start, window, place)) = self.follow(&part, &room) else {
                return Ok(false);
            };
            if let Some(window) = window
                && !self.inflater.again(&part, &mut room, &window)?
            {
                return Ok(false);
            }
            let mut crc = crc32fast::Hasher::new();
            crc.update(room.bytes());
            let result = (self.work)(start, room.bytes(), place);
            self.lock().results.push((part.number, crc, result));
        }
        Ok(true)
    }

    /// Cuts off the next part; `None` when there is none.
    fn take(&self) -> Result<Option<Part>> {
        let mut state = self.lock();
        let (start, end) = (state.bit, self.member.body.end);
        if start == end * 8 || state.given_up {
            return Ok(None);
        }
        let wanted = start / 8 + state.step;
        // What would be left behind is not worth a part.
        let found = match wanted + state.step / 2 < end {
            true => self.inflater.find(wanted)?,
            false => Some(end * 8),
        };
        let Some(bit) = found.filter(|&bit| bit > start) else {
            state.given_up = true;
            self.changed.notify_all();
            return Ok(None);
        };
        let number = state.taken;
        state.taken += 1;
        state.bit = bit;
        Ok(Some(Part {
            number,
            bits: start..bit,
            last: bit == end * 8,
        }))
    }

    /// Waits until the part before this one is inflated: where this one stands in the file, what stands before it (unless
    /// it is the first), and what `place` gives for it. `None` when this leads nowhere.
    fn follow(&self, part: &Part, room: &Room) -> Option<(u64, Option<Vec<u8>>, W)> {
        let mut state = self.lock();
        while state.known < part.number && !state.given_up {
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        let tail = room.tail();
        if state.given_up || (tail.is_none() && !part.last) {
            return None;
        }
        let range = state.out..state.out + room.length as u64;
        if range.end > self.member.total {
            return None;
        }
        let window = std::mem::replace(&mut state.window, tail);
        state.known += 1;
        state.out = range.end;
        // The next parts as large as they should be.
        let compressed = (part.bits.end - part.bits.start) / 8;
        let fair = compressed.saturating_mul(self.cut.part) / (room.length as u64).max(1);
        let fair = fair.clamp(state.step / 4, state.step * 4);
        state.step = fair.clamp(LEAST_PART, self.cut.part);
        let place = (state.place)(&range);
        self.changed.notify_all();
        Some((range.start, window, place))
    }

    /// The results of all parts, if they are the member.
    fn finish(self) -> Result<Option<Vec<R>>> {
        let state = self.state.into_inner();
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = state.error {
            return Err(error);
        }
        let whole = !state.given_up && state.out == self.member.total;
        state.results.sort_unstable_by_key(|&(number, ..)| number);
        let mut crc = crc32fast::Hasher::new();
        state.results.iter().for_each(|(_, of, _)| crc.combine(of));
        let right = whole && crc.finalize() == self.member.trailer.crc;
        let results = state.results.into_iter().map(|(.., result)| result);
        Ok(right.then(|| results.collect()))
    }
}

impl<P, R, F> Job<'_, P, R, F> {
    fn lock(&self) -> MutexGuard<'_, State<P, R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_up(&self) {
        self.lock().given_up = true;
        self.changed.notify_all();
    }
}

/// Ends the job when a thread panics.
struct OnPanic<'a, 'b, P, R, F>(&'a Job<'b, P, R, F>);

impl<P, R, F> Drop for OnPanic<'_, '_, P, R, F> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.give_up();
        }
    }
}

#[cfg(test)]
mod tests;
