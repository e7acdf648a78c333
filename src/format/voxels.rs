//! Where a volume's voxels are, and what else of its header is to be read: data that [`crate::image`] acts on.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::Parsed;
use super::text::quoted;
use crate::error::{Error, Result};
use crate::source::ByteSource;
use crate::source::text::Notation;

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
    /// Lines to skip behind `base`.
    pub lines: u64,
    /// The voxels are the last bytes of their file, whatever the header says of their offset.
    pub at_end: bool,
    /// How the bytes behind `base` and `lines` are to be decoded.
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
    /// Ranges of the header's own file, behind or among the voxels.
    Ranges(Vec<Range<u64>>),
    /// The same where they can be read without inflating all that comes before them; else there is nothing.
    CheapRanges(Vec<Range<u64>>),
    /// All of the file with this key in the file map, if it is there.
    File(&'static str),
}

impl fmt::Debug for More {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("More")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// Names of files from a C pattern (`slice%03d.raw`) and the first, the last and the step of their numbers.
///
/// # Errors
/// The field, for another pattern or more than `most` files.
pub(super) fn numbered(
    field: &'static str,
    pattern: &str,
    [first, last, step]: [i64; 3],
    most: i64,
) -> Result<Vec<String>> {
    let refuse = |expected: &str| Error::header(field, quoted(pattern), expected);
    let (before, rest) = pattern.split_once('%').unwrap_or((pattern, ""));
    let digits = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (width, rest) = rest.split_at(digits);
    let behind = rest
        .strip_prefix('d')
        .filter(|behind| !behind.contains('%'))
        .ok_or_else(|| refuse("a single %d in the name"))?;
    let zeros = width.starts_with('0');
    let width: usize = match width {
        "" => 0,
        digits => digits
            .parse()
            .ok()
            .filter(|&n| n < 64)
            .ok_or_else(|| refuse("a width"))?,
    };
    let span = last.checked_sub(first).filter(|_| step != 0);
    let count = span.and_then(|span| span.checked_div(step)).unwrap_or(-1);
    if !(0..most).contains(&count) {
        return Err(refuse("numbers that lead from the first to the last"));
    }
    let name = |k: i64| match (first + k * step, zeros) {
        (number, true) => format!("{before}{number:0width$}{behind}"),
        (number, false) => format!("{before}{number:width$}{behind}"),
    };
    Ok((0..=count).map(name).collect())
}
