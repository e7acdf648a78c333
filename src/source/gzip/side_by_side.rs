//! A first whole read of one member on all threads.
//!
//! The compressed bytes are cut where blocks of deflate seem to begin ([`find_block`]). Which bits belong to which code
//! does not depend on the 32 KiB before a part, only what they repeat does. So each part is inflated at once behind a
//! window of zeros; when the part before it has been, its front is inflated again behind the bytes that really stand there,
//! until 32 KiB in a row are what they were: from there on everything is.
//!
//! Nothing is believed. A part that ends exactly where the next one begins proves that one's beginning, as the first
//! begins with the member; the whole has the member's checksum and length. Whatever does not fit is left to the other
//! ways through the file.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher as _};
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use libdeflater::Decompressor;
use zlib_rs::{Inflate, InflateFlush};

use super::GzipSource;
use super::chunk::{WINDOW_BYTES, lead_in, lead_out, merge_first, stored_block};
use super::framing::{Header, TRAILER_BYTES, Trailer};
use super::guess::{TRIAL_BYTES, find_block};
use crate::error::{Error, Result};
use crate::source::{Session, most_tail, resize};

/// Inflated bytes of a file for which it is worth it.
const LEAST_BYTES: u64 = 16 << 20;

/// Inflated bytes that all threads have in hand, about.
const IN_HAND: u64 = 24 << 20;

/// How many times larger than expected a part may turn out.
const MOST_TIMES: u64 = 2;

/// Compressed bytes in which the header of the member has to end.
const HEADER_BYTES: u64 = 64 << 10;

/// Compressed bytes that are searched for a block, at first and then: those of usual compressors are shorter.
const SEARCH_BYTES: [u64; 2] = [64 << 10, 512 << 10];

/// Compressed bytes of a part at least.
const LEAST_PART: u64 = 16 << 10;

/// Bytes that a part is inflated again by at a time.
const AGAIN_BYTES: usize = 32 << 10;

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

/// The only member of a file.
struct Member {
    /// Its deflate data, in bytes of the file.
    body: Range<u64>,
    /// Inflated bytes.
    total: u64,
    trailer: Trailer,
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
            session: &session,
            member: &member,
            cut,
            marker: Marker::new(),
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
    session: &'a Session<'a>,
    member: &'a Member,
    cut: Cut,
    /// What stands behind each part while it is inflated: that it comes out shows that the part ends where it should.
    marker: Marker,
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

/// Memory for a part, and the part that is in it.
struct Room {
    decompressor: Decompressor,
    /// The part's bits, made a stream.
    input: Vec<u8>,
    /// The window, then what the part inflates to.
    out: Vec<u8>,
    /// Inflated bytes.
    length: usize,
}

impl Room {
    fn new(cut: Cut) -> Self {
        let bytes = WINDOW_BYTES as u64 + MOST_TIMES * cut.part;
        Self {
            decompressor: Decompressor::new(),
            input: Vec::new(),
            // The system gives zeros where they are touched only.
            out: vec![0; bytes as usize],
            length: 0,
        }
    }

    fn bytes(&self) -> &[u8] {
        let bytes = self.out.get(WINDOW_BYTES..WINDOW_BYTES + self.length);
        bytes.unwrap_or_default()
    }

    /// The last bytes; `None` when there are fewer than the next part may repeat.
    fn tail(&self) -> Option<Vec<u8>> {
        let from = self.length.checked_sub(WINDOW_BYTES)?;
        self.bytes().get(from..).map(<[u8]>::to_vec)
    }
}

/// A part: its number, its bits in the compressed file, and whether the member ends with it.
struct Part {
    number: usize,
    bits: Range<u64>,
    last: bool,
}

impl Part {
    /// The first bit, as one of its byte.
    fn bit(&self) -> u32 {
        (self.bits.start % 8) as u32
    }

    /// The bytes of the file that hold it.
    fn bytes(&self) -> Range<u64> {
        self.bits.start / 8..self.bits.end.div_ceil(8)
    }
}

impl<P, W, R, F> Job<'_, P, R, F>
where
    P: FnMut(&Range<u64>) -> W,
    F: Fn(u64, &[u8], W) -> R,
{
    /// Takes parts until there are no more.
    fn run(&self) {
        // Nobody waits for a thread that has panicked.
        let _guard = OnPanic(self);
        let mut room = Room::new(self.cut);
        loop {
            match self.next(&mut room) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    self.lock().error.get_or_insert(error);
                    return self.give_up();
                }
            }
        }
    }

    /// Takes the next part and goes all the way with it; whether there was one that fits.
    fn next(&self, room: &mut Room) -> Result<bool> {
        let Some(part) = self.take()? else {
            return Ok(false);
        };
        if !self.inflate(&part, room)? {
            self.give_up();
            return Ok(false);
        }
        let Some((start, window, place)) = self.follow(&part, room) else {
            self.give_up();
            return Ok(false);
        };
        if let Some(window) = window
            && !self.again(&part, room, &window)?
        {
            self.give_up();
            return Ok(false);
        }
        let mut crc = crc32fast::Hasher::new();
        crc.update(room.bytes());
        let result = (self.work)(start, room.bytes(), place);
        self.lock().results.push((part.number, crc, result));
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
            true => self.find(wanted)?,
            false => Some(end * 8),
        };
        let Some(bit) = found.filter(|&bit| bit > start) else {
            drop(state);
            self.give_up();
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

    /// The first block from byte `at` on, as a bit of the file.
    fn find(&self, at: u64) -> Result<Option<u64>> {
        let mut bytes = Vec::new();
        let left = self.member.body.end.saturating_sub(at);
        for searched in SEARCH_BYTES {
            resize(&mut bytes, left.min(searched + TRIAL_BYTES as u64))?;
            self.session.read_at(at, &mut bytes)?;
            if let Some(bit) = find_block(&bytes, searched as usize) {
                return Ok(Some(at * 8 + bit as u64));
            }
        }
        Ok(None)
    }

    /// Inflates a part behind a window of zeros; whether it ends where it should.
    fn inflate(&self, part: &Part, room: &mut Room) -> Result<bool> {
        // The first has nothing before it: in its place there is room for the window all the same.
        let window: &[u8] = match part.number {
            0 => &[],
            _ => &[0; WINDOW_BYTES],
        };
        let input = &mut room.input;
        input.clear();
        let low = lead(window, part.bit(), input);
        let bytes = part.bytes();
        let from = input.len();
        resize(input, from as u64 + (bytes.end - bytes.start))?;
        let place = input.get_mut(from..).unwrap_or_default();
        self.session.read_at(bytes.start, place)?;
        merge_first(place, low, part.bit());
        if part.last && self.member.trailer.stands_in(place) {
            return Ok(false);
        }
        if !part.last {
            lead_out((part.bits.end % 8) as u32, self.marker.block(), input);
        }
        let out = room.out.get_mut(WINDOW_BYTES - window.len()..);
        let out = out.unwrap_or_default();
        let Ok(made) = room.decompressor.deflate_decompress(input, out) else {
            return Ok(false);
        };
        let made = out.get(window.len()..made).unwrap_or_default();
        let own = match part.last {
            true => Some(made),
            false => made.strip_suffix(&self.marker.bytes),
        };
        room.length = own.map_or(0, <[u8]>::len);
        Ok(own.is_some())
    }

    /// Waits until the part before this one is inflated: where this one stands in the file, what stands before it (unless
    /// it is the first), and what `place` gives for it. `None` when this leads nowhere.
    #[expect(clippy::type_complexity, reason = "three things of one moment")]
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
        state.step = fair.clamp(state.step / 4, state.step * 4).max(LEAST_PART);
        let place = (state.place)(&range);
        self.changed.notify_all();
        Some((range.start, window, place))
    }

    /// Inflates a part again behind what really stands there until that makes no difference; `false` when it does so to
    /// the bytes that the next part may repeat.
    fn again(&self, part: &Part, room: &mut Room, window: &[u8]) -> Result<bool> {
        let bytes = part.bytes();
        let mut input = Vec::new();
        let low = lead(window, part.bit(), &mut input);
        let mut first = [0];
        self.session.read_at(bytes.start, &mut first)?;
        merge_first(&mut first, low, part.bit());
        input.extend(first);
        let mut at = bytes.start + 1;
        let out = room.out.get_mut(..WINDOW_BYTES + room.length);
        let out = out.unwrap_or_default();
        let mut inflate = Inflate::new(false, 15);
        let mut made = vec![0; AGAIN_BYTES];
        // The window comes out first. Where it was right by chance, so is what repeats it.
        let (mut taken, mut done, mut same) = (0, 0, 0);
        while same < WINDOW_BYTES && done < out.len() {
            if taken == input.len() {
                taken = 0;
                let left = bytes.end.saturating_sub(at);
                resize(&mut input, left.min(AGAIN_BYTES as u64))?;
                self.session.read_at(at, &mut input)?;
                at += input.len() as u64;
            }
            let before = (inflate.total_in(), inflate.total_out());
            let input = input.get(taken..).unwrap_or_default();
            let place = made.get_mut(..AGAIN_BYTES.min(out.len() - done));
            let place = place.unwrap_or_default();
            let inflated = inflate.decompress(input, place, InflateFlush::NoFlush);
            let used = (inflate.total_in() - before.0) as usize;
            let new = (inflate.total_out() - before.1) as usize;
            if inflated.is_err() || (used, new) == (0, 0) {
                return Ok(false);
            }
            taken += used;
            let new = made.get(..new).unwrap_or_default();
            let old = out.get_mut(done..done + new.len()).unwrap_or_default();
            same = match old.iter().zip(new).rposition(|(old, new)| old != new) {
                None => same + new.len(),
                Some(last) => new.len() - last - 1,
            };
            old.copy_from_slice(new);
            done += new.len();
        }
        // Nothing repeats the last part.
        Ok(same >= WINDOW_BYTES || part.last)
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

/// Writes the window and empty blocks up to a bit of a byte; gives the bits that share the byte with it.
fn lead(window: &[u8], bit: u32, input: &mut Vec<u8>) -> u8 {
    if !window.is_empty() {
        stored_block(input).copy_from_slice(window);
    }
    lead_in(bit, input)
}

/// Bytes that no file can know, in a final block of fixed codes.
struct Marker {
    bytes: [u8; 8],
}

impl Marker {
    fn new() -> Self {
        let random = RandomState::new().build_hasher().finish();
        // Bytes below 144 have codes of eight bits.
        let bytes = random.to_le_bytes().map(|byte| byte % 144);
        Self { bytes }
    }

    /// The last block yes, fixed codes; the bytes; the end of the block, seven zeros.
    fn block(&self) -> u128 {
        let codes = self.bytes.map(|byte| (0x30 + byte).reverse_bits());
        u128::from(u64::from_le_bytes(codes)) << 3 | 0b011
    }
}

#[cfg(test)]
mod tests;
