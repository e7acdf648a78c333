//! Inflates all members of a gzip file in order, with zlib-rs. This method reports what is wrong with a damaged file.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use zlib_rs::{Inflate, InflateFlush, Status};

use super::checkpoints::{Finished, Index, Recorder};
#[cfg(not(target_family = "wasm"))]
use super::forwards::Forwards;
use super::member::{
    Header, MAX_DEFLATE_RATIO, MAX_EMPTY_MEMBERS, TRAILER_BYTES, Trailer, damaged, is_gzip,
    not_gzip,
};
use super::tail::{Followed, Tail};
use crate::core::error::{Error, Result};
use crate::core::limits::{self, Limits};
use crate::core::scope;
use crate::source::forward::{Codec, Decoder, drain};
use crate::source::{Source, TAIL, check_tail, max_tail, memory, truncated, zeros};

/// Compressed bytes per read.
const INPUT_BYTES: u64 = 256 << 10;

/// Compressed bytes in the first read: enough for most headers, and often nothing else is needed.
const FIRST_INPUT_BYTES: u64 = 4 << 10;

/// If at most this many compressed bytes are left after a read, they are inflated too, so that the end is known.
const NEARLY_DONE_BYTES: u64 = 64 << 10;

/// The length in the file's last trailer is used only after this many inflated bytes after the voxels have been seen.
const MIN_TAIL_FOR_TRAILER: u64 = 4 << 20;

/// The largest window of deflate is 2^15 bytes.
const WINDOW_BITS: u8 = 15;

/// gzip as a [`Codec`]: what all streams of one file share.
#[derive(Debug, Clone)]
pub(crate) struct GzipCodec {
    limits: Limits,
    /// Number of bytes after the last member that are not gzip, once a stream has reached the end.
    trailing: Arc<AtomicU64>,
    /// Inflated bytes that a stream from the start of the file keeps when it passes them.
    pub(super) tail: Arc<Tail>,
    /// The index that the first read of the whole file in parts has left.
    of_parts: Arc<OnceLock<Arc<Index>>>,
}

impl GzipCodec {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            trailing: Arc::default(),
            tail: Arc::default(),
            of_parts: Arc::default(),
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn trailing(&self) -> u64 {
        self.trailing.load(Ordering::Relaxed)
    }

    /// The index that a read of the whole file in parts has left.
    pub(super) fn of_parts(&self) -> Option<Arc<Index>> {
        self.of_parts.get().cloned()
    }

    /// Leaves such an index, if it is the first one.
    #[cfg(not(target_family = "wasm"))]
    pub(super) fn leave(&self, index: Index) {
        self.of_parts.get_or_init(|| Arc::new(index));
    }

    /// A stream that begins at the start of the file.
    pub(crate) fn stream(&self, compressed: &Source) -> Stream {
        Stream::new(compressed.clone(), 0, self.clone())
    }
}

impl Codec for GzipCodec {
    #[cfg(not(target_family = "wasm"))]
    type Decoder = Forwards;
    #[cfg(target_family = "wasm")]
    type Decoder = Stream;

    fn decoder(&self, compressed: &Source, start: u64) -> Result<Self::Decoder> {
        // In browsers there is one thread, which reads in order.
        #[cfg(target_family = "wasm")]
        return Ok(Stream::new(compressed.clone(), start, self.clone()));
        #[cfg(not(target_family = "wasm"))]
        Forwards::new(compressed, start, self)
    }

    fn max_ratio(&self) -> u64 {
        MAX_DEFLATE_RATIO
    }
}

/// Inflates all members of a file, one after the other.
pub(crate) struct Stream {
    input: Input,
    inflate: Inflate,
    state: State,
    /// The CRC-32 of the current member, if no recorder computes it.
    crc: crc32fast::Hasher,
    /// Number of inflated bytes returned so far.
    position: u64,
    codec: GzipCodec,
    /// Number of members begun so far.
    members: u64,
    /// Number of consecutive empty members.
    empty: u32,
    recorder: Option<Recorder>,
    /// The bytes of [`GzipCodec::tail`] so far.
    followed: Followed,
    /// Whether the last read succeeded.
    is_sound: bool,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// At the start of a member; `first` for the first member of the file.
    Between { first: bool },
    /// Inside a member, of which `length` bytes have been inflated.
    Body { length: u64 },
    /// After the last member.
    End,
}

/// Where a step of the inflater stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Anywhere,
    /// At the end of a block, because that was requested.
    Block,
    /// At the end of a member's data.
    Member,
}

impl Decoder for Stream {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        self.is_sound = false;
        let read = self.step(out)?;
        self.is_sound = true;
        Ok(read)
    }

    fn position(&self) -> u64 {
        self.position
    }

    fn is_sound(&self) -> bool {
        self.is_sound
    }
}

impl Stream {
    /// Inflates some bytes; none at the end of the last member.
    fn step(&mut self, out: &mut [u8]) -> Result<usize> {
        loop {
            match self.state {
                State::End => return Ok(0),
                State::Between { first } => self.begin_member(first)?,
                State::Body { length } => {
                    let (read, stop) = self.inflate(out)?;
                    let made = out.get(..read).unwrap_or_default();
                    let length = length + read as u64;
                    self.state = State::Body { length };
                    self.followed.add(self.position, made);
                    self.position += read as u64;
                    let crc = self.record(made, stop)?;
                    if stop == Stop::Member {
                        self.read_trailer()?.check(crc, length)?;
                        self.count_empty(length)?;
                        self.state = State::Between { first: false };
                    }
                    if read > 0 {
                        return Ok(read);
                    }
                }
            }
        }
    }

    pub(super) fn new(compressed: Source, start: u64, codec: GzipCodec) -> Self {
        // What a header leaves over is kept while headers are read, so that little is asked for then.
        let first = match compressed.keeps_pieces() {
            true => FIRST_INPUT_BYTES,
            false => FIRST_INPUT_BYTES.max(compressed.hint().min_read),
        };
        Self {
            input: Input {
                source: compressed,
                offset: start,
                step: first,
                buffer: Vec::new(),
                start: 0,
            },
            inflate: Inflate::new(false, WINDOW_BITS),
            crc: crc32fast::Hasher::new(),
            state: State::Between { first: true },
            position: 0,
            members: 0,
            empty: 0,
            recorder: None,
            followed: codec.tail.follow(),
            codec,
            is_sound: true,
        }
    }

    /// The same stream, with a recorder of checkpoints.
    pub(crate) fn recording(self) -> Self {
        Self {
            recorder: Some(Recorder::default()),
            ..self
        }
    }

    /// The recorder; `None` if there is none or it has stopped recording.
    pub(super) fn recorder(&self) -> Option<&Recorder> {
        self.recorder
            .as_ref()
            .filter(|recorder| !recorder.is_full())
    }

    /// Returns the chunks that were finished since the last call.
    pub(super) fn take_finished(&mut self) -> Vec<Finished> {
        self.recorder
            .as_mut()
            .map_or(Vec::new(), Recorder::take_finished)
    }

    /// Whether so little is left that it is worth reading now.
    pub(crate) fn is_nearly_done(&self) -> Result<bool> {
        Ok(self.input.left()? <= NEARLY_DONE_BYTES && !self.is_at_end())
    }

    /// Whether the end of the last member has been reached and verified.
    pub(crate) fn is_at_end(&self) -> bool {
        matches!(self.state, State::End)
    }

    /// Continues to the end of the file after a read of voxels that end at byte `end`, and calls `after_each` after
    /// each step. A tail that is far longer than the voxels is an error. The file's last trailer may show this early.
    /// But any bytes can stand there, so it is used only after [`MIN_TAIL_FOR_TRAILER`] bytes of the tail.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Limit`] if the tail is too long, and errors of [`Decoder::read`].
    pub(crate) fn drain_tail(
        &mut self,
        end: u64,
        mut after_each: impl FnMut(&mut Self),
    ) -> Result<()> {
        let claimed = self.claimed_length()?.saturating_sub(end);
        let is_bomb = claimed > max_tail(end);
        drain(self, |stream| {
            after_each(stream);
            if is_bomb && stream.position > end.saturating_add(MIN_TAIL_FOR_TRAILER) {
                limits::check(TAIL, claimed.into(), max_tail(end))?;
            }
            check_tail(stream.position, end)
        })
    }

    /// The inflated length, modulo 2^32, of the last member according to the last bytes of the file, if they are a
    /// trailer.
    fn claimed_length(&self) -> Result<u64> {
        let mut trailer = [0; TRAILER_BYTES];
        let length = self.input.source.len()?.unwrap_or_default();
        if let Some(at) = length.checked_sub(TRAILER_BYTES as u64) {
            let session = self.input.source.begin()?;
            session.read_at(at, &mut trailer)?;
            session.end()?;
        }
        Ok(Trailer::parse(&trailer).length.into())
    }

    fn count_empty(&mut self, length: u64) -> Result<()> {
        self.empty = if length == 0 { self.empty + 1 } else { 0 };
        let max = MAX_EMPTY_MEMBERS.into();
        limits::check("empty gzip members in a row", self.empty.into(), max)
    }

    /// Passes inflated bytes and the reason for stopping to the recorder. At the end of a member, returns its CRC-32.
    fn record(&mut self, made: &[u8], stop: Stop) -> Result<u32> {
        let Some(recorder) = &mut self.recorder else {
            self.crc.update(made);
            return Ok(match stop {
                Stop::Member => mem::take(&mut self.crc).finalize(),
                _ => 0,
            });
        };
        recorder.add(made, |from, bytes| self.input.near(from, bytes))?;
        match stop {
            Stop::Anywhere => {}
            Stop::Block => recorder.end_block(self.input.position()),
            Stop::Member => return Ok(recorder.end_member(self.input.position())),
        }
        Ok(0)
    }

    /// One step of the inflater. Returns the number of bytes, and where it stopped.
    fn inflate(&mut self, out: &mut [u8]) -> Result<(usize, Stop)> {
        let flush = match self
            .recorder
            .as_ref()
            .is_some_and(Recorder::wants_block_end)
        {
            true => InflateFlush::Block,
            false => InflateFlush::NoFlush,
        };
        loop {
            let input = self.input.fill()?;
            let have = input.len() as u64;
            let (taken, made) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self
                .inflate
                .decompress(input, out, flush)
                .map_err(|error| damaged(error.as_str()))?;
            let taken = self.inflate.total_in() - taken;
            let made = (self.inflate.total_out() - made) as usize;
            self.input.consume(taken as usize);
            // With a block end requested, the inflater stops with space and input left only at the end of a block.
            let at_block = flush == InflateFlush::Block && taken < have && made < out.len();
            match status {
                Status::StreamEnd => return Ok((made, Stop::Member)),
                Status::Ok if at_block => return Ok((made, Stop::Block)),
                _ if made > 0 => return Ok((made, Stop::Anywhere)),
                _ if have == 0 => return Err(self.input.ends_early("gzip data")),
                _ => {}
            }
        }
    }

    fn begin_member(&mut self, first: bool) -> Result<()> {
        if !first && self.is_after_last_member()? {
            self.codec.tail.reached_end(&mut self.followed);
            self.state = State::End;
            return Ok(());
        }
        self.members += 1;
        let max = self.codec.limits.members;
        limits::check("gzip members", self.members.into(), max)?;
        // A file that is too short for a header may still be recognisable as something other than gzip.
        if !is_gzip(self.input.peek(2)?) {
            return Err(not_gzip());
        }
        Header::read(|| {
            // A name may have any length.
            if self.input.buffered().is_empty() {
                scope::check()?;
            }
            let [byte] = self.input.array("gzip header")?;
            Ok(byte)
        })?;
        if let Some(recorder) = &mut self.recorder {
            recorder.begin_member(self.input.position());
        }
        self.inflate.reset(false);
        self.state = State::Body { length: 0 };
        Ok(())
    }

    /// Whether no member follows: at the end of the file, its zero padding, or other bytes (which are counted).
    fn is_after_last_member(&mut self) -> Result<bool> {
        let padding_from = self.input.position();
        while let Some(&byte) = self.input.fill()?.first() {
            if byte != 0 {
                // A member follows directly. After padding only other bytes can follow.
                if self.input.position() == padding_from && is_gzip(self.input.peek(2)?) {
                    return Ok(false);
                }
                let left = self.input.left()?;
                self.codec.trailing.store(left, Ordering::Relaxed);
                break;
            }
            scope::check()?;
            self.input.skip_zeros();
        }
        Ok(true)
    }

    fn read_trailer(&mut self) -> Result<Trailer> {
        let bytes = self.input.array::<TRAILER_BYTES>("gzip trailer")?;
        Ok(Trailer::parse(&bytes))
    }
}

/// A buffer of compressed bytes.
struct Input {
    source: Source,
    /// Offset in the source of the end of the buffer.
    offset: u64,
    /// Number of bytes to read next.
    step: u64,
    buffer: Vec<u8>,
    /// Number of bytes of the buffer that have been used.
    start: usize,
}

impl Input {
    /// Number of bytes of the source that have not been used.
    fn left(&self) -> Result<u64> {
        let length = self.source.len()?.unwrap_or(u64::MAX);
        Ok(length.saturating_sub(self.position()))
    }

    /// The offset of the next byte in the source.
    fn position(&self) -> u64 {
        self.offset - (self.buffer.len() - self.start) as u64
    }

    fn buffered(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// Up to `bytes` bytes from a position that was passed recently: usually still in the buffer.
    fn near(&self, from: u64, bytes: u64) -> Result<Vec<u8>> {
        let end = self
            .source
            .len()?
            .unwrap_or(0)
            .min(from.saturating_add(bytes));
        let mut near = zeros(end.saturating_sub(from))?;
        let begins = self.offset - self.buffer.len() as u64;
        let held = from.checked_sub(begins).filter(|_| end <= self.offset);
        match held {
            Some(at) => memory::copy(&self.buffer, at, &mut near)?,
            None => {
                let session = self.source.begin()?;
                session.read_at(from, &mut near)?;
                session.end()?;
            }
        }
        Ok(near)
    }

    /// The buffered bytes; more are read if there are none. Empty at the end of the source.
    fn fill(&mut self) -> Result<&[u8]> {
        if self.buffered().is_empty() {
            self.read_more()?;
        }
        Ok(self.buffered())
    }

    /// The next bytes, up to `length`, without using them. Fewer at the end of the source.
    fn peek(&mut self, length: usize) -> Result<&[u8]> {
        if self.buffered().len() < length {
            self.read_more()?;
        }
        let ahead = self.buffered();
        Ok(ahead.get(..length).unwrap_or(ahead))
    }

    fn read_more(&mut self) -> Result<()> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let length = self.source.len()?.unwrap_or(u64::MAX);
        let left = length.saturating_sub(self.offset);
        let usual = INPUT_BYTES.max(self.source.hint().min_read);
        let more = left.min(mem::replace(&mut self.step, usual));
        if more > 0 {
            let old = self.buffer.len();
            self.buffer.resize(old + more as usize, 0);
            let session = self.source.begin()?;
            let place = self.buffer.get_mut(old..).unwrap_or_default();
            session.read_at(self.offset, place)?;
            session.end()?;
            self.offset += more;
        }
        Ok(())
    }

    fn consume(&mut self, length: usize) {
        self.start = self.buffer.len().min(self.start + length);
    }

    fn skip_zeros(&mut self) {
        let ahead = self.buffered();
        let zeros = ahead.iter().take_while(|&&byte| byte == 0).count();
        self.consume(zeros);
    }

    /// The next `N` bytes. `what` names what they belong to, for the error if the source ends before.
    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N]> {
        let found = self.peek(N)?.first_chunk::<N>().copied();
        self.consume(N);
        found.ok_or_else(|| self.ends_early(what))
    }

    fn ends_early(&self, what: &'static str) -> Error {
        truncated(what, self.offset, self.offset.saturating_add(1))
    }
}
