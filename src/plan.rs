//! Plans: which stored voxels go to which places of the output, as pure data that both backends follow.

pub(crate) mod index;
pub(crate) mod selection;

use std::ops::Range;

/// Gaps up to this many bytes are read and thrown away rather than skipped (spec 2.5).
const GAP_BYTES: u64 = 256;

/// One axis of a box of voxels, walked in stored order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Axis {
    /// How many voxels along it.
    pub count: u64,
    /// Stored voxels from one to the next.
    pub stored: u64,
    /// Output elements from one to the next; negative where the selection is flipped.
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
    /// No voxel at all.
    pub empty: bool,
}

/// The byte runs that hold a box, ascending, and how the box lies in them once they stand end to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gather {
    /// Stored voxels of one run (with the gaps inside it).
    pub run: u64,
    /// The axes along which runs repeat, fastest first: how many, and stored voxels between them.
    pub outer: Vec<(u64, u64)>,
    /// For each axis of the plan, gathered voxels from one to the next.
    pub strides: Vec<u64>,
    /// Voxels gathered in all.
    pub total: u64,
}

impl Plan {
    /// Builds a plan from axes in any order; those of one voxel are dropped.
    pub fn new(mut axes: Vec<Axis>, stored_first: u64, out_first: u64) -> Self {
        let empty = axes.iter().any(|axis| axis.count == 0);
        axes.retain(|axis| axis.count != 1);
        axes.sort_by_key(|axis| axis.stored);
        // A box without voxels begins nowhere: flipped axes beside the empty one must not move it.
        Self {
            axes,
            stored_first: if empty { 0 } else { stored_first },
            out_first: if empty { 0 } else { out_first },
            empty,
        }
    }

    /// Voxels in the box.
    pub fn len(&self) -> u64 {
        if self.empty {
            return 0;
        }
        self.axes.iter().map(|axis| axis.count).product()
    }

    /// Whether stored and output voxels follow each other alike; so do those of any part of such a box.
    #[cfg(feature = "gpu")]
    pub fn is_dense(&self) -> bool {
        matches!(self.axes[..], [axis] if axis.stored == 1 && axis.out == 1)
    }

    /// Stored voxels from the first to behind the last.
    pub fn stored_span(&self) -> u64 {
        if self.empty {
            return 0;
        }
        1 + self
            .axes
            .iter()
            .map(|axis| (axis.count - 1) * axis.stored)
            .sum::<u64>()
    }

    /// Whether the voxels go to the output in the order in which they are stored, from the first ones on.
    pub fn is_in_order(&self) -> bool {
        let straight = |axis: &Axis| i64::try_from(axis.stored) == Ok(axis.out);
        let dense = self.len() == self.stored_span();
        !self.empty
            && dense
            && (self.stored_first, self.out_first) == (0, 0)
            && self.axes.iter().all(straight)
    }

    /// The range of output elements that the box lies in.
    pub fn out_range(&self) -> Range<u64> {
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

    /// Joins axes that follow each other without a gap on both sides, but never across a multiple of
    /// `block` stored voxels (0: anywhere), so that one run has one entry of a scaling table.
    pub fn coalesced(&self, block: u64) -> Self {
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

    /// The same voxels, put down without gaps in the order in which they are stored.
    pub fn in_stored_order(&self) -> Self {
        let mut next = 1;
        let mut plan = self.clone();
        plan.out_first = 0;
        for axis in &mut plan.axes {
            axis.out = next;
            next *= axis.count as i64;
        }
        plan
    }

    /// The output elements of the voxels, in the order in which these are stored.
    #[cfg(feature = "gpu")]
    pub fn places(&self) -> impl Iterator<Item = u64> + '_ {
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

    /// The runs to read for this box, for voxels of `item` bytes.
    pub fn gather(&self, item: u64) -> Gather {
        let mut run = 1;
        let mut strides = Vec::with_capacity(self.axes.len());
        let mut outer = Vec::new();
        let mut total = 1;
        for axis in &self.axes {
            if outer.is_empty() && (axis.stored - run) * item <= GAP_BYTES {
                run += (axis.count - 1) * axis.stored;
                strides.push(axis.stored);
                total = run;
            } else {
                strides.push(total);
                total *= axis.count;
                outer.push((axis.count, axis.stored));
            }
        }
        Gather {
            run,
            outer,
            strides,
            total: if self.empty { 0 } else { total },
        }
    }

    /// The part of the box that has `range` of axis `k`.
    pub fn restrict(&self, k: usize, range: Range<u64>) -> Self {
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

    /// Boxes in ascending stored order, each of at most `gathered` gathered voxels and an output range of at
    /// most `out_span` elements (a single voxel always fits).
    pub fn tiles(&self, item: u64, gathered: u64, out_span: u64) -> Tiles {
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

    /// Boxes that follow each other in the output, in ascending order, each a contiguous range of about
    /// `elements` of it. For plans whose output is dense.
    pub fn split_output(&self, elements: u64) -> Vec<Self> {
        let mut parts = Vec::new();
        let mut stack = vec![self.clone()];
        while let Some(plan) = stack.pop() {
            let len = plan.len();
            let slowest = (0..plan.axes.len()).max_by_key(|&k| plan.axes[k].out.unsigned_abs());
            match slowest {
                Some(k) if len > elements.max(1) => {
                    let count = plan.axes[k].count;
                    let step = (elements / (len / count)).clamp(1, count.div_ceil(2));
                    let mut pieces: Vec<_> = (0..count)
                        .step_by(step as usize)
                        .map(|start| plan.restrict(k, start..count.min(start + step)))
                        .collect();
                    // The stack gives back the last one first: the one lowest in the output.
                    pieces.sort_by_key(|piece| std::cmp::Reverse(piece.out_range().start));
                    stack.extend(pieces);
                }
                _ if len > 0 => parts.push(plan),
                _ => {}
            }
        }
        parts
    }
}

/// The boxes of [`Plan::tiles`].
pub(crate) struct Tiles {
    stack: Vec<Plan>,
    item: u64,
    gathered: u64,
    out_span: u64,
}

impl Tiles {
    /// The axis to cut and how many of it to keep, when the box is too large.
    fn cut(&self, plan: &Plan) -> Option<(usize, u64)> {
        let halved = |k: usize, size: u64, limit: u64| {
            let count = plan.axes[k].count;
            let parts = size.div_ceil(limit).clamp(2, count);
            (k, count.div_ceil(parts))
        };
        let gathered = plan.gather(self.item).total;
        if gathered > self.gathered {
            // Axes are in stored order: cutting the slowest keeps the boxes ascending in the file.
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

impl Gather {
    /// Stored positions (in voxels from the box's first) at which the runs begin, ascending.
    pub fn run_starts(&self) -> impl Iterator<Item = u64> + '_ {
        let mut index = vec![0; self.outer.len()];
        let mut next = Some(0);
        std::iter::from_fn(move || {
            let current = next?;
            let mut position = current;
            next = None;
            for (i, &(count, stride)) in index.iter_mut().zip(&self.outer) {
                *i += 1;
                if *i < count {
                    next = Some(position + stride);
                    break;
                }
                position -= (count - 1) * stride;
                *i = 0;
            }
            Some(current)
        })
    }
}
