//! The first read of a file of one large member, on all threads and without an index.
//!
//! The compressed bytes are split into parts where deflate blocks seem to begin ([`super::block_finder`]). How bits
//! are decoded does not depend on the 32 KiB before a part; only the bytes that the part copies from there do. So
//! each part is first inflated after a window of zeros. When the part before it is complete, the beginning of the
//! part is inflated again after the right window, until 32 KiB in a row did not change: everything after them is
//! right already.
//!
//! No guess is trusted. That a part ends exactly where the next one begins proves that the next one begins at a
//! block, and the whole must have the member's checksum and length. Anything that does not fit is left to the other
//! methods.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher as _};
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use libdeflater::Decompressor;
use zlib_rs::{Inflate, InflateFlush};

use super::block_finder::{TRIAL_BYTES, find_block};
use super::chunk::{WINDOW_BYTES, lead_in, lead_out, merge_first, stored_block, stream_from};
use super::member::{Header, TRAILER_BYTES, Trailer};
use crate::core::error::{Error, Result};
use crate::core::{scope, threads};
use crate::source::{Session, Source, max_tail, resize};

/// Inflated bytes of a file for which this is worth while.
const MIN_BYTES: u64 = 16 << 20;

/// Inflated bytes that all threads together hold, approximately.
const ALL_PARTS_BYTES: u64 = 24 << 20;

/// The largest part of a read that can be cancelled, in inflated bytes, approximately: libdeflate inflates a part in one call.
const MAX_CANCELLABLE_PART: u64 = 4 << 20;

/// How many times larger than planned a part may become.
const MAX_GROWTH: u64 = 2;

/// Smallest number of compressed bytes in a part.
const MIN_PART: u64 = 16 << 10;

/// Compressed bytes in which the member's header must end.
const HEADER_BYTES: u64 = 64 << 10;

/// Compressed bytes that are searched for a block: first, and if none is found. Blocks of usual compressors are
/// shorter.
const SEARCH_BYTES: [u64; 2] = [64 << 10, 512 << 10];

/// Bytes of a part that are inflated again at a time.
const REPAIR_BYTES: usize = 32 << 10;

/// How a file is split.
#[derive(Debug, Clone, Copy)]
struct Cut {
    /// Files that inflate to fewer bytes are not split.
    min_bytes: u64,
    /// Inflated bytes of a part, approximately.
    part: u64,
    threads: usize,
}

impl Cut {
    /// For the number of threads in the pool; `None` if there is only one.
    fn usual() -> Option<Self> {
        // There are no threads to wait for on wasm.
        let threads = match cfg!(target_family = "wasm") {
            true => 1,
            false => threads::count(),
        };
        let largest = match scope::is_cancellable() {
            true => MAX_CANCELLABLE_PART,
            false => 16 << 20,
        };
        let part = (ALL_PARTS_BYTES / threads as u64).clamp(1 << 20, largest);
        let min_bytes = MIN_BYTES;
        (threads > 1).then_some(Self {
            min_bytes,
            part,
            threads,
        })
    }
}

/// Inflates a file of one large member on all threads, in parts. `place` is called for the parts in order, with their
/// ranges in the inflated bytes. `work` is called with a part's offset, its bytes and the result of `place`. Returns
/// the results in order, or `None` if the file is not suitable or is damaged; then what `work` was given may be
/// wrong. The voxels end at inflated byte `need`.
///
/// # Errors
/// Errors of reading the compressed file.
pub(super) fn inflate<W: Send, R: Send>(
    source: &Source,
    need: u64,
    place: impl FnMut(&Range<u64>) -> W + Send,
    work: impl Fn(u64, &[u8], W) -> R + Sync,
) -> Result<Option<Vec<R>>> {
    match Cut::usual() {
        Some(cut) => inflate_cut(source, cut, need, place, work),
        None => Ok(None),
    }
}

fn inflate_cut<W: Send, R: Send>(
    source: &Source,
    cut: Cut,
    need: u64,
    place: impl FnMut(&Range<u64>) -> W + Send,
    work: impl Fn(u64, &[u8], W) -> R + Sync,
) -> Result<Option<Vec<R>>> {
    let session = source.begin()?;
    let length = source.len()?.unwrap_or_default();
    let Some(member) = Member::only(&session, length, need)?.filter(|member| {
        let is_large = member.total >= cut.min_bytes;
        is_large && member.body.end - member.body.start >= 2 * MIN_PART
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
    threads::together(cut.threads - 1, || job.run());
    let results = job.finish()?;
    session.end()?;
    Ok(results)
}

/// The only member of a file.
struct Member {
    /// The range of its deflate data in the file.
    body: Range<u64>,
    /// Number of inflated bytes.
    total: u64,
    trailer: Trailer,
}

impl Member {
    /// The member of a file of `length` bytes, if it seems to be the only one and to end with the file.
    fn only(session: &Session<'_>, length: u64, need: u64) -> Result<Option<Self>> {
        let Some(end) = length.checked_sub(TRAILER_BYTES as u64) else {
            return Ok(None);
        };
        let mut start = Vec::new();
        resize(&mut start, length.min(HEADER_BYTES))?;
        session.read_at(0, &mut start)?;
        let mut trailer = [0; TRAILER_BYTES];
        session.read_at(end, &mut trailer)?;
        let trailer = Trailer::parse(&trailer);
        // The trailer has the length modulo 2^32.
        let tail = trailer.length.wrapping_sub(need as u32).into();
        let header = Header::parse(&start);
        Ok(header
            .filter(|header| header.length <= end && tail <= max_tail(need))
            .map(|header| Self {
                body: header.length..end,
                total: need.saturating_add(tail),
                trailer,
            }))
    }
}

/// A part: its number, its bits in the compressed file, and whether the member ends with it.
struct Part {
    number: usize,
    bits: Range<u64>,
    last: bool,
}

impl Part {
    /// The bit of its first byte at which it begins.
    fn bit(&self) -> u32 {
        (self.bits.start % 8) as u32
    }

    /// The bytes of the file that contain it.
    fn bytes(&self) -> Range<u64> {
        self.bits.start / 8..self.bits.end.div_ceil(8)
    }
}

/// What the threads share.
struct Job<'a, P, R, F> {
    inflater: PartInflater<'a>,
    member: &'a Member,
    cut: Cut,
    work: &'a F,
    state: Mutex<State<P, R>>,
    changed: Condvar,
}

/// How far the file has been split and inflated.
struct State<P, R> {
    /// Number of parts that threads have begun, and the bit at which the next one begins.
    taken: usize,
    bit: u64,
    /// Compressed bytes of the next part.
    step: u64,
    /// Number of leading parts whose length is known, and their inflated bytes.
    known: usize,
    out: u64,
    /// The window before the next part.
    window: Option<Vec<u8>>,
    place: P,
    /// Each with the number of its part.
    results: Vec<(usize, crc32fast::Hasher, R)>,
    /// Whether the file turned out to be unsuitable.
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
            step: (cut.part / ratio).max(MIN_PART),
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
    /// Inflates parts until there are none left or one does not fit.
    fn run(&self) {
        let _guard = GiveUpOnPanic(self);
        match self.inflate_parts() {
            Ok(true) => {}
            Ok(false) => self.give_up(),
            Err(error) => {
                self.lock().error.get_or_insert(error);
                self.give_up();
            }
        }
    }

    /// Inflates one part after the other; `false` if one does not fit.
    fn inflate_parts(&self) -> Result<bool> {
        let mut buffer = PartBuffer::new(MAX_GROWTH * self.cut.part);
        while let Some(part) = self.next_part()? {
            scope::check()?;
            if !self.inflater.inflate(&part, &mut buffer)? {
                return Ok(false);
            }
            let Some((start, window, place)) = self.wait_for_turn(&part, &buffer) else {
                return Ok(false);
            };
            if let Some(window) = window
                && !self.inflater.repair(&part, &mut buffer, &window)?
            {
                return Ok(false);
            }
            let mut crc = crc32fast::Hasher::new();
            crc.update(buffer.bytes());
            let result = (self.work)(start, buffer.bytes(), place);
            self.lock().results.push((part.number, crc, result));
        }
        Ok(true)
    }

    /// Splits off the next part; `None` if there is none.
    fn next_part(&self) -> Result<Option<Part>> {
        let mut state = self.lock();
        let (start, end) = (state.bit, self.member.body.end);
        if start == end * 8 || state.given_up {
            return Ok(None);
        }
        let wanted = start / 8 + state.step;
        // A remainder of less than half a part is joined to the last part.
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

    /// Waits until the parts before this one are inflated. Returns the part's offset in the inflated bytes, the
    /// window before it (except for the first), and the result of `place`. `None` if this part or another does not
    /// fit.
    fn wait_for_turn(&self, part: &Part, buffer: &PartBuffer) -> Option<(u64, Option<Vec<u8>>, W)> {
        let mut state = self.lock();
        while state.known < part.number && !state.given_up {
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        let tail = buffer.tail();
        if state.given_up || (tail.is_none() && !part.last) {
            return None;
        }
        let range = state.out..state.out + buffer.length as u64;
        if range.end > self.member.total {
            return None;
        }
        let window = std::mem::replace(&mut state.window, tail);
        state.known += 1;
        state.out = range.end;
        // Adjusts the size of the following parts, so that they inflate to about the planned size.
        let compressed = (part.bits.end - part.bits.start) / 8;
        let fair = compressed.saturating_mul(self.cut.part) / (buffer.length as u64).max(1);
        let fair = fair.clamp(state.step / 4, state.step * 4);
        state.step = fair.clamp(MIN_PART, self.cut.part);
        let place = (state.place)(&range);
        self.changed.notify_all();
        Some((range.start, window, place))
    }

    /// The results of all parts; `None` unless together they have the member's length and checksum.
    fn finish(self) -> Result<Option<Vec<R>>> {
        let state = self.state.into_inner();
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = state.error {
            return Err(error);
        }
        let is_whole = !state.given_up && state.out == self.member.total;
        state.results.sort_unstable_by_key(|&(number, ..)| number);
        let mut crc = crc32fast::Hasher::new();
        state.results.iter().for_each(|(_, of, _)| crc.combine(of));
        let checked = self.member.trailer.check(crc.finalize(), state.out);
        let results = state.results.into_iter().map(|(.., result)| result);
        Ok((is_whole && checked.is_ok()).then(|| results.collect()))
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

/// Gives up when a thread panics, so that the others do not wait for it.
struct GiveUpOnPanic<'a, 'b, P, R, F>(&'a Job<'b, P, R, F>);

impl<P, R, F> Drop for GiveUpOnPanic<'_, '_, P, R, F> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.give_up();
        }
    }
}

/// Memory for one part.
struct PartBuffer {
    decompressor: Decompressor,
    /// A stream made from the part's bits.
    input: Vec<u8>,
    /// The window, then the inflated part.
    out: Vec<u8>,
    /// Number of inflated bytes in the part.
    length: usize,
}

impl PartBuffer {
    /// For parts of up to `bytes` inflated bytes.
    fn new(bytes: u64) -> Self {
        let bytes = WINDOW_BYTES as u64 + bytes;
        Self {
            decompressor: Decompressor::new(),
            input: Vec::new(),
            // Pages that are never written to use no memory.
            out: vec![0; bytes as usize],
            length: 0,
        }
    }

    fn bytes(&self) -> &[u8] {
        let bytes = self.out.get(WINDOW_BYTES..WINDOW_BYTES + self.length);
        bytes.unwrap_or_default()
    }

    /// The last 32 KiB, to which the next part may refer; `None` if there are fewer bytes.
    fn tail(&self) -> Option<Vec<u8>> {
        let from = self.length.checked_sub(WINDOW_BYTES)?;
        self.bytes().get(from..).map(<[u8]>::to_vec)
    }
}

/// Finds and inflates parts.
struct PartInflater<'a> {
    session: &'a Session<'a>,
    member: &'a Member,
    /// Appended to each part: if it comes out at the end, the part ends at a block.
    marker: Marker,
}

impl<'a> PartInflater<'a> {
    fn new(session: &'a Session<'a>, member: &'a Member) -> Self {
        Self {
            session,
            member,
            marker: Marker::new(),
        }
    }

    /// The first block at or after byte `at`, as a bit of the file.
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

    /// Inflates a part after a window of zeros. Returns whether it ends where it should.
    fn inflate(&self, part: &Part, buffer: &mut PartBuffer) -> Result<bool> {
        // Nothing precedes the first part, but `buffer` has room for a window all the same.
        let window: &[u8] = match part.number {
            0 => &[],
            _ => &[0; WINDOW_BYTES],
        };
        let input = &mut buffer.input;
        input.clear();
        if !window.is_empty() {
            stored_block(input).copy_from_slice(window);
        }
        let low = lead_in(part.bit(), input);
        let bytes = part.bytes();
        let from = input.len();
        resize(input, from as u64 + (bytes.end - bytes.start))?;
        let place = input.get_mut(from..).unwrap_or_default();
        self.session.read_at(bytes.start, place)?;
        merge_first(place, low, part.bit());
        if part.last && self.member.trailer.occurs_in(place) {
            return Ok(false);
        }
        if !part.last {
            lead_out((part.bits.end % 8) as u32, self.marker.block(), input);
        }
        let out = buffer.out.get_mut(WINDOW_BYTES - window.len()..);
        let out = out.unwrap_or_default();
        let Ok(made) = buffer.decompressor.deflate_decompress(input, out) else {
            return Ok(false);
        };
        let made = out.get(window.len()..made).unwrap_or_default();
        let own = match part.last {
            true => Some(made),
            false => made.strip_suffix(&self.marker.bytes),
        };
        buffer.length = own.map_or(0, <[u8]>::len);
        Ok(own.is_some())
    }

    /// Inflates the beginning of a part again, after the right window, until nothing changes any more; `false` if
    /// there are still changes in the 32 KiB to which the next part may refer.
    fn repair(&self, part: &Part, buffer: &mut PartBuffer, window: &[u8]) -> Result<bool> {
        let bytes = part.bytes();
        let mut first = [0];
        self.session.read_at(bytes.start, &mut first)?;
        let mut input = stream_from(part.bit(), &first);
        let mut at = bytes.start + 1;
        let mut inflate = Inflate::new(false, 15);
        if inflate.set_dictionary(window).is_err() {
            return Ok(false);
        }
        let out = buffer
            .out
            .get_mut(WINDOW_BYTES..WINDOW_BYTES + buffer.length);
        let out = out.unwrap_or_default();
        let mut made = vec![0; REPAIR_BYTES];
        let (mut taken, mut done) = (0, 0);
        // Where the right window is zero too, what was copied from it is right already.
        let mut same = window.iter().rev().take_while(|&&byte| byte == 0).count();
        while same < WINDOW_BYTES && done < out.len() {
            if taken == input.len() {
                taken = 0;
                let left = bytes.end.saturating_sub(at);
                resize(&mut input, left.min(REPAIR_BYTES as u64))?;
                self.session.read_at(at, &mut input)?;
                at += input.len() as u64;
            }
            let before = (inflate.total_in(), inflate.total_out());
            let input = input.get(taken..).unwrap_or_default();
            let place = made.get_mut(..REPAIR_BYTES.min(out.len() - done));
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
        // No part refers to the last one.
        Ok(same >= WINDOW_BYTES || part.last)
    }
}

/// Random bytes, which a file cannot contain on purpose, in a final block with fixed codes.
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

    /// Final block, fixed codes; the bytes; end-of-block, which is seven zeros.
    fn block(&self) -> u128 {
        let codes = self.bytes.map(|byte| (0x30 + byte).reverse_bits());
        u128::from(u64::from_le_bytes(codes)) << 3 | 0b011
    }
}

#[cfg(test)]
mod tests;
