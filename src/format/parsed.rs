//! What a parser asks for and what it gives: how much of the header it needs, the header, and where the voxels are. The
//! image layer reads what is asked for.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::file_map::FileRole;
use crate::core::error::{ErrorKind, Result};
use crate::core::limits::{self, Limits};
use crate::header::{Header, Note};
use crate::source::text::Notation;
use crate::source::{ByteSource, Source};

/// How much of the header file a parser needs to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// This many bytes from the start; fewer are handed over when the file is shorter.
    Bytes(u64),
    /// The same up to `end`, where the bytes after `header` are extensions.
    Extensions { header: u64, end: u64 },
    /// The whole file.
    All,
}

impl Need {
    /// Bytes to read from the start of the header file.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] for more than the limits allow.
    pub fn bytes(self, limits: &Limits) -> Result<u64> {
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
            // One more, so that too many are noticed.
            Self::All => Ok(limits.header.saturating_add(1)),
        }
    }
}

/// What the first bytes of a header file say about a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sniff {
    /// They belong to it.
    Yes,
    /// They belong to something else.
    No,
    /// They would belong to it, but its header has this many bytes.
    Cut(u64),
}

impl From<bool> for Sniff {
    fn from(belongs: bool) -> Self {
        if belongs { Self::Yes } else { Self::No }
    }
}

/// # Errors
/// [`ErrorKind::Truncated`] when a header has fewer bytes than it needs.
pub(super) fn check_length(header: &[u8], need: u64) -> Result<()> {
    let have = header.len() as u64;
    if have < need {
        let what = "header";
        return Err(ErrorKind::Truncated { what, have, need }.into());
    }
    Ok(())
}

/// Reads a header out of a file that is a container, and sets [`Voxels::source`].
pub(crate) type Container = fn(&Source, &mut Parsed) -> Result<()>;

/// What a header's parser found.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub header: Header,
    /// Repaired faults.
    pub notes: Vec<Note>,
    /// Where the voxels are and how they are stored there.
    pub voxels: Voxels,
    /// What else of the header is to be read.
    pub more: Option<More>,
    /// Reads all of the header where that takes the whole file, which is a container of its own.
    pub container: Option<Container>,
}

impl Parsed {
    /// A header that is complete, of voxels stored raw in the format's image file.
    pub fn new(header: Header, notes: Vec<Note>) -> Self {
        Self {
            header,
            notes,
            voxels: Voxels::default(),
            more: None,
            container: None,
        }
    }
}

/// Where the voxels are and how they are stored there.
#[derive(Debug, Default)]
pub(crate) struct Voxels {
    /// The voxels alone, where the format has read the file itself; the rest is then of no account.
    pub source: Option<Arc<dyn ByteSource>>,
    /// Files that the header names, in the order of their voxels, each with an equal share of them; none: the
    /// format's image file.
    pub files: Vec<String>,
    /// Byte of the image file at which the stored voxels begin; [`crate::Header::data_offset`] counts from here
    /// (once decoded).
    pub base: u64,
    /// Lines to skip after `base`.
    pub lines: u64,
    /// The voxels are the last bytes of their file, whatever the header says of their offset.
    pub at_end: bool,
    /// How the bytes after `base` and `lines` are to be decoded.
    pub encoding: Encoding,
    /// How blocks of voxels are ordered in the file.
    pub blocks: Option<Blocks>,
}

/// The compression of stored voxels inside their file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Encoding {
    #[default]
    Raw,
    Gzip,
    Zlib,
    Bzip2,
    /// The offset counts characters of the text.
    Text(Notation),
}

/// Blocks of equal size that the file holds apart, or in another order than the volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blocks {
    /// Bytes of a block.
    pub bytes: u64,
    /// For each block of the volume, the byte at which it begins, counted from the first voxel's.
    pub starts: Vec<u64>,
    /// Bytes of the units (voxels, rows) that a block holds in reverse order; 0 where it is in order.
    pub reversed: u64,
}

/// A part of the header that lies elsewhere, and what to do with it.
pub(crate) struct More {
    pub place: Place,
    pub apply: Apply,
}

/// What to do with the pieces that were read; they are shorter where the file is.
pub(crate) type Apply = Box<dyn FnOnce(&[Vec<u8>], &mut Parsed) -> Result<()>>;

/// Where a part of the header lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Ranges of the header's own file, after or among the voxels.
    Ranges(Vec<Range<u64>>),
    /// The same where they can be read without inflating all that comes before them; else there is nothing.
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
