//! Affines from voxel indices to millimetres, and the orientation of the voxel axes that follows from them.

mod orientation;
mod svd;

pub(crate) use svd::orthogonal_factor as orthogonal_part;

pub use orientation::{AxisDirection, Orientation};

/// A 4 x 4 matrix, row by row, that maps a voxel index `(i, j, k, 1)` to millimetres `(x, y, z, 1)`.
pub type Affine = [[f64; 4]; 4];

/// The matrix product `left * right`: `right` is applied first.
///
/// Each entry is a chain of fused multiply-adds in ascending order, as numpy computes it on processors that have such
/// an instruction.
pub fn multiply(left: &Affine, right: &Affine) -> Affine {
    left.map(|row| {
        let mut sums = [0.0; 4];
        for (factor, terms) in row.iter().zip(right) {
            for (sum, term) in sums.iter_mut().zip(terms) {
                *sum = factor.mul_add(*term, *sum);
            }
        }
        sums
    })
}

/// The determinant of a 3 x 3 matrix.
pub(crate) fn determinant(matrix: &[[f64; 3]; 3]) -> f64 {
    let [[a, b, c], [d, e, f], [g, h, i]] = *matrix;
    a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
}

#[cfg(test)]
mod tests;
