//! Where stored bytes come from. Every source is read by position:
//! - [`mmap`], [`file`](mod@file), [`memory`]: uncompressed bytes in a mapping, a file or memory;
//! - [`gzip`]: gzip, with random access by a seek index;
//! - [`codec`]: zlib, bzip2 and zstd, which can only be read forwards ([`forward`] has what all decoders share);
//! - [`text`]: numbers written as text;
//! - [`offset`], [`tail`], [`blocks`], [`joined`]: parts of other sources;
//! - [`ByteSource`]: implementations of the caller;
//! - [`hinted`]: those of them that want few and large requests.
//!
//! [`whole_file`] writes files (seek indexes, saved images) that are either complete or not there at all.

pub(crate) mod blocks;
pub(crate) mod codec;
pub(crate) mod file;
mod forward;
pub(crate) mod gzip;
mod hinted;
pub(crate) mod joined;
pub(crate) mod memory;
pub(crate) mod mmap;
pub(crate) mod offset;
pub(crate) mod tail;
pub(crate) mod text;
pub(crate) mod whole_file;

use std::fmt;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use crate::core::array::StoredArray;
use crate::core::error::{Error, ErrorKind, Result};
use crate::core::{limits, scope};
use file::FileSource;
use gzip::GzipSource;
use hinted::HintedSource;
pub(crate) use hinted::KeptPieces;
pub use hinted::ReadHint;
use memory::MemorySource;
use mmap::{MapGuard, MmapSource};

/// Bytes per read of a source whose length is unknown.
const PREFIX_STEP: u64 = 64 << 10;

/// How a source is best read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Any part costs the same, and several threads can read at once.
    Random,
    /// From the start to the end: reading backwards means starting again.
    Sequential,
}

/// Bytes that can be read by position. voxload implements this for files, memory and gzip; callers can implement it
/// for anything else that holds a volume.
#[expect(
    clippy::len_without_is_empty,
    reason = "the length may be unknown, and nothing here asks whether a source is empty"
)]
pub trait ByteSource: Send + Sync + fmt::Debug {
    /// Number of bytes; `None` when it is known only after reading to the end.
    ///
    /// # Errors
    /// Errors of the operating system.
    fn len(&self) -> Result<Option<u64>>;

    /// An upper bound of the number of bytes that is known before reading.
    ///
    /// # Errors
    /// As [`Self::len`].
    fn max_len(&self) -> Result<Option<u64>> {
        self.len()
    }

    /// Fills `buffer` with the bytes that begin at `offset`.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] if the source has fewer bytes, [`ErrorKind::Io`] if reading fails,
    /// [`ErrorKind::Integrity`] if the data is damaged.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()>;

    /// How the source is best read.
    fn access(&self) -> Access {
        Access::Random
    }

    /// The file that the bytes come from, for messages; `None` if there is none, or several.
    fn path(&self) -> Option<&Path> {
        None
    }

    /// Called after a read of the whole array, which ends at byte `end`. Checks what is known only at the end of the
    /// stream, such as a checksum.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] if a checksum or length is wrong, [`ErrorKind::Limit`] if the stream continues far
    /// beyond the array.
    fn finish(&self, end: u64) -> Result<()> {
        let _ = end;
        Ok(())
    }

    /// How large requests should be: for sources where each costs much whatever its size, as over a network. Asked once.
    fn hint(&self) -> ReadHint {
        ReadHint::default()
    }
}

/// A source: one of the kinds that have fast paths, or any other.
#[derive(Clone)]
pub(crate) enum Source {
    Mapped(Arc<MmapSource>),
    File(Arc<FileSource>),
    Memory(MemorySource),
    /// The elements of an array, in native byte order.
    Array(StoredArray),
    Gzip(Arc<GzipSource>),
    Custom(Arc<dyn ByteSource>),
    /// One that wants large requests.
    Hinted(Arc<HintedSource>),
    /// The voxels' file was missing when the header was read; reading voxels is an error.
    Missing(Arc<Path>),
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mapped(source) => source.fmt(f),
            Self::File(source) => source.fmt(f),
            Self::Memory(source) => source.fmt(f),
            // Not its elements.
            Self::Array(array) => write!(f, "Array({} {:?})", array.dtype(), array.shape()),
            Self::Gzip(source) => source.fmt(f),
            Self::Custom(source) => source.fmt(f),
            Self::Hinted(source) => source.fmt(f),
            Self::Missing(path) => write!(f, "Missing({})", path.display()),
        }
    }
}

/// One operation on a source: a file handle opened once, a mapping that is checked before and after.
pub(crate) struct Session<'a> {
    reader: Reader<'a>,
}

enum Reader<'a> {
    Mapped(&'a MmapSource, MapGuard),
    File(&'a FileSource, Arc<File>),
    Memory(&'a [u8]),
    Other(&'a dyn ByteSource),
    Hinted(KeptPieces),
}

impl Source {
    /// A source of the caller's, or one made of others, read as it wants to be.
    pub(crate) fn custom(source: Arc<dyn ByteSource>) -> Self {
        let ReadHint {
            merge_gap,
            min_read,
        } = source.hint();
        match ReadHint::new().merge_gap(merge_gap).min_read(min_read) {
            hint if hint == ReadHint::default() => Self::Custom(source),
            hint => Self::Hinted(HintedSource::new(source, hint)),
        }
    }

    /// How the source wants to be read.
    pub(crate) fn hint(&self) -> ReadHint {
        match self {
            Self::Hinted(source) => source.hint(),
            Self::Custom(source) => source.hint(),
            _ => ReadHint::default(),
        }
    }

    /// The same bytes for a source that is made of this one and has its hint: only that one then keeps pieces.
    pub(crate) fn without_pieces(self) -> Self {
        match self {
            Self::Hinted(source) => Self::Custom(Arc::clone(source.inner())),
            other => other,
        }
    }

    /// Makes one read of several operations: what one has read beyond its end, as the hint wants it, serves the next.
    pub(crate) fn keep_pieces(&self) -> KeptPieces {
        match self {
            Self::Hinted(source) => source.begin(),
            Self::Gzip(source) => source.keep_pieces(),
            _ => KeptPieces::default(),
        }
    }

    /// Whether what a read has read beyond its end serves the next one: while a header is read.
    fn keeps_pieces(&self) -> bool {
        match self {
            Self::Hinted(source) => source.keeps(),
            _ => false,
        }
    }

    /// Memory that a hint has a read take, in bytes.
    pub(crate) fn held_bytes(&self) -> u64 {
        match self {
            Self::Hinted(source) => source.held_bytes(),
            _ => 0,
        }
    }

    /// Begins an operation.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::Changed`] or [`ErrorKind::Io`].
    pub(crate) fn begin(&self) -> Result<Session<'_>> {
        let reader = match self {
            Self::Mapped(source) => Reader::Mapped(source, source.begin()?),
            Self::File(source) => Reader::File(source, source.begin()?),
            Self::Memory(source) => Reader::Memory(source.bytes()),
            Self::Array(array) => Reader::Memory(array.as_bytes()),
            Self::Gzip(source) => Reader::Other(source.as_ref()),
            Self::Custom(source) => Reader::Other(source.as_ref()),
            Self::Hinted(source) => Reader::Hinted(source.begin()),
            Self::Missing(path) => return Err(Error::from(ErrorKind::NotFound).at(path)),
        };
        Ok(Session { reader })
    }

    /// Begins an operation that reads all voxels.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub(crate) fn begin_whole(&self) -> Result<Session<'_>> {
        if let Self::Mapped(source) = self
            && let Some(file) = source.unmapped()
        {
            let reader = Reader::File(file, file.begin()?);
            return Ok(Session { reader });
        }
        self.begin()
    }

    /// The same bytes for one reader that goes forwards. For gzip without an index this is a separate stream, so that other
    /// reads do not move its position.
    pub(crate) fn with_own_cursor(&self) -> Self {
        match self {
            Self::Gzip(source) if source.access() == Access::Sequential => {
                Self::Custom(Arc::new(source.with_own_cursor()))
            }
            other => other.clone(),
        }
    }

    /// Whether a reader of the whole should have a cursor of its own ([`Self::with_own_cursor`]): then several parts of a gzip
    /// file are inflated at a time.
    pub(crate) fn has_parts(&self) -> bool {
        match self {
            Self::Gzip(source) => source.access() == Access::Sequential && source.has_parts(),
            _ => false,
        }
    }

    /// Number of bytes, if it is known before reading.
    pub(crate) fn len(&self) -> Result<Option<u64>> {
        match self {
            Self::Mapped(source) => Ok(Some(source.len())),
            Self::File(source) => source.len(),
            Self::Memory(source) => source.len(),
            Self::Array(array) => Ok(Some(array.as_bytes().len() as u64)),
            Self::Gzip(source) => source.len(),
            Self::Custom(source) => source.len(),
            Self::Hinted(source) => source.len(),
            Self::Missing(path) => Err(Error::from(ErrorKind::NotFound).at(path)),
        }
    }

    /// The path of the file, if there is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Mapped(source) => Some(source.path()),
            Self::File(source) => Some(source.path()),
            Self::Gzip(source) => source.path(),
            Self::Missing(path) => Some(path),
            Self::Custom(source) => source.path(),
            Self::Memory(_) | Self::Array(_) | Self::Hinted(_) => None,
        }
    }

    /// Closes the file that was opened to read the header, so that a loaded image holds no handle until its voxels
    /// are read ([`crate::KeepFileOpen`]).
    pub(crate) fn release(&self) {
        match self {
            Self::Mapped(source) => source.release(),
            Self::File(source) => source.release(),
            Self::Gzip(source) => source.release(),
            Self::Hinted(source) => source.release(),
            Self::Memory(_) | Self::Array(_) | Self::Custom(_) | Self::Missing(_) => {}
        }
    }

    /// An upper bound of the number of bytes that is known before anything is inflated.
    pub(crate) fn max_len(&self) -> Result<Option<u64>> {
        match self {
            Self::Gzip(source) => source.max_len(),
            Self::Custom(source) => source.max_len(),
            Self::Hinted(source) => source.max_len(),
            other => other.len(),
        }
    }

    /// Number of bytes that are not gzip and were found after a gzip stream.
    pub(crate) fn trailing(&self) -> u64 {
        match self {
            Self::Gzip(source) => source.trailing(),
            _ => 0,
        }
    }

    /// The bytes of a gzip stream that [`GzipSource::keep_tail`] asked for, once a read has passed them.
    pub(crate) fn tail(&self) -> Option<&[u8]> {
        match self {
            Self::Gzip(source) => source.tail(),
            _ => None,
        }
    }

    /// Whether the source is a gzip file.
    #[cfg(feature = "gpu")]
    pub(crate) fn is_gzip(&self) -> bool {
        matches!(self, Self::Gzip(_))
    }

    pub(crate) fn access(&self) -> Access {
        match self {
            Self::Gzip(source) => source.access(),
            Self::Custom(source) => source.access(),
            Self::Hinted(source) => source.access(),
            _ => Access::Random,
        }
    }

    /// Up to `length` bytes from the start; fewer if the source is shorter.
    pub(crate) fn prefix(&self, length: u64) -> Result<Vec<u8>> {
        match self {
            Self::Gzip(source) => source.prefix(length),
            other => match other.len()? {
                Some(have) => {
                    let mut bytes = zeros(have.min(length))?;
                    match other {
                        Self::Mapped(source) => source.prefix(&mut bytes)?,
                        Self::File(source) => source.prefix(&mut bytes)?,
                        _ => {
                            let session = other.begin()?;
                            session.read_at(0, &mut bytes)?;
                            session.end()?;
                        }
                    }
                    Ok(bytes)
                }
                None => other.prefix_of_unknown(length),
            },
        }
    }

    /// [`Self::prefix`] for a source whose length is known only after reading to the end.
    fn prefix_of_unknown(&self, length: u64) -> Result<Vec<u8>> {
        let session = self.begin()?;
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < length {
            scope::check()?;
            let old = bytes.len();
            let more = (length - old as u64).min(PREFIX_STEP) as usize;
            resize(&mut bytes, (old + more) as u64)?;
            let place = bytes.get_mut(old..).unwrap_or_default();
            let Err(error) = session.read_at(old as u64, place) else {
                continue;
            };
            let ErrorKind::Truncated { have, .. } = *error.kind() else {
                return Err(error);
            };
            // The source ends here: read what it has.
            let rest = have.saturating_sub(old as u64).min(more as u64) as usize;
            bytes.truncate(old + rest);
            let rest = bytes.get_mut(old..).unwrap_or_default();
            session.read_at(old as u64, rest)?;
            break;
        }
        session.end()?;
        Ok(bytes)
    }
}

impl Session<'_> {
    /// All bytes, if they are in memory.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        match &self.reader {
            Reader::Mapped(_, guard) => Some(guard.bytes()),
            Reader::Memory(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub(crate) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        match &self.reader {
            Reader::Mapped(_, guard) => memory::copy(guard.bytes(), offset, buffer),
            Reader::Memory(bytes) => memory::copy(bytes, offset, buffer),
            Reader::File(source, file) => source.read_open(file, offset, buffer),
            Reader::Other(source) => source.read_at(offset, buffer),
            Reader::Hinted(hold) => match hold.source() {
                Some(source) => source.read_at(offset, buffer),
                None => Ok(()),
            },
        }
    }

    /// How far apart what is read by one request may be ([`ReadHint::merge_gap`]).
    pub(crate) fn merge_gap(&self) -> u64 {
        let hinted = match &self.reader {
            Reader::Hinted(hold) => hold.source(),
            _ => None,
        };
        hinted.map_or(0, |source| source.hint().merge_gap)
    }

    /// Ends a read of the whole array, which ends at byte `end`, and checks the rest of the stream.
    pub(crate) fn finish(self, end: u64) -> Result<()> {
        match &self.reader {
            Reader::Other(source) => source.finish(end)?,
            Reader::Hinted(hold) => {
                let source = hold.source();
                source.map_or(Ok(()), |source| source.finish(end))?;
            }
            _ => {}
        }
        self.end()
    }

    /// Ends the operation; an error if the file changed during it.
    pub(crate) fn end(self) -> Result<()> {
        match self.reader {
            Reader::Mapped(source, _) => source.end(),
            Reader::File(source, file) => source.end(&file),
            Reader::Memory(_) | Reader::Other(_) | Reader::Hinted(_) => Ok(()),
        }
    }
}

/// `length` zero bytes. For sizes that come from a file: too large a size is an error, not an abort.
///
/// # Errors
/// [`ErrorKind::OutOfMemory`].
pub(crate) fn zeros(length: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    resize(&mut bytes, length)?;
    Ok(bytes)
}

/// An empty vector with capacity for `length` bytes.
///
/// # Errors
/// [`ErrorKind::OutOfMemory`].
pub(crate) fn with_capacity(length: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reserve(&mut bytes, length)?;
    Ok(bytes)
}

/// Sets a vector's length, filling with zeros if it grows.
///
/// # Errors
/// [`ErrorKind::OutOfMemory`].
pub(crate) fn resize(bytes: &mut Vec<u8>, length: u64) -> Result<()> {
    let length = reserve(bytes, length)?;
    bytes.resize(length, 0);
    Ok(())
}

/// Reserves memory for a vector of this length, and returns the length as a `usize`.
fn reserve(bytes: &mut Vec<u8>, length: u64) -> Result<usize> {
    let out_of_memory = || ErrorKind::OutOfMemory { needed: length };
    let new = usize::try_from(length).map_err(|_| out_of_memory())?;
    let more = new.saturating_sub(bytes.len());
    bytes.try_reserve(more).map_err(|_| out_of_memory())?;
    Ok(new)
}

/// Inflated bytes after the voxels that a whole read accepts (or as many as the voxels have, if that is more). A file
/// with a longer tail is a decompression bomb.
const MAX_TAIL: u64 = 256 << 20;

/// The name of such bytes in errors.
const TAIL: &str = "inflated bytes after the voxels";

/// How many inflated bytes may follow voxels that end at byte `end`.
fn max_tail(end: u64) -> u64 {
    end.max(MAX_TAIL)
}

/// Checks that a stream at `position` is not too far beyond voxels that end at byte `end`.
///
/// # Errors
/// [`ErrorKind::Limit`].
fn check_tail(position: u64, end: u64) -> Result<()> {
    let tail = position.saturating_sub(end);
    limits::check(TAIL, tail.into(), max_tail(end))
}

/// The error for a source that has `have` bytes when `need` are required.
pub(crate) fn truncated(what: &'static str, have: u64, need: u64) -> Error {
    ErrorKind::Truncated { what, have, need }.into()
}
