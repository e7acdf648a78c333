//! What a stream reads from: a file's voxels, or values that are already in memory.

use std::ops::Range;

use super::order::FrameOrder;
use crate::core::error::Result;
use crate::core::scope;
use crate::plan::Plan;
use crate::plan::selection::Selection;
use crate::read::ahead::Epoch;
use crate::read::proxy::ArrayProxy;
use crate::source::{Access, KeptPieces};

/// Bytes of a sequential source that are skipped at a time.
const SKIP_BYTES: u64 = 1 << 20;

/// Approximate memory for reading, in addition to the frames: a read buffer per thread, and the state of a gzip stream.
const READ_AHEAD_BYTES: u64 = 4 << 20;

/// The voxels, and the order of the frames.
#[derive(Debug)]
pub(crate) struct FrameReader {
    proxy: ArrayProxy,
    order: FrameOrder,
    /// How far a sequential source has been read.
    reached: u64,
    _kept: KeptPieces,
}

impl FrameReader {
    /// `item` is the size of an element in bytes.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Truncated`] if the source cannot contain the last frame, [`crate::ErrorKind::Limit`] if a
    /// block of frames exceeds the limit.
    pub(crate) fn new(proxy: &ArrayProxy, order: FrameOrder, item: usize) -> Result<Self> {
        for block in [0, order.blocks().saturating_sub(1)] {
            if block < order.blocks() {
                let selection = proxy.select(&order.index(block))?;
                proxy.check_output(&proxy.plan(&selection), item)?;
            }
        }
        Ok(Self {
            _kept: proxy.source().keep_pieces(),
            // With a stream of its own, other reads do not send it back to the start of a gzip file.
            proxy: if order.forwards() {
                proxy.with_own_cursor()
            } else {
                proxy.clone()
            },
            order,
            reached: 0,
        })
    }

    pub(crate) fn proxy(&self) -> &ArrayProxy {
        &self.proxy
    }

    /// Memory that reading needs beside the frames, in bytes, about.
    pub(crate) fn read_ahead_bytes(&self) -> u64 {
        READ_AHEAD_BYTES.saturating_add(self.proxy.source().held_bytes())
    }

    pub(crate) fn order(&self) -> &FrameOrder {
        &self.order
    }

    /// The voxels of a block, which must exist.
    ///
    /// # Errors
    /// None for a block of [`FrameOrder`].
    pub(crate) fn selection(&self, block: usize) -> Result<Selection> {
        self.proxy.select(&self.order.index(block))
    }

    /// Reads a sequential source up to the start of a box, step by step, until it is cancelled.
    ///
    /// # Errors
    /// Errors of reading.
    pub(crate) fn skip_to(&mut self, plan: &Plan, epoch: &Epoch) -> Result<()> {
        epoch.check()?;
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
            scope::check()?;
            session.read_at(self.reached, &mut [0])?;
            epoch.check()?;
        }
        self.reached = end;
        session.end()
    }

    /// Checks the end of a compressed file, if a pass has just ended there.
    ///
    /// # Errors
    /// As [`ArrayProxy::check_to_end`].
    pub(crate) fn finish_pass(&self) -> Result<()> {
        if self.order.reaches_end() {
            self.proxy.check_to_end()?;
        }
        Ok(())
    }
}
