//! Shapes: how many voxels, and where each stands.

use crate::core::error::{Error, ErrorKind, Result};

/// Number of voxels of a shape, checked.
pub(crate) fn voxels(shape: &[usize]) -> Result<u64> {
    let product = of_axes_with_voxels(shape)
        .filter(|&n| i64::try_from(n).is_ok())
        .ok_or_else(|| overflow(shape))?;
    // A zero anywhere makes it empty.
    Ok(if shape.contains(&0) { 0 } else { product })
}

/// The product of the lengths that are not 0. In numpy and ndarray it must be a length even where an axis is empty.
fn of_axes_with_voxels(shape: &[usize]) -> Option<u64> {
    let mut lengths = shape.iter().filter(|&&n| n != 0);
    lengths.try_fold(1u64, |product, &n| product.checked_mul(n as u64))
}

/// Number of elements of an array of this shape that is to be in memory.
///
/// # Errors
/// Those of [`voxels`], also for what exceeds a memory of 32 bits: [`ErrorKind::OutOfMemory`] if there are elements.
pub(crate) fn elements<T>(shape: &[usize]) -> Result<usize> {
    let count = voxels(shape)?;
    let fits = of_axes_with_voxels(shape).is_some_and(|n| isize::try_from(n).is_ok());
    match usize::try_from(count) {
        Ok(count) if fits => Ok(count),
        Ok(0) => Err(overflow(shape)),
        _ => {
            let needed = count.saturating_mul(size_of::<T>() as u64);
            Err(ErrorKind::OutOfMemory { needed }.into())
        }
    }
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
