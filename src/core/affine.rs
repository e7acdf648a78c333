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

/// The angle in radians between each axis of space and the voxel axis that is closest to it: nibabel's `obliquity`. All
/// are 0 if the voxels are aligned with space, up to rounding; NaN if the affine is singular.
///
/// ```
/// let (sin, cos) = 0.1f64.sin_cos();
/// let affine = [[cos, -sin, 0.0, 0.0], [sin, cos, 0.0, 0.0], [0.0, 0.0, 2.0, 0.0], [0.0, 0.0, 0.0, 1.0]];
/// let [x, y, z] = voxload::affine::obliquity(&affine);
/// assert!((x - 0.1).abs() < 1e-12 && (y - 0.1).abs() < 1e-12 && z == 0.0);
/// ```
pub fn obliquity(affine: &Affine) -> [f64; 3] {
    let [x, y, z, _] = affine;
    let rows = [x, y, z];
    let sizes: [f64; 3] = std::array::from_fn(|column| {
        let squares = rows.map(|row| row[column] * row[column]);
        squares.iter().sum::<f64>().sqrt()
    });
    rows.map(|row| {
        let cosines = row
            .iter()
            .zip(sizes)
            .map(|(entry, size)| (entry / size).abs());
        let best = cosines.fold(f64::NAN, f64::max);
        best.min(1.0).acos()
    })
}

/// The determinant of a 3 x 3 matrix.
pub(crate) fn determinant(matrix: &[[f64; 3]; 3]) -> f64 {
    let [[a, b, c], [d, e, f], [g, h, i]] = *matrix;
    a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
}

#[cfg(test)]
mod tests;
