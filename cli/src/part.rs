//! Parts of complex voxels.

use std::path::Path;

use clap::ValueEnum;
use voxload::{ArrayProxy, DataobjImage, Float, HostArray, Index, c128};

use crate::loading::shown;

/// A part of complex voxels.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// The real part
    Real,
    /// The imaginary part
    Imag,
    /// The absolute value (magnitude)
    Abs,
    /// The angle in radians, from -pi to pi
    Phase,
}

/// Bytes of complex values that are in memory at a time.
const BLOCK_BYTES: usize = 32 << 20;

impl Part {
    fn of(self, value: c128) -> f64 {
        match self {
            Self::Real => value.re,
            Self::Imag => value.im,
            Self::Abs => value.norm(),
            Self::Phase => value.arg(),
        }
    }

    /// This part of the voxels that an index selects, computed in f64 and rounded once.
    ///
    /// # Errors
    /// If the voxels are not complex, or cannot be read.
    pub(crate) fn slice<T: Float>(
        self,
        image: &DataobjImage,
        index: &Index,
    ) -> Result<HostArray<T>, Box<dyn std::error::Error>> {
        let voxels = image.dataobj().sliced(index)?;
        if !voxels.dtype().is_complex() {
            return Err(
                format!("--part is for complex voxels, these are {}", voxels.dtype()).into(),
            );
        }
        let mut values = Vec::new();
        each_block(&voxels, |block| {
            values.extend(block.as_slice().iter().map(|&v| T::from_f64(self.of(v))));
        })?;
        // Blocks never come to the end of a compressed stream by themselves.
        image.dataobj().check_to_end()?;
        Ok(HostArray::from_vec(voxels.shape(), values)?)
    }
}

/// Passes the values to `give` in order, in blocks along the last axis.
fn each_block(voxels: &ArrayProxy, mut give: impl FnMut(&HostArray<c128>)) -> voxload::Result<()> {
    let Some((&frames, frame)) = voxels.shape().split_last() else {
        give(&voxels.read::<c128>()?);
        return Ok(());
    };
    let frame_bytes = frame
        .iter()
        .product::<usize>()
        .saturating_mul(size_of::<c128>());
    let block = (BLOCK_BYTES / frame_bytes.max(1)).max(1);
    for start in (0..frames).step_by(block) {
        let range = start as i64..frames.min(start + block) as i64;
        give(&voxels.slice::<c128>(Index::new().ellipsis().range(range))?);
    }
    Ok(())
}

/// Prints which part of complex voxels was left out. By default, the real part is used.
pub(crate) fn note_dropped_part(image: &DataobjImage, part: Option<Part>, path: &Path) {
    let dropped = match part.unwrap_or(Part::Real) {
        Part::Real => "the imaginary part was left out (voxload convert --part chooses another)",
        Part::Imag => "the real part was left out",
        Part::Abs => "the phase was left out",
        Part::Phase => "the magnitude was left out",
    };
    if image.dataobj().dtype().is_complex() {
        eprintln!("voxload: {}: complex voxels: {dropped}", shown(path));
    }
}
