//! The seek index of a gzip file. It is either recorded while a stream is inflated, or read from the headers of
//! members that contain their own length.
//!
//! A checkpoint is the end of a deflate block. The inflater can stop at one, but does not report at which bit of the
//! last byte the block ends. So all eight possibilities are tried on the bytes that follow. If exactly one of them
//! gives the bytes that the stream gives, it is the checkpoint; otherwise the end of the next block is tried.

use std::mem;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crc32fast::Hasher;
use zlib_rs::{Inflate, InflateFlush};

use super::chunk::{Chunk, MAX_CHUNK, WINDOW_BYTES, Window, is_plausible, stream_from};
use super::member::{Header, MAX_EMPTY_MEMBERS, TRAILER_BYTES, Trailer, max_listed_members};
use crate::core::error::Result;
use crate::core::limits::Limits;
use crate::core::scope;
use crate::source::Source;

/// Smallest number of inflated bytes in a chunk, unless the member ends earlier.
pub(super) const SPACING: usize = 1 << 20;

/// Capacity for a chunk with blocks of usual size.
const USUAL_CHUNK: usize = SPACING + SPACING / 4;

/// Number of inflated bytes that are compared to recognise the right bit.
const TRIAL_BYTES: usize = 512;

/// Compressed bytes that are always enough for [`TRIAL_BYTES`]: the longest block header and literals.
const TRIAL_INPUT: u64 = 4096;

/// The chunks of a file, in order, starting at the first inflated byte.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    pub chunks: Vec<Arc<Chunk>>,
    /// Whether the chunks reach the verified end of the file.
    pub complete: bool,
    pub origin: Origin,
}

impl Index {
    /// Number of inflated bytes that the chunks hold.
    pub(super) fn end(&self) -> u64 {
        self.chunks.last().map_or(0, |chunk| chunk.out.end)
    }

    /// What identifies a chunk among those of this index, and of the one that may take its place.
    pub(super) fn key(&self, number: usize) -> Key {
        (self.origin, number)
    }

    /// The numbers of the chunks that overlap a range of inflated bytes.
    pub(super) fn holding(&self, range: &Range<u64>) -> Range<usize> {
        let first = self
            .chunks
            .partition_point(|chunk| chunk.out.end <= range.start);
        let end = self
            .chunks
            .partition_point(|chunk| chunk.out.start < range.end);
        first..end.max(first)
    }

    /// Number of inflated bytes in the largest chunk.
    pub(super) fn largest(&self) -> usize {
        self.chunks
            .iter()
            .map(|chunk| chunk.len())
            .max()
            .unwrap_or(0)
    }
}

/// What a chunk's index was made of, and the chunk's number.
pub(super) type Key = (Origin, usize);

/// What an index was made of. A file may get another index, with other chunks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) enum Origin {
    /// A stream, headers of members, or an index file.
    #[default]
    Recorded,
    /// The table in the file's own header, which may not be true: the file has not been inflated with it.
    Table,
    /// The parts of a read of the whole file.
    Parts,
}

/// A chunk and its inflated bytes.
pub(super) struct Finished {
    pub chunk: Chunk,
    pub bytes: Vec<u8>,
}

/// Splits a stream into chunks while it is inflated.
#[derive(Default)]
pub(super) struct Recorder {
    finished: Vec<Finished>,
    /// The inflated bytes of the open chunk, the one that is not finished yet.
    open: Vec<u8>,
    /// Where the open chunk begins: an offset in the inflated bytes, and a bit of the compressed file.
    out: u64,
    bit: u64,
    /// The window before the open chunk; `None` if the chunk begins a member.
    window: Option<Window>,
    /// The end of a block inside the open chunk, whose bit is not known yet.
    candidate: Option<Candidate>,
    /// The CRC-32 of the open chunk up to the candidate.
    crc: Hasher,
    /// The CRC-32 of the bytes after the candidate.
    crc_after: Hasher,
    /// The CRC-32 of the member up to the open chunk.
    crc_before: Hasher,
    /// Set when a chunk became too large: nothing more is recorded, and slices are read from the start of the file.
    full: bool,
}

struct Candidate {
    /// Number of the open chunk's bytes before it.
    at: usize,
    /// Number of compressed bytes before it; the last one may be used only in part.
    taken: u64,
}

impl Recorder {
    /// Returns the chunks that were finished since the last call.
    pub(super) fn take_finished(&mut self) -> Vec<Finished> {
        mem::take(&mut self.finished)
    }

    /// Whether recording has stopped.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    /// The offset of the open chunk in the inflated bytes, and its bytes so far.
    pub(super) fn open(&self) -> (u64, &[u8]) {
        (self.out, &self.open)
    }

    /// To be called when a member's data begins at this byte of the file.
    pub(super) fn begin_member(&mut self, byte: u64) {
        self.bit = byte * 8;
        self.window = None;
    }

    /// Whether the inflater should stop at the end of the next block.
    pub(super) fn wants_block_end(&self) -> bool {
        !self.full && self.candidate.is_none() && self.open.len() >= SPACING
    }

    /// To be called at the end of a block. `taken` bytes of the file have been read; the last one may be used only in
    /// part.
    pub(super) fn end_block(&mut self, taken: u64) {
        let at = self.open.len();
        self.candidate = Some(Candidate { at, taken });
    }

    /// Adds inflated bytes. `compressed(from, bytes)` reads up to so many bytes of the compressed file.
    ///
    /// # Errors
    /// Errors of reading the compressed file.
    pub(super) fn add(
        &mut self,
        bytes: &[u8],
        compressed: impl Fn(u64, u64) -> Result<Vec<u8>>,
    ) -> Result<()> {
        match self.candidate {
            Some(_) => self.crc_after.update(bytes),
            None => self.crc.update(bytes),
        }
        if self.full {
            return Ok(());
        }
        if self.open.len() + bytes.len() > MAX_CHUNK {
            self.full = true;
            self.drop_candidate();
            self.open = Vec::new();
            return Ok(());
        }
        self.open.extend_from_slice(bytes);
        let can_be_tried = |it: &mut Candidate| self.open.len() >= it.at + TRIAL_BYTES;
        if let Some(candidate) = self.candidate.take_if(can_be_tried) {
            match self.resolve(&candidate, &compressed)? {
                Some((bit, window)) => {
                    let mut rest = Vec::with_capacity(USUAL_CHUNK);
                    rest.extend_from_slice(self.open.get(candidate.at..).unwrap_or_default());
                    self.open.truncate(candidate.at);
                    self.finish(bit, false, rest);
                    self.window = Some(window);
                }
                None => self.drop_candidate(),
            }
        }
        Ok(())
    }

    /// To be called when a member's data ends before this byte of the file. Returns the member's CRC-32.
    pub(super) fn end_member(&mut self, byte: u64) -> u32 {
        self.drop_candidate();
        if self.open.is_empty() {
            self.crc_before.combine(&mem::take(&mut self.crc));
        } else {
            self.finish(byte * 8, true, Vec::new());
        }
        mem::take(&mut self.crc_before).finalize()
    }

    /// Gives up the candidate: the open chunk continues after it.
    fn drop_candidate(&mut self) {
        self.candidate = None;
        self.crc.combine(&mem::take(&mut self.crc_after));
    }

    /// The bit at which the candidate's block ends and the window before it; `None` unless exactly one bit fits.
    fn resolve(
        &self,
        candidate: &Candidate,
        compressed: impl Fn(u64, u64) -> Result<Vec<u8>>,
    ) -> Result<Option<(u64, Window)>> {
        let (before, after) = self.open.split_at(candidate.at);
        let Some((window, expected)) = before
            .last_chunk::<WINDOW_BYTES>()
            .zip(after.get(..TRIAL_BYTES))
        else {
            return Ok(None);
        };
        let from = candidate.taken.saturating_sub(1);
        let input = compressed(from, TRIAL_INPUT)?;
        let mut fitting = (0..8).filter(|&unused| {
            let bit = candidate.taken * 8 - unused;
            let skip = (bit / 8 - from) as usize;
            input
                .get(skip..)
                .is_some_and(|input| inflates_to(window, input, (bit % 8) as u32, expected))
        });
        let (first, second) = (fitting.next(), fitting.next());
        let only = first.filter(|_| second.is_none());
        Ok(only.map(|unused| {
            let window = Window::Plain(window.as_slice().into());
            (candidate.taken * 8 - unused, window)
        }))
    }

    /// Ends the open chunk at this bit of the file; `rest` becomes the beginning of the next chunk.
    fn finish(&mut self, bit: u64, ends_member: bool, rest: Vec<u8>) {
        let mut bytes = mem::replace(&mut self.open, rest);
        bytes.shrink_to_fit();
        let crc = mem::replace(&mut self.crc, mem::take(&mut self.crc_after));
        self.crc_before.combine(&crc);
        let out = self.out..self.out + bytes.len() as u64;
        self.out = out.end;
        let bits = self.bit..bit;
        self.bit = bit;
        let chunk = Chunk {
            out,
            bits,
            window: self.window.take(),
            crc: crc.finalize(),
            ends_member,
            verified: AtomicBool::new(true),
        };
        self.finished.push(Finished { chunk, bytes });
    }
}

/// Whether the deflate data that begins at bit `bit` of `data` inflates to `expected`.
fn inflates_to(window: &[u8], data: &[u8], bit: u32, expected: &[u8]) -> bool {
    let input = stream_from(bit, data);
    let mut inflate = Inflate::new(false, 15);
    let mut made = [0; TRIAL_BYTES];
    inflate.set_dictionary(window).is_ok()
        && inflate
            .decompress(&input, &mut made, InflateFlush::NoFlush)
            .is_ok()
        && inflate.total_out() == expected.len() as u64
        && made.as_slice() == expected
}

/// Bytes read at the start of a member. Headers with the member's length are shorter.
const MEMBER_START_BYTES: u64 = 512;

/// The deflate data that every compressor writes for no bytes.
const EMPTY_DATA: [u8; 2] = [3, 0];

/// The index of a file whose members all contain their own length (BGZF, mgzip, pgzip), made without inflating.
/// `None` for any other file.
///
/// # Errors
/// Errors of reading the file.
pub(super) fn from_member_headers(compressed: &Source, limits: &Limits) -> Result<Option<Index>> {
    let Some(length) = compressed.len()? else {
        return Ok(None);
    };
    let session = compressed.begin()?;
    let mut index = Index::default();
    let (mut empty, mut members) = (0, 0);
    let mut buffer = [0; MEMBER_START_BYTES as usize];
    let (mut at, mut out) = (0, 0);
    while at < length {
        scope::check()?;
        let size = (length - at).min(MEMBER_START_BYTES) as usize;
        let start = buffer.get_mut(..size).unwrap_or_default();
        session.read_at(at, start)?;
        let Some(Header {
            length: header,
            member: Some(member),
        }) = Header::parse(start)
        else {
            return Ok(None);
        };
        let body = at + header;
        let end = at.saturating_add(member);
        let trailer_at = end.saturating_sub(TRAILER_BYTES as u64);
        if trailer_at <= body || end > length {
            return Ok(None);
        }
        let mut trailer = [0; TRAILER_BYTES];
        session.read_at(trailer_at, &mut trailer)?;
        let trailer = Trailer::parse(&trailer);
        let next = out + u64::from(trailer.length);
        if next == out {
            // Empty members get no chunk, so they are verified here.
            let data = start.get(header as usize..);
            let is_sound = data.is_some_and(|data| data.starts_with(&EMPTY_DATA))
                && trailer_at == body + EMPTY_DATA.len() as u64
                && trailer.check(0, 0).is_ok();
            if !is_sound {
                return Ok(None);
            }
            empty += 1;
        } else {
            empty = 0;
        }
        members += 1;
        // Not an error here: reading in order reports what is wrong.
        if empty > MAX_EMPTY_MEMBERS || members > max_listed_members(length, limits) {
            return Ok(None);
        }
        let bits = body * 8..trailer_at * 8;
        if next > out {
            // A large member is better split by recording checkpoints.
            if next - out > MAX_CHUNK as u64 || !is_plausible(&bits, next - out) {
                return Ok(None);
            }
            index.chunks.push(Arc::new(Chunk {
                out: out..next,
                bits,
                window: None,
                crc: trailer.crc,
                ends_member: true,
                verified: AtomicBool::new(false),
            }));
        }
        (at, out) = (end, next);
    }
    session.end()?;
    index.complete = true;
    Ok(Some(index))
}
