//! Shapes: how many voxels, and where each stands.

use crate::error::{Error, ErrorKind, Result};

/// Number of voxels of a shape, checked.
pub(crate) fn voxels(shape: &[usize]) -> Result<u64> {
    // As in numpy and ndarray, the axes that are not empty must fit even where another one is.
    let product = shape
        .iter()
        .filter(|&&n| n != 0)
        .try_fold(1u64, |product, &n| product.checked_mul(n as u64))
        .filter(|&n| i64::try_from(n).is_ok())
        .ok_or_else(|| overflow(shape))?;
    // A zero anywhere makes it empty.
    Ok(if shape.contains(&0) { 0 } else { product })
}

pub(crate) fn overflow(shape: &[usize]) -> Error {
    ErrorKind::Header {
        field: "dim",
        found: format!("{shape:?}"),
        expected: "a number of bytes below 2^63".to_owned(),
    }
    .into()
}

/// Elements from one position of each axis to the next in a dense column-major array.
pub(crate) fn dense_strides(shape: &[usize]) -> Vec<i64> {
    let mut strides = Vec::with_capacity(shape.len());
    let mut stride = 1i64;
    for &count in shape {
        strides.push(stride);
        stride = stride.saturating_mul(count as i64);
    }
    strides
}
