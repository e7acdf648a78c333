//! Histograms as numpy computes them: the edges come first, and each value is counted by comparing it with the edges.

use crate::core::error::{Error, Result};
use crate::core::float::Float;
use crate::core::parallel::*;
use crate::core::threads;

/// The most bins: more than a plot can show, and few enough for every device.
const MAX_BINS: usize = 1 << 16;

/// Values that one thread counts at a time.
const PIECE: usize = 1 << 16;

/// The number of values in each bin.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Histogram {
    /// The edges of the bins, ascending, one more than there are bins: those of `numpy.linspace` in f64, rounded to the
    /// type of the values.
    pub edges: Vec<f64>,
    /// The number of values in each bin, from its lower edge to below its upper edge. The last bin includes its upper
    /// edge.
    pub counts: Vec<u64>,
}

impl Histogram {
    /// Empty bins over a range, with the edges of `numpy.histogram(values of T, bins, window)`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] for no bins or too many, and for a range whose bounds are not finite or not in
    /// ascending order.
    pub(super) fn new<T: Float>(bins: usize, window: (f64, f64)) -> Result<Self> {
        if bins == 0 || bins > MAX_BINS {
            return Err(Error::usage(format_args!(
                "a histogram of {bins} bins: 1 to {MAX_BINS} are possible"
            )));
        }
        let (mut low, mut high) = window;
        if !(low.is_finite() && high.is_finite() && low <= high && (high - low).is_finite()) {
            return Err(Error::usage(format_args!(
                "a histogram from {low} to {high}: both must be finite, and in this order"
            )));
        }
        if low == high {
            (low, high) = (low - 0.5, high + 0.5);
        }
        Ok(Self {
            edges: linspace(low, high, bins)
                .map(|edge| T::from_f64(edge).to_f64())
                .collect(),
            counts: vec![0; bins],
        })
    }

    /// Counts values, on all threads.
    pub(super) fn take<T: Float>(&mut self, values: &[T]) {
        let finder = Finder::new(&self.edges);
        let bins = self.counts.len();
        let count = |mut counts: Vec<u64>, values: &[T]| {
            for &value in values {
                if let Some(bin) = finder.bin(value.to_f64())
                    && let Some(count) = counts.get_mut(bin)
                {
                    *count += 1;
                }
            }
            counts
        };
        let counts = threads::parallel(|_| {
            values
                .par_chunks(PIECE)
                .fold(|| vec![0; bins], count)
                .reduce(|| vec![0; bins], sum)
        });
        self.add(&counts);
    }

    /// Adds other counts of the same bins.
    pub(super) fn add(&mut self, counts: &[u64]) {
        for (total, count) in self.counts.iter_mut().zip(counts) {
            *total += count;
        }
    }
}

fn sum(mut a: Vec<u64>, b: Vec<u64>) -> Vec<u64> {
    a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
    a
}

/// `numpy.linspace(low, high, bins + 1)`.
fn linspace(low: f64, high: f64, bins: usize) -> impl Iterator<Item = f64> {
    let delta = high - low;
    let step = delta / bins as f64;
    (0..=bins).map(move |i| {
        if i == bins {
            high
        } else if step == 0.0 {
            i as f64 / bins as f64 * delta + low
        } else {
            i as f64 * step + low
        }
    })
}

/// Finds bins by a computed guess, which is then corrected by comparisons with the edges.
struct Finder<'a> {
    edges: &'a [f64],
    low: f64,
    high: f64,
    per_unit: f64,
}

impl<'a> Finder<'a> {
    fn new(edges: &'a [f64]) -> Self {
        let low = edges.first().copied().unwrap_or_default();
        let high = edges.last().copied().unwrap_or_default();
        Self {
            edges,
            low,
            high,
            per_unit: (edges.len() - 1) as f64 / (high - low),
        }
    }

    /// The last bin whose lower edge is not above the value, if the value is in the range.
    fn bin(&self, value: f64) -> Option<usize> {
        if !(value >= self.low && value <= self.high) {
            return None;
        }
        let last = self.edges.len().checked_sub(2)?;
        // A NaN becomes 0.
        let mut bin = (((value - self.low) * self.per_unit) as usize).min(last);
        while bin > 0 && value < *self.edges.get(bin)? {
            bin -= 1;
        }
        while bin < last && value >= *self.edges.get(bin + 1)? {
            bin += 1;
        }
        Some(bin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_numpys() {
        // numpy.linspace(-0.3, 0.7, 11) and numpy.histogram_bin_edges of one value.
        let histogram = Histogram::new::<f64>(10, (-0.3, 0.7)).unwrap();
        assert_eq!(histogram.edges[3], 3.0 * ((0.7 - -0.3) / 10.0) + -0.3);
        assert_eq!(histogram.edges.last(), Some(&0.7));
        assert_eq!(
            Histogram::new::<f64>(1, (2.0, 2.0)).unwrap().edges,
            [1.5, 2.5]
        );
        let narrow = Histogram::new::<f32>(10, (-0.3, 0.7)).unwrap();
        assert_eq!(narrow.edges[0], f64::from(-0.3f32));
    }

    #[test]
    fn values_on_edges_belong_to_the_bin_that_begins_there() {
        let mut histogram = Histogram::new::<f64>(4, (0.0, 4.0)).unwrap();
        histogram.take(&[
            0.0,
            -0.0,
            1.0,
            1.5,
            4.0,
            4.1,
            -0.1,
            f64::NAN,
            f64::INFINITY,
            3.0,
        ]);
        assert_eq!(histogram.counts, [2, 2, 0, 2]);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (bins, window) in [
            (0, (0.0, 1.0)),
            (4, (1.0, 0.0)),
            (4, (f64::NAN, 1.0)),
            (4, (0.0, f64::INFINITY)),
            (4, (-1.7e308, 1.7e308)),
            (usize::MAX, (0.0, 1.0)),
        ] {
            assert!(
                Histogram::new::<f64>(bins, window).is_err(),
                "{bins} {window:?}"
            );
        }
    }
}
