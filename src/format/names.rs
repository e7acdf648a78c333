//! The names of image files: root, ending, compression suffix, and the name of the other file of a pair.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Compression suffixes, lower case.
const COMPRESSIONS: [&str; 3] = [".gz", ".bz2", ".zst"];

/// A file name in its parts: `/d/foo` + `.nii` + `.gz`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileName {
    path: PathBuf,
    root: OsString,
    ending: String,
    compression: String,
}

impl FileName {
    pub(crate) fn new(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        let (root, last) = split(path.as_os_str());
        let (root, ending, compression) = if COMPRESSIONS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(&last))
        {
            let (root, ending) = split(&root);
            (root, ending, last)
        } else {
            (root, last, String::new())
        };
        Self {
            path: path.to_owned(),
            root,
            ending,
            compression,
        }
    }

    /// The whole path, as given.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The ending with its dot, as written; empty if there is none.
    pub(crate) fn ending(&self) -> &str {
        &self.ending
    }

    /// The compression suffix with its dot, as written; empty if there is none.
    pub(crate) fn compression(&self) -> &str {
        &self.compression
    }

    /// The path without its compression suffix.
    pub(crate) fn plain(&self) -> PathBuf {
        match self.compression.as_str() {
            "" => self.path.clone(),
            _ => self.path.with_extension(""),
        }
    }

    /// The same name with another ending (given in lower case) and the same compression suffix. As in nibabel, the
    /// ending becomes upper case if this one's is.
    pub(crate) fn companion(&self, ending: &str) -> PathBuf {
        let upper = !self.ending.is_empty() && self.ending == self.ending.to_ascii_uppercase();
        match upper {
            true => self.with_ending(&ending.to_ascii_uppercase()),
            false => self.with_ending(ending),
        }
    }

    /// The same name with this ending and the same compression suffix.
    pub(crate) fn with_ending(&self, ending: &str) -> PathBuf {
        let mut name = self.root.clone();
        name.push(ending);
        name.push(&self.compression);
        name.into()
    }
}

/// Splits a path at the last dot of its file name. The ending is empty if there is no dot or it is not valid Unicode.
fn split(path: &OsStr) -> (OsString, String) {
    let as_path = Path::new(path);
    let unsplit = || (path.to_owned(), String::new());
    let Some(name) = as_path.file_name() else {
        return unsplit();
    };
    if let Some(extension) = as_path.extension() {
        return match extension.to_str() {
            Some(extension) => {
                let root = as_path.with_extension("").into_os_string();
                (root, format!(".{extension}"))
            }
            None => unsplit(),
        };
    }
    // For a name that begins with its only dot, std has no extension; nibabel treats the whole name as one.
    match name.to_str() {
        Some(hidden) if hidden.starts_with('.') => (
            as_path.with_file_name("").into_os_string(),
            hidden.to_owned(),
        ),
        _ => unsplit(),
    }
}
