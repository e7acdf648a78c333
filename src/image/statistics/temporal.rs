//! Statistics over time, one series for each voxel of a frame.

use super::moments::at_least_zero;
use super::room_for;
use crate::core::array::HostArray;
use crate::core::error::{Error, Result};
use crate::core::float::Float;
use crate::core::parallel::*;
use crate::core::{scope, threads};

/// Voxels that one thread works on at a time.
const PIECE: usize = 1 << 14;

/// Mean, spread and temporal signal-to-noise ratio of each voxel over the frames.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TemporalStatistics<T: Float> {
    /// The mean of the finite values of each voxel; NaN if there are none. The shape is that of a frame: the image's
    /// without the frame axis.
    pub mean: HostArray<T>,
    /// The standard deviation (of the population: divided by their number), of the same shape.
    pub std: HostArray<T>,
    /// Mean divided by standard deviation; 0 where the latter is 0, NaN without finite values.
    pub tsnr: HostArray<T>,
    /// Values that are not finite, over all voxels and frames.
    pub non_finite: u64,
}

/// Computes statistics over time from frames that are passed one by one: some frames of a series, those of several
/// files, or frames that are used for other things as well. The results are bit for bit those of
/// [`DataobjImage::temporal_statistics`](crate::DataobjImage::temporal_statistics) for the same frames in the same
/// order.
///
/// ```no_run
/// # fn main() -> voxload::Result<()> {
/// use voxload::{FrameOptions, TemporalAccumulator};
/// let bold = voxload::load("bold.nii.gz")?;
/// let mut over_time = TemporalAccumulator::new(&bold.shape()[..3])?;
/// // Skip the first four frames, in which the signal is not yet steady.
/// for frame in bold.frames::<f64>(FrameOptions::new().range(4..))? {
///     over_time.take(frame?.as_slice())?;
/// }
/// let tsnr = over_time.statistics::<f32>()?.tsnr;
/// # let _ = tsnr;
/// # Ok(()) }
/// ```
///
/// It needs 32 bytes per voxel of a frame, for any number of frames.
#[derive(Debug, Clone)]
pub struct TemporalAccumulator {
    shape: Vec<usize>,
    series: Vec<Series>,
    frames: u64,
}

impl TemporalAccumulator {
    /// An accumulator for frames of this shape.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Header`] if the number of voxels overflows, [`crate::ErrorKind::OutOfMemory`].
    pub fn new(frame_shape: &[usize]) -> Result<Self> {
        Ok(Self {
            shape: frame_shape.to_vec(),
            series: room_for(frame_shape)?,
            frames: 0,
        })
    }

    /// Adds one frame, the first axis fastest, on all threads.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Shape`] for a frame of another length; [`crate::ErrorKind::Cancelled`], in which case the
    /// frame was not added.
    pub fn take<T: Float>(&mut self, frame: &[T]) -> Result<()> {
        if frame.len() != self.series.len() {
            let found = format!("a frame of {} values", frame.len());
            return Err(Error::shape(found, format!("{:?}", self.shape)));
        }
        self.take_frames(frame, 1)
    }

    /// Adds frames that follow each other in memory: faster than one after the other, because less memory is gone through.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Cancelled`], in which case none was added.
    pub(super) fn take_frames<T: Float>(&mut self, values: &[T], frames: usize) -> Result<()> {
        scope::check()?;
        take_frames(&mut self.series, values);
        self.frames += frames as u64;
        Ok(())
    }

    /// The number of frames so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Voxels of a frame.
    pub(super) fn voxels(&self) -> usize {
        self.series.len()
    }

    /// The statistics of the frames so far, computed in f64 and rounded once.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Cancelled`].
    pub fn statistics<T: Float>(&self) -> Result<TemporalStatistics<T>> {
        summarised(&self.series, &self.shape, self.frames)
    }
}

/// The state of one voxel: sums of `value - pivot` over its finite values, where the pivot is the first of them. The
/// fields are in the order of the state in `statistics.wgsl`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Series {
    pub finite: u32,
    pub pivot: f64,
    pub sum: f64,
    pub squares: f64,
}

impl Series {
    #[inline(always)]
    fn take(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        if self.finite == 0 {
            self.pivot = value;
        }
        self.finite += 1;
        let difference = value - self.pivot;
        self.sum += difference;
        self.squares += difference * difference;
    }

    /// Mean, standard deviation, ratio.
    fn summary(&self) -> [f64; 3] {
        if self.finite == 0 {
            return [f64::NAN; 3];
        }
        let n = f64::from(self.finite);
        let mean = self.pivot + self.sum / n;
        let std = (at_least_zero(self.squares - self.sum * self.sum / n) / n).sqrt();
        let ratio = if std == 0.0 { 0.0 } else { mean / std };
        [mean, std, ratio]
    }
}

/// Adds frames that follow each other, on all threads.
fn take_frames<T: Float>(series: &mut [Series], values: &[T]) {
    let voxels = series.len().max(1);
    let take = |(number, series): (usize, &mut [Series])| {
        for frame in values.chunks_exact(voxels) {
            let values = frame.iter().skip(number * PIECE);
            for (series, &value) in series.iter_mut().zip(values) {
                series.take(value.to_f64());
            }
        }
    };
    threads::parallel(|_| {
        let pieces = series.par_chunks_mut(PIECE).enumerate();
        pieces.for_each(take);
    });
}

/// The statistics of series with a frame of this shape, after this many frames.
pub(super) fn summarised<T: Float>(
    series: &[Series],
    shape: &[usize],
    frames: u64,
) -> Result<TemporalStatistics<T>> {
    let finite: u64 = series.iter().map(|series| u64::from(series.finite)).sum();
    let map = |which: fn([f64; 3]) -> f64| {
        scope::check()?;
        let values = threads::parallel(|_| {
            let values = series.par_iter().map(|s| T::from_f64(which(s.summary())));
            values.collect()
        });
        HostArray::from_vec(shape, values)
    };
    Ok(TemporalStatistics {
        mean: map(|[mean, _, _]| mean)?,
        std: map(|[_, std, _]| std)?,
        tsnr: map(|[_, _, tsnr]| tsnr)?,
        non_finite: series.len() as u64 * frames - finite,
    })
}
