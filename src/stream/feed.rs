//! What a stream reads: a file's voxels, or values that are in memory already.

use std::ops::Range;

use super::order::FrameOrder;
use crate::core::error::Result;
use crate::plan::Plan;
use crate::plan::selection::Selection;
use crate::read::ahead::Cancel;
use crate::read::proxy::ArrayProxy;
use crate::source::Access;

/// Bytes of a sequential source that are passed over at a time.
const SKIP_BYTES: u64 = 1 << 20;

/// About what reading takes beside the frames: the buffer of a read on each thread, and a gzip stream's state.
pub(super) const READ_AHEAD_BYTES: u64 = 4 << 20;

/// Voxels, and which of them come when.
#[derive(Debug)]
pub(crate) struct Feed {
    proxy: ArrayProxy,
    order: FrameOrder,
    /// How far a sequential source has been read.
    reached: u64,
}

impl Feed {
    /// Of elements of `item` bytes.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Truncated`] when the source cannot hold the last frame, [`crate::ErrorKind::Limit`] for a
    /// block of frames above the limit.
    pub fn new(proxy: &ArrayProxy, order: FrameOrder, item: usize) -> Result<Self> {
        for block in [0, order.blocks().saturating_sub(1)] {
            if block < order.blocks() {
                let selection = proxy.select(&order.index(block))?;
                proxy.check_output(&proxy.plan(&selection), item)?;
            }
        }
        Ok(Self {
            // Other reads must not send a forward stream back to the start of a gzip file.
            proxy: if order.forwards() {
                proxy.with_own_cursor()
            } else {
                proxy.clone()
            },
            order,
            reached: 0,
        })
    }

    pub fn proxy(&self) -> &ArrayProxy {
        &self.proxy
    }

    pub fn order(&self) -> &FrameOrder {
        &self.order
    }

    /// What a block takes of the stored voxels. The block exists.
    ///
    /// # Errors
    /// None for a block of [`FrameOrder`].
    pub fn selection(&self, block: usize) -> Result<Selection> {
        self.proxy.select(&self.order.index(block))
    }

    /// Brings a sequential source to where a box begins, step by step, until it is cancelled.
    ///
    /// # Errors
    /// What reading gives.
    pub fn skip_to(&mut self, plan: &Plan, cancel: &Cancel) -> Result<()> {
        cancel.check()?;
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
            cancel.check()?;
        }
        self.reached = end;
        session.end()
    }

    /// Checks the end of a compressed file, when a pass has come there.
    ///
    /// # Errors
    /// As [`ArrayProxy::check_to_end`].
    pub fn end_of_pass(&self) -> Result<()> {
        if self.order.reaches_end() {
            self.proxy.check_to_end()?;
        }
        Ok(())
    }
}
