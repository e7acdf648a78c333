//! Where stored bytes come from. Everything is read by position, whatever holds it:
//! - [`mmap`], [`file`](mod@file), [`memory`]: bytes as they are, mapped, read from a file, or in memory;
//! - [`gzip`]: gzip, with random access by a seek index;
//! - [`codec`]: zlib, bzip2 and zstd, which are read forwards ([`forward`] is what all decoders share);
//! - [`text`]: numbers written as text;
//! - [`offset`], [`blocks`], [`joined`]: parts of other sources;
//! - [`ByteSource`]: anything of the caller's;
//! - [`hinted`]: those of them that want few and large requests.
//!
//! [`whole_file`] is for the seek index, and for saving: files that are written whole.

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
pub(crate) mod text;
pub(crate) mod whole_file;

use std::fmt;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use crate::core::error::{Error, ErrorKind, Result};
use crate::core::{limits, scope};
use file::FileSource;
use gzip::GzipSource;
use hinted::HintedSource;
pub(crate) use hinted::Hold;
pub use hinted::ReadHint;
use memory::MemorySource;
use mmap::{MapGuard, MmapSource};

/// Bytes read at a time of a source whose length is unknown.
const PREFIX_STEP: u64 = 64 << 10;

/// How a source likes to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Any part at the same cost, by several threads at once.
    Random,
    /// From the start to the end: going back costs a restart.
    Sequential,
}

/// Bytes that can be read by position. Implemented by voxload for files, memory and gzip, and by callers for
/// whatever else holds a volume.
#[expect(
    clippy::len_without_is_empty,
    reason = "the length may be unknown, and no caller asks for emptiness"
)]
pub trait ByteSource: Send + Sync + fmt::Debug {
    /// Number of bytes; `None` when it is known only after reading to the end.
    ///
    /// # Errors
    /// Those of the system.
    fn len(&self) -> Result<Option<u64>>;

    /// An upper bound of the number of bytes, known before any is read.
    ///
    /// # Errors
    /// As [`Self::len`].
    fn max_len(&self) -> Result<Option<u64>> {
        self.len()
    }

    /// Fills `buffer` with the bytes from `offset` on.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] when there are fewer bytes, [`ErrorKind::Io`] when reading fails,
    /// [`ErrorKind::Integrity`] when what is read is damaged.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()>;

    /// How the source likes to be read.
    fn access(&self) -> Access {
        Access::Random
    }

    /// Called after a read of the whole array, which ends at byte `end`: checks what can only be known at the end of the
    /// stream, such as a checksum.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] when a checksum or a length is wrong, [`ErrorKind::Limit`] for a stream that goes on far
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

/// The sources that have fast ways of their own, and all others.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    Mapped(Arc<MmapSource>),
    File(Arc<FileSource>),
    Memory(MemorySource),
    Gzip(Arc<GzipSource>),
    Custom(Arc<dyn ByteSource>),
    /// One that wants large requests.
    Hinted(Arc<HintedSource>),
    /// The file of the voxels was not there when the header was read; reading it is an error.
    Missing(Arc<Path>),
}

/// One operation on a source: a handle opened once, a mapping checked before and after.
pub(crate) struct Session<'a> {
    reader: Reader<'a>,
}

enum Reader<'a> {
    Mapped(&'a MmapSource, MapGuard),
    File(&'a FileSource, Arc<File>),
    Memory(&'a MemorySource),
    Other(&'a dyn ByteSource),
    Hinted(Hold),
}

impl Source {
    /// A source of the caller's, or one made of others, read as it wants to be.
    pub fn custom(source: Arc<dyn ByteSource>) -> Self {
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
    pub fn hint(&self) -> ReadHint {
        match self {
            Self::Hinted(source) => source.hint(),
            Self::Custom(source) => source.hint(),
            _ => ReadHint::default(),
        }
    }

    /// The same bytes for a source that is made of this one and has its hint: only that one then keeps pieces.
    pub fn without_pieces(self) -> Self {
        match self {
            Self::Hinted(source) => Self::Custom(Arc::clone(source.inner())),
            other => other,
        }
    }

    /// Makes one read of several operations: what one has read beyond its end, as the hint wants it, serves the next.
    pub fn hold(&self) -> Hold {
        match self {
            Self::Hinted(source) => source.begin(),
            Self::Gzip(source) => source.hold(),
            _ => Hold::default(),
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
    pub fn held_bytes(&self) -> u64 {
        match self {
            Self::Hinted(source) => source.held_bytes(),
            _ => 0,
        }
    }

    /// Begins an operation.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::Changed`] or [`ErrorKind::Io`] when the file cannot be used.
    pub fn begin(&self) -> Result<Session<'_>> {
        let reader = match self {
            Self::Mapped(source) => Reader::Mapped(source, source.begin()?),
            Self::File(source) => Reader::File(source, source.begin()?),
            Self::Memory(source) => Reader::Memory(source),
            Self::Gzip(source) => Reader::Other(source.as_ref()),
            Self::Custom(source) => Reader::Other(source.as_ref()),
            Self::Hinted(source) => Reader::Hinted(source.begin()),
            Self::Missing(path) => return Err(Error::from(ErrorKind::NotFound).at(path)),
        };
        Ok(Session { reader })
    }

    /// The same bytes for one reader that goes forwards: a gzip stream of its own, whose place other reads do not move.
    pub fn with_own_cursor(&self) -> Self {
        match self {
            Self::Gzip(source) => Self::Custom(Arc::new(source.with_own_cursor())),
            other => other.clone(),
        }
    }

    /// Number of bytes, where it is known before reading.
    pub fn len(&self) -> Result<Option<u64>> {
        match self {
            Self::Mapped(source) => Ok(Some(source.len())),
            Self::File(source) => source.len(),
            Self::Memory(source) => source.len(),
            Self::Gzip(source) => source.len(),
            Self::Custom(source) => source.len(),
            Self::Hinted(source) => source.len(),
            Self::Missing(path) => Err(Error::from(ErrorKind::NotFound).at(path)),
        }
    }

    /// The file, where there is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Mapped(source) => Some(source.path()),
            Self::File(source) => Some(source.path()),
            Self::Gzip(source) => source.path(),
            Self::Missing(path) => Some(path),
            Self::Memory(_) | Self::Custom(_) | Self::Hinted(_) => None,
        }
    }

    /// Closes what reading the header opened, so that a loaded image holds no handle until its voxels are read
    /// ([`crate::KeepFileOpen`]).
    pub fn release(&self) {
        match self {
            Self::Mapped(source) => source.release(),
            Self::File(source) => source.release(),
            Self::Gzip(source) => source.release(),
            Self::Hinted(source) => source.release(),
            Self::Memory(_) | Self::Custom(_) | Self::Missing(_) => {}
        }
    }

    /// An upper bound of the number of bytes, known before anything is inflated.
    pub fn max_len(&self) -> Result<Option<u64>> {
        match self {
            Self::Gzip(source) => source.max_len(),
            Self::Custom(source) => source.max_len(),
            Self::Hinted(source) => source.max_len(),
            other => other.len(),
        }
    }

    /// Bytes of something else that were found after a gzip stream.
    pub fn trailing(&self) -> u64 {
        match self {
            Self::Gzip(source) => source.trailing(),
            _ => 0,
        }
    }

    /// Whether it is gzip.
    #[cfg(feature = "gpu")]
    pub fn is_gzip(&self) -> bool {
        matches!(self, Self::Gzip(_))
    }

    pub fn access(&self) -> Access {
        match self {
            Self::Gzip(source) => source.access(),
            Self::Custom(source) => source.access(),
            Self::Hinted(source) => source.access(),
            _ => Access::Random,
        }
    }

    /// Up to `length` bytes from the start: fewer when there are no more.
    pub fn prefix(&self, length: u64) -> Result<Vec<u8>> {
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

    /// The same where the number of bytes is known only after reading to the end.
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
            // The source ends here: what there is can be read.
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
    /// All bytes, where they are in memory already.
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.reader {
            Reader::Mapped(_, guard) => Some(guard.bytes()),
            Reader::Memory(source) => Some(source.bytes()),
            _ => None,
        }
    }

    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        match &self.reader {
            Reader::Mapped(_, guard) => memory::copy(guard.bytes(), offset, buffer),
            Reader::Memory(source) => source.read_at(offset, buffer),
            Reader::File(source, file) => source.read_open(file, offset, buffer),
            Reader::Other(source) => source.read_at(offset, buffer),
            Reader::Hinted(hold) => match hold.source() {
                Some(source) => source.read_at(offset, buffer),
                None => Ok(()),
            },
        }
    }

    /// How far apart what is read by one request may be ([`ReadHint::merge_gap`]).
    pub fn merge_gap(&self) -> u64 {
        let hinted = match &self.reader {
            Reader::Hinted(hold) => hold.source(),
            _ => None,
        };
        hinted.map_or(0, |source| source.hint().merge_gap)
    }

    /// Ends a read of the whole array, which ends at byte `end`: checks the end of the stream too.
    pub fn finish(self, end: u64) -> Result<()> {
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

    /// Ends the operation: an error when the file was changed meanwhile.
    pub fn end(self) -> Result<()> {
        match self.reader {
            Reader::Mapped(source, _) => source.end(),
            Reader::File(source, file) => source.end(&file),
            Reader::Memory(_) | Reader::Other(_) | Reader::Hinted(_) => Ok(()),
        }
    }
}

/// `length` zero bytes, for sizes that come from a file.
///
/// # Errors
/// [`ErrorKind::OutOfMemory`].
pub(crate) fn zeros(length: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    resize(&mut bytes, length)?;
    Ok(bytes)
}

/// An empty vector with room for so many bytes.
///
/// # Errors
/// [`ErrorKind::OutOfMemory`].
pub(crate) fn room(length: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reserve(&mut bytes, length)?;
    Ok(bytes)
}

/// Sets a vector's length, with zeros at its end where it grows.
///
/// # Errors
/// [`ErrorKind::OutOfMemory`].
pub(crate) fn resize(bytes: &mut Vec<u8>, length: u64) -> Result<()> {
    let length = reserve(bytes, length)?;
    bytes.resize(length, 0);
    Ok(())
}

/// Makes room for a vector of this length; the length as a size in memory.
fn reserve(bytes: &mut Vec<u8>, length: u64) -> Result<usize> {
    let out_of_memory = || ErrorKind::OutOfMemory { needed: length };
    let new = usize::try_from(length).map_err(|_| out_of_memory())?;
    let more = new.saturating_sub(bytes.len());
    bytes.try_reserve(more).map_err(|_| out_of_memory())?;
    Ok(new)
}

/// Inflated bytes after the voxels that a whole read checks, or as many as the voxels are if they are more: a file with a
/// longer tail is a bomb.
const MAX_TAIL: u64 = 256 << 20;

/// What these are called in errors.
const TAIL: &str = "inflated bytes behind the voxels";

/// Inflated bytes that may follow voxels that end at byte `end`.
fn max_tail(end: u64) -> u64 {
    end.max(MAX_TAIL)
}

/// Checks that a stream at `position` has not gone farther beyond voxels that end at byte `end`.
///
/// # Errors
/// [`ErrorKind::Limit`].
fn check_tail(position: u64, end: u64) -> Result<()> {
    let tail = position.saturating_sub(end);
    limits::check(TAIL, tail.into(), max_tail(end))
}

/// The error of a source that has `have` bytes where `need` are wanted.
pub(crate) fn truncated(what: &'static str, have: u64, need: u64) -> Error {
    ErrorKind::Truncated { what, have, need }.into()
}
