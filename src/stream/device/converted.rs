//! Blocks that the CPU converts, for devices that cannot run the kernel: their values are only copied there.

use std::ops::Range;

use super::stager::Task;
use crate::array::StoredArray;
use crate::convert::Conversion;
use crate::core::shape::voxels;
use crate::error::{Error, Result};
use crate::stream::ahead::Wanted;
use crate::stream::feed::Feed;

/// The block that is being staged.
#[derive(Default)]
pub(super) struct Converted(Option<(usize, StoredArray)>);

impl Converted {
    /// Bytes of a block's values.
    ///
    /// # Errors
    /// As [`Feed::selection`].
    pub fn block_bytes(feed: &Feed, conversion: &Conversion, block: usize) -> Result<u64> {
        let voxels = voxels(&feed.selection(block)?.shape())?;
        Ok(voxels.saturating_mul(conversion.output.size_bytes() as u64))
    }

    /// A block cut so that each part fits a staging slot.
    pub fn tasks(block: usize, bytes: u64, slot_bytes: u64) -> Vec<Task> {
        let starts = (0..bytes).step_by(slot_bytes as usize);
        let part = |start: u64| Task::Upload {
            block,
            bytes: start..bytes.min(start + slot_bytes),
        };
        starts.map(part).collect()
    }

    /// Some bytes of a block, all of which is converted when the first are asked for.
    ///
    /// # Errors
    /// What reading gives.
    pub fn bytes(
        &mut self,
        feed: &mut Feed,
        conversion: &Conversion,
        block: usize,
        bytes: &Range<u64>,
        wanted: &Wanted,
    ) -> Result<&[u8]> {
        let there = |(kept, _): &(usize, StoredArray)| *kept == block && bytes.start > 0;
        let values = match self.0.take().filter(there) {
            Some((_, values)) => values,
            None => {
                let selection = feed.selection(block)?;
                let plan = feed.proxy().plan(&selection);
                feed.skip_to(&plan, wanted)?;
                feed.proxy().fetch_stored(conversion, &selection)?
            }
        };
        let (_, values) = self.0.insert((block, values));
        let all = values.as_bytes();
        all.get(bytes.start as usize..bytes.end as usize)
            .ok_or_else(|| Error::shape(all.len(), format_args!("{bytes:?} of a block")))
    }
}
