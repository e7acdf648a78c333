//! The files of an image, by their role, as in nibabel's `file_map`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::source::ByteSource;

/// One file of an image: a name or bytes of the caller, and where in them the file begins.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
#[must_use]
pub struct FileHolder {
    /// The file's path, if it has one.
    pub filename: Option<PathBuf>,
    /// Bytes to read instead of the file at the path.
    pub source: Option<Arc<dyn ByteSource>>,
    /// Byte at which the file begins; all offsets in the header are relative to it.
    pub pos: u64,
}

impl FileHolder {
    /// A file with a name.
    pub fn from_filename(filename: impl Into<PathBuf>) -> Self {
        Self {
            filename: Some(filename.into()),
            ..Self::default()
        }
    }

    /// Bytes of the caller.
    pub fn from_source(source: Arc<dyn ByteSource>) -> Self {
        Self {
            source: Some(source),
            ..Self::default()
        }
    }

    /// The same with this name, whose ending indicates the format, and which is in errors.
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

/// What a file of an image contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FileRole {
    /// The voxels, and also the header if both are in one file.
    Image,
    /// The header of a pair.
    Header,
    /// The `.mat` file that gives SPM's Analyze images their affine.
    Mat,
    /// One of the files that a NRRD or MetaImage header names, by any number. It is found by the last part of
    /// [`FileHolder::filename`], so that the caller's bytes can stand in the place of files of these names.
    Named(u32),
}

impl FileRole {
    /// nibabel's key of the file: `image`, `header`, `mat`; `named` for others.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Header => "header",
            Self::Mat => "mat",
            Self::Named(_) => "named",
        }
    }
}

impl fmt::Display for FileRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The files of an image: [`FileRole::Image`] alone, or also [`FileRole::Header`], and for SPM perhaps
/// [`FileRole::Mat`].
pub type FileMap = BTreeMap<FileRole, FileHolder>;
