//! indexed_gzip's index files (`GZIDX`), read and written.
//!
//! They hold no checksum of any chunk, so an imported one is taken only after the whole file has been inflated
//! by it and the trailer found right; the checksums are then known.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use libdeflater::Decompressor;

use super::chunk::{Chunk, Inflater, WINDOW_BYTES, Window, may_hold};
use super::disk::{take, take_u64};
use super::framing::{TRAILER_BYTES, Trailer};
use super::index::Index;
use super::record::{MOST_CHUNK, SPACING};
use crate::error::{Error, Result};
use crate::source::Source;

const MAGIC: &[u8] = b"GZIDX";

/// The version that has a flag of each point for its window.
const VERSION: u8 = 1;

/// Bytes of a point in the list, with that flag.
const POINT_BYTES: usize = 18;

pub(super) fn is_gzidx(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// A point of the list.
struct Point {
    /// Its bit in the compressed file.
    bit: u64,
    /// Inflated bytes before it.
    out: u64,
    window: bool,
}

/// The index that an indexed_gzip file holds for a file of one member; `None` when it is not right.
///
/// # Errors
/// What reading the compressed file gives.
pub(super) fn import(bytes: &[u8], compressed: &Source) -> Result<Option<Index>> {
    let Some(length) = compressed.len()? else {
        return Ok(None);
    };
    match parse(bytes, length) {
        Some(points) => verified(points, compressed, length),
        None => Ok(None),
    }
}

/// The chunks that the points begin, without their checksums.
fn parse(bytes: &[u8], file: u64) -> Option<Vec<Chunk>> {
    let mut rest = bytes.strip_prefix(MAGIC)?;
    let [version, _flags] = take(&mut rest)?;
    let length = take_u64(&mut rest)?;
    let total = take_u64(&mut rest)?;
    let [_spacing, window, count] = [take(&mut rest)?, take(&mut rest)?, take(&mut rest)?]
        .map(|bytes| u32::from_le_bytes(bytes) as usize);
    if version > VERSION || length != file || window < WINDOW_BYTES {
        return None;
    }
    let mut points = Vec::new();
    for number in 0..count {
        let byte = take_u64(&mut rest)?;
        let out = take_u64(&mut rest)?;
        let [bits] = take(&mut rest)?;
        let window = match version {
            0 => number > 0,
            _ => take::<1>(&mut rest)? != [0],
        };
        let bit = byte.checked_mul(8)?.checked_sub(u64::from(bits))?;
        points.push(Point { bit, out, window });
    }
    let mut chunks: Vec<Chunk> = Vec::new();
    let end = file.checked_sub(TRAILER_BYTES as u64)?.checked_mul(8)?;
    for (number, point) in points.iter().enumerate() {
        let kept = match point.window {
            true => {
                let (window, behind) = rest.split_at_checked(window)?;
                rest = behind;
                window
                    .last_chunk::<WINDOW_BYTES>()
                    .map(|window| Window::Plain(window.as_slice().into()))
            }
            false => None,
        };
        if point.out >= total {
            break;
        }
        let next = points.get(number + 1).filter(|next| next.out < total);
        let out = point.out..next.map_or(total, |next| next.out);
        let bits = point.bit..next.map_or(end, |next| next.bit);
        let follows = point.out == chunks.last().map_or(0, |chunk: &Chunk| chunk.out.end);
        if !follows || !fits(&out) || !may_hold(&bits, out.end - out.start) || bits.end > end {
            return None;
        }
        chunks.push(Chunk {
            out,
            bits,
            window: kept,
            crc: 0,
            ends_member: next.is_none(),
            seen: AtomicBool::new(true),
        });
    }
    Some(chunks)
}

fn fits(out: &Range<u64>) -> bool {
    out.start < out.end && out.end - out.start <= MOST_CHUNK as u64
}

/// The index of the chunks with their checksums, if they inflate to what the trailer says.
fn verified(chunks: Vec<Chunk>, compressed: &Source, length: u64) -> Result<Option<Index>> {
    let session = compressed.begin()?;
    let mut trailer = [0; TRAILER_BYTES];
    session.read_at(length.saturating_sub(TRAILER_BYTES as u64), &mut trailer)?;
    let trailer = Trailer::parse(&trailer);
    let mut inflater = Inflater::default();
    let mut whole = crc32fast::Hasher::new();
    let mut index = Index::default();
    for mut chunk in chunks {
        let bytes = inflater.inflate_unchecked(&chunk, |at, bytes| session.read_at(at, bytes))?;
        let Some(bytes) = bytes else {
            return Ok(None);
        };
        let mut own = crc32fast::Hasher::new();
        own.update(bytes);
        whole.combine(&own);
        chunk.crc = own.finalize();
        index.chunks.push(Arc::new(chunk));
    }
    session.end()?;
    index.complete = true;
    let right = whole.finalize() == trailer.crc && index.end() as u32 == trailer.length;
    Ok(right.then_some(index))
}

/// The index in indexed_gzip's format, for a file of `length` bytes.
///
/// # Errors
/// [`crate::ErrorKind::Unsupported`] for a file of several members.
pub(super) fn export(index: &Index, length: u64) -> Result<Vec<u8>> {
    if index
        .chunks
        .iter()
        .filter(|chunk| chunk.window.is_none())
        .count()
        > 1
    {
        return Err(Error::unsupported(
            "a GZIDX index of a file of several gzip members",
        ));
    }
    let mut bytes = MAGIC.to_vec();
    bytes.extend([VERSION, 0]);
    bytes.extend(length.to_le_bytes());
    bytes.extend(index.end().to_le_bytes());
    // One point more stands at the end of the file.
    for number in [SPACING, WINDOW_BYTES, index.chunks.len() + 1] {
        bytes.extend((number as u32).to_le_bytes());
    }
    bytes.reserve(index.chunks.len() * (POINT_BYTES + WINDOW_BYTES));
    for chunk in &index.chunks {
        let byte = chunk.bits.start.div_ceil(8);
        bytes.extend(byte.to_le_bytes());
        bytes.extend(chunk.out.start.to_le_bytes());
        let unused = byte * 8 - chunk.bits.start;
        bytes.extend([unused as u8, u8::from(chunk.window.is_some())]);
    }
    bytes.extend(length.to_le_bytes());
    bytes.extend(index.end().to_le_bytes());
    bytes.extend([0, 0]);
    let mut decompressor = Decompressor::new();
    for window in index
        .chunks
        .iter()
        .filter_map(|chunk| chunk.window.as_ref())
    {
        let mut plain = [0; WINDOW_BYTES];
        window
            .unpack(&mut plain, &mut decompressor)
            .ok_or_else(|| Error::unsupported("an index with a damaged window"))?;
        bytes.extend(plain);
    }
    Ok(bytes)
}
