//! The interface of the parsers: how much of the header they need, what they return (a header and where the voxels
//! are), and what else they ask for. The image layer does the reading.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::file_map::FileRole;
use crate::core::error::{ErrorKind, Result};
use crate::core::limits::{self, Limits};
use crate::header::{Header, Note};
use crate::source::text::Notation;
use crate::source::{ByteSource, Source};

/// How much of the header file a parser needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// This many bytes from the start, or the whole file if it is shorter.
    Bytes(u64),
    /// The bytes up to `end`; those after `header` are extensions.
    Extensions { header: u64, end: u64 },
    /// The whole file.
    All,
}

impl Need {
    /// Number of bytes to read from the start of the header file.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] if the limits do not allow it.
    pub(crate) fn bytes(self, limits: &Limits) -> Result<u64> {
        match self {
            Self::Bytes(bytes) => {
                limits::check("header bytes", bytes.into(), limits.header)?;
                Ok(bytes)
            }
            Self::Extensions { header, end } => {
                let extensions = end.saturating_sub(header);
                limits::check("extension bytes", extensions.into(), limits.extensions)?;
                Ok(end)
            }
            // One more than allowed, so that a file that is too long is noticed.
            Self::All => Ok(limits.header.saturating_add(1)),
        }
    }
}

/// What the first bytes of a header file show about a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sniff {
    /// They belong to the format.
    Yes,
    /// They do not.
    No,
    /// They could belong to the format, but its header is longer: this many bytes.
    Cut(u64),
}

impl From<bool> for Sniff {
    fn from(belongs: bool) -> Self {
        if belongs { Self::Yes } else { Self::No }
    }
}

/// Checks the length of a header.
///
/// # Errors
/// [`ErrorKind::Truncated`] if it is shorter than needed.
pub(super) fn check_length(header: &[u8], need: u64) -> Result<()> {
    let have = header.len() as u64;
    if have < need {
        let what = "header";
        return Err(ErrorKind::Truncated { what, have, need }.into());
    }
    Ok(())
}

/// Reads the header of a file that is itself a container (HDF5), and sets [`Voxels::source`].
pub(crate) type Container = fn(&Source, &mut Parsed) -> Result<()>;

/// The result of parsing a header.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub header: Header,
    /// Faults that were repaired.
    pub notes: Vec<Note>,
    /// Where the voxels are and how they are stored.
    pub voxels: Voxels,
    /// Other parts of the header that have to be read.
    pub more: Option<More>,
    /// Reads the header if that requires access to the whole file.
    pub container: Option<Container>,
}

impl Parsed {
    /// A complete header; the voxels are stored uncompressed in the format's image file.
    pub(crate) fn new(header: Header, notes: Vec<Note>) -> Self {
        Self {
            header,
            notes,
            voxels: Voxels::default(),
            more: None,
            container: None,
        }
    }
}

/// Where the voxels are and how they are stored.
#[derive(Debug, Default)]
pub(crate) struct Voxels {
    /// The voxels, if the format reads the file itself. The other fields are then not used.
    pub source: Option<Arc<dyn ByteSource>>,
    /// Files named by the header, in the order of their voxels. Each has an equal share of them. If empty, the voxels
    /// are in the format's image file.
    pub files: Vec<String>,
    /// For each of the files the bytes to skip, if they differ: then [`crate::Header::data_offset`] is not used.
    /// Negative numbers count from the end: -1 - n for voxels that end n bytes before it.
    pub skips: Vec<i64>,
    /// Byte of the image file at which the stored voxels begin. [`crate::Header::data_offset`] is relative to it, after
    /// decoding.
    pub base: u64,
    /// Lines to skip after `base`.
    pub lines: u64,
    /// The voxels end this many bytes before the end of their file, after decoding; the header's offset is not used.
    pub from_end: Option<u64>,
    /// How the bytes after `base` and `lines` are encoded.
    pub encoding: Encoding,
    /// The order of blocks of voxels in the file.
    pub blocks: Option<Blocks>,
}

/// How the voxels are encoded inside their file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Encoding {
    #[default]
    Raw,
    Gzip,
    Zlib,
    Bzip2,
    /// Text. The offset then counts characters.
    Text(Notation),
}

/// Blocks of equal size that are separate in the file, or in another order than in the volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blocks {
    /// Bytes of a block.
    pub bytes: u64,
    /// For each block of the volume, the byte at which it begins, relative to the first voxel.
    pub starts: Vec<u64>,
    /// Bytes of the units (voxels, rows) that a block stores in reverse order; 0 if nothing is reversed.
    pub reversed: u64,
}

/// Another part of the header, and what to do with it.
pub(crate) struct More {
    pub place: Location,
    pub apply: Apply,
}

/// Completes the header from the pieces that were read. A piece is shorter if the file is.
pub(crate) type Apply = Box<dyn FnOnce(&[Vec<u8>], &mut Parsed) -> Result<()>>;

/// Where another part of the header is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    /// Ranges of the header's own file, after or between the voxels.
    Ranges(Vec<Range<u64>>),
    /// The same, but only if they can be read without inflating everything before them; otherwise nothing is read.
    CheapRanges(Vec<Range<u64>>),
    /// All of the file with this key in the file map, if it is there.
    File(FileRole),
}

impl fmt::Debug for More {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("More")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}
