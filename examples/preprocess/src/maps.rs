//! The first pass: mean and standard deviation of each voxel, band by band.

use voxload::{DataobjImage, FrameOptions, Gpu, Index, TemporalAccumulator, TemporalStatistics};

use crate::memory::Plan;
use crate::{Outcome, progress};

/// Mean and standard deviation of each voxel of a frame.
pub(crate) struct Maps {
    pub mean: Vec<f64>,
    pub std: Vec<f64>,
}

impl Maps {
    /// Of the values as f64, on the CPU or, with the same bits, on a device.
    pub(crate) fn compute(image: &DataobjImage, gpu: Option<&Gpu>, plan: &Plan) -> Outcome<Self> {
        let [frame @ .., frames] = image.shape() else {
            return Err("a series has an axis of time".into());
        };
        let voxels = frame.iter().product();
        let mut maps = Self {
            mean: Vec::with_capacity(voxels),
            std: Vec::with_capacity(voxels),
        };
        let layers = frame.last().copied().unwrap_or_default();
        let bands = layers.div_ceil(plan.layers);
        let bar = progress("statistics", bands * frames);
        for first in (0..layers).step_by(plan.layers) {
            let end = layers.min(first + plan.layers);
            let band = Index::new()
                .ellipsis()
                .range(first as i64..end as i64)
                .all();
            let band = image.slicer(&band)?;
            let found = match gpu {
                None => over_time(&band, plan, || bar.inc(1))?,
                Some(gpu) => {
                    let found = band.temporal_statistics_gpu::<f64>(gpu)?;
                    bar.inc(*frames as u64);
                    found
                }
            };
            // A frame is column-major, so bands of its last axis are contiguous.
            maps.mean.extend_from_slice(found.mean.as_slice());
            maps.std.extend_from_slice(found.std.as_slice());
        }
        bar.finish_and_clear();
        Ok(maps)
    }

    /// As [`TemporalStatistics::tsnr`], computed from the two others.
    pub(crate) fn tsnr(&self) -> impl Iterator<Item = f64> + '_ {
        let ratio = |(&mean, &std)| if std == 0.0 { 0.0 } else { mean / std };
        self.mean.iter().zip(&self.std).map(ratio)
    }
}

fn over_time(
    band: &DataobjImage,
    plan: &Plan,
    done: impl Fn(),
) -> Outcome<TemporalStatistics<f64>> {
    let [frame @ .., _] = band.shape() else {
        return Err("a series has an axis of time".into());
    };
    let mut over_time = TemporalAccumulator::new(frame)?;
    for values in band.frames::<f64>(FrameOptions::new().slots(plan.slots))? {
        over_time.take(values?.as_slice())?;
        done();
    }
    Ok(over_time.statistics()?)
}
