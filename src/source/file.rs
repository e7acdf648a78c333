//! A file that is read by position, and how a changed file is recognised.

use std::fs::{File, Metadata};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::{ByteSource, truncated};
use crate::core::error::{Error, ErrorKind, Result};

/// What is compared to find out whether a file has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    length: u64,
    modified: Option<SystemTime>,
    /// Device and inode, on systems that have them.
    file: (u64, u64),
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let file = {
            use std::os::unix::fs::MetadataExt;
            (metadata.dev(), metadata.ino())
        };
        #[cfg(not(unix))]
        let file = (0, 0);
        Self {
            length: metadata.len(),
            modified: metadata.modified().ok(),
            file,
        }
    }

    /// The identity of the file at a path now.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::NotAFile`], [`ErrorKind::Empty`], [`ErrorKind::Io`].
    pub(crate) fn of_path(path: &Path) -> Result<Self> {
        let metadata = std::fs::metadata(path).map_err(|error| Error::io(error, 0).at(path))?;
        if !metadata.is_file() {
            return Err(Error::from(ErrorKind::NotAFile).at(path));
        }
        if metadata.len() == 0 {
            return Err(Error::from(ErrorKind::Empty).at(path));
        }
        Ok(Self::of(&metadata))
    }

    /// Bytes of the file.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// The modification time, if the system reports it.
    pub(crate) fn modified(&self) -> Option<SystemTime> {
        self.modified
    }

    /// Compares with the file's present state.
    ///
    /// # Errors
    /// [`ErrorKind::Changed`] if the file is not the one it was.
    fn compare(&self, metadata: &Metadata, path: &Path) -> Result<()> {
        let now = Self::of(metadata);
        if now == *self {
            return Ok(());
        }
        let time = |time: Option<SystemTime>| format!("{time:?}");
        let (what, was, is) = if now.file != self.file {
            let name = |(device, inode)| format!("{device}:{inode}");
            ("identity", name(self.file), name(now.file))
        } else if now.length != self.length {
            ("length", self.length.to_string(), now.length.to_string())
        } else {
            ("modification time", time(self.modified), time(now.modified))
        };
        Err(Error::from(ErrorKind::Changed { what, was, is }).at(path))
    }

    /// Checks that the open file, or else the one at the path, has not changed.
    pub(crate) fn check(&self, path: &Path, open: Option<&File>) -> Result<()> {
        let metadata = match open {
            Some(file) => file.metadata(),
            None => std::fs::metadata(path),
        };
        let metadata = metadata.map_err(|error| Error::io(error, 0).at(path))?;
        self.compare(&metadata, path)
    }
}

/// A file that is opened for each operation, or once (`keep_open`). While the header is read, it stays open in either
/// case.
#[derive(Debug)]
pub(crate) struct FileSource {
    path: PathBuf,
    identity: Identity,
    keep_open: bool,
    kept: Mutex<Option<Arc<File>>>,
}

impl FileSource {
    pub(crate) fn new(path: &Path, identity: Identity, keep_open: bool) -> Self {
        Self {
            path: path.to_owned(),
            identity,
            keep_open,
            kept: Mutex::new(None),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The identity of the file when it was opened; any other is an error.
    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Opens the file or uses the kept handle, and checks that the file has not changed.
    pub(crate) fn begin(&self) -> Result<Arc<File>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match kept.as_ref() {
            Some(file) => Arc::clone(file),
            None => Arc::new(self.open()?),
        };
        self.identity.check(&self.path, Some(&file))?;
        if self.keep_open {
            *kept = Some(Arc::clone(&file));
        }
        Ok(file)
    }

    /// Reads from the start of the file. The handle is kept for the next operations, until [`Self::release`].
    ///
    /// # Errors
    /// As [`Self::begin`] and [`Self::read_open`].
    pub(crate) fn prefix(&self, bytes: &mut [u8]) -> Result<()> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match kept.take() {
            Some(file) => file,
            None => Arc::new(self.open()?),
        };
        let read = self.read_open(&file, 0, bytes);
        // The file is checked once, after the read: so short a read needs no check before it. A changed file explains
        // any error of the read.
        self.end(&file)?;
        *kept = Some(file);
        read
    }

    fn open(&self) -> Result<File> {
        File::open(&self.path).map_err(|error| Error::io(error, 0).at(&self.path))
    }

    /// Opens the file, for a handle of the caller's own, and checks that it has not changed.
    pub(crate) fn open_checked(&self) -> Result<File> {
        let file = self.open()?;
        self.identity.check(&self.path, Some(&file))?;
        Ok(file)
    }

    /// Checks that the file has not changed: the one of the kept handle, or else the one at the path.
    pub(crate) fn check(&self) -> Result<()> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        self.identity.check(&self.path, kept.as_deref())
    }

    /// Closes the kept handle; the next operation opens the file again.
    pub(crate) fn release(&self) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = None;
    }

    /// Checks that the file did not change during the operation.
    pub(crate) fn end(&self, file: &File) -> Result<()> {
        self.identity.check(&self.path, Some(file))
    }

    /// Reads from a handle of [`Self::begin`].
    pub(crate) fn read_open(&self, file: &File, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let need = offset.saturating_add(buffer.len() as u64);
        if need > self.identity.length {
            return Err(truncated("voxel data", self.identity.length, need).at(&self.path));
        }
        read_exact_at(file, offset, buffer).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                let have = file.metadata().map_or(0, |metadata| metadata.len());
                truncated("voxel data", have, need).at(&self.path)
            }
            _ => Error::io(error, offset).at(&self.path),
        })
    }
}

impl ByteSource for FileSource {
    fn len(&self) -> Result<Option<u64>> {
        Ok(Some(self.identity.length))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let file = self.begin()?;
        self.read_open(&file, offset, buffer)?;
        self.end(&file)
    }
}

/// Fills `buffer` with the file's bytes that begin at `offset`; the handle's position does not matter.
#[cfg(unix)]
pub(super) fn read_exact_at(file: &File, offset: u64, buffer: &mut [u8]) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
pub(super) fn read_exact_at(
    file: &File,
    mut offset: u64,
    mut buffer: &mut [u8],
) -> std::io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, offset) {
            Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => {
                buffer = &mut buffer[n..];
                offset += n as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// For targets without reads by position; there, images are loaded from bytes.
#[cfg(not(any(unix, windows)))]
pub(super) fn read_exact_at(_: &File, _: u64, _: &mut [u8]) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}
