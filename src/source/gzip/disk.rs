//! The index kept in a file of its own.
//!
//! Little-endian: magic, the file it belongs to, the chunks, their windows (each deflated), and the CRC-32 of all
//! before it. What is damaged, stale or of another file is no index at all: it is made anew.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::UNIX_EPOCH;

use libdeflater::{CompressionLvl, Compressor};

use super::GzipSource;
use super::chunk::{Chunk, WINDOW_BYTES, Window, may_hold};
use super::gzidx;
use super::index::Index;
use super::record::MOST_CHUNK;
use crate::error::{Error, Result};
use crate::options::Limits;
use crate::save::WholeFile;
use crate::source::Source;
use crate::source::file::{FileSource, Identity};

const MAGIC: [u8; 8] = *b"VOXGZI\x01\n";

/// Bytes of each end of the compressed file that tell it from others.
const END_BYTES: u64 = 64 << 10;

const ENDS_MEMBER: u8 = 1;
const HAS_WINDOW: u8 = 2;

/// What tells the compressed file from others, and from what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Binding {
    length: u64,
    /// Nanoseconds since 1970.
    modified: u64,
    /// CRC-32 of its first and of its last bytes; the trailer is among these.
    ends: [u32; 2],
}

impl Binding {
    /// `None` for what is no file by itself.
    fn of(compressed: &Source) -> Result<Option<Self>> {
        let Source::File(file) = compressed else {
            return Ok(None);
        };
        let length = file.identity().length();
        let since = file
            .identity()
            .modified()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let size = length.min(END_BYTES);
        let session = compressed.begin()?;
        let mut ends = [0; 2];
        for (end, at) in ends.iter_mut().zip([0, length - size]) {
            let mut bytes = vec![0; size as usize];
            session.read_at(at, &mut bytes)?;
            *end = crc32fast::hash(&bytes);
        }
        session.end()?;
        Ok(Some(Self {
            length,
            modified: since.map_or(0, |since| since.as_nanos() as u64),
            ends,
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

impl GzipSource {
    /// Where the index of this file is kept, for the path or folder that the options name.
    pub(super) fn index_path(&self) -> Option<PathBuf> {
        let kept = self.keep.as_ref()?;
        if !kept.is_dir() {
            return Some(kept.clone());
        }
        // Files of one name in several folders have an index each.
        let path = std::path::absolute(self.path()?).ok()?;
        let folder = crc32fast::hash(path.parent()?.as_os_str().as_encoded_bytes());
        let name = path.file_name()?.to_string_lossy();
        Some(kept.join(format!("{name}.{folder:08x}.voxgzi")))
    }

    /// The index that is kept for this file; `None` when there is none that can be used.
    pub(super) fn load_index(&self) -> Result<Option<Index>> {
        let Some(bytes) = self.index_path().and_then(|path| std::fs::read(path).ok()) else {
            return Ok(None);
        };
        if gzidx::is_gzidx(&bytes) {
            return gzidx::import(&bytes, &self.compressed);
        }
        let Some(binding) = Binding::of(&self.compressed)? else {
            return Ok(None);
        };
        Ok(parse(&bytes, &binding))
    }

    /// Makes the index of the whole file, unless it is there, and writes it to `path` (in indexed_gzip's format
    /// for a name that ends in `.gzidx`).
    ///
    /// # Errors
    /// [`crate::ErrorKind::Integrity`] and [`crate::ErrorKind::Truncated`] for a damaged file,
    /// [`crate::ErrorKind::Unsupported`] for one whose index cannot be kept, [`crate::ErrorKind::Io`].
    pub fn write_index(&self, path: &Path) -> Result<()> {
        self.prepare()?;
        if !self.snapshot().complete {
            self.grow_to_end()?;
        }
        let index = self.snapshot();
        let binding = Binding::of(&self.compressed)?.filter(|_| index.complete);
        let binding = binding.ok_or_else(|| {
            Error::unsupported("an index of blocks this long, or of what is no file by itself")
        })?;
        let bytes = match path.extension() {
            Some(ending) if ending.eq_ignore_ascii_case("gzidx") => {
                gzidx::export(&index, binding.length)?
            }
            _ => encode(&index, &binding),
        };
        let mut file = WholeFile::create(path)?;
        file.write_all(&bytes)
            .map_err(|error| Error::io(&error, 0).at(path))?;
        file.finish(path)
    }
}

/// Writes the seek index of a gzip file, for [`crate::LoadOptions::gzip_index`]: in voxload's own format, or in
/// indexed_gzip's (`GZIDX`) when its name ends in `.gzidx`. The gzip file is inflated once, and checked by that.
///
/// # Errors
/// [`crate::ErrorKind::Integrity`] for a damaged file or one that is not gzip, [`crate::ErrorKind::Truncated`],
/// [`crate::ErrorKind::Unsupported`] for an index that the format cannot hold or that would have too large
/// chunks, and what opening, reading and writing give.
pub fn write_gzip_index(file: impl AsRef<Path>, index: impl AsRef<Path>) -> Result<()> {
    let file = file.as_ref();
    let identity = Identity::of_path(file)?;
    let compressed = Source::File(Arc::new(FileSource::new(file, identity, false)));
    let gzip = GzipSource::new(compressed, None, None, Limits::default());
    gzip.write_index(index.as_ref())
        .map_err(|error| error.at(file))
}

fn encode(index: &Index, binding: &Binding) -> Vec<u8> {
    let mut compressor = Compressor::new(CompressionLvl::default());
    let mut bytes = MAGIC.to_vec();
    bytes.extend(binding.bytes());
    bytes.extend((index.chunks.len() as u64).to_le_bytes());
    let mut packed = vec![0; compressor.deflate_compress_bound(WINDOW_BYTES)];
    for chunk in &index.chunks {
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
    bytes
}

/// The index that the bytes hold, if they are whole and belong to the file.
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

fn parse_chunk(rest: &mut &[u8], start: u64, file: u64) -> Option<Chunk> {
    let length = take_u64(rest).filter(|&length| length <= MOST_CHUNK as u64)?;
    let bits = take_u64(rest)?..take_u64(rest)?;
    let crc = u32::from_le_bytes(take(rest)?);
    let [flags] = take(rest)?;
    let mut window = None;
    if flags & HAS_WINDOW != 0 {
        let length = u32::from_le_bytes(take(rest)?) as usize;
        let (packed, behind) = rest.split_at_checked(length)?;
        *rest = behind;
        window = Some(Window::Packed(packed.into()));
    }
    let fits = bits.end <= file.checked_mul(8)? && may_hold(&bits, length);
    fits.then_some(Chunk {
        out: start..start.checked_add(length)?,
        bits,
        window,
        crc,
        ends_member: flags & ENDS_MEMBER != 0,
        seen: AtomicBool::new(false),
    })
}

pub(super) fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, behind) = rest.split_first_chunk::<N>()?;
    *rest = behind;
    Some(*bytes)
}

pub(super) fn take_u64(rest: &mut &[u8]) -> Option<u64> {
    take(rest).map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
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
                seen: AtomicBool::new(true),
            }));
        }
        index.complete = true;
        (index, binding)
    }

    #[test]
    fn what_is_written_is_read() {
        let (index, binding) = example();
        let bytes = encode(&index, &binding);
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
        let bytes = encode(&index, &binding);
        for length in 0..bytes.len() {
            assert!(
                parse(&bytes[..length], &binding).is_none(),
                "cut at {length}"
            );
        }
        let mut random = 1u64;
        let mut below = |end: usize| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (random >> 33) as usize % end
        };
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

    /// The same with a right checksum: whatever comes of it, it ends.
    #[test]
    fn mutations_with_a_right_checksum_are_read_without_harm() {
        let (index, binding) = example();
        let bytes = encode(&index, &binding);
        let mut random = 9u64;
        for _ in 0..10_000 {
            let mut changed = bytes[..bytes.len() - 4].to_vec();
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let at = 32 + (random >> 33) as usize % (changed.len() - 32);
            changed[at] = random as u8;
            changed.extend(crc32fast::hash(&changed).to_le_bytes());
            let _ = parse(&changed, &binding);
        }
    }
}
