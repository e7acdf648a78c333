//! [`BufferTarget`]: where to write in a buffer of the caller.

use std::ops::Range;

use crate::core::error::{Error, Result};
use crate::core::shape::{dense_strides, sort_short};

/// Where in a buffer of the caller's an array goes. Offset and strides are in elements of the array's type, so all are
/// aligned; nothing but the array's elements is changed.
///
/// ```
/// # fn example(buffer: &wgpu::Buffer) {
/// // From the buffer's element 1024 on, in rows of 512 elements.
/// let target = voxload::BufferTarget::new(buffer).offset(1024).strides(&[1, 512]);
/// # let _ = target;
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct BufferTarget<'a> {
    pub(crate) buffer: &'a wgpu::Buffer,
    pub(crate) offset: u64,
    strides: Option<Vec<i64>>,
}

impl<'a> BufferTarget<'a> {
    /// The start of a buffer, dense and column-major. The buffer has usage `STORAGE`, is on the device that is asked, and not
    /// mapped.
    pub fn new(buffer: &'a wgpu::Buffer) -> Self {
        Self {
            buffer,
            offset: 0,
            strides: None,
        }
    }

    /// The element of the buffer that voxel `(0, 0, ..)` goes to.
    pub fn offset(mut self, elements: u64) -> Self {
        self.offset = elements;
        self
    }

    /// Elements from one voxel to the next along each axis, negative to go down. Each axis must step over all that the axes
    /// of smaller strides reach, so that no two voxels share an element.
    pub fn strides(mut self, strides: &[i64]) -> Self {
        self.strides = Some(strides.to_vec());
        self
    }

    /// The strides for an array of this shape with elements of `item` bytes, after checking that it fits.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Shape`] if the number of strides does not match or the array exceeds the buffer,
    /// [`crate::ErrorKind::Usage`] if voxels would share elements.
    pub(crate) fn checked_strides(&self, shape: &[usize], item: u64) -> Result<Vec<i64>> {
        let strides = match &self.strides {
            Some(strides) => strides.clone(),
            None => dense_strides(shape),
        };
        if strides.len() != shape.len() {
            return Err(Error::shape(
                &strides,
                format_args!("{} strides, one for each axis of {shape:?}", shape.len()),
            ));
        }
        if shape.contains(&0) {
            return Ok(strides);
        }
        let range = reach(shape, &strides)?;
        let start = i128::from(self.offset) + range.start;
        let end = i128::from(self.offset) + range.end;
        // Shaders can access only whole words.
        let have = self.buffer.size() & !3;
        if start < 0
            || end
                .checked_mul(item.into())
                .is_none_or(|end| end > have.into())
        {
            return Err(Error::shape(
                format_args!("elements {start} to {end} of {item} bytes"),
                format_args!("elements within {have} bytes"),
            ));
        }
        Ok(strides)
    }
}

/// The range of elements that an array occupies, relative to its voxel `(0, 0, ..)`.
fn reach(shape: &[usize], strides: &[i64]) -> Result<Range<i128>> {
    let mut axes: Vec<(i128, i128)> = shape
        .iter()
        .zip(strides)
        .filter(|&(&count, _)| count > 1)
        .map(|(&count, &stride)| (count as i128, stride.into()))
        .collect();
    sort_short(&mut axes, |&(_, stride)| stride.abs());
    let (mut low, mut high) = (0i128, 0i128);
    for (count, stride) in axes {
        if stride.abs() <= high - low {
            return Err(Error::usage(format_args!(
                "strides {strides:?} for {shape:?}: voxels would share elements"
            )));
        }
        // At most 2^64 steps of at most 2^63: the sum for two such axes still fits.
        let reach = (count - 1).saturating_mul(stride);
        if reach < 0 {
            low = low.saturating_add(reach);
        } else {
            high = high.saturating_add(reach);
        }
    }
    Ok(low..high.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The elements of all voxels, one by one.
    fn elements(shape: &[usize], strides: &[i64]) -> Vec<i64> {
        let mut elements = vec![0];
        for (&count, &stride) in shape.iter().zip(strides) {
            elements = (0..count as i64)
                .flat_map(|i| elements.iter().map(move |&at| at + i * stride))
                .collect();
        }
        elements.sort_unstable();
        elements
    }

    #[test]
    fn no_two_voxels_share_an_element() {
        let (mut accepted, mut refused) = (0, 0);
        for shape in [[2, 3, 2], [1, 4, 3], [3, 1, 1]] {
            for code in 0..19 * 19 * 19i64 {
                let strides = [code % 19 - 9, code / 19 % 19 - 9, code / 361 - 9];
                let all = elements(&shape, &strides);
                let distinct = all.windows(2).all(|pair| pair[0] < pair[1]);
                if let Ok(range) = reach(&shape, &strides) {
                    assert!(distinct, "{shape:?} {strides:?}");
                    assert_eq!(range.start, i128::from(all[0]));
                    assert_eq!(range.end, i128::from(all[all.len() - 1]) + 1);
                    accepted += 1;
                } else {
                    refused += 1;
                }
            }
        }
        assert!(accepted > 5000 && refused > 3000, "{accepted} {refused}");
    }

    #[test]
    fn strides_beyond_all_bounds() {
        let huge = [i64::MAX, i64::MIN, i64::MAX, 1];
        assert!(reach(&[usize::MAX, usize::MAX, usize::MAX, 2], &huge).is_err());
        let range = reach(&[usize::MAX, 2], &[i64::MIN, 1]).unwrap();
        assert!(range.start < -(1 << 125) && range.end == 2);
    }
}
