//! The first read of a file of one member, on all threads and without an index.
//!
//! The compressed bytes are split into parts where deflate blocks seem to begin, or between two codes of a block with
//! fixed codes ([`super::block_finder`]). How bits are decoded does not depend on the 32 KiB before a part; only the bytes that the part copies from there do. So
//! each part is first inflated after a window of zeros. When the part before it is complete, the beginning of the
//! part is inflated again after the right window, until 32 KiB in a row did not change: everything after them is
//! right already. If that does not happen in its first half, the whole part is inflated again. If that is so from the start, as
//! in files that repeat the same bytes over and over, one thread is faster, and the file is left to it.
//!
//! No guess is trusted. That a part ends exactly where the next one begins proves that the next one begins at a
//! block or a code, and the whole must have the member's checksum and length. Anything that does not fit is left to the other
//! methods. If all parts begin at blocks, each is a chunk of an index, which is left for later reads of parts.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher as _};
use std::ops::Range;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use libdeflater::{DecompressionError, Decompressor};

use super::block_finder::{TRIAL_BYTES, find_block, find_fixed};
use super::checkpoints::{Index, Origin};
use super::chunk::{
    Chunk, FINAL_BLOCK, MAX_CHUNK, WINDOW_BYTES, Window, lead_in, lead_in_fixed, lead_out,
    merge_first, stored, stored_block,
};
use super::member::{Header, MAX_DEFLATE_RATIO, TRAILER_BYTES, Trailer};
use crate::core::error::{Error, Result};
use crate::core::{scope, threads};
use crate::source::{ReadHint, Session, Source, max_tail, resize};

/// Inflated bytes of a file for which this is worth while.
const MIN_BYTES: u64 = 2 << 20;

/// Inflated bytes of a part: the smallest, and the largest, which libdeflate inflates in one call, so that the read can be
/// cancelled in between. Beginnings of parts are inflated twice, up to a MiB of noisy data, so larger parts take less time.
const PARTS: Range<u64> = 1 << 20..6 << 20;

/// Inflated bytes that the parts of all threads have together, approximately.
const WHOLE_BYTES: u64 = 32 << 20;

/// The same for a reader that goes forwards, which holds several parts for each thread.
const AHEAD_BYTES: u64 = 8 << 20;

/// How many parts each thread of a whole read has at least, if the file is large enough.
const PARTS_PER_THREAD: u64 = 2;

/// How many times larger than planned a part may become without more memory.
const USUAL_GROWTH: u64 = 4;

/// Inflated bytes of the largest parts, which inflate to far more than planned: of all threads together, and at least of each.
const LARGEST_PARTS_BYTES: u64 = 32 << 20;
const LARGEST_PART_BYTES: u64 = 8 << 20;

/// Chunks of an index above which pairs of them are joined, and inflated bytes of the largest that are made so.
const MANY_CHUNKS: usize = 256;
const MAX_JOINED_CHUNK: usize = 8 << 20;

/// Smallest number of compressed bytes in a part.
const MIN_PART: u64 = 16 << 10;

/// Compressed bytes in which the member's header must end.
const HEADER_BYTES: u64 = 64 << 10;

/// Compressed bytes that are searched for a block: first, and if none is found. Blocks of usual compressors are
/// shorter.
const SEARCH_BYTES: [u64; 2] = [64 << 10, 512 << 10];

/// Inflated bytes of a part that are inflated again at first. If they are too few, twice as many are.
const FIRST_REPAIR_BYTES: usize = 64 << 10;

/// Parts of a file among which one that cannot be repaired leaves the file to one thread. After them, too much has been done.
const FIRST_PARTS: usize = 3;

/// Inflated bytes of these parts, approximately: if they cannot be repaired, they have been inflated in vain.
const FIRST_PART_BYTES: u64 = 3 << 20;

/// Parts that a thread inflates again at once after one that could not be repaired.
const UNREPAIRED_PARTS: usize = 3;

/// Bytes of a part that are inflated again before it may be given up as one that cannot be repaired: if the last quarter of them
/// has more than three quarters as many changes as the first quarter.
const HOPELESS_BYTES: usize = 256 << 10;

/// The longest match of deflate.
const MAX_MATCH: usize = 258;

/// How a file is split.
#[derive(Debug, Clone, Copy)]
struct Cut {
    /// Inflated bytes of a part, approximately, and at most.
    part: u64,
    max_part: u64,
    threads: usize,
}

impl Cut {
    /// For all threads of the pool, whose parts together have so many inflated bytes; `None` if there is only one.
    fn new(parts: u64) -> Option<Self> {
        let threads = threads::count();
        let part = (parts / threads as u64).clamp(PARTS.start, PARTS.end);
        let largest = LARGEST_PARTS_BYTES / threads as u64;
        let largest = largest.max(LARGEST_PART_BYTES).max(USUAL_GROWTH * part);
        (threads > 1).then_some(Self {
            part,
            max_part: largest.min(MAX_CHUNK as u64),
            threads,
        })
    }
}

/// Inflates a file of one member on all threads, in parts. `place` is called for the parts in order, with their
/// ranges in the inflated bytes. `work` is called with a part's offset, its bytes and the result of `place`. Returns
/// the results in order and an index if there is one, or `None` if the file is not suitable or is damaged; then what `work`
/// was given may be wrong. The voxels end at inflated byte `need`.
///
/// # Errors
/// Errors of reading the compressed file.
pub(super) fn inflate<W: Send, R: Send>(
    source: &Source,
    need: u64,
    place: impl FnMut(&Range<u64>) -> W + Send,
    work: impl Fn(u64, &[u8], W) -> R + Sync,
) -> Result<Option<(Vec<R>, Option<Index>)>> {
    let Some(member) = Member::only(source, Some(need))? else {
        return Ok(None);
    };
    match Cut::new((member.total / PARTS_PER_THREAD).min(WHOLE_BYTES)) {
        Some(cut) if member.total >= MIN_BYTES => inflate_cut(source, member, cut, place, work),
        _ => Ok(None),
    }
}

fn inflate_cut<W: Send, R: Send>(
    source: &Source,
    member: Member,
    cut: Cut,
    place: impl FnMut(&Range<u64>) -> W + Send,
    work: impl Fn(u64, &[u8], W) -> R + Sync,
) -> Result<Option<(Vec<R>, Option<Index>)>> {
    let total = member.total;
    let mut parts = Parts::new(member, cut);
    let Some(results) = parts.inflate(source, usize::MAX, place, work)? else {
        return Ok(None);
    };
    let is_whole = parts.progress.out == total;
    let index = parts.finish().ok().filter(|_| is_whole);
    Ok(index.map(|index| (results, index)))
}

/// A file of one member that is inflated part by part, several at a time.
pub(super) struct Parts {
    member: Member,
    cut: Cut,
    progress: Progress,
}

/// Where one part ends and the next one begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Boundary {
    /// A bit of the file.
    bit: u64,
    /// Whether it is between two codes of a block with fixed codes; otherwise a block ends there.
    in_block: bool,
}

impl Boundary {
    fn of_blocks(bit: u64) -> Self {
        Self {
            bit,
            in_block: false,
        }
    }

    fn in_block(bit: u64) -> Self {
        Self {
            bit,
            in_block: true,
        }
    }
}

/// How far the file has been inflated.
#[derive(Clone)]
struct Progress {
    /// Where the next part begins, and its compressed bytes, approximately.
    at: Boundary,
    step: u64,
    /// Number of inflated bytes, their checksum, and the last of them.
    out: u64,
    crc: crc32fast::Hasher,
    window: Option<Arc<[u8]>>,
    /// Number of complete parts.
    parts: usize,
    /// The parts, for an index. It cannot have those that begin in a block: `None` after such a one.
    chunks: Option<Vec<Arc<Chunk>>>,
}

impl Progress {
    /// Joins pairs of chunks, if there are so many that their windows would take much memory.
    fn thin_out(&mut self) {
        let Some(chunks) = self.chunks.as_mut().filter(|all| all.len() > MANY_CHUNKS) else {
            return;
        };
        let mut thinned: Vec<Arc<Chunk>> = Vec::with_capacity(chunks.len());
        for (number, chunk) in chunks.drain(..).enumerate() {
            let before = thinned.last_mut().filter(|_| number % 2 == 1);
            match before.and_then(|before| before.joined(&chunk, MAX_JOINED_CHUNK)) {
                Some(joined) => {
                    thinned.pop();
                    thinned.push(Arc::new(joined));
                }
                None => thinned.push(chunk),
            }
        }
        *chunks = thinned;
    }
}

impl Parts {
    /// For a reader that goes forwards through the whole file; `None` if it is not suitable.
    ///
    /// # Errors
    /// Errors of reading the compressed file.
    pub(super) fn forwards(source: &Source) -> Result<Option<Self>> {
        let member = Member::only(source, None)?;
        let cut = Cut::new(AHEAD_BYTES);
        let both = member.zip(cut);
        let large = both.filter(|(member, _)| member.total >= MIN_BYTES);
        Ok(large.map(|(member, cut)| Self::new(member, cut)))
    }

    fn new(member: Member, cut: Cut) -> Self {
        let compressed = member.body.end - member.body.start;
        let ratio = (member.total / compressed.max(1)).max(1);
        let progress = Progress {
            at: Boundary::of_blocks(member.body.start * 8),
            step: (cut.part.min(FIRST_PART_BYTES) / ratio).max(MIN_PART),
            out: 0,
            crc: crc32fast::Hasher::new(),
            window: None,
            parts: 0,
            chunks: Some(Vec::new()),
        };
        Self {
            member,
            cut,
            progress,
        }
    }

    /// Whether the whole member has been inflated.
    pub(super) fn is_done(&self) -> bool {
        self.progress.at.bit == self.member.body.end * 8
    }

    /// How many threads there are.
    pub(super) fn threads(&self) -> usize {
        self.cut.threads
    }

    /// Inflates up to `most` parts. `place` and `work` are as in [`inflate`]. `None` if one does not fit. After that or an
    /// error nothing was inflated.
    ///
    /// # Errors
    /// Errors of reading the compressed file.
    pub(super) fn inflate<W: Send, R: Send>(
        &mut self,
        source: &Source,
        most: usize,
        place: impl FnMut(&Range<u64>) -> W + Send,
        work: impl Fn(u64, &[u8], W) -> R + Sync,
    ) -> Result<Option<Vec<R>>> {
        let session = source.begin()?;
        let job = Job {
            inflater: PartInflater {
                session: &session,
                member: &self.member,
                marker: Marker::new(),
            },
            member: &self.member,
            cut: self.cut,
            most,
            work: &work,
            split: Mutex::new(Split {
                taken: 0,
                at: self.progress.at,
                step: self.progress.step,
            }),
            state: Mutex::new(State::new(self.progress.clone(), place)),
            changed: Condvar::new(),
        };
        threads::together(self.cut.threads - 1, || job.run());
        let Some((results, progress)) = job.finish()? else {
            return Ok(None);
        };
        session.end()?;
        self.progress = progress;
        self.progress.thin_out();
        Ok(Some(results))
    }

    /// The index of the whole member, which has been inflated, if all parts begin at blocks.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Integrity`] if it does not have the checksum and length in its trailer.
    pub(super) fn finish(self) -> Result<Option<Index>> {
        let Progress {
            out, crc, chunks, ..
        } = self.progress;
        self.member.trailer.check(crc.finalize(), out)?;
        Ok(chunks.map(|chunks| Index {
            chunks,
            complete: true,
            origin: Origin::Parts,
        }))
    }
}

/// The only member of a file.
struct Member {
    /// The range of its deflate data in the file.
    body: Range<u64>,
    /// Number of inflated bytes; more than 4 GiB are known only if it is known where the voxels end.
    total: u64,
    /// The most inflated bytes.
    limit: u64,
    trailer: Trailer,
}

impl Member {
    /// The member of a file, if it seems to be the only one and to end with the file. `need` is where the voxels end, if that
    /// is known.
    fn only(source: &Source, need: Option<u64>) -> Result<Option<Self>> {
        // Searching for blocks reads some bytes twice, which a slow source should not have to.
        if source.hint() != ReadHint::default() {
            return Ok(None);
        }
        let length = source.len()?.unwrap_or_default();
        let Some(end) = length.checked_sub(TRAILER_BYTES as u64) else {
            return Ok(None);
        };
        let session = source.begin()?;
        let mut start = Vec::new();
        resize(&mut start, length.min(HEADER_BYTES))?;
        scope::check()?;
        session.read_at(0, &mut start)?;
        let mut trailer = [0; TRAILER_BYTES];
        scope::check()?;
        session.read_at(end, &mut trailer)?;
        session.end()?;
        let trailer = Trailer::parse(&trailer);
        let Some(header) = Header::parse(&start) else {
            return Ok(None);
        };
        let Some(compressed) = end.checked_sub(header.length) else {
            return Ok(None);
        };
        // The trailer has the length modulo 2^32. What does not deflate becomes only a little larger.
        let known = need.unwrap_or(compressed - compressed / 64);
        let more = u64::from(trailer.length.wrapping_sub(known as u32));
        let total = known.saturating_add(more);
        let fits = compressed >= 2 * MIN_PART
            && need.is_none_or(|need| more <= max_tail(need))
            && total / MAX_DEFLATE_RATIO <= compressed;
        Ok(fits.then_some(Self {
            body: header.length..end,
            total,
            limit: need.map_or(u64::MAX, |_| total),
            trailer,
        }))
    }
}

/// A part: its number among those that are inflated together, where it begins and ends in the compressed file, and whether
/// the member begins and ends with it.
struct Part {
    number: usize,
    start: Boundary,
    end: Boundary,
    is_first: bool,
    last: bool,
}

impl Part {
    /// The bit of its first byte at which it begins.
    fn bit(&self) -> u32 {
        (self.start.bit % 8) as u32
    }

    /// Its bits in the compressed file.
    fn bits(&self) -> Range<u64> {
        self.start.bit..self.end.bit
    }

    /// The bytes of the file that contain it.
    fn bytes(&self) -> Range<u64> {
        self.start.bit / 8..self.end.bit.div_ceil(8)
    }

    /// Appends what comes before its first bit, as [`super::chunk::lead_in`]. `is_final` says of a part that begins in a block
    /// whether that is the last one.
    fn lead_in(&self, is_final: bool, input: &mut Vec<u8>) -> u8 {
        match self.start.in_block {
            true => lead_in_fixed(self.bit(), is_final, input),
            false => lead_in(self.bit(), input),
        }
    }
}

/// What the threads share.
struct Job<'a, P, R, F> {
    inflater: PartInflater<'a>,
    member: &'a Member,
    cut: Cut,
    /// The most parts.
    most: usize,
    work: &'a F,
    split: Mutex<Split>,
    state: Mutex<State<P, R>>,
    changed: Condvar,
}

/// How far the file has been split.
struct Split {
    /// Number of parts that threads have begun, and where the next one begins.
    taken: usize,
    at: Boundary,
    /// Compressed bytes of the next part.
    step: u64,
}

/// How far it has been inflated.
struct State<P, R> {
    /// Number of leading parts that are complete.
    known: usize,
    progress: Progress,
    place: P,
    /// Each with the number of its part.
    results: Vec<(usize, crc32fast::Hasher, R)>,
    /// Whether the file turned out to be unsuitable.
    given_up: bool,
    error: Option<Error>,
}

impl<P, R> State<P, R> {
    fn new(progress: Progress, place: P) -> Self {
        Self {
            known: 0,
            progress,
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
        let mut buffer = PartBuffer::new(USUAL_GROWTH * self.cut.part, self.cut.max_part);
        loop {
            let part = match self.next_part()? {
                Next::Part(part) => part,
                Next::None => return Ok(true),
                Next::NotFound => return Ok(false),
            };
            scope::check()?;
            let zeros = match part.is_first {
                true => None,
                false => Some(&ZEROS),
            };
            if !self
                .inflater
                .inflate(&part, zeros.map(|zeros| &zeros[..]), &mut buffer)?
            {
                return Ok(false);
            }
            let Some((window, parts)) = self.wait_for_turn(&part) else {
                return Ok(false);
            };
            if let Some(window) = &window {
                let fits = match self.inflater.set_window(window, &mut buffer)? {
                    Repair::Done(_) => true,
                    Repair::None if parts < FIRST_PARTS => false,
                    _ => self.inflater.inflate_again(&part, window, &mut buffer)?,
                };
                if !fits {
                    return Ok(false);
                }
            }
            let mut crc = crc32fast::Hasher::new();
            crc.update(buffer.bytes());
            let Some((start, place)) = self.complete(&part, &buffer, &crc, window) else {
                return Ok(false);
            };
            let result = (self.work)(start, buffer.bytes(), place);
            self.lock().results.push((part.number, crc, result));
        }
    }

    /// Splits off the next part.
    fn next_part(&self) -> Result<Next> {
        let mut split = self.split.lock().unwrap_or_else(PoisonError::into_inner);
        let (start, end) = (split.at, self.member.body.end);
        if start.bit == end * 8 || split.taken == self.most || self.lock().given_up {
            return Ok(Next::None);
        }
        let wanted = start.bit / 8 + split.step;
        // A remainder of less than half a part is joined to the last part.
        let found = match wanted + split.step / 2 < end {
            true => self.inflater.find(wanted)?,
            false => Some(Boundary::of_blocks(end * 8)),
        };
        let Some(found) = found.filter(|found| found.bit > start.bit) else {
            // While `split` is locked, so that no other thread searches the same bytes.
            self.give_up();
            return Ok(Next::NotFound);
        };
        let number = split.taken;
        split.taken += 1;
        split.at = found;
        Ok(Next::Part(Part {
            number,
            start,
            end: found,
            is_first: start.bit == self.member.body.start * 8,
            last: found.bit == end * 8,
        }))
    }

    /// Waits until the parts before this one are complete. Returns the window before it, which the first one of the file
    /// does not have, and the number of parts before it. `None` if another part does not fit.
    fn wait_for_turn(&self, part: &Part) -> Option<(Option<Arc<[u8]>>, usize)> {
        let mut state = self.lock();
        while state.known < part.number && !state.given_up {
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        let progress = &state.progress;
        (!state.given_up).then(|| (progress.window.clone(), progress.parts))
    }

    /// Adds a part to the progress, whose turn it is. Returns its offset in the inflated bytes, and the result of `place`.
    /// `None` if it does not fit.
    fn complete(
        &self,
        part: &Part,
        buffer: &PartBuffer,
        crc: &crc32fast::Hasher,
        window: Option<Arc<[u8]>>,
    ) -> Option<(u64, W)> {
        let length = buffer.length as u64;
        let mut state = self.lock();
        let progress = &mut state.progress;
        let out = progress.out..progress.out + length;
        if out.end > self.member.limit {
            return None;
        }
        progress.window = Some(buffer.tail(window.as_deref())?);
        progress.at = part.end;
        progress.out = out.end;
        progress.parts += 1;
        // Adjusts the size of the following parts, so that they inflate to about the planned size.
        let bits = part.bits();
        let compressed = (bits.end - bits.start) / 8;
        let fair = compressed.saturating_mul(self.cut.part) / length.max(1);
        let fair = fair.clamp(progress.step / 4, progress.step * 4);
        progress.step = fair.clamp(MIN_PART, self.cut.part);
        progress.chunks = progress.chunks.take().filter(|_| !part.start.in_block);
        if let Some(chunks) = &mut progress.chunks {
            chunks.push(Arc::new(Chunk {
                out: out.clone(),
                bits,
                window: window.map(Window::Plain),
                crc: crc.clone().finalize(),
                ends_member: part.last,
                verified: AtomicBool::new(true),
            }));
        }
        let step = progress.step;
        state.known += 1;
        let place = (state.place)(&out);
        drop(state);
        self.changed.notify_all();
        let mut split = self.split.lock().unwrap_or_else(PoisonError::into_inner);
        split.step = step;
        Some((out.start, place))
    }

    /// The results of all parts, and the progress; `None` if one did not fit.
    fn finish(self) -> Result<Option<(Vec<R>, Progress)>> {
        let state = self.state.into_inner();
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = state.error {
            return Err(error);
        }
        if state.given_up {
            return Ok(None);
        }
        state.results.sort_unstable_by_key(|&(number, ..)| number);
        let crc = &mut state.progress.crc;
        state.results.iter().for_each(|(_, of, _)| crc.combine(of));
        let results = state.results.into_iter().map(|(.., result)| result);
        Ok(Some((results.collect(), state.progress)))
    }
}

/// What a thread does next.
enum Next {
    Part(Part),
    /// There is nothing left.
    None,
    /// No block was found where one was looked for.
    NotFound,
}

/// The window of a part before that before it is known.
static ZEROS: [u8; WINDOW_BYTES] = [0; WINDOW_BYTES];

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
    max_bytes: usize,
    /// Number of inflated bytes in the part.
    length: usize,
    /// The window, then the beginning of the part, inflated again.
    again: Vec<u8>,
    /// Number of bytes that are inflated again: somewhat more than the last part needed.
    repair: usize,
    /// How many of the next parts are not to be repaired.
    unrepaired: usize,
}

impl PartBuffer {
    /// For parts of usually up to `bytes` inflated bytes, and never more than `max_bytes`.
    fn new(bytes: u64, max_bytes: u64) -> Self {
        Self {
            decompressor: Decompressor::new(),
            input: Vec::new(),
            // Pages that are never written to use no memory.
            out: vec![0; WINDOW_BYTES + bytes as usize],
            max_bytes: WINDOW_BYTES + max_bytes as usize,
            length: 0,
            again: Vec::new(),
            repair: FIRST_REPAIR_BYTES,
            unrepaired: 0,
        }
    }

    fn bytes(&self) -> &[u8] {
        let bytes = self.out.get(WINDOW_BYTES..WINDOW_BYTES + self.length);
        bytes.unwrap_or_default()
    }

    /// The last 32 KiB, to which the next part may refer: of this part, and of the window before it if the part is shorter.
    /// `None` for a short part without one.
    fn tail(&self, window: Option<&[u8]>) -> Option<Arc<[u8]>> {
        if let Some(from) = self.length.checked_sub(WINDOW_BYTES) {
            return self.bytes().get(from..).map(Arc::from);
        }
        let before = window?.get(self.length..)?;
        Some([before, self.bytes()].concat().into())
    }

    /// Inflates the stream to the part's place, after the window that it begins with, in as much memory as that needs.
    /// Returns the number of bytes with the window; `None` if it is damaged or too large.
    fn inflate(&mut self, window: usize) -> Option<usize> {
        loop {
            let out = self.out.get_mut(WINDOW_BYTES - window..)?;
            match self.decompressor.deflate_decompress(&self.input, out) {
                Ok(made) => return Some(made),
                Err(DecompressionError::InsufficientSpace) if self.out.len() < self.max_bytes => {
                    // Most of what becomes so large are runs of the same byte, which take hardly any time.
                    let more = self.out.len().saturating_mul(4).min(self.max_bytes);
                    self.out = Vec::new();
                    self.out = vec![0; more];
                }
                Err(_) => return None,
            }
        }
    }

    /// Inflates the beginning of the part again, after another window than zeros, which the stream begins with, up to half of
    /// the part.
    fn repair(&mut self, window: &[u8]) -> Repair {
        // Where the right window is zero too, what was copied from it is right already.
        let zeros = window.iter().rev().take_while(|&&byte| byte == 0).count();
        if zeros >= WINDOW_BYTES {
            return Repair::Done(0);
        }
        let half = self.length / 2;
        let mut most = self.repair.min(half);
        while (1..=half).contains(&most) {
            match self.repair_in(most, zeros) {
                Repair::Done(changed) => {
                    let needed = changed + WINDOW_BYTES;
                    self.repair = (needed + needed / 2).max(FIRST_REPAIR_BYTES);
                    return Repair::Done(changed);
                }
                Repair::More => most *= 2,
                Repair::None => return Repair::None,
            }
        }
        Repair::More
    }

    /// The same with the first `most` bytes.
    fn repair_in(&mut self, most: usize, zeros: usize) -> Repair {
        self.again.resize(WINDOW_BYTES + most, 0);
        // Not all of the stream has room. libdeflate has then written what has, but for the match that has not.
        let made = (self.decompressor).deflate_decompress(&self.input, &mut self.again);
        if made == Err(DecompressionError::BadData) {
            return Repair::None;
        }
        let end = (WINDOW_BYTES + most).saturating_sub(MAX_MATCH);
        let new = self.again.get(WINDOW_BYTES..end).unwrap_or_default();
        let old = self.out.get_mut(WINDOW_BYTES..).unwrap_or_default();
        let (old, _) = old.split_at_mut(new.len().min(old.len()));
        let last = old.iter().zip(new).rposition(|(old, new)| old != new);
        let changed = last.map_or(0, |last| last + 1);
        let before = if changed == 0 { zeros } else { 0 };
        if before + new.len() - changed >= WINDOW_BYTES {
            let changes = old.iter_mut().zip(new).take(changed);
            changes.for_each(|(old, new)| *old = *new);
            return Repair::Done(changed);
        }
        if most < HOPELESS_BYTES {
            return Repair::More;
        }
        let quarter = new.len() / 4;
        let pairs = || old.iter().zip(new).map(|(old, new)| old != new);
        let first = pairs().take(quarter).filter(|&differs| differs).count();
        let last = pairs()
            .rev()
            .take(quarter)
            .filter(|&differs| differs)
            .count();
        match last > first / 4 * 3 {
            true => Repair::None,
            false => Repair::More,
        }
    }
}

/// What came of inflating the beginning of a part again.
enum Repair {
    /// After so many bytes nothing changed.
    Done(usize),
    /// More has to be inflated again.
    More,
    /// It will not do, however many bytes are inflated again: most of the part is different, or the stream is damaged.
    None,
}

/// Finds and inflates parts.
struct PartInflater<'a> {
    session: &'a Session<'a>,
    member: &'a Member,
    /// Appended to each part: if it comes out at the end, the part ends at a block.
    marker: Marker,
}

impl PartInflater<'_> {
    /// The first block at or after byte `at`, or else a place in a block with fixed codes; the end of the member if there is
    /// neither before that.
    fn find(&self, at: u64) -> Result<Option<Boundary>> {
        let mut bytes = Vec::new();
        let left = self.member.body.end.saturating_sub(at);
        for searched in SEARCH_BYTES {
            resize(&mut bytes, left.min(searched + TRIAL_BYTES as u64))?;
            scope::check()?;
            self.session.read_at(at, &mut bytes)?;
            let bit = |bit: usize| at * 8 + bit as u64;
            let searched_bytes = searched as usize;
            let block = find_block(&bytes, searched_bytes).map(|at| Boundary::of_blocks(bit(at)));
            let fixed = || Some(Boundary::in_block(bit(find_fixed(&bytes, searched_bytes)?)));
            if let Some(found) = block.or_else(fixed) {
                return Ok(Some(found));
            }
            // The last block is not searched for.
            if left <= searched {
                return Ok(Some(Boundary::of_blocks(self.member.body.end * 8)));
            }
        }
        Ok(None)
    }

    /// Inflates a part after a window, which the first one of the file does not have. Returns whether it ends where it should.
    fn inflate(&self, part: &Part, window: Option<&[u8]>, buffer: &mut PartBuffer) -> Result<bool> {
        let fits = self.inflate_as(part, false, window, buffer)?;
        // Only the last part can end with the block that it begins in.
        match !fits && part.last && part.start.in_block {
            true => self.inflate_as(part, true, window, buffer),
            false => Ok(fits),
        }
    }

    /// The same. `is_final` is as in [`Part::lead_in`].
    fn inflate_as(
        &self,
        part: &Part,
        is_final: bool,
        window: Option<&[u8]>,
        buffer: &mut PartBuffer,
    ) -> Result<bool> {
        let input = &mut buffer.input;
        input.clear();
        if let Some(window) = window {
            stored_block(input).copy_from_slice(window);
        }
        let low = part.lead_in(is_final, input);
        let bytes = part.bytes();
        let from = input.len();
        resize(input, from as u64 + (bytes.end - bytes.start))?;
        let place = input.get_mut(from..).unwrap_or_default();
        scope::check()?;
        self.session.read_at(bytes.start, place)?;
        merge_first(place, low, part.bit());
        if part.last && self.member.trailer.occurs_in(place) {
            return Ok(false);
        }
        if !part.last {
            lead_out((part.end.bit % 8) as u32, self.marker.at(part.end), input);
        }
        let before = window.map_or(0, <[u8]>::len);
        Ok(self.inflate_stream(part, before, buffer))
    }

    /// Inflates the stream that was made from a part and begins with a window of so many bytes. Returns whether it ends where it
    /// should.
    fn inflate_stream(&self, part: &Part, window: usize, buffer: &mut PartBuffer) -> bool {
        let Some(made) = buffer.inflate(window) else {
            return false;
        };
        let made = buffer
            .out
            .get(WINDOW_BYTES..WINDOW_BYTES - window + made)
            .unwrap_or_default();
        let own = match part.last {
            true => Some(made),
            false => made.strip_suffix(&self.marker.bytes),
        };
        buffer.length = own.map_or(0, <[u8]>::len);
        own.is_some()
    }

    /// Makes a part that was inflated after a window of zeros what it is after the right one, if only its beginning is different.
    fn set_window(&self, window: &[u8], buffer: &mut PartBuffer) -> Result<Repair> {
        stored(&mut buffer.input).copy_from_slice(window);
        scope::check()?;
        if buffer.unrepaired > 0 {
            buffer.unrepaired -= 1;
            return Ok(Repair::More);
        }
        let repair = buffer.repair(window);
        if matches!(repair, Repair::None) {
            buffer.unrepaired = UNREPAIRED_PARTS;
        }
        Ok(repair)
    }

    /// Inflates a part again, after the window that [`Self::set_window`] was given. Returns whether it ends where it should.
    fn inflate_again(&self, part: &Part, window: &[u8], buffer: &mut PartBuffer) -> Result<bool> {
        scope::check()?;
        Ok(self.inflate_stream(part, window.len(), buffer))
    }
}

/// Random bytes, which a file cannot contain on purpose, in fixed codes.
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

    /// The bits that end a stream after a boundary: a final block with the bytes; or, in a block, their codes, its end, and an
    /// empty final block.
    fn at(&self, boundary: Boundary) -> u128 {
        let codes = self.bytes.map(|byte| (0x30 + byte).reverse_bits());
        let codes = u128::from(u64::from_le_bytes(codes));
        // The code of end-of-block is seven zeros.
        match boundary.in_block {
            true => codes | FINAL_BLOCK << (64 + 7),
            false => codes << 3 | FINAL_BLOCK,
        }
    }
}

#[cfg(test)]
mod tests;
