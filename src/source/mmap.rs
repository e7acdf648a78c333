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

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use memmap2::{Mmap, MmapOptions};

use super::file::{Identity, read_exact_at};
use super::memory;
use crate::core::buffer::{Mapping, Pages};
use crate::core::error::{Error, Result};

/// A file that is mapped by its first read and stays mapped. The mapping needs no open file descriptor.
#[derive(Debug)]
pub(crate) struct MmapSource {
    path: PathBuf,
    identity: Identity,
    keep_open: bool,
    /// Whether arrays may use the mapping itself (`Some`), and then whether they may be edited.
    zero_copy: Option<bool>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    map: Option<MapGuard>,
    /// The file's handle. It is open while the header is read; with [`crate::KeepFileOpen::Yes`], as long as the
    /// mapping.
    kept: Option<File>,
}

/// A mapping in use.
#[derive(Debug, Clone)]
pub(crate) struct MapGuard(Arc<Mmap>);

impl MapGuard {
    /// The bytes of the file. They must be used only during one operation and inside this crate.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl MmapSource {
    pub fn new(path: &Path, identity: Identity, keep_open: bool, zero_copy: Option<bool>) -> Self {
        Self {
            path: path.to_owned(),
            identity,
            keep_open,
            zero_copy,
            state: Mutex::default(),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn len(&self) -> u64 {
        self.identity.length()
    }

    /// Maps the file unless it is mapped already, and checks that the file has not changed.
    pub fn begin(&self) -> Result<MapGuard> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(map) = &state.map {
            self.identity.check(&self.path, state.kept.as_ref())?;
            return Ok(map.clone());
        }
        // The handle from reading the header may belong to an older file of this name.
        state.kept = None;
        let file = self.open()?;
        // SAFETY: the mapping is read only inside this crate, by code for which every byte value is valid, and only
        // between `begin` and `end`, which both check that the file has not changed. Writing to the file during an
        // operation is outside the contract of `Mmap::CopyOnWrite` and `Mmap::ReadOnly`.
        let map =
            unsafe { Mmap::map(&file) }.map_err(|error| Error::io(error, 0).at(&self.path))?;
        let guard = MapGuard(Arc::new(map));
        state.map = Some(guard.clone());
        if self.keep_open {
            state.kept = Some(file);
        }
        Ok(guard)
    }

    /// Reads from the start of the file, by position unless it is already mapped: a header is not worth a mapping.
    /// The handle is kept until the file is mapped or released.
    ///
    /// # Errors
    /// As [`Self::begin`], and [`crate::ErrorKind::Io`].
    pub fn prefix(&self, bytes: &mut [u8]) -> Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(map) = &state.map {
            self.identity.check(&self.path, state.kept.as_ref())?;
            memory::copy(map.bytes(), 0, bytes)?;
            return self.identity.check(&self.path, state.kept.as_ref());
        }
        let file = match state.kept.take() {
            Some(file) => file,
            None => self.open()?,
        };
        read_exact_at(&file, 0, bytes).map_err(|error| Error::io(error, 0).at(&self.path))?;
        self.identity.check(&self.path, Some(&file))?;
        state.kept = Some(file);
        Ok(())
    }

    /// Opens the file and checks that it has not changed.
    fn open(&self) -> Result<File> {
        let file = File::open(&self.path).map_err(|error| Error::io(error, 0).at(&self.path))?;
        self.identity.check(&self.path, Some(&file))?;
        Ok(file)
    }

    /// Drops the mapping and the kept handle; the next operation opens the file again.
    pub fn release(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = State::default();
    }

    /// Checks that the file did not change during the operation.
    pub fn end(&self) -> Result<()> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.identity.check(&self.path, state.kept.as_ref())
    }

    /// A separate mapping for an array that uses the file's bytes directly; `None` unless the options allow that.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub fn zero_copy(&self, bytes: Range<usize>) -> Result<Option<Mapping>> {
        let Some(writable) = self.zero_copy else {
            return Ok(None);
        };
        let file = self.open()?;
        // SAFETY: this is reached only through `LoadOptions::zero_copy`, an unsafe function whose caller promised
        // that the file does not change while the array lives. Edits of a private mapping do not reach the file.
        let pages = unsafe {
            if writable {
                MmapOptions::new().map_copy(&file).map(Pages::Private)
            } else {
                Mmap::map(&file).map(Pages::ReadOnly)
            }
        };
        let pages = pages.map_err(|error| Error::io(error, 0).at(&self.path))?;
        Ok(Some(Mapping::new(pages, bytes)))
    }
}
