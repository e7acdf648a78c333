//! A source that begins inside another source.

use super::{Access, ByteSource, ReadHint, Source};
use crate::core::error::Result;
use std::path::Path;

/// The bytes of a source from a given position.
#[derive(Debug)]
pub(crate) struct OffsetSource {
    pub inner: Source,
    pub pos: u64,
}

impl ByteSource for OffsetSource {
    fn len(&self) -> Result<Option<u64>> {
        let whole = self.inner.len()?;
        Ok(whole.map(|length| length.saturating_sub(self.pos)))
    }

    fn max_len(&self) -> Result<Option<u64>> {
        let whole = self.inner.max_len()?;
        Ok(whole.map(|length| length.saturating_sub(self.pos)))
    }

    fn path(&self) -> Option<&Path> {
        self.inner.path()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let session = self.inner.begin()?;
        session.read_at(self.pos.saturating_add(offset), buffer)?;
        session.end()
    }

    fn finish(&self, end: u64) -> Result<()> {
        self.inner.begin()?.finish(self.pos.saturating_add(end))
    }

    fn access(&self) -> Access {
        self.inner.access()
    }

    fn hint(&self) -> ReadHint {
        self.inner.hint()
    }
}
