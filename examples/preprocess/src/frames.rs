//! The second pass on the CPU: normalises the frames, one after the other.

use rayon::prelude::*;
use voxload::{DataobjImage, FrameOptions, NiftiWriter};

use crate::maps::Maps;
use crate::memory::Plan;
use crate::{Outcome, progress};

/// The output for a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `(value - mean) / std`
    ZScore,
    /// `(value - mean) / mean * 100`
    Percent,
}

impl Kind {
    fn of(self, value: f64, mean: f64, std: f64) -> f64 {
        match self {
            Self::ZScore if std == 0.0 => 0.0,
            Self::ZScore => (value - mean) / std,
            Self::Percent if mean == 0.0 => 0.0,
            Self::Percent => (value - mean) / mean * 100.0,
        }
    }
}

/// Writes every frame to every file.
pub(crate) fn write(
    image: &DataobjImage,
    maps: &Maps,
    plan: &Plan,
    writers: &mut [(Kind, NiftiWriter)],
) -> Outcome {
    let frames = image.shape().last().copied().unwrap_or_default();
    let bar = progress("frames", frames);
    let mut normal = vec![0f32; maps.mean.len()];
    for frame in image.frames::<f64>(FrameOptions::new().slots(plan.slots))? {
        let frame = frame?;
        for (kind, writer) in &mut *writers {
            normal
                .par_iter_mut()
                .zip(frame.as_slice())
                .zip(maps.mean.par_iter().zip(&maps.std))
                .with_min_len(1 << 14)
                .for_each(|((out, &value), (&mean, &std))| {
                    *out = kind.of(value, mean, std) as f32;
                });
            writer.write_values(&normal)?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}
