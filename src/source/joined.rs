//! A source made of parts of several sources, one after the other.

use super::{Access, ByteSource, ReadHint, Source, truncated};
use crate::core::error::Result;

/// The same number of bytes from each of several sources: a volume with one file per slice.
#[derive(Debug)]
pub(crate) struct JoinedSource {
    /// Each source, and the byte at which its part begins.
    pub parts: Vec<(Source, u64)>,
    /// Bytes of a part; not 0.
    pub bytes: u64,
}

impl ByteSource for JoinedSource {
    fn len(&self) -> Result<Option<u64>> {
        Ok(Some(self.parts.len() as u64 * self.bytes))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let (mut at, mut rest) = (offset, buffer);
        while !rest.is_empty() {
            let within = at % self.bytes;
            let run = (self.bytes - within).min(rest.len() as u64);
            let (piece, after) = rest.split_at_mut(run as usize);
            let (source, start) = usize::try_from(at / self.bytes)
                .ok()
                .and_then(|k| self.parts.get(k))
                .ok_or_else(|| {
                    let have = self.parts.len() as u64 * self.bytes;
                    truncated("voxel data", have, at.saturating_add(run))
                })?;
            let session = source.begin()?;
            session
                .read_at(start.saturating_add(within), piece)
                .map_err(|error| error.at_maybe(source.path()))?;
            session.end()?;
            (at, rest) = (at + run, after);
        }
        Ok(())
    }

    fn access(&self) -> Access {
        let sequential = |(source, _): &(Source, u64)| source.access() == Access::Sequential;
        match self.parts.iter().any(sequential) {
            true => Access::Sequential,
            false => Access::Random,
        }
    }

    fn hint(&self) -> ReadHint {
        let hints = self.parts.iter().map(|(source, _)| source.hint());
        hints.fold(ReadHint::default(), ReadHint::max)
    }

    fn finish(&self, _end: u64) -> Result<()> {
        self.parts.iter().try_for_each(|(source, start)| {
            let finish = || source.begin()?.finish(start.saturating_add(self.bytes));
            finish().map_err(|error| error.at_maybe(source.path()))
        })
    }
}
