//! The diffusion weighting of each volume of a PAR/REC recording.

use super::par::Par;
use super::{acquired_to_psl, order, slices_and_volumes};
use crate::core::error::{Error, Result};
use crate::core::options::LoadOptions;
use crate::header::Header;
use crate::header::fields::Fields;

/// How a volume is weighted by diffusion.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gradient {
    /// The b value in s/mm².
    pub b_value: f64,
    /// The direction along the three axes of the voxels, a unit vector, or zeros where none was applied; `None` in
    /// version 4 of the format, which does not store it.
    pub direction: Option<[f64; 3]>,
}

/// The weighting of each volume, in the order of the image, as nibabel's `get_bvals_bvecs` gives it; `None` if the
/// header is not that of a PAR/REC recording of several volumes with diffusion. The options are those with which the
/// image was loaded: they decide the order of the volumes.
///
/// # Errors
/// [`crate::ErrorKind::Header`] if slices of one volume are weighted differently.
pub fn gradients(header: &Header, options: &LoadOptions) -> Result<Option<Vec<Gradient>>> {
    let Fields::Text(text) = &header.fields else {
        return Ok(None);
    };
    if header.format != crate::core::format::Format::ParRec {
        return Ok(None);
    }
    let par = Par::from_header(text)?;
    if par
        .integer("Diffusion         <0=no 1=yes> ?")?
        .unwrap_or(0)
        == 0
    {
        return Ok(None);
    }
    let (slices, volumes) = slices_and_volumes(&par)?;
    // A single volume is computed from several weightings, for example a map of the diffusion coefficient.
    if volumes < 2 {
        return Ok(None);
    }
    let order = order(&par, options.strict_sort, slices.saturating_mul(volumes))?;
    let axes = acquired_to_psl(&par)?;
    let gradients = order.chunks_exact(slices.max(1)).map(|volume| {
        let mut weightings = volume.iter().filter_map(|&slice| {
            let slice = par.slices.get(slice)?;
            Some((slice.b_factor, slice.diffusion))
        });
        let first = weightings.next().unwrap_or_default();
        if let Some(other) = weightings.find(|weighting| *weighting != first) {
            let found = format!("{first:?} and {other:?}");
            let expected = "one weighting for all slices of a volume";
            return Err(Error::header("diffusion", found, expected));
        }
        let (b_value, direction) = first;
        // The inverse of a permutation of axes with signs is its transpose.
        let along = |direction: [f64; 3]| {
            std::array::from_fn(|axis| {
                let terms = axes.iter().zip(direction);
                terms.map(|(row, value)| row[axis] * value).sum()
            })
        };
        Ok(Gradient {
            b_value,
            direction: direction.map(along),
        })
    });
    gradients.collect::<Result<_>>().map(Some)
}
