//! The files of an image, by their role, as in nibabel's `file_map`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::source::ByteSource;

/// One file of an image: a name or bytes of the caller, and where in them the file begins.
#[derive(Debug, Clone, Default)]
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

    /// The same file, beginning at byte `pos`.
    pub fn at(mut self, pos: u64) -> Self {
        self.pos = pos;
        self
    }
}

/// The key of the file with the voxels (and the header, if both are in one file).
pub const IMAGE: &str = "image";
/// The key of the header file of a pair.
pub const HEADER: &str = "header";
/// The key of the `.mat` file with the affine of SPM's Analyze images.
pub const MAT: &str = "mat";

/// The files of an image: [`IMAGE`]; for a pair also [`HEADER`]; for SPM optionally [`MAT`].
pub type FileMap = BTreeMap<&'static str, FileHolder>;
