//! The members of a gzip stream (RFC 1952), inflated one after the other.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use zlib_rs::{Inflate, InflateFlush, Status};

use super::damaged;
use super::framing::{FLAG_RESERVED, TRAILER_BYTES, Trailer, is_gzip};
use super::record::{Finished, Recorder};
use crate::core::limits::{self, Limits};
use crate::error::{ErrorKind, Result};
use crate::source::Source;

/// Compressed bytes read at a time.
const INPUT_BYTES: u64 = 256 << 10;

/// And at first: most headers are no longer, and often no more is wanted.
const FIRST_BYTES: u64 = 4 << 10;

/// Empty members in a row that are taken: a file with more is a bomb.
pub(super) const MOST_EMPTY: u32 = 1 << 16;

/// With no more compressed bytes left than this, reading on to the end costs next to nothing.
const LITTLE_LEFT: u64 = 64 << 10;

/// The largest window of deflate, 2^15 bytes.
const WINDOW_BITS: u8 = 15;

const FLAG_HEADER_CRC: u8 = 2;
const FLAG_EXTRA: u8 = 4;
const FLAG_NAME: u8 = 8;
const FLAG_COMMENT: u8 = 16;

/// An inflating stream over all members.
pub(super) struct Stream {
    input: Input,
    inflate: Inflate,
    place: Place,
    /// The checksum of the member being inflated.
    crc: crc32fast::Hasher,
    /// Inflated bytes given out so far.
    position: u64,
    trailing: Arc<AtomicU64>,
    limits: Limits,
    /// Members begun.
    members: u64,
    /// Empty members in a row.
    empty: u32,
    recorder: Option<Recorder>,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    /// At the start of a member; `first` when there was none before it.
    Between { first: bool },
    /// Inside a member, this many bytes inflated.
    Body { length: u64 },
    /// Behind the last member.
    End,
}

/// Where a step of inflate stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Nowhere,
    /// At the end of a block, which was asked for.
    Block,
    /// At the end of a member's data.
    Member,
}

impl Stream {
    pub fn new(compressed: Source, trailing: Arc<AtomicU64>, limits: Limits) -> Self {
        Self {
            input: Input {
                source: compressed,
                offset: 0,
                buffer: Vec::new(),
                start: 0,
            },
            inflate: Inflate::new(false, WINDOW_BITS),
            crc: crc32fast::Hasher::new(),
            place: Place::Between { first: true },
            position: 0,
            trailing,
            limits,
            members: 0,
            empty: 0,
            recorder: None,
        }
    }

    /// The same, recording checkpoints.
    pub fn recording(self) -> Self {
        Self {
            recorder: Some(Recorder::default()),
            ..self
        }
    }

    pub fn recorder(&self) -> Option<&Recorder> {
        self.recorder.as_ref()
    }

    /// The chunks that were finished since the last call.
    pub fn take_finished(&mut self) -> Vec<Finished> {
        self.recorder
            .as_mut()
            .map_or(Vec::new(), Recorder::take_finished)
    }

    /// Whether so little is left that it may as well be read now.
    pub fn nearly_done(&self) -> Result<bool> {
        let left = self.input.length()?.saturating_sub(self.input.position());
        Ok(left <= LITTLE_LEFT && !self.at_end())
    }

    /// Whether the end of the last member was reached and verified.
    pub fn at_end(&self) -> bool {
        matches!(self.place, Place::End)
    }

    pub fn position(&self) -> u64 {
        self.position
    }

    /// Inflates into `out`, which is not empty; 0 bytes mean the verified end of the last member.
    pub fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        loop {
            match self.place {
                Place::End => return Ok(0),
                Place::Between { first } => self.begin_member(first)?,
                Place::Body { length } => {
                    let (read, stop) = self.inflate(out)?;
                    let made = out.get(..read).unwrap_or_default();
                    let length = length + read as u64;
                    self.place = Place::Body { length };
                    self.position += read as u64;
                    let crc = self.record(made, stop)?;
                    if stop == Stop::Member {
                        self.check_trailer(length, crc)?;
                        self.count_empty(length)?;
                        self.place = Place::Between { first: false };
                    }
                    if read > 0 {
                        return Ok(read);
                    }
                }
            }
        }
    }

    fn count_empty(&mut self, length: u64) -> Result<()> {
        self.empty = if length == 0 { self.empty + 1 } else { 0 };
        let most = MOST_EMPTY.into();
        limits::check("empty gzip members in a row", self.empty.into(), most)
    }

    /// Takes note of bytes that were made and of why inflating stopped; at a member's end, its checksum.
    fn record(&mut self, made: &[u8], stop: Stop) -> Result<u32> {
        let Some(recorder) = &mut self.recorder else {
            self.crc.update(made);
            return Ok(match stop {
                Stop::Member => mem::take(&mut self.crc).finalize(),
                _ => 0,
            });
        };
        recorder.made(made, &self.input.source)?;
        match stop {
            Stop::Nowhere => {}
            Stop::Block => recorder.boundary(self.input.position()),
            Stop::Member => return Ok(recorder.end_member(self.input.position())),
        }
        Ok(0)
    }

    /// One step of inflate: bytes made, and where it stopped.
    fn inflate(&mut self, out: &mut [u8]) -> Result<(usize, Stop)> {
        let wants_boundary = |recorder: &Recorder| recorder.wants_boundary();
        let flush = match self.recorder.as_ref().is_some_and(wants_boundary) {
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
            // With room and input left it stops at the end of a block only, when asked to.
            let at_block = flush == InflateFlush::Block && taken < have && made < out.len();
            match status {
                Status::StreamEnd => return Ok((made, Stop::Member)),
                Status::Ok if at_block => return Ok((made, Stop::Block)),
                _ if made > 0 => return Ok((made, Stop::Nowhere)),
                _ if have == 0 => return Err(self.input.ends_early("gzip data")),
                _ => {}
            }
        }
    }

    fn begin_member(&mut self, first: bool) -> Result<()> {
        if !first && self.at_end_of_members()? {
            self.place = Place::End;
            return Ok(());
        }
        self.members += 1;
        limits::check("gzip members", self.members.into(), self.limits.members)?;
        self.read_header()?;
        if let Some(recorder) = &mut self.recorder {
            recorder.begin_member(self.input.position());
        }
        self.inflate.reset(false);
        self.place = Place::Body { length: 0 };
        Ok(())
    }

    /// Whether there is no further member: the end of the file, padding, or something else (which is noted).
    fn at_end_of_members(&mut self) -> Result<bool> {
        let padding_from = self.input.position();
        while let Some(&byte) = self.input.fill()?.first() {
            if byte != 0 {
                // A member right here; after padding only garbage can follow.
                if self.input.position() == padding_from && is_gzip(self.input.peek(2)?) {
                    return Ok(false);
                }
                let left = self.input.length()?.saturating_sub(self.input.position());
                self.trailing.store(left, Ordering::Relaxed);
                break;
            }
            self.input.skip_zeros();
        }
        Ok(true)
    }

    fn read_header(&mut self) -> Result<()> {
        if !is_gzip(self.input.peek(2)?) {
            return Err(damaged("not a gzip file: it does not begin with 1f 8b"));
        }
        let [_, _, method, flags, ..] = self.input.array::<10>("gzip header")?;
        if method != 8 {
            return Err(damaged(format!("compression method {method} instead of 8")));
        }
        if flags & FLAG_RESERVED != 0 {
            return Err(damaged(format!("reserved flags {flags:#04x} are set")));
        }
        if flags & FLAG_EXTRA != 0 {
            let length = u16::from_le_bytes(self.input.array("gzip header")?);
            for _ in 0..length {
                self.input.array::<1>("gzip header")?;
            }
        }
        for flag in [FLAG_NAME, FLAG_COMMENT] {
            while flags & flag != 0 && self.input.array::<1>("gzip header")? != [0] {}
        }
        if flags & FLAG_HEADER_CRC != 0 {
            self.input.array::<2>("gzip header")?;
        }
        Ok(())
    }

    fn check_trailer(&mut self, length: u64, crc: u32) -> Result<()> {
        let trailer = Trailer::parse(&self.input.array::<TRAILER_BYTES>("gzip trailer")?);
        if trailer.crc != crc {
            return Err(damaged(format!(
                "checksum {crc:08x}, the file says {:08x}",
                trailer.crc
            )));
        }
        if trailer.length != length as u32 {
            return Err(damaged(format!(
                "{length} bytes inflated, the file says {} (modulo 2^32)",
                trailer.length
            )));
        }
        Ok(())
    }
}

/// Compressed bytes, buffered.
struct Input {
    source: Source,
    /// Where in the source the buffer ends.
    offset: u64,
    buffer: Vec<u8>,
    /// Bytes of the buffer that are used up.
    start: usize,
}

impl Input {
    fn length(&self) -> Result<u64> {
        Ok(self.source.len()?.unwrap_or(u64::MAX))
    }

    /// Where the next byte stands in the source.
    fn position(&self) -> u64 {
        self.offset - (self.buffer.len() - self.start) as u64
    }

    /// The bytes at hand, more read when there are none; empty at the end of the source.
    fn fill(&mut self) -> Result<&[u8]> {
        if self.start == self.buffer.len() {
            self.read_more()?;
        }
        Ok(&self.buffer[self.start..])
    }

    /// Up to `length` bytes ahead; fewer at the end of the source.
    fn peek(&mut self, length: usize) -> Result<&[u8]> {
        if self.buffer.len() - self.start < length {
            self.read_more()?;
        }
        let end = self.buffer.len().min(self.start + length);
        Ok(&self.buffer[self.start..end])
    }

    fn read_more(&mut self) -> Result<()> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let left = self.length()?.saturating_sub(self.offset);
        let most = match self.offset {
            0 => FIRST_BYTES,
            _ => INPUT_BYTES,
        };
        let more = left.min(most) as usize;
        if more > 0 {
            let old = self.buffer.len();
            self.buffer.resize(old + more, 0);
            let session = self.source.begin()?;
            session.read_at(self.offset, &mut self.buffer[old..])?;
            session.end()?;
            self.offset += more as u64;
        }
        Ok(())
    }

    fn consume(&mut self, length: usize) {
        self.start = self.buffer.len().min(self.start + length);
    }

    fn skip_zeros(&mut self) {
        let zeros = self.buffer[self.start..]
            .iter()
            .take_while(|&&byte| byte == 0)
            .count();
        self.consume(zeros);
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N]> {
        let found = self.peek(N)?.first_chunk::<N>().copied();
        self.consume(N);
        found.ok_or_else(|| self.ends_early(what))
    }

    fn ends_early(&self, what: &'static str) -> crate::error::Error {
        let have = self.offset;
        ErrorKind::Truncated {
            what,
            have,
            need: have + 1,
        }
        .into()
    }
}
