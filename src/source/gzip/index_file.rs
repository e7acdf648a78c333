//! Index files: in voxload's own format, or in indexed_gzip's (`GZIDX`). doc/GZIP.md has the layout of both.
//!
//! voxload's has the identity of the gzip file, the chunks with their checksums and windows, and a CRC-32 of
//! everything. An index that is damaged, out of date or of another file is ignored and made again.
//!
//! indexed_gzip's has no checksums of chunks. So the whole file is first inflated with it and compared with the
//! trailer; the checksums are computed on the way.

use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::UNIX_EPOCH;

use libdeflater::{CompressionLvl, Compressor, Decompressor};

use super::checkpoints::{Index, SPACING};
use super::chunk::{Chunk, Inflater, MAX_CHUNK, WINDOW_BYTES, Window, is_plausible};
use super::member::{TRAILER_BYTES, Trailer};
use crate::core::error::{Error, Result};
use crate::core::scope;
use crate::source::Source;
use crate::source::whole_file::WholeFile;

const MAGIC: [u8; 8] = *b"VOXGZI\x01\n";

/// Bytes at each end of the compressed file that are part of its identity.
const END_BYTES: u64 = 64 << 10;

// Flags of a chunk.
const ENDS_MEMBER: u8 = 1;
const HAS_WINDOW: u8 = 2;

/// Reads the index of this compressed file; `None` if there is no index file or it cannot be used.
///
/// # Errors
/// Errors of reading the compressed file.
pub(super) fn load(path: &Path, compressed: &Source) -> Result<Option<Index>> {
    let Ok(bytes) = std::fs::read(path) else {
        return Ok(None);
    };
    if is_gzidx(&bytes) {
        return import_gzidx(&bytes, compressed);
    }
    let Some(binding) = Binding::of(compressed)? else {
        return Ok(None);
    };
    Ok(parse(&bytes, &binding))
}

/// The index of a compressed file, which need not be a file of the system, in these bytes; `None` if they cannot be used.
///
/// # Errors
/// Errors of reading the compressed file.
pub(super) fn from_bytes(bytes: &[u8], compressed: &Source) -> Result<Option<Index>> {
    if is_gzidx(bytes) {
        return import_gzidx(bytes, compressed);
    }
    // Of such a source it is not known when it was changed: that is taken from the index.
    let modified = bytes.strip_prefix(&MAGIC).and_then(|mut rest| {
        take_u64(&mut rest)?;
        take_u64(&mut rest)
    });
    let (Some(length), Some(modified)) = (compressed.len()?, modified) else {
        return Ok(None);
    };
    let binding = Binding {
        length,
        modified,
        ends: ends(compressed, length)?,
    };
    Ok(parse(bytes, &binding))
}

/// Writes a complete index to `path`; in indexed_gzip's format if the name ends in `.gzidx`.
///
/// # Errors
/// [`crate::ErrorKind::Unsupported`] if the index cannot be written to a file, [`crate::ErrorKind::Io`].
pub(super) fn write(path: &Path, index: &Index, compressed: &Source) -> Result<()> {
    let binding = Binding::of(compressed)?.filter(|_| index.complete);
    let binding = binding.ok_or_else(|| {
        Error::unsupported(
            "an index of a gzip file with blocks this long, or of data that is not a file",
        )
    })?;
    let bytes = match path.extension() {
        Some(ending) if ending.eq_ignore_ascii_case("gzidx") => {
            export_gzidx(index, binding.length)?
        }
        _ => encode(index, &binding)?,
    };
    let mut file = WholeFile::create(path)?;
    file.write_all(&bytes)
        .map_err(|error| Error::io(error, 0).at(path))?;
    file.finish(path)
}

/// The identity of the compressed file: what must not have changed since the index was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Binding {
    length: u64,
    /// Nanoseconds since 1970.
    modified: u64,
    /// CRC-32 of its first and of its last 64 KiB (which contain the trailer).
    ends: [u32; 2],
}

impl Binding {
    /// `None` if the bytes are not in a file.
    fn of(compressed: &Source) -> Result<Option<Self>> {
        let Source::File(file) = compressed else {
            return Ok(None);
        };
        let length = file.identity().length();
        let since = file
            .identity()
            .modified()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Ok(Some(Self {
            length,
            modified: since.map_or(0, |since| since.as_nanos() as u64),
            ends: ends(compressed, length)?,
        }))
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(self.length.to_le_bytes());
        bytes.extend(self.modified.to_le_bytes());
        self.ends
            .iter()
            .for_each(|end| bytes.extend(end.to_le_bytes()));
        bytes
    }
}

/// The checksums of the first and of the last bytes of a compressed file.
fn ends(compressed: &Source, length: u64) -> Result<[u32; 2]> {
    let size = length.min(END_BYTES);
    let session = compressed.begin()?;
    let mut ends = [0; 2];
    for (end, at) in ends.iter_mut().zip([0, length - size]) {
        let mut bytes = vec![0; size as usize];
        session.read_at(at, &mut bytes)?;
        *end = crc32fast::hash(&bytes);
    }
    session.end()?;
    Ok(ends)
}

/// The contents of an index file in voxload's own format.
///
/// # Errors
/// [`crate::ErrorKind::Cancelled`].
fn encode(index: &Index, binding: &Binding) -> Result<Vec<u8>> {
    let mut compressor = Compressor::new(CompressionLvl::default());
    let mut bytes = MAGIC.to_vec();
    bytes.extend(binding.bytes());
    bytes.extend((index.chunks.len() as u64).to_le_bytes());
    let mut packed = vec![0; compressor.deflate_compress_bound(WINDOW_BYTES)];
    for chunk in &index.chunks {
        scope::check()?;
        bytes.extend((chunk.len() as u64).to_le_bytes());
        bytes.extend(chunk.bits.start.to_le_bytes());
        bytes.extend(chunk.bits.end.to_le_bytes());
        bytes.extend(chunk.crc.to_le_bytes());
        let window = match &chunk.window {
            Some(Window::Plain(window)) => {
                let length = compressor
                    .deflate_compress(window, &mut packed)
                    .unwrap_or(0);
                packed.get(..length)
            }
            Some(Window::Packed(window)) => Some(&window[..]),
            None => None,
        };
        let flags = if chunk.ends_member { ENDS_MEMBER } else { 0 };
        bytes.push(flags | if window.is_some() { HAS_WINDOW } else { 0 });
        if let Some(window) = window {
            bytes.extend((window.len() as u32).to_le_bytes());
            bytes.extend(window);
        }
    }
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    Ok(bytes)
}

/// Parses an index file; `None` if it is damaged or belongs to another file.
fn parse(bytes: &[u8], binding: &Binding) -> Option<Index> {
    let (bytes, checksum) = bytes.split_last_chunk::<4>()?;
    let rest = bytes.strip_prefix(&MAGIC)?;
    let mut rest = rest.strip_prefix(&binding.bytes()[..])?;
    if crc32fast::hash(bytes) != u32::from_le_bytes(*checksum) {
        return None;
    }
    let count = take_u64(&mut rest)?;
    let mut index = Index::default();
    for _ in 0..count {
        let chunk = parse_chunk(&mut rest, index.end(), binding.length)?;
        index.chunks.push(Arc::new(chunk));
    }
    index.complete = true;
    rest.is_empty().then_some(index)
}

/// Parses the next chunk, whose inflated bytes begin at `start`, of a compressed file of `file` bytes.
fn parse_chunk(rest: &mut &[u8], start: u64, file: u64) -> Option<Chunk> {
    let length = take_u64(rest).filter(|&length| length <= MAX_CHUNK as u64)?;
    let bits = take_u64(rest)?..take_u64(rest)?;
    let crc = u32::from_le_bytes(take(rest)?);
    let [flags] = take(rest)?;
    let mut window = None;
    if flags & HAS_WINDOW != 0 {
        let length = u32::from_le_bytes(take(rest)?) as usize;
        let (packed, after) = rest.split_at_checked(length)?;
        *rest = after;
        window = Some(Window::Packed(packed.into()));
    }
    let fits = bits.end <= file.checked_mul(8)? && is_plausible(&bits, length);
    fits.then_some(Chunk {
        out: start..start.checked_add(length)?,
        bits,
        window,
        crc,
        ends_member: flags & ENDS_MEMBER != 0,
        verified: AtomicBool::new(false),
    })
}

/// Splits bytes off the front.
fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*bytes)
}

fn take_u64(rest: &mut &[u8]) -> Option<u64> {
    take(rest).map(u64::from_le_bytes)
}

// ---- indexed_gzip's format ----

const GZIDX_MAGIC: &[u8] = b"GZIDX";

/// From this version on, each point has a flag for its window.
const GZIDX_VERSION: u8 = 1;

/// Bytes of a point in the list, with that flag.
const GZIDX_POINT_BYTES: usize = 18;

fn is_gzidx(bytes: &[u8]) -> bool {
    bytes.starts_with(GZIDX_MAGIC)
}

/// A point of the list.
struct Point {
    /// Its position in the compressed file, in bits.
    bit: u64,
    /// Number of inflated bytes before it.
    out: u64,
    /// Whether the file has its window.
    window: bool,
}

/// Imports an index of indexed_gzip for a file of one member; `None` if it does not match the file.
///
/// # Errors
/// Errors of reading the compressed file.
fn import_gzidx(bytes: &[u8], compressed: &Source) -> Result<Option<Index>> {
    let Some(length) = compressed.len()? else {
        return Ok(None);
    };
    match parse_gzidx(bytes, length) {
        Some(points) => verify(points, compressed, length),
        None => Ok(None),
    }
}

/// The chunks between the points, without checksums.
fn parse_gzidx(bytes: &[u8], file: u64) -> Option<Vec<Chunk>> {
    let mut rest = bytes.strip_prefix(GZIDX_MAGIC)?;
    let [version, _flags] = take(&mut rest)?;
    let length = take_u64(&mut rest)?;
    let total = take_u64(&mut rest)?;
    let [_spacing, window, count] = [take(&mut rest)?, take(&mut rest)?, take(&mut rest)?]
        .map(|bytes| u32::from_le_bytes(bytes) as usize);
    if version > GZIDX_VERSION || length != file || window < WINDOW_BYTES {
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
                let (window, after) = rest.split_at_checked(window)?;
                rest = after;
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
        if !follows
            || !is_chunk(&out)
            || !is_plausible(&bits, out.end - out.start)
            || bits.end > end
        {
            return None;
        }
        chunks.push(Chunk {
            out,
            bits,
            window: kept,
            crc: 0,
            ends_member: next.is_none(),
            verified: AtomicBool::new(true),
        });
    }
    Some(chunks)
}

fn is_chunk(out: &Range<u64>) -> bool {
    out.start < out.end && out.end - out.start <= MAX_CHUNK as u64
}

/// The index with checksums; `None` unless the chunks inflate to what the trailer says.
fn verify(chunks: Vec<Chunk>, compressed: &Source, length: u64) -> Result<Option<Index>> {
    let session = compressed.begin()?;
    let mut trailer = [0; TRAILER_BYTES];
    session.read_at(length.saturating_sub(TRAILER_BYTES as u64), &mut trailer)?;
    let trailer = Trailer::parse(&trailer);
    let mut inflater = Inflater::default();
    let mut whole = crc32fast::Hasher::new();
    let mut index = Index::default();
    for mut chunk in chunks {
        scope::check()?;
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
    let checked = trailer.check(whole.finalize(), index.end());
    Ok(checked.is_ok().then_some(index))
}

/// The contents of an index file in indexed_gzip's format, for a compressed file of `length` bytes.
///
/// # Errors
/// [`crate::ErrorKind::Unsupported`] for a file of several members.
fn export_gzidx(index: &Index, length: u64) -> Result<Vec<u8>> {
    if index
        .chunks
        .iter()
        .filter(|chunk| chunk.window.is_none())
        .count()
        > 1
    {
        return Err(Error::unsupported(
            "a GZIDX index of a gzip file with several members",
        ));
    }
    let mut bytes = GZIDX_MAGIC.to_vec();
    bytes.extend([GZIDX_VERSION, 0]);
    bytes.extend(length.to_le_bytes());
    bytes.extend(index.end().to_le_bytes());
    // There is one more point, at the end of the file.
    for number in [SPACING, WINDOW_BYTES, index.chunks.len() + 1] {
        bytes.extend((number as u32).to_le_bytes());
    }
    bytes.reserve(index.chunks.len() * (GZIDX_POINT_BYTES + WINDOW_BYTES));
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
            .ok_or_else(|| Error::unsupported("writing an index with a damaged window"))?;
        bytes.extend(plain);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Rng;
    use libdeflater::Decompressor;

    fn example() -> (Index, Binding) {
        let binding = Binding {
            length: 1 << 20,
            modified: 77,
            ends: [1, 2],
        };
        let mut index = Index::default();
        for number in 0..20u64 {
            let window: Vec<u8> = (0..WINDOW_BYTES as u64)
                .map(|i| ((i * number) >> 7) as u8)
                .collect();
            index.chunks.push(Arc::new(Chunk {
                out: number * 5000..(number + 1) * 5000,
                bits: number * 999 + 80..(number + 1) * 999 + 80,
                window: (number > 0).then(|| Window::Plain(window.into())),
                crc: number as u32 * 0x0101_0101,
                ends_member: number == 19,
                verified: AtomicBool::new(true),
            }));
        }
        index.complete = true;
        (index, binding)
    }

    #[test]
    fn what_is_written_is_read() {
        let (index, binding) = example();
        let bytes = encode(&index, &binding).unwrap();
        let read = parse(&bytes, &binding).expect("it is sound");
        for (read, chunk) in read.chunks.iter().zip(&index.chunks) {
            assert_eq!(
                (&read.out, &read.bits, read.crc),
                (&chunk.out, &chunk.bits, chunk.crc)
            );
            assert_eq!(read.ends_member, chunk.ends_member);
            let windows = [read, chunk].map(|chunk| {
                let mut place = vec![0; WINDOW_BYTES];
                let window = chunk.window.as_ref()?;
                window
                    .unpack(&mut place, &mut Decompressor::new())
                    .map(|()| place)
            });
            assert!(windows[0] == windows[1]);
        }
        assert!(read.complete && read.chunks.len() == index.chunks.len());
        for other in [
            Binding {
                length: 5,
                ..binding
            },
            Binding {
                modified: 5,
                ..binding
            },
            Binding {
                ends: [2, 1],
                ..binding
            },
        ] {
            assert!(parse(&bytes, &other).is_none(), "another file's");
        }
    }

    #[test]
    fn every_cut_and_ten_thousand_mutations_are_found() {
        let (index, binding) = example();
        let bytes = encode(&index, &binding).unwrap();
        for length in 0..bytes.len() {
            assert!(
                parse(&bytes[..length], &binding).is_none(),
                "cut at {length}"
            );
        }
        let mut random = Rng::new(1);
        let mut below = |end| random.below(end);
        for number in 0..10_000 {
            let mut changed = bytes.clone();
            let at = below(changed.len());
            match below(4) {
                0 => changed[at] ^= 1 << below(8),
                1 => changed.truncate(at),
                2 => drop(changed.drain(at..(at + 1 + below(9)).min(bytes.len()))),
                _ => drop(changed.splice(at..at, [below(256) as u8])),
            }
            assert!(
                changed == bytes || parse(&changed, &binding).is_none(),
                "mutation {number}"
            );
        }
    }

    /// Mutations whose checksum is right are accepted or not, but must not panic.
    #[test]
    fn mutations_with_a_right_checksum_are_read_without_harm() {
        let (index, binding) = example();
        let bytes = encode(&index, &binding).unwrap();
        let mut random = Rng::new(9);
        for _ in 0..10_000 {
            let mut changed = bytes[..bytes.len() - 4].to_vec();
            let at = 32 + random.below(changed.len() - 32);
            changed[at] = random.bits() as u8;
            changed.extend(crc32fast::hash(&changed).to_le_bytes());
            let _ = parse(&changed, &binding);
        }
    }
}
