//! Mapped files: the only module of the library with `unsafe` code.
//!
//! The contents of a mapping change when another process writes to the file, and reading past the end of a shortened
//! file raises a signal that no library should catch. So mappings stay inside this crate (except through
//! [`crate::LoadOptions::zero_copy`], which is `unsafe` for this reason), every operation checks before and after
//! that the file is the one that was mapped, and [`crate::Mmap::Off`] reads by position instead.
//!
//! On targets without mappings, memmap2 compiles and returns an `Unsupported` error.
#![expect(
    unsafe_code,
    reason = "mapping a file is unsafe: see the module's documentation"
)]

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use memmap2::{Mmap, MmapOptions};

use super::file::FileSource;
use super::memory;
use crate::core::buffer::{Mapping, Pages};
use crate::core::error::{Error, Result};

/// Bytes of the largest file that one read of all its voxels does not map.
const MAX_READ_BYTES: u64 = 2 << 20;

/// A file that is mapped by its first read and stays mapped. The mapping needs no open file descriptor.
#[derive(Debug)]
pub(crate) struct MmapSource {
    file: FileSource,
    /// Whether arrays may use the mapping itself (`Some`), and then whether they may be edited.
    zero_copy: Option<bool>,
    map: Mutex<Option<MapGuard>>,
}

/// A mapping in use.
#[derive(Debug, Clone)]
pub(crate) struct MapGuard(Arc<Mmap>);

impl MapGuard {
    /// The bytes of the file. They must be used only during one operation and inside this crate.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl MmapSource {
    pub(crate) fn new(file: FileSource, zero_copy: Option<bool>) -> Self {
        Self {
            file,
            zero_copy,
            map: Mutex::default(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    pub(crate) fn len(&self) -> u64 {
        self.file.identity().length()
    }

    fn map(&self) -> MutexGuard<'_, Option<MapGuard>> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Maps the file unless it is mapped already, and checks that the file has not changed.
    pub(crate) fn begin(&self) -> Result<MapGuard> {
        let mut map = self.map();
        if let Some(map) = map.as_ref() {
            self.file.check()?;
            return Ok(map.clone());
        }
        // The handle from reading the header may belong to an older file of this name.
        self.file.release();
        let file = self.file.begin()?;
        // SAFETY: the mapping is read only inside this crate, by code for which every byte value is valid, and only
        // between `begin` and `end`, which both check that the file has not changed. Writing to the file during an
        // operation is outside the contract of `Mmap::CopyOnWrite` and `Mmap::ReadOnly`.
        let pages = unsafe { Mmap::map(&*file) }
            .map_err(|error| Error::io(error, 0).at(self.file.path()))?;
        Ok(map.insert(MapGuard(Arc::new(pages))).clone())
    }

    /// The file itself, for one read of all its voxels by position; `None` if it is mapped, or too large for that. Each
    /// page of a new mapping costs a fault, which is more than copying the page.
    pub(crate) fn unmapped(&self) -> Option<&FileSource> {
        (self.len() <= MAX_READ_BYTES && self.map().is_none()).then_some(&self.file)
    }

    /// Reads from the start of the file, by position unless it is already mapped: a header is not worth a mapping.
    ///
    /// # Errors
    /// As [`Self::begin`], and [`crate::ErrorKind::Io`].
    pub(crate) fn prefix(&self, bytes: &mut [u8]) -> Result<()> {
        let map = self.map().clone();
        let Some(map) = map else {
            return self.file.prefix(bytes);
        };
        self.file.check()?;
        memory::copy(map.bytes(), 0, bytes)?;
        self.file.check()
    }

    /// Drops the mapping and the kept handle; the next operation opens the file again.
    pub(crate) fn release(&self) {
        *self.map() = None;
        self.file.release();
    }

    /// Checks that the file did not change during the operation.
    pub(crate) fn end(&self) -> Result<()> {
        self.file.check()
    }

    /// A separate mapping for an array that uses the file's bytes directly; `None` unless the options allow that.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub(crate) fn zero_copy(&self, bytes: Range<usize>) -> Result<Option<Mapping>> {
        let Some(writable) = self.zero_copy else {
            return Ok(None);
        };
        let file = self.file.open_checked()?;
        // SAFETY: this is reached only through `LoadOptions::zero_copy`, an unsafe function whose caller promised
        // that the file does not change while the array lives. Edits of a private mapping do not reach the file.
        let pages = unsafe {
            if writable {
                MmapOptions::new().map_copy(&file).map(Pages::Private)
            } else {
                Mmap::map(&file).map(Pages::ReadOnly)
            }
        };
        let pages = pages.map_err(|error| Error::io(error, 0).at(self.path()))?;
        Ok(Some(Mapping::new(pages, bytes)))
    }
}
