//! A gzip file (RFC 1952) of any number of members, read by position.
//!
//! Which way a read takes, and the file that has it:
//!
//! | what is read | way | file |
//! |---|---|---|
//! | a header | inflated in order from the start, and kept | [`stream`] |
//! | the whole array, with an index of the whole file | the chunks of the index, on all threads | [`random_access`] |
//! | the whole array, one large member | parts cut at guessed blocks, on all threads | [`parallel`], [`block_finder`] |
//! | the whole array, all that fits in the caller's output | one call of libdeflate for each member | [`one_shot`] |
//! | the whole array, anything else | in order, piece by piece | [`stream`] |
//! | a part | an index, grown as far as needed, then the chunks that are touched | [`random_access`] |
//! | forwards with a cursor of its own | in order | [`stream`], by [`ForwardSource`] |
//!
//! The caller tries the ways to read a whole array in this order ([`GzipSource::chunks`], [`GzipSource::parallel`],
//! [`GzipSource::one_shot`], [`GzipSource::pieces`]): a fast way gives up on whatever it does not understand, and the last
//! one, [`stream`], says what is wrong with a damaged file.
//!
//! What they share:
//! - [`member`]: the parser of member headers, the trailer, and the one place where a member's CRC-32 and length are
//!   compared ([`member::Trailer::check`]).
//! - [`chunk`]: chunks, parts of a member that inflate on their own, each checked by a CRC-32 of its own.
//! - [`checkpoints`]: the index, a list of chunks, recorded while a stream is inflated or read from the headers of BGZF.
//! - [`index_file`]: the index kept in a file, voxload's or indexed_gzip's.
//!
//! Members follow each other; zero padding after the last one is fine; other bytes there are noted
//! ([`GzipSource::trailing`]); a missing or wrong trailer is an error. A read of the whole array goes on to the end of the
//! file, so that all damage is found; a read of a part checks the chunks that it touches.

mod block_finder;
mod checkpoints;
mod chunk;
mod index_file;
mod member;
mod one_shot;
mod parallel;
mod random_access;
mod stream;

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::file::{FileSource, Identity};
use super::forward::{Codec, Decoder, ForwardSource, SKIP_BYTES, read_exact, skip_to};
use super::{Access, ByteSource, Hold, Source};
use crate::core::error::{Error, Result};
use crate::core::limits::Limits;
use crate::core::scope;
pub(super) use member::MAX_DEFLATE_RATIO;
pub(crate) use member::is_gzip;
pub(crate) use random_access::Chunks;
use random_access::RandomAccess;
use stream::GzipCodec;

/// A gzip file of any number of members.
pub(crate) struct GzipSource {
    compressed: Source,
    codec: GzipCodec,
    random: RandomAccess,
    /// The inflated bytes at the start that a header read has asked for.
    prefix: Mutex<Vec<u8>>,
}

impl GzipSource {
    /// `cache` bytes of inflated chunks are kept for the next slice; the index is kept in a file or folder.
    pub fn new(
        compressed: Source,
        cache: Option<usize>,
        index_place: Option<PathBuf>,
        limits: Limits,
    ) -> Self {
        let codec = GzipCodec::new(limits);
        let random = RandomAccess::new(compressed.clone(), codec.clone(), cache, index_place);
        Self {
            compressed,
            codec,
            random,
            prefix: Mutex::default(),
        }
    }

    /// The compressed file, where there is one.
    pub fn path(&self) -> Option<&Path> {
        self.compressed.path()
    }

    /// The same bytes for one reader that goes forwards, whatever others read meanwhile.
    pub fn with_own_cursor(&self) -> ForwardSource<GzipCodec> {
        let (codec, limits) = (self.codec.clone(), *self.codec.limits());
        ForwardSource::new(codec, self.compressed.clone(), 0, limits)
    }

    /// As [`Source::hold`].
    pub fn hold(&self) -> Hold {
        self.compressed.hold()
    }

    /// Closes the compressed file.
    pub fn release(&self) {
        self.compressed.release();
    }

    /// Bytes of something else that were found after the last member.
    pub fn trailing(&self) -> u64 {
        self.codec.trailing()
    }

    /// Up to `length` inflated bytes from the start.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Truncated`] and [`crate::ErrorKind::Integrity`] for damaged files.
    pub fn prefix(&self, length: u64) -> Result<Vec<u8>> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let mut prefix = scope::lock(&self.prefix)?;
        if prefix.len() < length {
            // Headers are short, so that starting again costs next to nothing.
            let mut stream = self.codec.stream(&self.compressed);
            let mut bytes = Vec::new();
            let mut piece = vec![0; length.min(SKIP_BYTES)];
            while bytes.len() < length {
                scope::check()?;
                let wanted = piece.len().min(length - bytes.len());
                let piece = piece.get_mut(..wanted).unwrap_or_default();
                let read = stream.read(piece).map_err(|error| self.named(error))?;
                if read == 0 {
                    break;
                }
                bytes.extend(piece.iter().take(read));
            }
            *prefix = bytes;
        }
        Ok(prefix.get(..length).unwrap_or(&prefix).to_vec())
    }

    /// Every chunk of the file, when an index has them all and each thread can hold one.
    ///
    /// # Errors
    /// What reading the compressed file gives.
    pub fn chunks(&self) -> Result<Option<Chunks>> {
        self.random.chunks()
    }

    /// Inflates every chunk, on all threads, and hands each to `work` with its place in the file.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Integrity`] for a damaged chunk, and what reading the compressed file gives.
    pub fn for_chunks<W: Send, R: Send>(
        &self,
        chunks: &Chunks,
        places: Vec<W>,
        work: impl Fn(u64, &[u8], W) -> R + Sync,
    ) -> Result<Vec<R>> {
        self.random.for_chunks(chunks, places, work)
    }

    /// Inflates a file of one large member on all threads: each part goes to `work` with its place in the inflated bytes
    /// and with what `place`, called in their order, gave for it. The results are in that order. `None` when the file is
    /// not suited or not as it should be; what was handed out may then be wrong. Voxels end at inflated byte `need`.
    ///
    /// # Errors
    /// What reading the compressed file gives.
    pub fn parallel<W: Send, R: Send>(
        &self,
        need: u64,
        place: impl FnMut(&Range<u64>) -> W + Send,
        work: impl Fn(u64, &[u8], W) -> R + Sync,
    ) -> Result<Option<Vec<R>>> {
        parallel::inflate(&self.compressed, need, place, work)
    }

    /// Inflates the whole file, `need` bytes or more, into the end of `room`: the byte of `room` at which the result
    /// begins, or `None` when it does not fit or has to be read otherwise; `room` then holds anything.
    ///
    /// # Errors
    /// What reading the compressed file gives.
    pub fn one_shot(&self, need: u64, room: &mut [u8]) -> Result<Option<usize>> {
        one_shot::inflate(&self.compressed, self.codec.limits(), need, room)
    }

    /// Inflates the whole file in order: the bytes from `start` to `end` go to `sink` in full pieces of `piece` bytes (the
    /// last one shorter), all others are only checked.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Truncated`] and [`crate::ErrorKind::Integrity`] for damaged files, [`crate::ErrorKind::Limit`]
    /// for too long a tail, and what `sink` gives.
    pub fn pieces(
        &self,
        start: u64,
        end: u64,
        piece: usize,
        mut sink: impl FnMut(Vec<u8>) -> Result<Vec<u8>>,
    ) -> Result<()> {
        let mut stream = self.codec.stream(&self.compressed);
        let mut inflate = || -> Result<()> {
            let mut buffer = Vec::new();
            skip_to(&mut stream, start, end, &mut buffer)?;
            while stream.position() < end {
                let length = (end - stream.position()).min(piece as u64) as usize;
                buffer.resize(length, 0);
                read_exact(&mut stream, &mut buffer, end)?;
                buffer = sink(buffer)?;
            }
            stream.drain_tail(end, |_| ())
        };
        inflate().map_err(|error| self.named(error))
    }

    fn named(&self, error: Error) -> Error {
        error.at_maybe(self.path())
    }
}

impl ByteSource for GzipSource {
    fn len(&self) -> Result<Option<u64>> {
        Ok(None)
    }

    fn max_len(&self) -> Result<Option<u64>> {
        let compressed = self.compressed.len()?.unwrap_or(u64::MAX);
        let max_ratio = self.codec.max_ratio();
        Ok(Some(self.codec.limits().inflated(compressed, max_ratio)))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.random
            .read_at(offset, buffer)
            .map_err(|error| self.named(error))
    }

    fn access(&self) -> Access {
        match self.random.is_complete() {
            true => Access::Random,
            false => Access::Sequential,
        }
    }

    fn finish(&self, end: u64) -> Result<()> {
        self.random
            .check_to_end(end)
            .map_err(|error| self.named(error))
    }
}

impl fmt::Debug for GzipSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GzipSource")
            .field("compressed", &self.compressed)
            .finish_non_exhaustive()
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
    gzip.random
        .write_index(index.as_ref())
        .map_err(|error| error.at(file))
}
