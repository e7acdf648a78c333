//! How NIfTI's `scl_slope` and `scl_inter` become scaling steps.

use crate::core::error::{Error, Result};
use crate::core::scaling::Scaling;
use crate::header::fields::nifti::NiftiHeader;

/// `value = scl_slope * stored + scl_inter`: a step that multiplies and one that adds ([`Scaling::linear`], which leaves
/// out a multiplication by 1 and an addition of 0).
///
/// A slope of 0 means no scaling (`nifti1.h`), and so does one that is not finite, as in nibabel: then the intercept does
/// not count, whatever it is.
///
/// # Errors
/// `scl_inter` when the slope is valid and it is not finite.
pub(super) fn from_slope_and_inter(header: &NiftiHeader) -> Result<Scaling> {
    let (slope, inter) = (header.scl_slope, header.scl_inter);
    if slope == 0.0 || !slope.is_finite() {
        return Ok(Scaling::none());
    }
    if !inter.is_finite() {
        return Err(Error::header(
            "scl_inter",
            inter,
            "a finite intercept beside a valid slope",
        ));
    }
    Ok(Scaling::linear(slope, inter))
}
