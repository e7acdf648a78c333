//! A source whose bytes are counted from the end of another one, whose length is known only after reading to its end.

use std::path::Path;
use std::sync::OnceLock;

use super::{Access, ByteSource, Source, truncated, zeros};
use crate::core::error::{ErrorKind, Result};

/// Bytes per read in search of the end.
const STEP: u64 = 1 << 20;

/// The last bytes of a source, but for some after them. The end is searched for when they are first read.
#[derive(Debug)]
pub(crate) struct TailSource {
    inner: Source,
    /// Number of bytes.
    bytes: u64,
    /// Bytes of the inner source after them.
    after: u64,
    /// The byte of the inner source before which they cannot begin.
    from: u64,
    /// The byte of the inner source at which they begin.
    start: OnceLock<u64>,
}

impl TailSource {
    pub(crate) fn new(inner: Source, bytes: u64, after: u64, from: u64) -> Self {
        Self {
            inner,
            bytes,
            after,
            from,
            start: OnceLock::new(),
        }
    }

    fn start(&self) -> Result<u64> {
        if let Some(&start) = self.start.get() {
            return Ok(start);
        }
        let end = match self.inner.len()? {
            Some(end) => end,
            None => self.search_end()?,
        };
        let need = self.bytes.saturating_add(self.after);
        let start = end.checked_sub(need).filter(|&start| start >= self.from);
        let need = need.saturating_add(self.from);
        let start = start.ok_or_else(|| truncated("voxel data", end, need))?;
        Ok(*self.start.get_or_init(|| start))
    }

    /// Reads to the end, in order.
    fn search_end(&self) -> Result<u64> {
        let session = self.inner.begin()?;
        let mut piece = zeros(STEP)?;
        let mut at = 0u64;
        let end = loop {
            match session.read_at(at, &mut piece) {
                Ok(()) => at = at.saturating_add(STEP),
                Err(error) => match *error.kind() {
                    ErrorKind::Truncated { have, .. } if have >= at => break have,
                    _ => return Err(error),
                },
            }
        };
        session.end()?;
        Ok(end)
    }
}

impl ByteSource for TailSource {
    fn len(&self) -> Result<Option<u64>> {
        Ok(Some(self.bytes))
    }

    fn max_len(&self) -> Result<Option<u64>> {
        let whole = self.inner.max_len()?;
        Ok(Some(
            whole.map_or(self.bytes, |whole| whole.min(self.bytes)),
        ))
    }

    fn path(&self) -> Option<&Path> {
        self.inner.path()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let end = offset.saturating_add(buffer.len() as u64);
        if end > self.bytes {
            return Err(truncated("voxel data", self.bytes, end));
        }
        let start = self.start()?;
        let session = self.inner.begin()?;
        session.read_at(start.saturating_add(offset), buffer)?;
        session.end()
    }

    fn access(&self) -> Access {
        self.inner.access()
    }

    fn finish(&self, end: u64) -> Result<()> {
        let start = self.start()?;
        self.inner.begin()?.finish(start.saturating_add(end))
    }
}
