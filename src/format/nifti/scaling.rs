//! How NIfTI's `scl_slope` and `scl_inter` become scaling steps.

use crate::core::error::{Error, Result};
use crate::core::scaling::Scaling;
use crate::header::fields::nifti::NiftiHeader;

/// `value = scl_slope * stored + scl_inter`: one step that multiplies and one that adds. [`Scaling::linear`] omits a
/// multiplication by 1 and an addition of 0.
///
/// A slope of 0 means no scaling (`nifti1.h`), and so does a slope that is not finite, as in nibabel. The intercept is
/// then ignored.
///
/// # Errors
/// `scl_inter` if it is not finite and the slope is valid.
pub(super) fn from_slope_and_inter(header: &NiftiHeader) -> Result<Scaling> {
    let (slope, inter) = (header.scl_slope, header.scl_inter);
    if slope == 0.0 || !slope.is_finite() {
        return Ok(Scaling::none());
    }
    if !inter.is_finite() {
        return Err(Error::header(
            "scl_inter",
            inter,
            "a finite intercept when the slope is valid",
        ));
    }
    Ok(Scaling::linear(slope, inter))
}
