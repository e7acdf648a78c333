//! Scaling: the list of steps that turns a stored number into a value.
//!
//! The file format decides which steps are in the list: a NIfTI slope of 1 adds no step, an AFNI factor of 1 does. Even
//! a step that changes no number matters: as in nibabel, any step changes the native output type, usually to f64.
//! Arithmetic is in f64, and each step is rounded; doc/VALUES.md has the rules.

use std::sync::Arc;

use crate::core::dtype::DType;
use crate::core::error::{Error, Result};

/// One number for the whole image, or one for each block of voxels, such as a slice or a frame.
#[derive(Debug, Clone, PartialEq)]
pub enum Factor {
    /// The same number for every voxel.
    One(f64),
    /// One number for each block of [`Scaling::block`] voxels, in stored order.
    Table(Arc<[f64]>),
}

impl Factor {
    /// The number, unless it is a table.
    fn single(&self) -> Option<f64> {
        match self {
            Self::One(value) => Some(*value),
            Self::Table(_) => None,
        }
    }

    /// One number for each block of `block` voxels. If all are equal they become a single number, so that
    /// [`Scaling::slope`] and [`Scaling::inter`] can return it. An empty list
    /// gives 0.
    pub(crate) fn over_blocks(values: Vec<f64>, block: u64) -> Self {
        match values.split_first() {
            Some((&first, rest)) if rest.iter().all(|value| value.to_bits() == first.to_bits()) => {
                Self::One(first)
            }
            Some(_) if block > 0 => Self::Table(values.into()),
            _ => Self::One(0.0),
        }
    }

    /// The table, if there is one.
    pub(crate) fn table(&self) -> Option<&Arc<[f64]>> {
        match self {
            Self::One(_) => None,
            Self::Table(table) => Some(table),
        }
    }

    /// The factor for block number `entry`.
    ///
    /// `entry` must be less than the table's length; [`Scaling::validate`] has checked that the table covers the
    /// volume.
    #[inline]
    pub(crate) fn at(&self, entry: usize) -> f64 {
        match self {
            Self::One(value) => *value,
            Self::Table(values) => values[entry],
        }
    }
}

/// One step of scaling.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Step {
    /// Limits the value to `lo..=hi`; a NaN stays.
    Clip {
        /// The lower limit.
        lo: f64,
        /// The upper limit.
        hi: f64,
    },
    /// Multiplies, rounding to f64.
    Multiply(Factor),
    /// Adds, rounding to f64.
    Add(Factor),
    /// Rounds to f32; the next step uses the rounded value. nibabel computes SPM99 files, and ECAT 7 files with f32
    /// voxels, in f32; this step gives the same bits.
    RoundToF32,
}

impl Step {
    /// The step's table, if it has one.
    pub(crate) fn table(&self) -> Option<&Arc<[f64]>> {
        match self {
            Self::Multiply(factor) | Self::Add(factor) => factor.table(),
            Self::Clip { .. } | Self::RoundToF32 => None,
        }
    }

    /// The numbers that the step uses for block number `entry`: one factor, two limits, or none.
    #[cfg(feature = "gpu")]
    pub(crate) fn numbers(&self, entry: usize) -> Vec<f64> {
        match self {
            Self::Multiply(factor) | Self::Add(factor) => vec![factor.at(entry)],
            Self::Clip { lo, hi } => vec![*lo, *hi],
            Self::RoundToF32 => Vec::new(),
        }
    }
}

/// The tables in a list of steps, in order.
pub(crate) fn tables(steps: &[Step]) -> impl Iterator<Item = &Arc<[f64]>> {
    steps.iter().filter_map(Step::table)
}

/// The precision in which the steps are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Arithmetic {
    /// f64 for everything.
    #[default]
    F64,
    /// As for SPM99 files: f32 for floats of up to 32 bits and integers of up to 16 bits, unless f64 or a complex type
    /// is requested. doc/VALUES.md, section 2, has the details.
    Spm99,
}

/// How stored numbers become values: a list of steps. It is empty if the stored numbers are the values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scaling {
    steps: Vec<Step>,
    block: u64,
    arithmetic: Arithmetic,
}

impl Scaling {
    /// No scaling: the stored numbers are the values.
    pub const fn none() -> Self {
        Self {
            steps: Vec::new(),
            block: 0,
            arithmetic: Arithmetic::F64,
        }
    }

    /// `slope * stored + inter` as in NIfTI: no step for a slope of 1, none for an inter of 0.
    pub fn linear(slope: f64, inter: f64) -> Self {
        let mut steps = Vec::new();
        if slope != 1.0 {
            steps.push(Step::Multiply(Factor::One(slope)));
        }
        if inter != 0.0 {
            steps.push(Step::Add(Factor::One(inter)));
        }
        Self {
            steps,
            ..Self::none()
        }
    }

    /// A list of steps. A table in it has one number for each `block` voxels, in stored order.
    pub fn new(steps: Vec<Step>, block: u64, arithmetic: Arithmetic) -> Self {
        Self {
            steps,
            block,
            arithmetic,
        }
    }

    /// The steps, in the order in which they are done.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Voxels per table entry; meaningless without a table ([`Self::has_table`]).
    pub fn block(&self) -> u64 {
        self.block
    }

    /// Whether the stored numbers are the values.
    pub fn is_none(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether any step uses a table.
    pub fn has_table(&self) -> bool {
        tables(&self.steps).next().is_some()
    }

    /// The slope if it is a single number, 1 if nothing is multiplied, `None` if it is a table. Where a format multiplies
    /// twice (ECAT 7) it is the product; values can differ from `slope * number` in the last bit.
    pub fn slope(&self) -> Option<f64> {
        let factors = self.steps.iter().filter_map(|step| match step {
            Step::Multiply(factor) => Some(factor),
            _ => None,
        });
        factors.map(Factor::single).product()
    }

    /// The intercept if it is a single number, 0 if nothing is added, `None` if it is a table.
    pub fn inter(&self) -> Option<f64> {
        let mut terms = self.steps.iter().filter_map(|step| match step {
            Step::Add(term) => Some(term),
            _ => None,
        });
        terms.next().map_or(Some(0.0), Factor::single)
    }

    /// The steps for this stored type when `output` is requested. `None` requests the type that nibabel's
    /// `np.asarray(img.dataobj)` has ([`Self::native_output`]).
    pub(crate) fn steps_for(&self, stored: DType, output: Option<DType>) -> Vec<Step> {
        let mut steps = self.steps.clone();
        let wide = matches!(output, Some(DType::F64 | DType::C64 | DType::C128));
        if self.arithmetic == Arithmetic::Spm99 && !wide && self.narrow_suffices(stored) {
            steps.push(Step::RoundToF32);
        }
        steps
    }

    /// The type that nibabel's `np.asarray(img.dataobj)` has: the stored type if there is no scaling; f32 (or c64) if
    /// SPM99 arithmetic is in f32; otherwise f64 (or c128).
    pub(crate) fn native_output(&self, stored: DType) -> DType {
        if self.is_none() {
            stored
        } else if self.arithmetic == Arithmetic::Spm99 && stored == DType::C64 {
            DType::C64
        } else if stored.is_complex() {
            DType::C128
        } else if self.arithmetic == Arithmetic::Spm99 && self.narrow_suffices(stored) {
            DType::F32
        } else {
            DType::F64
        }
    }

    /// Checks that each table has an entry for every block of the volume.
    pub(crate) fn validate(&self, voxels: u64) -> Result<()> {
        for table in tables(&self.steps) {
            let entries = table.len() as u64;
            if self.block == 0 || self.block.checked_mul(entries) != Some(voxels) {
                return Err(Error::header(
                    "scaling table",
                    format!("{entries} entries for {voxels} voxels"),
                    format!("one for each {} voxels", self.block),
                ));
            }
        }
        Ok(())
    }

    /// Whether SPM99 computes this stored type in f32: f16, f32, and integers of up to 16 bits whose scaled extremes
    /// are finite in f32.
    fn narrow_suffices(&self, stored: DType) -> bool {
        match stored {
            DType::F16 | DType::F32 => true,
            DType::U8 | DType::I8 | DType::U16 | DType::I16 => {
                let slope = self.slope().unwrap_or(1.0);
                stored.integer_extremes().is_some_and(|(low, high)| {
                    [low, high]
                        .iter()
                        .all(|extreme| ((extreme * slope) as f32).is_finite())
                })
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slope_and_inter_of_all_steps() {
        let multiply = |value| Step::Multiply(Factor::One(value));
        let twice = Scaling::new(vec![multiply(0.5), multiply(3.0)], 0, Arithmetic::F64);
        assert_eq!((twice.slope(), twice.inter()), (Some(1.5), Some(0.0)));
        let none = Scaling::none();
        assert_eq!((none.slope(), none.inter()), (Some(1.0), Some(0.0)));
        let table = Factor::Table([1.0, 2.0].into());
        let mixed = Scaling::new(vec![multiply(2.0), Step::Add(table)], 1, Arithmetic::F64);
        assert_eq!((mixed.slope(), mixed.inter()), (Some(2.0), None));
    }
}
