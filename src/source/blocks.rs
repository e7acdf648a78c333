//! A source whose blocks are stored in another order.

use super::{Access, ByteSource, Source, truncated};
use crate::error::Result;

/// Blocks of equal size of another source, in an order of our own: slice `k` of a PAR/REC volume is block `order[k]`
/// of the REC file.
#[derive(Debug)]
pub(crate) struct BlockSource {
    pub inner: Source,
    /// Byte of the source at which its first block begins.
    pub offset: u64,
    /// Bytes of a block; not 0.
    pub bytes: u64,
    pub order: Vec<u64>,
}

impl ByteSource for BlockSource {
    fn len(&self) -> Result<Option<u64>> {
        let whole = self.order.len() as u64 * self.bytes;
        let inner = self.inner.len()?;
        Ok(inner.map(|inner| inner.saturating_sub(self.offset).min(whole)))
    }

    fn most_bytes(&self) -> Result<Option<u64>> {
        let whole = self.order.len() as u64 * self.bytes;
        let inner = self.inner.most_bytes()?;
        Ok(inner.map(|inner| inner.saturating_sub(self.offset).min(whole)))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let session = self.inner.begin()?;
        let (mut at, mut rest) = (offset, buffer);
        while !rest.is_empty() {
            let within = at % self.bytes;
            let run = (self.bytes - within).min(rest.len() as u64);
            let (piece, behind) = rest.split_at_mut(run as usize);
            let block = usize::try_from(at / self.bytes)
                .ok()
                .and_then(|k| self.order.get(k))
                .ok_or_else(|| {
                    let have = self.order.len() as u64 * self.bytes;
                    truncated("voxel data", have, at.saturating_add(run))
                })?;
            let stored = block
                .saturating_mul(self.bytes)
                .saturating_add(self.offset)
                .saturating_add(within);
            session.read_at(stored, piece)?;
            (at, rest) = (at + run, behind);
        }
        session.end()
    }

    fn access(&self) -> Access {
        self.inner.access()
    }

    fn finish(&self) -> Result<()> {
        self.inner.begin()?.finish()
    }
}
