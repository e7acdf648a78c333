//! Mapped files, and the only `unsafe` of the crate's sources.
//!
//! A mapping can change under its reader when another process writes to the file, and reading past a shortened file's
//! end raises a signal that no library should catch. So a mapping never leaves this crate, except by
//! [`crate::LoadOptions::zero_copy`], which is `unsafe` and says so; every operation checks that the file is
//! the one that was mapped, before and after; and [`crate::Mmap::Off`] reads by position instead.
//!
//! Where a target has no mappings, memmap2 compiles and gives an error of kind `Unsupported`.
#![expect(
    unsafe_code,
    reason = "mapping a file is unsafe: see the module's text"
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

/// A file that is mapped on its first read and stays mapped; the mapping holds no file descriptor.
#[derive(Debug)]
pub(crate) struct MmapSource {
    path: PathBuf,
    identity: Identity,
    keep_open: bool,
    /// Whether an array may be the mapping itself, and then whether it may be edited.
    zero_copy: Option<bool>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    map: Option<MapGuard>,
    /// The handle: kept while the header is read, and with [`crate::KeepFileOpen::Yes`] as long as the mapping.
    kept: Option<File>,
}

/// A mapping in use.
#[derive(Debug, Clone)]
pub(crate) struct MapGuard(Arc<Mmap>);

impl MapGuard {
    /// The bytes of the file, for the time of one operation, and only inside this crate.
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

    /// Maps the file, unless it is mapped already, and checks that it is still the one it was.
    pub fn begin(&self) -> Result<MapGuard> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(map) = &state.map {
            self.identity.check(&self.path, state.kept.as_ref())?;
            return Ok(map.clone());
        }
        // What reading the header left open may be an older file of that name.
        state.kept = None;
        let file = self.open()?;
        // SAFETY: the mapping is read only inside this crate, by code for which any byte is a valid value, and
        // only between `begin` and `end`, which both compare length and modification time of the file. Writing
        // to the file during an operation is outside the contract of `Mmap::CopyOnWrite` and `Mmap::ReadOnly`.
        let map =
            unsafe { Mmap::map(&file) }.map_err(|error| Error::io(error, 0).at(&self.path))?;
        let guard = MapGuard(Arc::new(map));
        state.map = Some(guard.clone());
        if self.keep_open {
            state.kept = Some(file);
        }
        Ok(guard)
    }

    /// Bytes from the start, read by position where nothing is mapped yet: a header is not worth a mapping. The handle is
    /// kept for the next call, until the file is mapped or released.
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

    /// Opens the file and checks that it is the one it was.
    fn open(&self) -> Result<File> {
        let file = File::open(&self.path).map_err(|error| Error::io(error, 0).at(&self.path))?;
        self.identity.check(&self.path, Some(&file))?;
        Ok(file)
    }

    /// Drops the mapping and the handle that was kept; the next operation opens the file again.
    pub fn release(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = State::default();
    }

    /// Checks that the file did not change during the operation.
    pub fn end(&self) -> Result<()> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.identity.check(&self.path, state.kept.as_ref())
    }

    /// A mapping of its own for an array that is the file itself, where the options allow that.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub fn zero_copy(&self, bytes: Range<usize>) -> Result<Option<Mapping>> {
        let Some(writable) = self.zero_copy else {
            return Ok(None);
        };
        let file = self.open()?;
        // SAFETY: only reached through `LoadOptions::zero_copy`, an unsafe function whose caller promised that
        // the file does not change while the array lives. A private mapping keeps edits from the file.
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
