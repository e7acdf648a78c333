//! A gzip file read by position.
//!
//! Four ways lead through it. A whole read takes the fastest one that there is: chunks of an index on all threads
//! ([`GzipSource::chunks`]), guessed parts of a large member on all threads ([`GzipSource::side_by_side`]), one shot by
//! libdeflate ([`GzipSource::one_shot`]), or the stream in pieces ([`GzipSource::pieces`]), which also says what is wrong
//! with a damaged file. Reads of a part grow a seek index as far as they need it and then inflate only the chunks they
//! touch. Header reads stream.
//!
//! Every member's CRC-32 and length are compared, members follow each other, zero padding behind the last one is
//! fine, other bytes there are noted (gzip-and-faults.md section 2).

mod chunk;
mod disk;
mod forwards;
mod framing;
mod guess;
mod gzidx;
mod index;
mod member;
mod random;
mod record;
mod side_by_side;
mod walk;
mod whole;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::{ByteSource, Source, TAIL, check_tail, most_tail, truncated};
use crate::core::limits::{self, Limits};
use crate::error::{Error, ErrorKind, Result};
use chunk::Inflater;
pub use disk::write_gzip_index;
use forwards::Forwards;
pub(crate) use framing::is_gzip;
use framing::{TRAILER_BYTES, Trailer};
use index::{ChunkCache, Index};
use member::Stream;
pub(crate) use random::Chunks;

/// Deflate cannot do better than about 1030 to 1, so a header that needs more than this is lying.
pub(super) const MOST_RATIO: u64 = 1100;

/// Bytes inflated at a time when only the position or the checksum matters.
const SKIP_BYTES: usize = 256 << 10;

/// Inflated bytes behind the voxels after which the last trailer is believed to be one.
const SURE_TAIL: u64 = 4 << 20;

/// Inflated chunks that are kept for the next slice, unless the options say otherwise.
const CACHE_BYTES: usize = 32 << 20;

/// A gzip file of any number of members.
pub(crate) struct GzipSource {
    compressed: Source,
    /// Inflates from the start and records the index as far as it was needed.
    stream: Mutex<Option<Stream>>,
    index: RwLock<Arc<Index>>,
    /// Whether an index that need not be made was looked for.
    prepared: Mutex<bool>,
    /// Whether the index was written, or need not be.
    kept: Mutex<bool>,
    cache: ChunkCache,
    inflaters: Mutex<Vec<Inflater>>,
    prefix: Mutex<Vec<u8>>,
    /// Bytes of something else behind the last member, once the end has been seen.
    trailing: Arc<AtomicU64>,
    /// The file or folder in which the index is kept, where the options say so.
    keep: Option<PathBuf>,
    limits: Limits,
}

impl GzipSource {
    /// `cache` bytes of inflated chunks are kept for the next slice; the index is kept in a file or folder.
    pub fn new(
        compressed: Source,
        cache: Option<usize>,
        keep: Option<PathBuf>,
        limits: Limits,
    ) -> Self {
        let cache = cache.unwrap_or(CACHE_BYTES);
        Self {
            compressed,
            keep,
            limits,
            stream: Mutex::default(),
            index: RwLock::default(),
            prepared: Mutex::default(),
            kept: Mutex::default(),
            cache: ChunkCache::new(cache),
            inflaters: Mutex::default(),
            prefix: Mutex::default(),
            trailing: Arc::default(),
        }
    }

    /// The compressed file, where there is one.
    pub fn path(&self) -> Option<&Path> {
        self.compressed.path()
    }

    /// A reader of the same file that nobody else moves.
    pub fn forwards(&self) -> Forwards {
        let (compressed, trailing) = (self.compressed.clone(), Arc::clone(&self.trailing));
        Forwards::new(compressed, trailing, self.limits)
    }

    /// Lets go of the compressed file's handle.
    pub fn release(&self) {
        self.compressed.release();
    }

    /// A bound on the inflated bytes, from the compressed ones alone.
    pub fn most_bytes(&self) -> Result<u64> {
        let compressed = self.compressed.len()?.unwrap_or(u64::MAX);
        Ok(self.limits.inflated(compressed, MOST_RATIO))
    }

    /// Bytes of something else found behind the last member.
    pub fn trailing(&self) -> u64 {
        self.trailing.load(Ordering::Relaxed)
    }

    /// Up to `length` inflated bytes from the start.
    pub fn prefix(&self, length: u64) -> Result<Vec<u8>> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let mut prefix = self.prefix.lock().unwrap_or_else(PoisonError::into_inner);
        if prefix.len() < length {
            // Headers are short: a stream of their own, from the start.
            let mut stream = self.stream();
            let mut bytes = Vec::new();
            let mut piece = vec![0; length.min(SKIP_BYTES)];
            while bytes.len() < length {
                let wanted = piece.len().min(length - bytes.len());
                let read = stream
                    .read(&mut piece[..wanted])
                    .map_err(|error| self.named(error))?;
                if read == 0 {
                    break;
                }
                bytes.extend_from_slice(&piece[..read]);
            }
            *prefix = bytes;
        }
        Ok(prefix[..length.min(prefix.len())].to_vec())
    }

    /// Inflates the whole file in order: the bytes from `start` to `end` go to `sink` in full pieces of
    /// `piece` bytes (the last one shorter), all others are only checked.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] and [`ErrorKind::Integrity`] for damaged files, [`ErrorKind::Limit`] for
    /// too long a tail, and what `sink` gives.
    pub fn pieces(
        &self,
        start: u64,
        end: u64,
        piece: usize,
        mut sink: impl FnMut(Vec<u8>) -> Result<Vec<u8>>,
    ) -> Result<()> {
        let mut stream = self.stream();
        let mut inflate = || -> Result<()> {
            let mut buffer = Vec::new();
            skip_to(&mut stream, start, &mut buffer)?;
            while stream.position() < end {
                let length = (end - stream.position()).min(piece as u64) as usize;
                buffer.resize(length, 0);
                read_exact(&mut stream, &mut buffer, end)?;
                buffer = sink(buffer)?;
            }
            self.drain_behind(&mut stream, end, |_| ())
        };
        inflate().map_err(|error| self.named(error))
    }

    /// Reads on from voxels that end at `end` to the end of the file. The last trailer may announce a tail that only a
    /// bomb has; as other bytes may stand at the end of the file, it is believed once there is some of it.
    fn drain_behind(
        &self,
        stream: &mut Stream,
        end: u64,
        mut each: impl FnMut(&mut Stream),
    ) -> Result<()> {
        let announced = self.announced()?.saturating_sub(end);
        let bomb = announced > most_tail(end);
        drain(stream, Some(end), |stream| {
            each(stream);
            match bomb && stream.position() > end.saturating_add(SURE_TAIL) {
                true => limits::check(TAIL, announced.into(), most_tail(end)),
                false => Ok(()),
            }
        })
    }

    /// The inflated bytes of the last member, or of all if there is one, modulo 2^32, if the file ends with a trailer.
    fn announced(&self) -> Result<u64> {
        let mut trailer = [0; TRAILER_BYTES];
        let length = self.compressed.len()?.unwrap_or_default();
        if let Some(at) = length.checked_sub(TRAILER_BYTES as u64) {
            self.read_compressed(at, &mut trailer)?;
        }
        Ok(Trailer::parse(&trailer).length.into())
    }

    /// A stream from the start that records nothing.
    fn stream(&self) -> Stream {
        let (compressed, trailing) = (self.compressed.clone(), Arc::clone(&self.trailing));
        Stream::new(compressed, trailing, self.limits)
    }

    fn named(&self, error: Error) -> Error {
        error.at_maybe(self.path())
    }

    /// Bytes of the compressed file, if it is known and fits in memory.
    fn compressed_length(&self) -> Result<Option<usize>> {
        let length = self.compressed.len()?;
        Ok(length.and_then(|length| usize::try_from(length).ok()))
    }

    fn read_compressed(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let session = self.compressed.begin()?;
        session.read_at(offset, buffer)?;
        session.end()
    }
}

fn skip_to(stream: &mut Stream, offset: u64, scratch: &mut Vec<u8>) -> Result<()> {
    scratch.resize(SKIP_BYTES, 0);
    while stream.position() < offset {
        let wanted = (offset - stream.position()).min(SKIP_BYTES as u64) as usize;
        if stream.read(&mut scratch[..wanted])? == 0 {
            return Err(truncated("voxel data", stream.position(), offset));
        }
    }
    Ok(())
}

fn read_exact(stream: &mut Stream, mut buffer: &mut [u8], need: u64) -> Result<()> {
    while !buffer.is_empty() {
        match stream.read(buffer)? {
            0 => return Err(truncated("voxel data", stream.position(), need)),
            n => buffer = buffer.get_mut(n..).unwrap_or_default(),
        }
    }
    Ok(())
}

/// Reads on to the end of the file, but not much farther than voxels that end at `end` need; `each` is called on the
/// way.
fn drain(
    stream: &mut Stream,
    end: Option<u64>,
    mut each: impl FnMut(&mut Stream) -> Result<()>,
) -> Result<()> {
    let mut scratch = vec![0; SKIP_BYTES];
    while stream.read(&mut scratch)? > 0 {
        each(stream)?;
        if let Some(end) = end {
            check_tail(stream.position(), end)?;
        }
    }
    Ok(())
}

impl ByteSource for GzipSource {
    fn len(&self) -> Result<Option<u64>> {
        Ok(None)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.read_random(offset, buffer)
            .map_err(|error| self.named(error))
    }

    fn access(&self) -> super::Access {
        match self.snapshot().complete {
            true => super::Access::Random,
            false => super::Access::Sequential,
        }
    }

    fn finish(&self, end: u64) -> Result<()> {
        self.check_to_end(end).map_err(|error| self.named(error))
    }
}

impl fmt::Debug for GzipSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GzipSource")
            .field("compressed", &self.compressed)
            .finish_non_exhaustive()
    }
}

fn damaged(detail: impl Into<String>) -> Error {
    ErrorKind::Integrity {
        codec: "gzip",
        detail: detail.into(),
    }
    .into()
}
