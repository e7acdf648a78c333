//! Plans: which stored voxels go where in the output, as data that the CPU and the GPU both follow.

pub(crate) mod gather;
pub(crate) mod index;
pub(crate) mod selection;

use std::ops::Range;

use crate::core::shape::sort_short;

/// One axis of a box of voxels, in ascending stored order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Axis {
    /// Number of voxels.
    pub count: u64,
    /// The stride in stored voxels.
    pub stored: u64,
    /// The stride in output elements; negative if the selection is reversed.
    pub out: i64,
}

/// A box of voxels: where each is stored and where it goes.
///
/// Voxel `(i0, i1, ..)` is stored at `stored_first + sum(ik * axes[k].stored)` and goes to output element
/// `out_first + sum(ik * axes[k].out)`. Axes are in ascending order of `stored`; none has a count of 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub axes: Vec<Axis>,
    pub stored_first: u64,
    pub out_first: u64,
    /// Whether there are no voxels.
    pub empty: bool,
}

impl Plan {
    /// Builds a plan from axes in any order. Axes with one voxel are dropped.
    pub(crate) fn new(mut axes: Vec<Axis>, stored_first: u64, out_first: u64) -> Self {
        let empty = axes.iter().any(|axis| axis.count == 0);
        axes.retain(|axis| axis.count != 1);
        sort_short(&mut axes, |axis| axis.stored);
        // An empty box begins at 0, even if it also has reversed axes.
        Self {
            axes,
            stored_first: if empty { 0 } else { stored_first },
            out_first: if empty { 0 } else { out_first },
            empty,
        }
    }

    /// Number of voxels in the box.
    pub(crate) fn len(&self) -> u64 {
        if self.empty {
            return 0;
        }
        self.axes.iter().map(|axis| axis.count).product()
    }

    /// Whether the box is contiguous and in the same order in the stored voxels and in the output. Then every part of
    /// it is too.
    #[cfg(feature = "gpu")]
    pub(crate) fn is_dense(&self) -> bool {
        matches!(self.axes[..], [axis] if axis.stored == 1 && axis.out == 1)
    }

    /// Stored voxels from the first to the last one, including both.
    pub(crate) fn stored_span(&self) -> u64 {
        if self.empty {
            return 0;
        }
        1 + self
            .axes
            .iter()
            .map(|axis| (axis.count - 1) * axis.stored)
            .sum::<u64>()
    }

    /// Whether the voxels are all those from the beginning of the array, and go to the output in stored order.
    pub(crate) fn is_in_order(&self) -> bool {
        let straight = |axis: &Axis| i64::try_from(axis.stored) == Ok(axis.out);
        let dense = self.len() == self.stored_span();
        !self.empty
            && dense
            && (self.stored_first, self.out_first) == (0, 0)
            && self.axes.iter().all(straight)
    }

    /// The range of output elements that contains the box.
    pub(crate) fn out_range(&self) -> Range<u64> {
        if self.empty {
            return self.out_first..self.out_first;
        }
        let (mut low, mut high) = (self.out_first, self.out_first);
        for axis in &self.axes {
            let reach = (axis.count - 1) * axis.out.unsigned_abs();
            if axis.out < 0 {
                low -= reach;
            } else {
                high += reach;
            }
        }
        low..high + 1
    }

    /// Joins axes that are contiguous in the stored voxels and in the output. Axes are never joined across a multiple
    /// of `block` stored voxels (0: no such restriction), so that one run uses one entry of a scaling table.
    pub(crate) fn coalesced(&self, block: u64) -> Self {
        let mut axes: Vec<Axis> = Vec::with_capacity(self.axes.len());
        for &axis in &self.axes {
            if let Some(last) = axes.last_mut()
                && axis.stored == last.stored * last.count
                && axis.out == last.out * last.count as i64
                && (block == 0 || axis.stored < block)
            {
                last.count *= axis.count;
            } else {
                axes.push(axis);
            }
        }
        Self {
            axes,
            ..self.clone()
        }
    }

    /// The same voxels, written without gaps in stored order.
    pub(crate) fn in_stored_order(&self) -> Self {
        let mut next = 1;
        let mut plan = self.clone();
        plan.out_first = 0;
        for axis in &mut plan.axes {
            axis.out = next;
            next *= axis.count as i64;
        }
        plan
    }

    /// The output elements of the voxels, in stored order.
    #[cfg(feature = "gpu")]
    pub(crate) fn places(&self) -> impl Iterator<Item = u64> + '_ {
        (0..self.len()).map(|number| {
            let mut rest = number;
            let mut place = self.out_first;
            for axis in &self.axes {
                place = place.wrapping_add_signed((rest % axis.count) as i64 * axis.out);
                rest /= axis.count;
            }
            place
        })
    }

    /// The part of the box with indices `range` along axis `k`.
    pub(crate) fn restrict(&self, k: usize, range: Range<u64>) -> Self {
        let axis = self.axes[k];
        let mut part = self.clone();
        part.stored_first += range.start * axis.stored;
        part.out_first = part
            .out_first
            .wrapping_add_signed(range.start as i64 * axis.out);
        part.axes[k].count = range.end - range.start;
        part.empty |= range.is_empty();
        if part.axes[k].count == 1 {
            part.axes.remove(k);
        }
        part
    }

    /// Splits the box into boxes in ascending stored order. Each has at most `gathered` gathered voxels and an output
    /// range of at most `out_span` elements (but always at least one voxel).
    pub(crate) fn tiles(&self, item: u64, gathered: u64, out_span: u64) -> Tiles {
        Tiles {
            stack: if self.empty {
                Vec::new()
            } else {
                vec![self.clone()]
            },
            item,
            gathered: gathered.max(1),
            out_span: out_span.max(1),
        }
    }

    /// Splits the box into boxes that follow each other in the output, each a contiguous range of about `elements`
    /// elements. The output must be dense.
    pub(crate) fn split_output(&self, elements: u64) -> Vec<Self> {
        let mut parts = Vec::new();
        let mut stack = vec![self.clone()];
        while let Some(plan) = stack.pop() {
            let len = plan.len();
            let slowest = (0..plan.axes.len()).max_by_key(|&k| plan.axes[k].out.unsigned_abs());
            match slowest {
                Some(k) if len > elements.max(1) => {
                    let count = plan.axes[k].count;
                    let step = (elements / (len / count)).clamp(1, count.div_ceil(2));
                    let mut pieces: Vec<_> = (0..count.div_ceil(step))
                        .map(|i| plan.restrict(k, i * step..count.min((i + 1) * step)))
                        .collect();
                    // The last one is taken from the stack first: the one that is lowest in the output.
                    if plan.axes[k].out > 0 {
                        pieces.reverse();
                    }
                    stack.extend(pieces);
                }
                _ if len > 0 => parts.push(plan),
                _ => {}
            }
        }
        parts
    }
}

/// The boxes returned by [`Plan::tiles`].
pub(crate) struct Tiles {
    stack: Vec<Plan>,
    item: u64,
    gathered: u64,
    out_span: u64,
}

impl Tiles {
    /// The axis to split and how many indices to keep, if the box is too large.
    fn cut(&self, plan: &Plan) -> Option<(usize, u64)> {
        let halved = |k: usize, size: u64, limit: u64| {
            let count = plan.axes[k].count;
            let parts = size.div_ceil(limit).clamp(2, count);
            (k, count.div_ceil(parts))
        };
        let gathered = plan.gather(self.item).total;
        if gathered > self.gathered {
            // Axes are in stored order: splitting the slowest one keeps the boxes in ascending order in the file.
            let k = plan.axes.len() - 1;
            return Some(halved(k, gathered, self.gathered));
        }
        let range = plan.out_range();
        let span = range.end - range.start;
        if span > self.out_span {
            let k = (0..plan.axes.len()).max_by_key(|&k| {
                (plan.axes[k].count - 1).saturating_mul(plan.axes[k].out.unsigned_abs())
            })?;
            return Some(halved(k, span, self.out_span));
        }
        None
    }
}

impl Iterator for Tiles {
    type Item = Plan;

    fn next(&mut self) -> Option<Plan> {
        loop {
            let plan = self.stack.pop()?;
            let Some((k, keep)) = self.cut(&plan) else {
                return Some(plan);
            };
            let count = plan.axes[k].count;
            self.stack.push(plan.restrict(k, keep..count));
            self.stack.push(plan.restrict(k, 0..keep));
        }
    }
}
