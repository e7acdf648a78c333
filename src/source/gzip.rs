//! A gzip file (RFC 1952) of any number of members, read by position.
//!
//! How each kind of read is done, and in which file. doc/GZIP.md describes all of it.
//!
//! | what is read | how | file |
//! |---|---|---|
//! | a header | inflated in order from the start; the bytes are kept | [`stream`] |
//! | the whole array, with an index of the whole file | the index's chunks, on all threads | [`random_access`] |
//! | the whole array, in one large member | split at likely block starts, or between codes, on all threads | [`parallel`], [`block_finder`] |
//! | the whole array, if the file fits in the caller's output | one call of libdeflate per member | [`one_shot`] |
//! | the whole array, otherwise | in order, piece by piece | [`stream`] |
//! | a part | the index is grown as far as needed, then the chunks that overlap are inflated | [`random_access`] |
//! | the whole or a part, by a reader that only goes forwards | the same parts, some at a time, or in order | [`forwards`] |
//!
//! For a whole array the caller tries [`GzipSource::chunks`], [`GzipSource::parallel`], [`GzipSource::one_shot`] and
//! [`GzipSource::pieces`] in this order. A fast method gives up on everything that it does not recognise; the last
//! one, [`stream`], reads every valid file and reports what is wrong with a damaged one.
//!
//! Shared by all of them:
//! - [`member`]: the parser of member headers, the trailer, and the only comparison of a member's CRC-32 and length
//!   ([`member::Trailer::check`]).
//! - [`chunk`]: chunks, parts of a member that can be inflated independently, each with a CRC-32.
//! - [`checkpoints`]: the index, a list of chunks. It is recorded while a stream is inflated, or read from BGZF
//!   headers.
//! - [`index_file`]: index files, in voxload's format or indexed_gzip's.
//! - [`chunk_table`]: the table of chunks in the header of files that voxload has written.
//! - [`codes`], [`walk`]: the codes of deflate blocks, and the check of what voxload has deflated.
//! - [`tail`]: bytes after the voxels that are kept when a read of the whole array passes them.
//!
//! Members follow each other. Zero padding after the last one is accepted; other bytes there are counted
//! ([`GzipSource::trailing`]); a missing or wrong trailer is an error. A read of the whole array continues to the end
//! of the file, so that all damage is found. A read of a part verifies the chunks that it inflates.

#[cfg(not(target_family = "wasm"))]
mod block_finder;
mod checkpoints;
mod chunk;
pub(crate) mod chunk_table;
mod codes;
#[cfg(not(target_family = "wasm"))]
mod forwards;
mod index_file;
mod member;
mod one_shot;
#[cfg(not(target_family = "wasm"))]
mod parallel;
mod random_access;
mod stream;
mod tail;
pub(crate) mod walk;

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::file::{FileSource, Identity};
use super::forward::{Codec, Decoder, ForwardSource, SKIP_BYTES, read_exact, skip_to};
use super::{Access, ByteSource, KeptPieces, Source};
use crate::core::error::{Error, ErrorKind, Result};
use crate::core::limits::Limits;
use crate::core::options::GzipIndex;
use crate::core::scope;
pub(super) use member::MAX_DEFLATE_RATIO;
pub(crate) use member::is_gzip;
#[cfg(not(target_family = "wasm"))]
use parallel::Parts;
pub(crate) use random_access::Chunks;
use random_access::RandomAccess;
use stream::GzipCodec;

/// A gzip file of any number of members.
pub(crate) struct GzipSource {
    compressed: Source,
    codec: GzipCodec,
    random: RandomAccess,
    /// The inflated bytes from the start of the file that header reads have needed so far.
    prefix: Mutex<Vec<u8>>,
}

impl GzipSource {
    /// Up to `cache` bytes of inflated chunks are kept for later slices. `index` says where the index is kept.
    pub(crate) fn new(
        compressed: Source,
        cache: Option<usize>,
        index: Option<GzipIndex>,
        limits: Limits,
    ) -> Self {
        let codec = GzipCodec::new(limits);
        let random = RandomAccess::new(compressed.clone(), codec.clone(), cache, index);
        Self {
            compressed,
            codec,
            random,
            prefix: Mutex::default(),
        }
    }

    /// Keeps up to `most` inflated bytes from byte `at` on, after the voxels, when a read of the whole array passes them.
    /// Only the first call counts.
    pub(crate) fn keep_tail(&self, at: u64, most: u64) {
        self.codec.tail.keep(at, most);
    }

    /// The bytes that [`Self::keep_tail`] asked for, once a read has passed them.
    pub(crate) fn tail(&self) -> Option<&[u8]> {
        self.codec.tail.bytes()
    }

    /// The same bytes, for which the file is inflated to its end if no read has passed them.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Truncated`] and [`crate::ErrorKind::Integrity`] for a damaged file.
    pub(crate) fn read_tail(&self) -> Result<&[u8]> {
        match self.codec.tail.wanted() {
            Some(range) if self.random.is_complete() => self.read_tail_by_index(range)?,
            Some(range) => self.pieces(range.start, range.start, 1, Ok)?,
            None => {}
        }
        Ok(self.tail().unwrap_or_default())
    }

    /// Reads the tail from the chunks of a complete index.
    fn read_tail_by_index(&self, range: Range<u64>) -> Result<()> {
        let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap_or(0)];
        let mut read = self.random.read_at(range.start, &mut bytes);
        if let Err(error) = &read
            && let ErrorKind::Truncated { have, .. } = *error.kind()
        {
            bytes.truncate(usize::try_from(have.saturating_sub(range.start)).unwrap_or(0));
            read = self.random.read_at(range.start, &mut bytes);
        }
        read.map_err(|error| self.named(error))?;
        let seen = self.codec.tail.begin();
        seen.offer(range.start, &bytes);
        seen.complete();
        Ok(())
    }

    /// The path of the compressed file, if there is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.compressed.path()
    }

    /// The same bytes for one reader that goes forwards, independent of other reads.
    pub(crate) fn with_own_cursor(&self) -> ForwardSource<GzipCodec> {
        let (codec, limits) = (self.codec.clone(), *self.codec.limits());
        ForwardSource::new(codec, self.compressed.clone(), 0, limits)
    }

    /// Whether a reader that goes forwards inflates several parts of the file at a time.
    pub(crate) fn has_parts(&self) -> bool {
        // In browsers there is one thread.
        #[cfg(target_family = "wasm")]
        return false;
        // What goes wrong here goes wrong in the read that follows, which reports it.
        #[cfg(not(target_family = "wasm"))]
        matches!(Parts::forwards(&self.compressed), Ok(Some(_)))
    }

    /// As [`Source::keep_pieces`].
    pub(crate) fn keep_pieces(&self) -> KeptPieces {
        self.compressed.keep_pieces()
    }

    /// Closes the compressed file.
    pub(crate) fn release(&self) {
        self.compressed.release();
    }

    /// Number of bytes after the last member that are neither padding nor gzip.
    pub(crate) fn trailing(&self) -> u64 {
        self.codec.trailing()
    }

    /// Up to `length` inflated bytes from the start.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Truncated`] and [`crate::ErrorKind::Integrity`] for a damaged file.
    pub(crate) fn prefix(&self, length: u64) -> Result<Vec<u8>> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let mut prefix = scope::lock(&self.prefix)?;
        if prefix.len() < length {
            // Headers are short, so starting again costs almost nothing.
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

    /// All chunks of the file, if a complete index exists and its chunks are small enough to inflate one per thread.
    ///
    /// # Errors
    /// Errors of reading the compressed file.
    pub(crate) fn chunks(&self) -> Result<Option<Chunks>> {
        self.random.chunks()
    }

    /// Inflates every chunk, on all threads, and calls `work` with its offset in the inflated bytes, its bytes, and
    /// the corresponding item of `places`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Integrity`] for a damaged chunk, and errors of reading the compressed file.
    pub(crate) fn for_chunks<W: Send, R: Send>(
        &self,
        chunks: &Chunks,
        places: Vec<W>,
        work: impl Fn(u64, &[u8], W) -> R + Sync,
    ) -> Result<Vec<R>> {
        let seen = self.codec.tail.begin();
        let results = self.random.for_chunks(chunks, places, |at, bytes, place| {
            seen.offer(at, bytes);
            work(at, bytes, place)
        })?;
        seen.complete();
        Ok(results)
    }

    /// Inflates a file of one large member on all threads, in parts. `place` is called for the parts in order, with
    /// their ranges in the inflated bytes. `work` is called with a part's offset, its bytes and the result of
    /// `place`. Returns the results in order, or `None` if the file is not suitable or is damaged; then what `work`
    /// was given may be wrong. The voxels end at inflated byte `need`.
    ///
    /// # Errors
    /// Errors of reading the compressed file.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn parallel<W: Send, R: Send>(
        &self,
        need: u64,
        place: impl FnMut(&Range<u64>) -> W + Send,
        work: impl Fn(u64, &[u8], W) -> R + Sync,
    ) -> Result<Option<Vec<R>>> {
        let seen = self.codec.tail.begin();
        let results = parallel::inflate(&self.compressed, need, place, |at, bytes, place| {
            seen.offer(at, bytes);
            work(at, bytes, place)
        })?;
        Ok(results.map(|(results, index)| {
            seen.complete();
            if let Some(index) = index {
                self.codec.leave(index);
            }
            results
        }))
    }

    /// Inflates the whole file, which should give at least `need` bytes, into the end of `buffer`. Returns the byte
    /// of `buffer` at which the result begins, or `None` if it does not fit or must be read differently; then the
    /// contents of `buffer` are unspecified.
    ///
    /// # Errors
    /// Errors of reading the compressed file.
    pub(crate) fn one_shot(&self, need: u64, buffer: &mut [u8]) -> Result<Option<usize>> {
        let start = one_shot::inflate(&self.compressed, self.codec.limits(), need, buffer)?;
        if let Some(start) = start {
            let seen = self.codec.tail.begin();
            seen.offer(0, buffer.get(start..).unwrap_or_default());
            seen.complete();
        }
        Ok(start)
    }

    /// Inflates the whole file in order. The bytes from `start` to `end` go to `sink` in pieces of `piece` bytes (the
    /// last one may be shorter), which returns a buffer to reuse. All other bytes are only verified.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Truncated`] and [`crate::ErrorKind::Integrity`] for a damaged file,
    /// [`crate::ErrorKind::Limit`] if the file continues too far after `end`, and errors of `sink`.
    pub(crate) fn pieces(
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
        // What goes wrong here goes wrong in the read that follows, which reports it.
        match self.random.look_for_index().is_ok() && self.random.is_complete() {
            true => Access::Random,
            false => Access::Sequential,
        }
    }

    fn finish(&self, end: u64) -> Result<()> {
        self.random
            .check_to_end(end)
            .map_err(|error| self.named(error))?;
        match self.codec.tail.wanted() {
            // Nothing was inflated from the start to the end if there was an index before.
            Some(range) if self.random.is_complete() => self.read_tail_by_index(range),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for GzipSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GzipSource")
            .field("compressed", &self.compressed)
            .finish_non_exhaustive()
    }
}

/// Writes the seek index of a gzip file, for [`crate::LoadOptions::gzip_index`]. The format is voxload's own, or
/// indexed_gzip's (`GZIDX`) if the index's name ends in `.gzidx`. The gzip file is inflated once and thereby
/// verified.
///
/// # Errors
/// [`crate::ErrorKind::Integrity`] if the file is damaged or not gzip, [`crate::ErrorKind::Truncated`],
/// [`crate::ErrorKind::Unsupported`] if the format cannot hold the index or a chunk would be too large, and errors of
/// opening, reading and writing files.
pub fn write_gzip_index(file: impl AsRef<Path>, index: impl AsRef<Path>) -> Result<()> {
    let file = file.as_ref();
    let identity = Identity::of_path(file)?;
    let compressed = Source::File(Arc::new(FileSource::new(file, identity, false)));
    let gzip = GzipSource::new(compressed, None, None, Limits::default());
    gzip.random
        .write_index(index.as_ref())
        .map_err(|error| error.at(file))
}
