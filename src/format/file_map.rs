//! The files of an image, by what they hold, as nibabel's `file_map`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::source::ByteSource;

/// One file of an image: a name, or bytes of the caller's, and where in them the file begins.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
#[must_use]
pub struct FileHolder {
    /// The file's path, where it has one.
    pub filename: Option<PathBuf>,
    /// Bytes to read instead of opening the file.
    pub source: Option<Arc<dyn ByteSource>>,
    /// Byte at which the file begins; counts for the header and for the voxels.
    pub pos: u64,
}

impl FileHolder {
    /// A file by its name.
    pub fn from_filename(filename: impl Into<PathBuf>) -> Self {
        Self {
            filename: Some(filename.into()),
            ..Self::default()
        }
    }

    /// Bytes of the caller's.
    pub fn from_source(source: Arc<dyn ByteSource>) -> Self {
        Self {
            source: Some(source),
            ..Self::default()
        }
    }

    /// The same under this name, which says what the bytes are (by its ending) and is in errors.
    pub fn named(mut self, filename: impl Into<PathBuf>) -> Self {
        self.filename = Some(filename.into());
        self
    }

    /// The same, beginning at this byte.
    pub fn at(mut self, pos: u64) -> Self {
        self.pos = pos;
        self
    }
}

/// What a file of an image holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FileRole {
    /// The voxels, and the header where they are in one file.
    Image,
    /// The header of a pair.
    Header,
    /// The `.mat` file that gives SPM's Analyze images their affine.
    Mat,
}

impl FileRole {
    /// nibabel's key of the file: `image`, `header`, `mat`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Header => "header",
            Self::Mat => "mat",
        }
    }
}

impl fmt::Display for FileRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The files of an image: [`FileRole::Image`] alone, or also [`FileRole::Header`], and for SPM perhaps [`FileRole::Mat`].
pub type FileMap = BTreeMap<FileRole, FileHolder>;
