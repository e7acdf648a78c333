//! Statistics of an image's values, which are read and reduced piece by piece, without an array of all values.

#[cfg(feature = "gpu")]
pub(crate) mod device;
mod histogram;
mod moments;
mod temporal;

pub use histogram::Histogram;
pub use temporal::{TemporalAccumulator, TemporalStatistics};

use crate::core::array::Buffer;
use crate::core::error::{Error, ErrorKind, Result};
use crate::core::float::Float;
use crate::core::scope;
use crate::core::shape::elements;
use crate::image::DataobjImage;
use crate::image::fdata::ValuesIn;
use crate::plan::index::Index;
use crate::read::proxy::ArrayProxy;
use moments::{Collector, Moments};
use temporal::Series;

/// Values in a run. A block never crosses the end of a run, where the state on a device is downloaded.
pub(crate) const RUN: u64 = 1 << 26;

/// Values in memory between two checks for cancellation.
const SLAB: usize = 1 << 20;

/// Bytes of the frames that are read and added to statistics over time together; of one frame, if it is larger.
const FRAMES_BYTES: usize = 16 << 20;

/// Which statistics are computed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[must_use]
pub struct StatisticsOptions {
    bins: Option<usize>,
    window: Option<(f64, f64)>,
}

impl StatisticsOptions {
    /// Count, extremes, mean and standard deviation; no histogram.
    pub fn new() -> Self {
        Self::default()
    }

    /// Also computes a histogram with this many bins. It spans the smallest to the largest value, which needs a second
    /// pass over the file, unless [`Self::window`] is set.
    pub fn histogram(mut self, bins: usize) -> Self {
        self.bins = Some(bins);
        self
    }

    /// The range of the histogram, in the units of the values. Values outside are not counted in it.
    pub fn window(mut self, low: f64, high: f64) -> Self {
        self.window = Some((low, high));
        self
    }
}

/// Statistics of all values of an image.
///
/// NaN and infinities are counted and otherwise left out. Extremes and counts are exact. Mean and standard deviation
/// are summed in f64 from differences within blocks of 16384 values: the relative error is below 1e-10 of the spread
/// for any number of values below 2^40. The CPU and every GPU add in the same order, so all give the same bits.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Statistics {
    /// Finite values.
    pub count: u64,
    /// NaN and infinities.
    pub non_finite: u64,
    /// The smallest finite value (-0 is below 0). This and the three fields after it are NaN if there are no finite
    /// values.
    pub min: f64,
    /// The largest finite value.
    pub max: f64,
    /// The mean of the finite values.
    pub mean: f64,
    /// Their standard deviation (of the population: divided by their number).
    pub std: f64,
    /// The histogram, if it was requested.
    pub histogram: Option<Histogram>,
}

impl Statistics {
    fn new(moments: Moments, histogram: Option<Histogram>) -> Self {
        let or_nan = |value| match moments.finite {
            0 => f64::NAN,
            _ => value,
        };
        Self {
            count: moments.finite,
            non_finite: moments.non_finite,
            min: or_nan(moments.min),
            max: or_nan(moments.max),
            mean: or_nan(moments.mean()),
            std: or_nan((moments.squares / moments.finite as f64).sqrt()),
            histogram,
        }
    }
}

/// Calls `pass` to go over all values: twice if the range of the histogram must be found first, otherwise once.
fn passes<T: Float>(
    options: &StatisticsOptions,
    mut pass: impl FnMut(Option<&mut Histogram>) -> Result<Moments>,
) -> Result<Statistics> {
    let Some(bins) = options.bins else {
        return Ok(Statistics::new(pass(None)?, None));
    };
    let window = match options.window {
        Some(window) => window,
        None => {
            // Reject invalid options before the first pass.
            Histogram::new::<T>(bins, (0.0, 1.0))?;
            window_of(&pass(None)?)
        }
    };
    let mut histogram = Histogram::new::<T>(bins, window)?;
    let moments = pass(Some(&mut histogram))?;
    Ok(Statistics::new(moments, Some(histogram)))
}

/// The range of a histogram of all values.
fn window_of(moments: &Moments) -> (f64, f64) {
    match moments.finite {
        // As numpy does for no values.
        0 => (0.0, 1.0),
        _ => (moments.min, moments.max),
    }
}

/// One pass over all values.
struct Pass<'a, T> {
    collector: Collector<T>,
    histogram: Option<&'a mut Histogram>,
}

impl<'a, T: Float> Pass<'a, T> {
    fn new(histogram: Option<&'a mut Histogram>) -> Self {
        Self {
            collector: Collector::new(),
            histogram,
        }
    }

    fn take(&mut self, values: &[T]) {
        self.collector.take(values);
        if let Some(histogram) = &mut self.histogram {
            histogram.take(values);
        }
    }

    /// Reads all values of a proxy, in stored order.
    fn read(mut self, proxy: &ArrayProxy) -> Result<Moments> {
        let proxy = &proxy.for_one_pass_in_order();
        let _kept = proxy.source().keep_pieces();
        for run in proxy.in_stored_order(RUN)? {
            proxy.for_each_slab(&run, |values| self.take(values))?;
            self.collector.end_block();
        }
        proxy.check_end_if_whole()?;
        Ok(self.collector.moments())
    }

    fn all(mut self, values: &[T]) -> Result<Moments> {
        for run in values.chunks(RUN as usize) {
            for slab in run.chunks(SLAB) {
                scope::check()?;
                self.take(slab);
            }
            self.collector.end_block();
        }
        Ok(self.collector.moments())
    }
}

impl DataobjImage {
    /// Statistics of the values of [`Self::get_fdata`] as `T` (with its edits, if they are cached), on the CPU.
    ///
    /// Reads the file once, or twice for a histogram without a window, in pieces of a few MiB.
    ///
    /// # Errors
    /// As [`crate::ArrayProxy::read`]; [`crate::ErrorKind::Usage`] for a histogram of no bins or too many, or over a
    /// window that is not finite.
    pub fn statistics<T: Float>(&self, options: &StatisticsOptions) -> Result<Statistics> {
        let statistics = || self.find_values::<T>()?.statistics(options);
        self.threads().run(statistics)
    }

    /// Mean, standard deviation and temporal signal-to-noise ratio of each voxel over the frames, computed on the CPU
    /// from the values of [`Self::get_fdata`] as `T`, in f64, and rounded once.
    ///
    /// Frames are counted along [`crate::Header::frame_axis`], or else along the last axis.
    ///
    /// Reads some frames at a time. Memory is needed for 16 MiB of values, or one frame if that is larger, 32 bytes per
    /// voxel of a frame, and the results, for any number of frames.
    ///
    /// # Errors
    /// As [`crate::ArrayProxy::read`]; [`crate::ErrorKind::Usage`] for fewer than two axes.
    pub fn temporal_statistics<T: Float>(&self) -> Result<TemporalStatistics<T>> {
        let over_time = || self.find_frames::<T>()?.over_time();
        self.threads().run(over_time)
    }

    /// [`Self::find_values`] with the frame axis last.
    fn find_frames<T: Float>(&self) -> Result<ValuesIn<T>> {
        self.with_frames_last(self.find_values()?)
    }

    fn with_frames_last<T: Float>(&self, values: ValuesIn<T>) -> Result<ValuesIn<T>> {
        Ok(match values {
            ValuesIn::Memory(values) if !self.has_frames_last() => {
                ValuesIn::File(self.frames_last(&values.into())?)
            }
            ValuesIn::File(file) => ValuesIn::File(self.frames_last(&file)?),
            values => values,
        })
    }
}

impl<T: Float> ValuesIn<T> {
    fn statistics(&self, options: &StatisticsOptions) -> Result<Statistics> {
        passes::<T>(options, |histogram| match self {
            Self::Memory(values) => Pass::new(histogram).all(values.as_slice()),
            Self::File(proxy) => Pass::<T>::new(histogram).read(proxy),
        })
    }

    fn over_time(&self) -> Result<TemporalStatistics<T>> {
        let (frame, frames) = frame_shape(match self {
            Self::Memory(values) => values.shape(),
            Self::File(proxy) => proxy.shape(),
        })?;
        let mut over_time = TemporalAccumulator::new(&frame)?;
        let voxels = over_time.voxels();
        let together = (FRAMES_BYTES / size_of::<T>() / voxels.max(1)).clamp(1, frames.max(1));
        let firsts = (0..frames).step_by(together);
        let batches = firsts.map(|first| first..frames.min(first + together));
        match self {
            Self::Memory(values) => {
                for batch in batches {
                    let values = &values.as_slice()[batch.start * voxels..batch.end * voxels];
                    over_time.take_frames(values, batch.len())?;
                }
            }
            Self::File(proxy) => {
                let proxy = &proxy.for_one_pass_in_order();
                let _kept = proxy.source().keep_pieces();
                let mut room = Buffer::<T>::zeroed(together * voxels)?;
                for batch in batches {
                    let values = &mut room.as_mut_slice()?[..batch.len() * voxels];
                    let index = Index::new().ellipsis();
                    let index = index.range(batch.start as i64..batch.end as i64);
                    proxy.sliced(index)?.read_into(values)?;
                    over_time.take_frames(values, batch.len())?;
                }
                proxy.check_end_if_whole()?;
            }
        }
        over_time.statistics()
    }
}

/// The shape of a frame, and how many there are.
fn frame_shape(shape: &[usize]) -> Result<(Vec<usize>, usize)> {
    match shape {
        [frame @ .., frames] if !frame.is_empty() => Ok((frame.to_vec(), *frames)),
        _ => Err(Error::usage(format_args!(
            "statistics over time of an image of shape {shape:?}: there is no axis of time"
        ))),
    }
}

fn room_for(frame: &[usize]) -> Result<Vec<Series>> {
    let count = elements::<Series>(frame)?;
    let needed = (count as u64).saturating_mul(size_of::<Series>() as u64);
    let mut series = Vec::new();
    series
        .try_reserve_exact(count)
        .map_err(|_| ErrorKind::OutOfMemory { needed })?;
    series.resize(count, Series::default());
    Ok(series)
}
