//! What a stream reads: a file's voxels, or values that are in memory already.

use std::ops::Range;
use std::sync::Arc;

use super::order::FrameOrder;
use crate::core::array::StoredArray;
use crate::core::dtype::ByteOrder;
use crate::core::error::Result;
use crate::core::scaling::Scaling;
use crate::core::scope;
use crate::header::Layout;
use crate::plan::Plan;
use crate::plan::selection::Selection;
use crate::read::ahead::Epoch;
use crate::read::proxy::{ArrayProxy, ProxySpec};
use crate::source::{Access, ByteSource, Hold, Source, memory};

/// Bytes of a sequential source that are passed over at a time.
const SKIP_BYTES: u64 = 1 << 20;

/// About what reading takes beside the frames: the buffer of a read on each thread, and a gzip stream's state.
const READ_AHEAD_BYTES: u64 = 4 << 20;

/// Voxels, and which of them come when.
#[derive(Debug)]
pub(crate) struct Feed {
    proxy: ArrayProxy,
    order: FrameOrder,
    /// How far a sequential source has been read.
    reached: u64,
    _one_read: Hold,
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
            _one_read: proxy.source().hold(),
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

    /// Memory that reading needs beside the frames, in bytes, about.
    pub fn read_ahead_bytes(&self) -> u64 {
        READ_AHEAD_BYTES.saturating_add(self.proxy.source().held_bytes())
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
    pub fn skip_to(&mut self, plan: &Plan, epoch: &Epoch) -> Result<()> {
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
