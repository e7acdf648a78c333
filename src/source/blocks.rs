//! A source made of blocks of another source that are scattered, reordered or reversed.

use std::path::Path;

use super::{Access, ByteSource, ReadHint, Session, Source, memory, truncated, zeros};
use crate::core::error::{Error, ErrorKind, Result};

/// Blocks of equal size in another source: the slices of a PAR/REC volume, the frames of an ECAT file.
#[derive(Debug)]
pub(crate) struct BlockSource {
    pub inner: Source,
    /// Byte of the inner source that the starts are relative to.
    pub offset: u64,
    /// Bytes of a block; not 0.
    pub bytes: u64,
    /// Where each block begins, relative to `offset`.
    pub starts: Vec<u64>,
    /// Bytes of the units that a block stores in reverse order; 0 if nothing is reversed.
    pub reversed: u64,
}

impl BlockSource {
    /// Number of bytes that are there if the inner source has `inner` bytes: up to the first incomplete block.
    fn have(&self, inner: u64) -> u64 {
        let inner = inner.saturating_sub(self.offset);
        let rest = |start: u64| inner.saturating_sub(start).min(self.bytes);
        let cut = self.starts.iter().position(|&s| rest(s) < self.bytes);
        let whole = |blocks: usize| blocks as u64 * self.bytes;
        match cut {
            // An incomplete reversed block lacks its beginning, so none of it can be used.
            Some(k) if self.reversed > 0 => whole(k),
            Some(k) => whole(k) + rest(self.starts[k]),
            None => whole(self.starts.len()),
        }
    }

    /// Fills `buffer` from byte `within` of the block that begins at byte `block`, whose units are reversed.
    fn read_reversed(
        &self,
        session: &Session<'_>,
        block: u64,
        within: u64,
        buffer: &mut [u8],
    ) -> Result<()> {
        let unit = self.reversed;
        let first = within / unit;
        let end = (within + buffer.len() as u64).div_ceil(unit);
        let mut stored = zeros((end - first) * unit)?;
        let from = (self.bytes / unit).saturating_sub(end) * unit;
        session.read_at(block.saturating_add(from), &mut stored)?;
        let mut turned = zeros(stored.len() as u64)?;
        let too_large = |_| ErrorKind::OutOfMemory { needed: unit };
        let size = usize::try_from(unit).map_err(too_large)?;
        let units = stored.chunks_exact(size).rev();
        for (to, from) in turned.chunks_exact_mut(size).zip(units) {
            to.copy_from_slice(from);
        }
        memory::copy(&turned, within - first * unit, buffer)
    }
}

impl ByteSource for BlockSource {
    fn len(&self) -> Result<Option<u64>> {
        Ok(self.inner.len()?.map(|inner| self.have(inner)))
    }

    fn max_len(&self) -> Result<Option<u64>> {
        Ok(self.inner.max_len()?.map(|inner| self.have(inner)))
    }

    fn path(&self) -> Option<&Path> {
        self.inner.path()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let session = self.inner.begin()?;
        let of_inner = |error: Error| error.at_maybe(self.inner.path());
        let (mut at, mut rest) = (offset, buffer);
        while !rest.is_empty() {
            let within = at % self.bytes;
            let run = (self.bytes - within).min(rest.len() as u64);
            let (piece, after) = rest.split_at_mut(run as usize);
            let start = usize::try_from(at / self.bytes)
                .ok()
                .and_then(|k| self.starts.get(k))
                .ok_or_else(|| {
                    let have = self.starts.len() as u64 * self.bytes;
                    truncated("voxel data", have, at.saturating_add(run))
                })?;
            let block = start.saturating_add(self.offset);
            match self.reversed {
                0 => session.read_at(block.saturating_add(within), piece),
                _ => self.read_reversed(&session, block, within, piece),
            }
            .map_err(of_inner)?;
            (at, rest) = (at + run, after);
        }
        session.end()
    }

    fn access(&self) -> Access {
        self.inner.access()
    }

    fn hint(&self) -> ReadHint {
        self.inner.hint()
    }

    fn finish(&self, _end: u64) -> Result<()> {
        let last = self.starts.iter().max().copied().unwrap_or_default();
        let end = self.offset.saturating_add(last).saturating_add(self.bytes);
        self.inner.begin()?.finish(end)
    }
}
