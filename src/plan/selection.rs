//! The result of an index: positions along each stored axis, and the axes of the result.

use crate::core::affine::AxisDirection;
use crate::core::error::{Error, Result};
use crate::core::shape::dense_strides;
use crate::header::Layout;
use crate::plan::{Axis, Plan};

/// The selected positions along one stored axis: `start`, `start + step`, ...
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Positions {
    pub start: u64,
    pub step: i64,
    pub count: u64,
}

impl Positions {
    /// The positions that `inner` selects among these.
    fn take(&self, inner: &Self) -> Self {
        let from_first = inner.start as i64 * self.step;
        Self {
            start: self.start.wrapping_add_signed(from_first),
            step: self.step.saturating_mul(inner.step),
            count: inner.count,
        }
    }

    fn reversed(&self) -> Self {
        let reach = self.count.saturating_sub(1) as i64 * self.step;
        Self {
            start: self.start.wrapping_add_signed(reach),
            step: -self.step,
            count: self.count,
        }
    }
}

/// An axis of a selection's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutAxis {
    /// A stored axis.
    Axis(usize),
    /// An axis that is not stored, of length 1; or 0 if it was sliced away.
    New(u64),
}

/// An [`crate::Index`] applied to a shape: the selected positions along each stored axis, and the axes of the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selection {
    pub axes: Vec<Positions>,
    pub out: Vec<OutAxis>,
}

impl Selection {
    /// Selects everything in an array of this shape.
    pub(crate) fn whole(shape: &[usize]) -> Self {
        let mut selection = Self {
            axes: Vec::new(),
            out: Vec::new(),
        };
        selection.push_whole(shape, shape.len());
        selection
    }

    /// The shape of the result.
    pub(crate) fn shape(&self) -> Vec<usize> {
        self.out
            .iter()
            .map(|out| match *out {
                OutAxis::Axis(axis) => self.axes[axis].count as usize,
                OutAxis::New(length) => length as usize,
            })
            .collect()
    }

    /// The plan that writes the selected voxels to a dense column-major output.
    ///
    /// `shape` is the stored shape; its number of voxels has been checked.
    pub(crate) fn plan(&self, shape: &[usize], layout: Layout) -> Plan {
        self.plan_into(shape, layout, 0, &dense_strides(&self.shape()))
    }

    /// The plan that writes the selected voxels to an output with these strides, in elements, along the axes of the
    /// result. Voxel `(0, 0, ..)` goes to element `first`.
    ///
    /// The caller has checked that all elements are in range.
    pub(crate) fn plan_into(
        &self,
        shape: &[usize],
        layout: Layout,
        first: u64,
        strides: &[i64],
    ) -> Plan {
        let sliced_away = self.out.contains(&OutAxis::New(0));
        if sliced_away || self.axes.iter().any(|axis| axis.count == 0) {
            // The strides of an empty shape may overflow.
            return Plan {
                axes: Vec::new(),
                stored_first: 0,
                out_first: 0,
                empty: true,
            };
        }
        let stored = stored_strides(shape, layout);
        let mut out_strides = vec![0i64; shape.len()];
        for (out, &stride) in self.out.iter().zip(strides) {
            if let OutAxis::Axis(axis) = *out {
                out_strides[axis] = stride;
            }
        }
        let (mut stored_first, mut out_first) = (0, first);
        let mut axes = Vec::with_capacity(shape.len());
        for ((positions, &stored), &out) in self.axes.iter().zip(&stored).zip(&out_strides) {
            let Positions { start, step, count } = *positions;
            let reach = count.saturating_sub(1);
            let step_size = step.unsigned_abs();
            // Stored voxels are visited in ascending order. For a negative step the output is visited backwards
            // instead.
            let (first, out) = if step < 0 && count > 0 {
                out_first = out_first.wrapping_add_signed(reach as i64 * out);
                (start - reach * step_size, -out)
            } else {
                (start, out)
            };
            stored_first += first * stored;
            axes.push(Axis {
                count,
                stored: step_size.saturating_mul(stored),
                out,
            });
        }
        Plan::new(axes, stored_first, out_first)
    }

    /// Applies `inner` to the result of this selection.
    pub(crate) fn compose(&self, inner: &Self) -> Self {
        let mut axes = self.axes.clone();
        let mut made = Vec::with_capacity(self.out.len());
        for (&out, taken) in self.out.iter().zip(&inner.axes) {
            made.push(match out {
                OutAxis::Axis(axis) => {
                    axes[axis] = axes[axis].take(taken);
                    out
                }
                OutAxis::New(_) => OutAxis::New(taken.count),
            });
        }
        let out = inner
            .out
            .iter()
            .map(|&out| match out {
                OutAxis::Axis(axis) => made[axis],
                OutAxis::New(_) => out,
            })
            .collect();
        Self { axes, out }
    }

    /// Selects the same voxels with the result's axes reordered: each axis is taken from the one that `sources` names,
    /// reversed if flipped. Axes that are not named follow unchanged.
    pub(crate) fn reordered(&self, sources: &[AxisDirection]) -> Self {
        let mut axes = self.axes.clone();
        let mut out = self.out.clone();
        for (place, source) in out.iter_mut().zip(sources) {
            let taken = self.out[source.axis];
            if let OutAxis::Axis(axis) = taken
                && source.flipped
            {
                axes[axis] = axes[axis].reversed();
            }
            *place = taken;
        }
        Self { axes, out }
    }

    /// Selects the same voxels with the result's axes in this order; `None` is a new axis of length 1.
    ///
    /// `order` must have every axis of the result once.
    pub(crate) fn arranged(&self, order: &[Option<usize>]) -> Self {
        let out = order.iter().map(|axis| match axis {
            Some(axis) => self.out[*axis],
            None => OutAxis::New(1),
        });
        Self {
            axes: self.axes.clone(),
            out: out.collect(),
        }
    }

    /// Selects the same voxels of an array whose elements (colours) have been split along a new first axis of this
    /// length. In the result, this axis is the last.
    pub(crate) fn with_components(&self, count: u64) -> Self {
        let components = Positions {
            start: 0,
            step: 1,
            count,
        };
        let moved = |out: &OutAxis| match *out {
            OutAxis::Axis(axis) => OutAxis::Axis(axis + 1),
            new => new,
        };
        Self {
            axes: [&[components], self.axes.as_slice()].concat(),
            out: self
                .out
                .iter()
                .map(moved)
                .chain([OutAxis::Axis(0)])
                .collect(),
        }
    }

    pub(super) fn next_length(&self, shape: &[usize]) -> Result<u64> {
        shape
            .get(self.axes.len())
            .map(|&length| length as u64)
            .ok_or_else(|| Error::index("more axes are named than the array has"))
    }

    pub(super) fn push_at(&mut self, shape: &[usize], position: i64) -> Result<()> {
        let axis = self.axes.len();
        let length = self.next_length(shape)?;
        let from_start = if position < 0 {
            length.checked_sub(position.unsigned_abs())
        } else {
            Some(position.unsigned_abs())
        };
        let start = from_start.filter(|&start| start < length).ok_or_else(|| {
            Error::index(format!(
                "{position} is out of range for axis {axis} of length {length}"
            ))
        })?;
        self.axes.push(Positions {
            start,
            step: 1,
            count: 1,
        });
        Ok(())
    }

    pub(super) fn push_whole(&mut self, shape: &[usize], axes: usize) {
        let first = self.axes.len();
        for &length in shape.iter().skip(first).take(axes) {
            self.out.push(OutAxis::Axis(self.axes.len()));
            self.axes.push(Positions {
                start: 0,
                step: 1,
                count: length as u64,
            });
        }
    }
}

/// The strides, in stored voxels, along each axis.
pub(crate) fn stored_strides(shape: &[usize], layout: Layout) -> Vec<u64> {
    let mut strides = vec![0; shape.len()];
    let mut stride = 1u64;
    let mut give = |axis: usize| {
        strides[axis] = stride;
        stride = stride.saturating_mul(shape[axis] as u64);
    };
    match layout {
        Layout::FirstFastest => (0..shape.len()).for_each(&mut give),
        Layout::LastFastest => (0..shape.len()).rev().for_each(&mut give),
    }
    strides
}
