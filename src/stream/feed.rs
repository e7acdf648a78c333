//! What a stream reads: a file's voxels, or values that are in memory already.

use std::ops::Range;
use std::sync::Arc;

use super::ahead::Wanted;
use super::turns::Turns;
use crate::array::StoredArray;
use crate::dtype::ByteOrder;
use crate::error::Result;
use crate::header::Layout;
use crate::plan::Plan;
use crate::plan::selection::Selection;
use crate::read::proxy::{ArrayProxy, ProxySpec};
use crate::scaling::Scaling;
use crate::source::{Access, ByteSource, Source, memory};

/// Bytes of a sequential source that are passed over at a time.
const SKIP_BYTES: u64 = 1 << 20;

/// About what reading takes beside the frames: the buffer of a read on each thread, and a gzip stream's state.
pub(super) const READ_AHEAD_BYTES: u64 = 4 << 20;

/// Voxels, and which of them come when.
#[derive(Debug)]
pub(crate) struct Feed {
    proxy: ArrayProxy,
    turns: Turns,
    /// How far a sequential source has been read.
    reached: u64,
}

impl Feed {
    /// Of elements of `item` bytes.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Truncated`] when the source cannot hold the last frame, [`crate::ErrorKind::Limit`] for a
    /// block of frames above the limit.
    pub fn new(proxy: &ArrayProxy, turns: Turns, item: usize) -> Result<Self> {
        for block in [0, turns.blocks().saturating_sub(1)] {
            if block < turns.blocks() {
                let selection = proxy.select(&turns.index(block))?;
                proxy.check_output(&proxy.plan(&selection), item)?;
            }
        }
        Ok(Self {
            // Nobody else's reads send a forward stream back to the start of a gzip file.
            proxy: if turns.forwards() {
                proxy.apart()
            } else {
                proxy.clone()
            },
            turns,
            reached: 0,
        })
    }

    pub fn proxy(&self) -> &ArrayProxy {
        &self.proxy
    }

    pub fn turns(&self) -> &Turns {
        &self.turns
    }

    /// What a block takes of the stored voxels. The block exists.
    ///
    /// # Errors
    /// None for a block of [`Turns`].
    pub fn selection(&self, block: usize) -> Result<Selection> {
        self.proxy.select(&self.turns.index(block))
    }

    /// Brings a sequential source to where a box begins, step by step, for as long as it is wanted.
    ///
    /// # Errors
    /// What reading gives.
    pub fn skip_to(&mut self, plan: &Plan, wanted: &Wanted) -> Result<()> {
        wanted.check()?;
        if self.proxy.source().access() != Access::Sequential {
            return Ok(());
        }
        let Range { start, end } = self.proxy.byte_range(plan);
        if start < self.reached {
            self.reached = 0;
        }
        let session = self.proxy.source().begin()?;
        while self.reached + SKIP_BYTES < start {
            self.reached += SKIP_BYTES;
            session.read_at(self.reached, &mut [0])?;
            wanted.check()?;
        }
        self.reached = end;
        session.end()
    }

    /// Checks the end of a compressed file, when a pass has come there.
    ///
    /// # Errors
    /// As [`ArrayProxy::check_to_end`].
    pub fn end_of_pass(&self) -> Result<()> {
        if self.turns.reaches_end() {
            self.proxy.check_to_end()?;
        }
        Ok(())
    }
}

/// A proxy of values in memory.
///
/// # Errors
/// None: what is in memory has a size that fits.
pub(crate) fn proxy_of(array: StoredArray) -> Result<ArrayProxy> {
    let spec = ProxySpec {
        shape: array.shape().to_vec(),
        dtype: array.dtype(),
        byte_order: ByteOrder::NATIVE,
        layout: Layout::FirstFastest,
        offset: 0,
        scaling: Scaling::none(),
    };
    ArrayProxy::from_source(Source::Custom(Arc::new(Values(array))), spec)
}

/// An array as a source of bytes.
#[derive(Debug)]
struct Values(StoredArray);

impl ByteSource for Values {
    fn len(&self) -> Result<Option<u64>> {
        Ok(Some(self.0.as_bytes().len() as u64))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        memory::copy(self.0.as_bytes(), offset, buffer)
    }
}
