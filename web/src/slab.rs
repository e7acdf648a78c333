//! Stored bytes that come part by part.

use std::sync::{Mutex, PoisonError};

use voxload::{ByteSource, ErrorKind, Result};

/// The part of the stored bytes that is here.
#[derive(Debug)]
pub(crate) struct Slab {
    /// Of all stored bytes.
    length: u64,
    /// Where the part begins, and its bytes.
    here: Mutex<(u64, Vec<u8>)>,
}

impl Slab {
    /// Of so many bytes, none of which is here.
    pub fn new(length: u64) -> Self {
        Self {
            length,
            here: Mutex::default(),
        }
    }

    /// Has these bytes here, from byte `start` on, and no others.
    pub fn replace(&self, start: u64, bytes: Vec<u8>) {
        *self.here.lock().unwrap_or_else(PoisonError::into_inner) = (start, bytes);
    }

    /// The same with bytes that are written to the memory of those before.
    pub fn fill(&self, start: u64, write: impl FnOnce(&mut [u8]), length: u32) {
        let mut here = self.here.lock().unwrap_or_else(PoisonError::into_inner);
        here.0 = start;
        here.1.resize(length as usize, 0);
        write(&mut here.1);
    }
}

impl ByteSource for Slab {
    fn len(&self) -> Result<Option<u64>> {
        Ok(Some(self.length))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let slab = self.here.lock().unwrap_or_else(PoisonError::into_inner);
        let from = offset.checked_sub(slab.0);
        let from = from.and_then(|from| usize::try_from(from).ok());
        let found = from.and_then(|from| slab.1.get(from..)?.get(..buffer.len()));
        let found = found.ok_or(ErrorKind::Truncated {
            what: "voxel data",
            have: slab.0 + slab.1.len() as u64,
            need: offset.saturating_add(buffer.len() as u64),
        })?;
        buffer.copy_from_slice(found);
        Ok(())
    }
}
