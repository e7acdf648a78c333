//! Deflates chunks with libdeflate, and checks each.

use std::io::{Error, Result};
use std::sync::{Mutex, PoisonError};

use crc32fast::Hasher;
use libdeflater::{CompressionLvl, Compressor};

use crate::source::gzip::walk::{PADDING, last_block};

/// An empty stored block, after its type has been written to the bits that are left of a byte: its length, and the same
/// inverted.
const EMPTY_STORED: [u8; 4] = [0, 0, 0xff, 0xff];

/// libdeflate's levels for each of gzip's from 1 on, of which 6 is the default: the fastest ones whose files are about as small.
/// The second one is for chunks that deflate well, as masks and labels do: there it pays to search longer, and takes little
/// time. In noise, longer searches find nothing before level 10.
const LEVELS: [(i32, i32); 9] = [
    (1, 1),
    (1, 2),
    (1, 4),
    (2, 4),
    (2, 5),
    (2, 6),
    (4, 7),
    (10, 10),
    (12, 12),
];

/// A chunk deflates well if it becomes so many times smaller.
const WELL: usize = 8;

/// One deflater for each thread that needs one at a time: they are large.
pub(super) struct Deflaters {
    level: u32,
    spare: Mutex<Vec<Deflater>>,
}

impl Deflaters {
    /// For this level of gzip, 1 to 9.
    pub(super) fn new(level: u32) -> Self {
        Self {
            level,
            spare: Mutex::default(),
        }
    }

    /// Deflates a chunk, with whatever deflater is not in use.
    ///
    /// # Errors
    /// If what was deflated does not inflate to the chunk, as on a machine with damaged memory.
    pub(super) fn deflate(&self, chunk: &[u8]) -> Result<Deflated> {
        let spare = || self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = spare().pop();
        let mut deflater = kept.unwrap_or_else(|| Deflater::new(self.level));
        let deflated = deflater.deflate(chunk);
        spare().push(deflater);
        deflated
    }
}

/// Deflates one chunk after the other.
struct Deflater {
    usual: Compressor,
    /// For chunks that deflate well; `None` if it would do the same.
    dense: Option<Compressor>,
    out: Vec<u8>,
}

/// A deflated chunk: blocks that end at a whole byte, none of which is the last one of the stream.
pub(super) struct Deflated {
    pub bytes: Vec<u8>,
    /// Of the chunk itself.
    pub crc: Hasher,
}

impl Deflater {
    fn new(level: u32) -> Self {
        let levels = LEVELS.get(level.clamp(1, 9) as usize - 1);
        let (usual, dense) = levels.copied().unwrap_or_default();
        let compressor = |level| Compressor::new(CompressionLvl::new(level).unwrap_or_default());
        Self {
            usual: compressor(usual),
            dense: (dense != usual).then(|| compressor(dense)),
            out: Vec::new(),
        }
    }

    fn deflate(&mut self, chunk: &[u8]) -> Result<Deflated> {
        let room = self.usual.deflate_compress_bound(chunk.len());
        self.out.resize(room + PADDING, 0);
        let (out, _) = self.out.split_at_mut(room);
        let length = self.usual.deflate_compress(chunk, out);
        let mut length = length.map_err(Error::other)?;
        if let Some(dense) = self.dense.as_mut().filter(|_| length * WELL < chunk.len()) {
            length = dense.deflate_compress(chunk, out).map_err(Error::other)?;
        }
        let last = last_block(&self.out, length, chunk);
        let last =
            last.ok_or_else(|| Error::other("deflated bytes do not inflate to what they were"))?;
        let mut bytes = Vec::with_capacity(length + 1 + EMPTY_STORED.len());
        bytes.extend_from_slice(self.out.get(..length).unwrap_or_default());
        // libdeflate always ends a stream. The bit that says so is the first one of its last block.
        if let Some(byte) = bytes.get_mut(last.start / 8) {
            *byte &= !(1 << (last.start % 8));
        }
        // The empty block's type is three zero bits, which follow the last block, and may not fit in its last byte.
        let used = last.end % 8;
        if let Some(byte) = bytes.last_mut().filter(|_| used > 0) {
            *byte &= (1 << used) - 1;
        }
        if used == 0 || used > 5 {
            bytes.push(0);
        }
        bytes.extend(EMPTY_STORED);
        let mut crc = Hasher::new();
        crc.update(chunk);
        Ok(Deflated { bytes, crc })
    }
}
