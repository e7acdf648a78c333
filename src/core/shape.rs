//! Voxel counts and strides of array shapes.

use crate::core::error::{Error, ErrorKind, Result};

/// Number of voxels of a shape.
///
/// # Errors
/// [`ErrorKind::Header`] if it does not fit in an i64.
pub(crate) fn voxels(shape: &[usize]) -> Result<u64> {
    let product = nonzero_product(shape)
        .filter(|&n| i64::try_from(n).is_ok())
        .ok_or_else(|| overflow(shape))?;
    // An axis of length 0 makes the array empty.
    Ok(if shape.contains(&0) { 0 } else { product })
}

/// The product of the nonzero lengths; `None` if it overflows. numpy and ndarray reject a shape for which this product
/// is too large, even if another axis is empty.
fn nonzero_product(shape: &[usize]) -> Option<u64> {
    let mut lengths = shape.iter().filter(|&&n| n != 0);
    lengths.try_fold(1u64, |product, &n| product.checked_mul(n as u64))
}

/// Number of elements of an array of this shape in memory.
///
/// # Errors
/// As [`voxels`]; [`ErrorKind::OutOfMemory`] if there are more than `isize::MAX` elements. The allocation checks the
/// number of bytes.
pub(crate) fn elements<T>(shape: &[usize]) -> Result<usize> {
    let count = voxels(shape)?;
    let fits = nonzero_product(shape).is_some_and(|n| isize::try_from(n).is_ok());
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

/// The strides, in elements, of a dense column-major array.
pub(crate) fn dense_strides(shape: &[usize]) -> Vec<i64> {
    let mut strides = Vec::with_capacity(shape.len());
    let mut stride = 1i64;
    for &count in shape {
        strides.push(stride);
        stride = stride.saturating_mul(count as i64);
    }
    strides
}

/// Sorts a short list, such as one of axes, by insertion: equal ones stay in order. std's sort is kilobytes of code for each
/// type.
pub(crate) fn sort_short<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    for end in 1..items.len() {
        let mut at = end;
        while at > 0 && key(&items[at]) < key(&items[at - 1]) {
            items.swap(at, at - 1);
            at -= 1;
        }
    }
}
