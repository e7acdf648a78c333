//! Chunks: parts of a member that can be inflated independently, each with a checksum.
//!
//! A chunk begins at a deflate block, at any bit of a byte, and may refer to the 32 KiB of inflated bytes before it
//! (the window). libdeflate inflates only whole streams, so a stream is made from the chunk: a stored block with the
//! window, empty blocks up to the bit at which the chunk begins, the chunk's own bits, and an empty final block. The
//! chunk's bits are not shifted, because stored blocks inside it must stay aligned to bytes.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(not(target_family = "wasm"))]
use crc32fast::Hasher;
use libdeflater::Decompressor;
use zlib_rs::{Inflate, InflateFlush, Status};

use super::member::{MAX_DEFLATE_RATIO, damaged};
use crate::core::error::Result;
use crate::core::scope;
use crate::source::forward::SKIP_BYTES;
use crate::source::resize;

/// Compressed bytes that a chunk may have even if it inflates to almost nothing.
const MIN_ALLOWANCE: u64 = 1 << 20;

/// Largest number of inflated bytes in a chunk. Deflate blocks can have any length, but those of real compressors are
/// far shorter.
pub(super) const MAX_CHUNK: usize = 32 << 20;

/// Bytes of a stream, inflated and compressed, up to which libdeflate inflates it even when the read can be cancelled:
/// so much takes less than the 50 ms in which a cancelled read ends.
const MAX_UNINTERRUPTED: usize = 24 << 20;
const MAX_UNINTERRUPTED_INPUT: usize = 6 << 20;

/// The largest distance in deflate.
pub(super) const WINDOW_BYTES: usize = 32 << 10;

/// An empty non-final block with fixed codes, ten bits.
const EMPTY_BLOCK: u32 = 0b010;
const EMPTY_BITS: u32 = 10;

/// An empty final block with fixed codes, ten bits.
pub(super) const FINAL_BLOCK: u128 = 0b011;

/// The bits of a block with fixed codes before its first code, the lowest of which says whether it is the final one.
#[cfg(not(target_family = "wasm"))]
const FIXED_HEAD: u32 = 0b010;
#[cfg(not(target_family = "wasm"))]
const FIXED_HEAD_BITS: u32 = 3;

/// An empty block with dynamic codes, 91 bits. Of the empty blocks with an odd number of bits it is the shortest.
/// Byte 0 and end-of-block have codes of one bit each, and there is one distance code of one bit.
const ODD_BLOCK: u128 = odd_block();
const ODD_BITS: u32 = 91;

/// A part of a member that can be inflated independently.
#[derive(Debug)]
pub(super) struct Chunk {
    /// Its range in the inflated bytes.
    pub out: Range<u64>,
    /// Its range of bits in the compressed file, counted from the lowest bit of each byte.
    pub bits: Range<u64>,
    /// The inflated bytes before it to which it may refer; `None` at the start of a member.
    pub window: Option<Window>,
    /// The CRC-32 of its inflated bytes. For a chunk that is a whole member, this is the one in the member's trailer.
    pub crc: u32,
    /// Whether it ends with the last block of its member.
    pub ends_member: bool,
    /// Whether it has been inflated and its checksum was right.
    pub verified: AtomicBool,
}

/// The [`WINDOW_BYTES`] of inflated data before a chunk.
#[derive(Debug, Clone)]
pub(super) enum Window {
    Plain(Arc<[u8]>),
    /// Deflated, as in an index file: there may be thousands of windows, and few are used.
    Packed(Arc<[u8]>),
}

impl Window {
    /// Writes the window to `place`; `None` if the window is damaged.
    pub(super) fn unpack(&self, place: &mut [u8], decompressor: &mut Decompressor) -> Option<()> {
        match self {
            Self::Plain(bytes) if bytes.len() == place.len() => place.copy_from_slice(bytes),
            Self::Plain(_) => return None,
            Self::Packed(bytes) => {
                let made = decompressor.deflate_decompress(bytes, place).ok()?;
                return (made == place.len()).then_some(());
            }
        }
        Some(())
    }
}

impl Chunk {
    /// The bytes of the compressed file that contain its bits.
    pub(super) fn bytes(&self) -> Range<u64> {
        self.bits.start / 8..self.bits.end.div_ceil(8)
    }

    /// Whether it has been inflated and its checksum was right.
    pub(super) fn is_verified(&self) -> bool {
        self.verified.load(Ordering::Relaxed)
    }

    /// This chunk and the one that follows it as one; `None` if that would be larger than `most` inflated bytes.
    #[cfg(not(target_family = "wasm"))]
    pub(super) fn joined(&self, next: &Self, most: usize) -> Option<Self> {
        if self.len() + next.len() > most || self.ends_member {
            return None;
        }
        let with_length =
            |chunk: &Self| Hasher::new_with_initial_len(chunk.crc, chunk.len() as u64);
        let mut crc = with_length(self);
        crc.combine(&with_length(next));
        Some(Self {
            out: self.out.start..next.out.end,
            bits: self.bits.start..next.bits.end,
            window: self.window.clone(),
            crc: crc.finalize(),
            ends_member: next.ends_member,
            verified: AtomicBool::new(self.is_verified() && next.is_verified()),
        })
    }

    /// Number of inflated bytes, at most [`MAX_CHUNK`].
    pub(super) fn len(&self) -> usize {
        (self.out.end - self.out.start) as usize
    }
}

/// Whether a real compressor can have made a chunk of `length` bytes from these bits: not more than deflate can
/// reach, and not mostly empty blocks. Sizes from an index file or a header are checked with this before memory is
/// allocated.
pub(super) fn is_plausible(bits: &Range<u64>, length: u64) -> bool {
    let bytes = bits.end.saturating_sub(bits.start) / 8;
    bits.start < bits.end
        && bytes <= length.saturating_mul(2).saturating_add(MIN_ALLOWANCE)
        && length <= MAX_DEFLATE_RATIO.saturating_mul(bytes + 1)
}

/// Inflates chunks and reuses its memory from one to the next.
pub(super) struct Inflater {
    decompressor: Decompressor,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Default for Inflater {
    fn default() -> Self {
        Self {
            decompressor: Decompressor::new(),
            input: Vec::new(),
            output: Vec::new(),
        }
    }
}

impl Inflater {
    /// Inflates a chunk and verifies its checksum. `read` fills a buffer with the compressed bytes that begin at an
    /// offset.
    ///
    /// # Errors
    /// Errors of `read`; [`crate::ErrorKind::Integrity`] if the chunk is damaged.
    pub(super) fn inflate(
        &mut self,
        chunk: &Chunk,
        read: impl FnOnce(u64, &mut [u8]) -> Result<()>,
    ) -> Result<&[u8]> {
        let inflated = self.inflate_unchecked(chunk, read)?;
        let right = inflated.filter(|bytes| crc32fast::hash(bytes) == chunk.crc);
        let inflated = right.ok_or_else(|| {
            let Range { start, end } = chunk.bytes();
            damaged(format!(
                "bytes {start}..{end} do not inflate to what they should"
            ))
        })?;
        chunk.verified.store(true, Ordering::Relaxed);
        Ok(inflated)
    }

    /// Inflates a chunk without verifying its checksum; `None` if it does not inflate to its length.
    ///
    /// # Errors
    /// Errors of `read`.
    pub(super) fn inflate_unchecked(
        &mut self,
        chunk: &Chunk,
        read: impl FnOnce(u64, &mut [u8]) -> Result<()>,
    ) -> Result<Option<&[u8]>> {
        if self.fill(chunk, read)?.is_none() {
            return Ok(None);
        }
        let before = chunk.window.as_ref().map_or(0, |_| WINDOW_BYTES);
        let total = before + chunk.len();
        let room = self.output.len().max(total) as u64;
        resize(&mut self.output, room)?;
        let output = self.output.get_mut(..total).unwrap_or_default();
        let made = inflate_all(&mut self.decompressor, &self.input, output)?;
        Ok(output.get(before..).filter(|_| made == Some(total)))
    }

    /// Makes a stream from the chunk; `None` if its window is damaged.
    fn fill(
        &mut self,
        chunk: &Chunk,
        read: impl FnOnce(u64, &mut [u8]) -> Result<()>,
    ) -> Result<Option<()>> {
        let bytes = chunk.bytes();
        self.input.clear();
        if let Some(window) = &chunk.window {
            let place = stored_block(&mut self.input);
            if window.unpack(place, &mut self.decompressor).is_none() {
                return Ok(None);
            }
        }
        let bit = (chunk.bits.start % 8) as u32;
        let low = lead_in(bit, &mut self.input);
        let from = self.input.len();
        resize(&mut self.input, from as u64 + (bytes.end - bytes.start))?;
        let place = self.input.get_mut(from..).unwrap_or_default();
        read(bytes.start, place)?;
        merge_first(place, low, bit);
        if !chunk.ends_member {
            lead_out((chunk.bits.end % 8) as u32, FINAL_BLOCK, &mut self.input);
        }
        Ok(Some(()))
    }
}

/// Inflates a whole stream and returns its length; `None` if it is damaged or longer than `out`.
///
/// libdeflate cannot be interrupted, so zlib-rs inflates large streams of a read that can be cancelled, step by step.
///
/// # Errors
/// [`crate::ErrorKind::Cancelled`].
pub(super) fn inflate_all(
    decompressor: &mut Decompressor,
    input: &[u8],
    out: &mut [u8],
) -> Result<Option<usize>> {
    let is_short = out.len() <= MAX_UNINTERRUPTED && input.len() <= MAX_UNINTERRUPTED_INPUT;
    if !is_short && scope::is_cancellable() {
        return inflate_in_steps(input, out);
    }
    Ok(decompressor.deflate_decompress(input, out).ok())
}

fn inflate_in_steps(input: &[u8], out: &mut [u8]) -> Result<Option<usize>> {
    let mut inflate = Inflate::new(false, 15);
    // The end of the stream may come after the last byte that there is room for.
    let mut beyond = [0];
    loop {
        scope::check()?;
        let (taken, made) = (inflate.total_in(), inflate.total_out());
        let rest = input.get(taken as usize..).unwrap_or_default();
        let place = out.get_mut(made as usize..).unwrap_or_default();
        let step = place.len().min(SKIP_BYTES);
        let place = match step {
            0 => &mut beyond,
            _ => place.get_mut(..step).unwrap_or_default(),
        };
        let status = inflate.decompress(rest, place, InflateFlush::NoFlush);
        let total = inflate.total_out() as usize;
        match status {
            Ok(_) if total > out.len() => return Ok(None),
            Ok(Status::StreamEnd) => return Ok(Some(total)),
            Ok(_) if (inflate.total_in(), inflate.total_out()) != (taken, made) => {}
            _ => return Ok(None),
        }
    }
}

/// Bytes of the header of a stored block that begins at a whole byte.
#[cfg(not(target_family = "wasm"))]
const STORED_HEAD: usize = 5;

/// Appends a stored block of [`WINDOW_BYTES`] and returns the place for its contents.
pub(super) fn stored_block(input: &mut Vec<u8>) -> &mut [u8] {
    let length = WINDOW_BYTES as u16;
    input.push(0);
    input.extend(length.to_le_bytes());
    input.extend((!length).to_le_bytes());
    let from = input.len();
    input.resize(from + WINDOW_BYTES, 0);
    input.get_mut(from..).unwrap_or_default()
}

/// The contents of the [`stored_block`] that a stream begins with.
#[cfg(not(target_family = "wasm"))]
pub(super) fn stored(input: &mut [u8]) -> &mut [u8] {
    let contents = input.get_mut(STORED_HEAD..STORED_HEAD + WINDOW_BYTES);
    contents.unwrap_or_default()
}

/// Appends empty blocks that end at bit `bit` of a byte. Returns the bits in that last, incomplete byte, which the
/// chunk's first byte must be merged with ([`merge_first`]).
pub(super) fn lead_in(bit: u32, input: &mut Vec<u8>) -> u8 {
    let (bits, count) = empty_blocks(bit);
    append(bits, count, input)
}

/// The same for data that begins between two codes of a block with fixed codes: the beginning of such a block follows the
/// empty ones. `is_final` says whether the block is the last one.
#[cfg(not(target_family = "wasm"))]
pub(super) fn lead_in_fixed(bit: u32, is_final: bool, input: &mut Vec<u8>) -> u8 {
    let (bits, count) = empty_blocks((bit + 8 - FIXED_HEAD_BITS) % 8);
    let head = u128::from(FIXED_HEAD | u32::from(is_final));
    append(bits | head << count, count + FIXED_HEAD_BITS, input)
}

/// Empty blocks that end at bit `bit` of a byte, and the number of their bits.
fn empty_blocks(bit: u32) -> (u128, u32) {
    let (mut bits, mut count) = (0, 0);
    if bit % 2 == 1 {
        (bits, count) = (ODD_BLOCK, ODD_BITS);
    }
    while count % 8 != bit {
        bits |= u128::from(EMPTY_BLOCK) << count;
        count += EMPTY_BITS;
    }
    (bits, count)
}

/// Appends the whole bytes of `bits`, and returns the others.
fn append(bits: u128, count: u32, input: &mut Vec<u8>) -> u8 {
    let bytes = bits.to_le_bytes();
    let whole = (count / 8) as usize;
    input.extend(bytes.iter().take(whole));
    bytes.get(whole).copied().unwrap_or_default()
}

/// Puts the bits of the last empty block into the byte that it shares with the chunk.
pub(super) fn merge_first(bytes: &mut [u8], low: u8, bit: u32) {
    if let Some(first) = bytes.first_mut() {
        *first = *first & (0xff << bit) | low;
    }
}

/// A stream made from the deflate data that begins at bit `bit` of the first byte.
pub(super) fn stream_from(bit: u32, bytes: &[u8]) -> Vec<u8> {
    let mut input = Vec::with_capacity(bytes.len() + 16);
    let low = lead_in(bit, &mut input);
    let from = input.len();
    input.extend_from_slice(bytes);
    merge_first(input.get_mut(from..).unwrap_or_default(), low, bit);
    input
}

/// Ends a stream at bit `bit` of its last byte (0: after it) with the final block `block`.
pub(super) fn lead_out(bit: u32, block: u128, input: &mut Vec<u8>) {
    let mut tail = block;
    if bit != 0 {
        let last = input.pop().unwrap_or_default();
        tail = tail << bit | u128::from(last & !(0xff << bit));
    }
    input.extend(tail.to_le_bytes());
}

const fn odd_block() -> u128 {
    let (mut bits, mut at) = (0u128, 0);
    // Not final, dynamic codes; 257 literal codes, 1 distance code, 18 code lengths.
    let fields: [(u128, u32); 5] = [(0, 1), (2, 2), (0, 5), (0, 5), (14, 4)];
    let mut i = 0;
    while i < fields.len() {
        bits |= fields[i].0 << at;
        at += fields[i].1;
        i += 1;
    }
    // In the order 16 17 18 0 8 .. 14 1: 18 (a run of zeros) and 1 have lengths of one bit, with the codes 1 and 0.
    bits |= 1 << (at + 3 * 2);
    bits |= 1 << (at + 3 * 17);
    at += 3 * 18;
    // Byte 0: one bit. Then 138 + 117 unused symbols. End-of-block: one bit. The distance: one bit.
    at += 1;
    bits |= 1 << at | (138 - 11) << (at + 1);
    at += 8;
    bits |= 1 << at | (117 - 11) << (at + 1);
    at += 8;
    at += 2;
    // End-of-block is the second of two codes of one bit.
    bits |= 1 << at;
    bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use zlib_rs::{Inflate, InflateFlush};

    /// Both decoders accept the empty blocks at every bit of a byte.
    #[test]
    fn lead_in_and_lead_out_make_no_bytes() {
        let window: Vec<u8> = (0..WINDOW_BYTES).map(|i| (i * 7 % 251) as u8).collect();
        for bit in 0..8 {
            let mut input = Vec::new();
            stored_block(&mut input).copy_from_slice(&window);
            let low = lead_in(bit, &mut input);
            if bit != 0 {
                input.push(low);
            }
            lead_out(bit, FINAL_BLOCK, &mut input);
            let mut out = vec![0; WINDOW_BYTES + 1];
            let made = Decompressor::new().deflate_decompress(&input, &mut out);
            assert_eq!(made, Ok(WINDOW_BYTES), "bit {bit}");
            assert_eq!(&out[..WINDOW_BYTES], window);
            let mut inflate = Inflate::new(false, 15);
            let status = inflate.decompress(&input, &mut out, InflateFlush::NoFlush);
            assert_eq!(status, Ok(zlib_rs::Status::StreamEnd), "bit {bit}");
            assert_eq!(&out[..WINDOW_BYTES], window);
        }
    }
}
