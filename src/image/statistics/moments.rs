//! Count, extremes, mean and spread of a run of values, summed in an order that does not depend on the device, the
//! threads or the tile size.
//!
//! Values are processed in blocks of [`BLOCK`]. The values of a block go in turn to [`LANES`] lanes. Each lane sums the
//! differences from its first finite value, and their squares, one after the other in f64; then lanes, and then blocks,
//! are merged in order. The shader `statistics.wgsl` does the same with f64 arithmetic made of integers, so the results
//! have the same bits.

use multiversion::multiversion;

use crate::core::float::Float;
use crate::core::parallel::*;
use crate::core::threads;

/// Lanes of a block.
pub(super) const LANES: usize = 64;
/// Values of a block.
pub(super) const BLOCK: usize = 1 << 14;

/// The state of some values: their number, extremes, mean, and sum of squared differences from the mean.
///
/// The mean is `pivot`, a value of the data, plus `offset`, so that a large mean does not cost precision.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Moments {
    pub finite: u64,
    pub non_finite: u64,
    pub min: f64,
    pub max: f64,
    pub pivot: f64,
    pub offset: f64,
    pub squares: f64,
}

/// One lane: sums of `value - pivot` over its finite values, where the pivot is the first of them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Lane {
    pub finite: u32,
    pub non_finite: u32,
    pub min: f64,
    pub max: f64,
    pub pivot: f64,
    pub sum: f64,
    pub squares: f64,
}

impl Lane {
    #[inline(always)]
    pub(super) fn take(&mut self, value: f64) {
        if !value.is_finite() {
            self.non_finite += 1;
            return;
        }
        if self.finite == 0 {
            (self.pivot, self.min, self.max) = (value, value, value);
        }
        self.finite += 1;
        // The total order distinguishes -0 from +0, so that the result does not depend on the order of the values.
        if value.total_cmp(&self.min).is_lt() {
            self.min = value;
        }
        if value.total_cmp(&self.max).is_gt() {
            self.max = value;
        }
        let difference = value - self.pivot;
        self.sum += difference;
        self.squares += difference * difference;
    }

    pub(super) fn moments(&self) -> Moments {
        let n = f64::from(self.finite.max(1));
        Moments {
            finite: self.finite.into(),
            non_finite: self.non_finite.into(),
            min: self.min,
            max: self.max,
            pivot: self.pivot,
            offset: self.sum / n,
            // Rounding can make this negative if all values are equal. A NaN, which an overflow gives, is kept.
            squares: at_least_zero(self.squares - self.sum * self.sum / n),
        }
    }
}

pub(super) fn at_least_zero(value: f64) -> f64 {
    if value < 0.0 { 0.0 } else { value }
}

impl Moments {
    pub(super) fn mean(&self) -> f64 {
        self.pivot + self.offset
    }

    /// The moments of the values of both.
    pub(super) fn merged(self, other: Self) -> Self {
        let non_finite = self.non_finite + other.non_finite;
        if self.finite == 0 || other.finite == 0 {
            let some = if self.finite == 0 { other } else { self };
            return Self { non_finite, ..some };
        }
        let finite = self.finite + other.finite;
        let share = other.finite as f64 / finite as f64;
        let distance = (other.pivot - self.pivot) + (other.offset - self.offset);
        let lower = self.min.total_cmp(&other.min).is_le();
        let higher = self.max.total_cmp(&other.max).is_ge();
        Self {
            finite,
            non_finite,
            min: if lower { self.min } else { other.min },
            max: if higher { self.max } else { other.max },
            pivot: self.pivot,
            offset: self.offset + distance * share,
            squares: self.squares
                + other.squares
                + distance * distance * (self.finite as f64 * share),
        }
    }

    pub(super) fn of_lanes(lanes: &[Lane]) -> Self {
        lanes
            .iter()
            .fold(Self::default(), |all, lane| all.merged(lane.moments()))
    }
}

#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl",
    "x86_64+avx2",
    "aarch64+neon"
))]
fn take_block<T: Float>(lanes: &mut [Lane; LANES], values: &[T]) {
    for row in values.chunks(LANES) {
        for (lane, &value) in lanes.iter_mut().zip(row) {
            lane.take(value.to_f64());
        }
    }
}

/// Takes values piece by piece.
pub(super) struct Collector<T> {
    moments: Moments,
    /// The values of an incomplete block.
    begun: Vec<T>,
}

impl<T: Float> Collector<T> {
    pub(super) fn new() -> Self {
        Self {
            moments: Moments::default(),
            begun: Vec::with_capacity(BLOCK),
        }
    }

    /// Takes the next values, on all threads.
    pub(super) fn take(&mut self, mut values: &[T]) {
        if !self.begun.is_empty() {
            let missing = (BLOCK - self.begun.len()).min(values.len());
            let (head, rest) = values.split_at(missing);
            self.begun.extend_from_slice(head);
            values = rest;
            if self.begun.len() == BLOCK {
                self.end_block();
            }
        }
        let whole = values.len() / BLOCK * BLOCK;
        let (whole, rest) = values.split_at(whole);
        let blocks: Vec<Moments> =
            threads::parallel(|_| whole.par_chunks(BLOCK).map(of_block).collect());
        self.moments = blocks.into_iter().fold(self.moments, Moments::merged);
        self.begun.extend_from_slice(rest);
    }

    /// Ends a run: the next value begins a block.
    pub(super) fn end_block(&mut self) {
        self.moments = self.moments.merged(of_block(&self.begun));
        self.begun.clear();
    }

    pub(super) fn moments(self) -> Moments {
        self.moments
    }
}

fn of_block<T: Float>(values: &[T]) -> Moments {
    let mut lanes = [Lane::default(); LANES];
    take_block(&mut lanes, values);
    Moments::of_lanes(&lanes)
}
