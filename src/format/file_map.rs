//! The files of an image, by what they hold, as nibabel's `file_map`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::source::ByteSource;

/// One file of an image: a name, or bytes of the caller's, and where in them the file begins.
#[derive(Debug, Clone, Default)]
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

    /// The same, beginning at this byte.
    pub fn at(mut self, pos: u64) -> Self {
        self.pos = pos;
        self
    }
}

/// The key of the file that holds the voxels (and the header, where they are in one file).
pub const IMAGE: &str = "image";
/// The key of the header file of a pair.
pub const HEADER: &str = "header";
/// The key of the `.mat` file that gives SPM's Analyze images their affine.
pub const MAT: &str = "mat";

/// The files of an image: [`IMAGE`] alone, or [`IMAGE`] and [`HEADER`], and for SPM perhaps [`MAT`].
pub type FileMap = BTreeMap<&'static str, FileHolder>;
