//! The frames of a stream and their order.

use std::ops::{Bound, RangeBounds};

use crate::core::error::{Error, Result};
use crate::plan::index::Index;

/// Which frames of a series are read, in which order, and how many exist at a time.
///
/// Frames are counted along the axis of time, or the one that [`crate::Header::frame_axis`] gives; an image without it is one
/// frame.
///
/// ```
/// use voxload::FrameOptions;
/// // Frames 10, 12, .. 98 in blocks of four, backwards, again and again.
/// let options = FrameOptions::new().range(10..100).step(2).block(4).reverse().looping();
/// # let _ = options;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct FrameOptions {
    first: usize,
    end: Option<usize>,
    step: usize,
    block: Option<usize>,
    reverse: bool,
    looping: bool,
    slots: usize,
}

impl Default for FrameOptions {
    fn default() -> Self {
        Self {
            first: 0,
            end: None,
            step: 1,
            block: None,
            reverse: false,
            looping: false,
            slots: 3,
        }
    }
}

impl FrameOptions {
    /// Every frame once, in order, one at a time, in three slots.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only these frames. As in a slice, frames beyond the end are ignored.
    pub fn range(mut self, range: impl RangeBounds<usize>) -> Self {
        self.first = match range.start_bound() {
            Bound::Included(&first) => first,
            Bound::Excluded(&before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        self.end = match range.end_bound() {
            Bound::Included(&last) => Some(last.saturating_add(1)),
            Bound::Excluded(&end) => Some(end),
            Bound::Unbounded => None,
        };
        self
    }

    /// Only every `step`-th frame of the range. At least 1.
    pub fn step(mut self, step: usize) -> Self {
        self.step = step;
        self
    }

    /// This many frames at a time (the last block may have fewer). The arrays then have an axis of frames, the last one. At
    /// least 1.
    pub fn block(mut self, frames: usize) -> Self {
        self.block = Some(frames);
        self
    }

    /// The last block first. Inside a block, frames stay in ascending order.
    pub fn reverse(mut self) -> Self {
        self.reverse = true;
        self
    }

    /// Starts again after the last frame, without end.
    pub fn looping(mut self) -> Self {
        self.looping = true;
        self
    }

    /// How many frames (or blocks) exist at a time, held by the caller or in preparation. At least 1.
    pub fn slots(mut self, slots: usize) -> Self {
        self.slots = slots;
        self
    }
}

/// The blocks of a stream, in the order in which they come: turn 0, turn 1, ...
#[derive(Debug, Clone)]
pub(crate) struct FrameOrder {
    options: FrameOptions,
    /// Number of selected frames.
    count: usize,
    /// Number of frames in the image.
    all: usize,
    /// Whether the image has an axis of frames.
    series: bool,
}

impl FrameOrder {
    /// The order for an array of this shape, whose last axis is that of the frames if it is a series.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] if the step, the block or the slots are 0.
    pub(crate) fn new(shape: &[usize], series: bool, options: &FrameOptions) -> Result<Self> {
        if options.step == 0 || options.block == Some(0) || options.slots == 0 {
            return Err(Error::usage(
                "a stream's step, block and slots are at least 1",
            ));
        }
        let all = match shape.last() {
            Some(&frames) if series => frames,
            _ => 1,
        };
        let end = options.end.map_or(all, |end| end.min(all));
        Ok(Self {
            count: end.saturating_sub(options.first).div_ceil(options.step),
            options: options.clone(),
            all,
            series,
        })
    }

    pub(crate) fn slots(&self) -> usize {
        self.options.slots
    }

    /// Whether the image has an axis of frames.
    #[cfg(feature = "gpu")]
    pub(crate) fn is_series(&self) -> bool {
        self.series
    }

    /// Whether blocks have an axis of frames.
    pub(crate) fn are_blocked(&self) -> bool {
        self.series && self.options.block.is_some()
    }

    fn block_frames(&self) -> usize {
        self.options.block.unwrap_or(1)
    }

    /// Number of blocks.
    pub(crate) fn blocks(&self) -> usize {
        self.count.div_ceil(self.block_frames())
    }

    /// The block for this turn; `None` after the last one.
    pub(crate) fn block(&self, turn: usize) -> Option<usize> {
        let blocks = self.blocks();
        if blocks == 0 || (turn >= blocks && !self.options.looping) {
            return None;
        }
        let turn = turn % blocks;
        Some(if self.options.reverse {
            blocks - 1 - turn
        } else {
            turn
        })
    }

    /// Whether this turn begins a new pass over all blocks.
    pub(crate) fn begins_pass(&self, turn: usize) -> bool {
        turn > 0 && turn.is_multiple_of(self.blocks().max(1))
    }

    /// Whether a pass reads the file in ascending order up to its last frame.
    pub(crate) fn reaches_end(&self) -> bool {
        let last = self.count.checked_sub(1);
        let last = last.map(|last| self.options.first + last * self.options.step);
        !self.options.reverse && last.is_some_and(|last| last + 1 == self.all)
    }

    /// Whether it starts again after the last block.
    #[cfg(feature = "gpu")]
    pub(crate) fn loops(&self) -> bool {
        self.options.looping
    }

    /// Whether blocks come in ascending order.
    pub(crate) fn forwards(&self) -> bool {
        !self.options.reverse
    }

    /// The first turn of the block with this frame.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Index`] if the frame is not selected.
    pub(crate) fn turn_of(&self, frame: usize) -> Result<usize> {
        let from_first = frame.checked_sub(self.options.first);
        let place = from_first
            .filter(|from_first| from_first.is_multiple_of(self.options.step))
            .map(|from_first| from_first / self.options.step)
            .filter(|&place| place < self.count)
            .ok_or_else(|| Error::index(format!("frame {frame} is not one of the stream's")))?;
        let block = place / self.block_frames();
        Ok(if self.options.reverse {
            self.blocks() - 1 - block
        } else {
            block
        })
    }

    /// The frames of a block, in ascending order.
    pub(crate) fn frames(&self, block: usize) -> impl ExactSizeIterator<Item = usize> + use<> {
        let start = (block * self.block_frames()).min(self.count);
        let end = (start + self.block_frames()).min(self.count);
        let (first, step) = (self.options.first, self.options.step);
        (start..end).map(move |place| first + place * step)
    }

    /// The index of a block's frames in the image.
    pub(crate) fn index(&self, block: usize) -> Index {
        let everything = Index::new().ellipsis();
        if !self.series {
            return everything;
        }
        let mut frames = self.frames(block);
        let count = frames.len();
        let first = frames.next().unwrap_or(self.options.first) as i64;
        if !self.are_blocked() {
            return everything.at(first);
        }
        let step = self.options.step as i64;
        everything.slice(Some(first), Some(first + count as i64 * step), Some(step))
    }
}
