//! Recording checkpoints while a stream is inflated.
//!
//! The inflater stops at the end of a block when asked to, but does not say at which bit of its last byte. There
//! are eight possibilities, so all are tried on the bytes that follow: the right one gives what the stream gave,
//! and if no other does too, it is a checkpoint. Otherwise the next block's end is taken.

use std::mem;
use std::sync::atomic::AtomicBool;

use crc32fast::Hasher;
use zlib_rs::{Inflate, InflateFlush};

use super::chunk::{Chunk, WINDOW_BYTES, Window, stream_from};
use crate::error::Result;
use crate::source::Source;

/// Inflated bytes of a chunk at least, unless its member ends before.
pub(super) const SPACING: usize = 1 << 20;

/// Room for a chunk of the usual blocks.
const USUAL_CHUNK: usize = SPACING + SPACING / 4;

/// A chunk that grows larger than this is not kept: slices of such a file are read from its start. Deflate's
/// blocks can have any length, but those of real compressors stay far below.
pub(super) const MOST_CHUNK: usize = 32 << 20;

/// Inflated bytes that tell the right bit from a wrong one.
const TRIAL_BYTES: usize = 512;

/// Compressed bytes that give at least as many inflated ones: the longest header of a block and literals.
const TRIAL_INPUT: u64 = 4096;

/// A chunk and what it holds.
pub(super) struct Finished {
    pub chunk: Chunk,
    pub bytes: Vec<u8>,
}

/// Cuts a stream into chunks while it is inflated.
#[derive(Default)]
pub(super) struct Recorder {
    finished: Vec<Finished>,
    /// The inflated bytes of the chunk that is not finished yet, and where it begins.
    open: Vec<u8>,
    out: u64,
    bit: u64,
    window: Option<Window>,
    /// A block's end in the open chunk whose bit is not known yet.
    candidate: Option<Candidate>,
    /// Checksums of the open chunk up to the candidate, of what is behind it, and of the member before the chunk.
    crc: Hasher,
    behind: Hasher,
    member: Hasher,
    /// Whether a chunk was too large: nothing is recorded any more.
    full: bool,
}

struct Candidate {
    /// Its place in the open bytes.
    at: usize,
    /// Compressed bytes taken before it, the last one perhaps in part.
    taken: u64,
}

impl Recorder {
    /// The chunks that were finished since the last call.
    pub fn take_finished(&mut self) -> Vec<Finished> {
        mem::take(&mut self.finished)
    }

    /// Where the open chunk begins, and its bytes so far; `None` when recording was given up.
    pub fn open(&self) -> Option<(u64, &[u8])> {
        (!self.full).then_some((self.out, &self.open[..]))
    }

    /// A member's data begins at a byte of the file.
    pub fn begin_member(&mut self, byte: u64) {
        self.bit = byte * 8;
        self.window = None;
    }

    /// Whether the next block's end is wanted.
    pub fn wants_boundary(&self) -> bool {
        !self.full && self.candidate.is_none() && self.open.len() >= SPACING
    }

    /// A block ended; `taken` bytes of the file were taken, the last one perhaps in part.
    pub fn boundary(&mut self, taken: u64) {
        let at = self.open.len();
        self.candidate = Some(Candidate { at, taken });
    }

    /// Bytes were inflated.
    ///
    /// # Errors
    /// What reading the compressed file gives.
    pub fn made(&mut self, bytes: &[u8], compressed: &Source) -> Result<()> {
        match self.candidate {
            Some(_) => self.behind.update(bytes),
            None => self.crc.update(bytes),
        }
        if self.full {
            return Ok(());
        }
        if self.open.len() + bytes.len() > MOST_CHUNK {
            self.full = true;
            self.drop_candidate();
            self.open = Vec::new();
            return Ok(());
        }
        self.open.extend_from_slice(bytes);
        let ripe = |candidate: &mut Candidate| self.open.len() >= candidate.at + TRIAL_BYTES;
        if let Some(candidate) = self.candidate.take_if(ripe) {
            match self.resolve(&candidate, compressed)? {
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

    /// A member's data ended before a byte of the file: the member's checksum.
    pub fn end_member(&mut self, byte: u64) -> u32 {
        self.drop_candidate();
        if self.open.is_empty() {
            self.member.combine(&mem::take(&mut self.crc));
        } else {
            self.finish(byte * 8, true, Vec::new());
        }
        mem::take(&mut self.member).finalize()
    }

    /// The block's end is none of ours.
    fn drop_candidate(&mut self) {
        self.candidate = None;
        self.crc.combine(&mem::take(&mut self.behind));
    }

    /// The bit at which a candidate is, and the window before it, if there is no doubt.
    fn resolve(&self, candidate: &Candidate, compressed: &Source) -> Result<Option<(u64, Window)>> {
        let (before, after) = self.open.split_at(candidate.at);
        let Some((window, expected)) = before
            .last_chunk::<WINDOW_BYTES>()
            .zip(after.get(..TRIAL_BYTES))
        else {
            return Ok(None);
        };
        let from = candidate.taken.saturating_sub(1);
        let length = compressed
            .len()?
            .unwrap_or(0)
            .saturating_sub(from)
            .min(TRIAL_INPUT);
        let mut input = vec![0; length as usize];
        let session = compressed.begin()?;
        session.read_at(from, &mut input)?;
        session.end()?;
        let mut fitting = (0..8).filter(|&unused| {
            let bit = candidate.taken * 8 - unused;
            let skip = (bit / 8 - from) as usize;
            input
                .get(skip..)
                .is_some_and(|input| gives(window, input, (bit % 8) as u32, expected))
        });
        let (first, second) = (fitting.next(), fitting.next());
        let only = first.filter(|_| second.is_none());
        Ok(only.map(|unused| {
            let window = Window::Plain(window.as_slice().into());
            (candidate.taken * 8 - unused, window)
        }))
    }

    /// Ends the open chunk at a bit of the file; `rest` belongs to the next one.
    fn finish(&mut self, bit: u64, ends_member: bool, rest: Vec<u8>) {
        let mut bytes = mem::replace(&mut self.open, rest);
        bytes.shrink_to_fit();
        let crc = mem::replace(&mut self.crc, mem::take(&mut self.behind));
        self.member.combine(&crc);
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
            seen: AtomicBool::new(true),
        };
        self.finished.push(Finished { chunk, bytes });
    }
}

/// Whether deflate data from a bit of its first byte on begins with the expected bytes.
fn gives(window: &[u8], data: &[u8], bit: u32, expected: &[u8]) -> bool {
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
