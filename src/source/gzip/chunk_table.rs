//! The table of chunks that voxload writes into the header of a gzip file, and reads as its index. doc/GZIP.md has its
//! layout.
//!
//! It is a subfield of the header's extra field, which other readers skip. The chunks are parts of the one member that do
//! not refer to each other, so they can be inflated in any order, and each has a checksum. The table is used only if it
//! fits the file: its lengths add up to the file's, and its checksums combine to the one in the trailer.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crc32fast::Hasher;

use super::checkpoints::{Index, Origin};
use super::chunk::{Chunk, MAX_CHUNK, is_plausible};
use super::member::{EXTRA_FROM, FLAG_EXTRA, Header, TRAILER_BYTES, Trailer};
use crate::core::error::Result;
use crate::core::scope;
use crate::source::{Source, resize};

/// The name of the subfield.
const NAME: [u8; 2] = *b"VX";

/// Bytes of a subfield's name and length.
const NAME_BYTES: usize = 4;

const VERSION: u8 = 1;

/// Bytes of the version, the two lengths, and the checksum after the chunks.
const FIXED_BYTES: usize = 1 + 4 + 8 + CRC_BYTES;
const CRC_BYTES: usize = 4;

/// Bytes for each chunk.
const ENTRY_BYTES: usize = 8;

/// Most chunks in a table. The extra field has at most 65535 bytes, and a whole header should have less than 64 KiB.
const MAX_CHUNKS: u64 = 8000;

/// Inflated bytes of a chunk of a file that does not need longer ones.
pub(crate) const USUAL_CHUNK: usize = 1 << 20;

/// What follows the last chunk: an empty final block.
pub(crate) const LAST_BLOCK: [u8; 2] = [3, 0];

/// Bytes read at the start of a file, to see whether it has a table; and read in addition to the table.
const START_BYTES: usize = 64;

/// A chunk's compressed length, and the CRC-32 of its inflated bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub packed: u32,
    pub crc: u32,
}

/// The lengths and checksums of a file's chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChunkTable {
    /// Inflated bytes of each chunk; the last one may have fewer.
    pub chunk: u32,
    /// Inflated bytes of the file.
    pub length: u64,
    pub entries: Vec<Entry>,
}

/// How a file of `length` inflated bytes is split: the inflated bytes of a chunk, and the number of chunks. `None` if it
/// is too large for a table.
pub(crate) fn split(length: u64) -> Option<(usize, usize)> {
    let usual = USUAL_CHUNK as u64;
    let chunk = length.div_ceil(MAX_CHUNKS).max(1).next_multiple_of(usual);
    let fits = chunk <= MAX_CHUNK as u64;
    fits.then(|| (chunk as usize, length.div_ceil(chunk) as usize))
}

/// A gzip header without a name and a time, so that the same input gives the same file.
pub(crate) const PLAIN_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// A gzip header with room for a table of so many chunks, at most [`MAX_CHUNKS`]; a table of zeros is none.
pub(crate) fn header_without_table(chunks: usize) -> Vec<u8> {
    let mut bytes = PLAIN_HEADER.to_vec();
    if let Some(flags) = bytes.get_mut(3) {
        *flags = FLAG_EXTRA;
    }
    let own = FIXED_BYTES + ENTRY_BYTES * chunks;
    bytes.extend(((NAME_BYTES + own) as u16).to_le_bytes());
    bytes.extend(NAME);
    bytes.extend((own as u16).to_le_bytes());
    bytes.resize(bytes.len() + own, 0);
    bytes
}

impl ChunkTable {
    /// The gzip header with the table.
    pub(crate) fn header(&self) -> Vec<u8> {
        let mut own = vec![VERSION];
        own.extend(self.chunk.to_le_bytes());
        own.extend(self.length.to_le_bytes());
        for entry in &self.entries {
            own.extend(entry.packed.to_le_bytes());
            own.extend(entry.crc.to_le_bytes());
        }
        own.extend(crc32fast::hash(&own).to_le_bytes());
        let mut bytes = header_without_table(self.entries.len());
        bytes.truncate(bytes.len() - own.len());
        bytes.extend(own);
        bytes
    }

    /// Parses what follows the subfield's name and length; `None` if it is damaged or of another version.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (bytes, crc) = bytes.split_last_chunk::<CRC_BYTES>()?;
        if crc32fast::hash(bytes) != u32::from_le_bytes(*crc) {
            return None;
        }
        let (&version, bytes) = bytes.split_first()?;
        let (chunk, bytes) = bytes.split_first_chunk()?;
        let (length, bytes) = bytes.split_first_chunk()?;
        let (entries, rest) = bytes.as_chunks::<ENTRY_BYTES>();
        let (chunk, length) = (u32::from_le_bytes(*chunk), u64::from_le_bytes(*length));
        let count = length.checked_div(chunk.into())? + u64::from(length % u64::from(chunk) > 0);
        let fits = version == VERSION
            && chunk as usize <= MAX_CHUNK
            && rest.is_empty()
            && count == entries.len() as u64;
        fits.then(|| Self {
            chunk,
            length,
            entries: entries.iter().map(Entry::parse).collect(),
        })
    }

    /// The index of a file in which the first chunk begins at byte `start`, and `end` is the byte after the last one.
    /// `None` if the table does not fit the file.
    fn index(&self, start: u64, end: u64, trailer: Trailer) -> Option<Index> {
        let mut index = Index {
            origin: Origin::Table,
            ..Index::default()
        };
        let (mut at, mut whole) = (start, Hasher::new());
        for entry in &self.entries {
            let out = index.end()..self.length.min(index.end() + u64::from(self.chunk));
            let next = at + u64::from(entry.packed);
            let (bits, length) = (at * 8..next * 8, out.end - out.start);
            if next > end || !is_plausible(&bits, length) {
                return None;
            }
            whole.combine(&Hasher::new_with_initial_len(entry.crc, length));
            index.chunks.push(Arc::new(Chunk {
                out,
                bits,
                window: None,
                crc: entry.crc,
                ends_member: false,
                verified: AtomicBool::new(false),
            }));
            at = next;
        }
        index.complete = true;
        let checked = trailer.check(whole.finalize(), self.length);
        (at == end && checked.is_ok()).then_some(index)
    }
}

impl Entry {
    fn parse(bytes: &[u8; ENTRY_BYTES]) -> Self {
        let [a, b, c, d, e, f, g, h] = *bytes;
        Self {
            packed: u32::from_le_bytes([a, b, c, d]),
            crc: u32::from_le_bytes([e, f, g, h]),
        }
    }
}

/// The index that a file's own table gives; `None` if it has none, or one that does not fit.
///
/// # Errors
/// Errors of reading the file.
pub(super) fn from_header(compressed: &Source) -> Result<Option<Index>> {
    let Some(length) = compressed.len()? else {
        return Ok(None);
    };
    let session = compressed.begin()?;
    let mut start = Vec::new();
    resize(&mut start, length.min(START_BYTES as u64))?;
    scope::check()?;
    session.read_at(0, &mut start)?;
    let Some(extra) = extra_bytes(&start) else {
        return Ok(None);
    };
    // A file name may follow.
    let all = (EXTRA_FROM + usize::from(extra) + START_BYTES) as u64;
    if all > start.len() as u64 {
        resize(&mut start, length.min(all))?;
        scope::check()?;
        session.read_at(0, &mut start)?;
    }
    let mut end = [0; LAST_BLOCK.len() + TRAILER_BYTES];
    let Some(end_at) = length.checked_sub(end.len() as u64) else {
        return Ok(None);
    };
    scope::check()?;
    session.read_at(end_at, &mut end)?;
    session.end()?;
    Ok(index_of(&start, usize::from(extra), end_at, &end))
}

/// The length of a file's extra field, if its first subfield is a table.
fn extra_bytes(start: &[u8]) -> Option<u16> {
    let &[.., flags, _, _, _, _, _, _, low, high] = start.first_chunk::<EXTRA_FROM>()?;
    let is_table = start.get(EXTRA_FROM..)?.starts_with(&NAME);
    (flags & FLAG_EXTRA != 0 && is_table).then(|| u16::from_le_bytes([low, high]))
}

fn index_of(
    start: &[u8],
    extra: usize,
    end_at: u64,
    end: &[u8; LAST_BLOCK.len() + TRAILER_BYTES],
) -> Option<Index> {
    let header = Header::parse(start)?;
    let extra = start.get(EXTRA_FROM..EXTRA_FROM + extra)?;
    let ([_, _, low, high], rest) = extra.split_first_chunk::<NAME_BYTES>()?;
    let own = rest.get(..usize::from(u16::from_le_bytes([*low, *high])))?;
    let trailer = Trailer::parse(end.strip_prefix(&LAST_BLOCK)?.first_chunk()?);
    ChunkTable::parse(own)?.index(header.length, end_at, trailer)
}

#[cfg(test)]
mod tests;
