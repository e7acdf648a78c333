//! The affines of a NIfTI header: which one is used, and conversions between the qform's quaternion and an affine.

use crate::core::affine::{Affine, determinant, orthogonal_part};
use crate::core::dtype::DType;
use crate::core::error::{Error, Result};
use crate::format::analyze::{axes, base_affine};
use crate::header::Header;
use crate::header::fields::Fields;
use crate::header::fields::nifti::{NiftiHeader, Version};

/// The best affine: the sform if its code is not 0, else the qform if its code is not 0, else the base affine.
/// `threshold` is [`crate::LoadOptions::quaternion_threshold`].
///
/// # Errors
/// `quatern_b` if the qform is used and its quaternion is longer than 1.
pub(super) fn best(header: &NiftiHeader, threshold: Option<f64>) -> Result<Affine> {
    if header.sform_code != 0 {
        Ok([
            header.srow_x,
            header.srow_y,
            header.srow_z,
            [0.0, 0.0, 0.0, 1.0],
        ])
    } else if header.qform_code != 0 {
        from_qform(header, threshold)
    } else {
        let ndim = header.dim[0];
        Ok(base_affine(
            axes(ndim, &header.dim),
            axes(ndim, &header.pixdim),
        ))
    }
}

/// The qform: rotation by the quaternion, voxel sizes, offset.
///
/// # Errors
/// `quatern_b` if (b, c, d) is longer than 1.
fn from_qform(header: &NiftiHeader, threshold: Option<f64>) -> Result<Affine> {
    let [qfac, dx, dy, dz, ..] = header.pixdim;
    let sizes = [dx, dy, dz * qfac];
    let offset = [header.qoffset_x, header.qoffset_y, header.qoffset_z];
    let mut affine = [[0.0, 0.0, 0.0, 1.0]; 4];
    let rotation = rotation(header, threshold)?;
    for ((row, turned), offset) in affine.iter_mut().zip(rotation).zip(offset) {
        // Adding 0 turns -0 into 0, as nibabel's matrix product does.
        let [x, y, z] = std::array::from_fn(|column| turned[column] * sizes[column] + 0.0);
        *row = [x, y, z, offset];
    }
    Ok(affine)
}

/// The rotation of the quaternion (a, b, c, d) by the formula in `nifti1.h`; a is chosen so that its length is 1. All
/// entries are NaN if b, c or d is.
fn rotation(header: &NiftiHeader, threshold: Option<f64>) -> Result<[[f64; 3]; 3]> {
    // As in nibabel, a square below this size counts as 0: by default three times the precision of the fields.
    let precision = match header.version {
        Version::One => f64::from(f32::EPSILON),
        Version::Two => f64::EPSILON,
    };
    let zero = threshold.unwrap_or(3.0 * precision).abs();
    let vector = [header.quatern_b, header.quatern_c, header.quatern_d];
    if vector.iter().any(|part| part.is_nan()) {
        return Ok([[f64::NAN; 3]; 3]);
    }
    let left = scalar_part_squared(vector);
    let is_zero = left.abs() < zero;
    // The squares of large components may overflow.
    if left < 0.0 && !is_zero || left.is_nan() || vector.iter().any(|part| part.abs() > 1e100) {
        let found = format!(
            "{vector:?} (b, c, d), whose squared length is 1 + {:e}",
            -left
        );
        let expected = format!(
            "a length of at most 1 (a quaternion_threshold above {:e} accepts it)",
            -left
        );
        return Err(Error::header("quatern_b", found, expected));
    }
    let a = if is_zero { 0.0 } else { left.sqrt() };
    let [b, c, d] = vector;
    let [aa, bb, cc, dd] = [a, b, c, d].map(|part| part * part);
    // The sum of the squares: 1, unless the scalar part was set to 0.
    let norm = if a == 0.0 { 1.0 - left } else { 1.0 };
    // Each diagonal entry is the difference of two sums of squares. It is computed from the smaller sum, whose error is
    // smaller.
    let surplus = |half: f64, other: f64| match half > other {
        true => 1.0 - 2.0 * other / norm,
        false => 2.0 * half / norm - 1.0,
    };
    let sum = |product: f64, other: f64| 2.0 * (product + other) / norm;
    Ok([
        [
            surplus(aa + bb, cc + dd),
            sum(b * c, -a * d),
            sum(b * d, a * c),
        ],
        [
            sum(b * c, a * d),
            surplus(aa + cc, bb + dd),
            sum(c * d, -a * b),
        ],
        [
            sum(b * d, -a * c),
            sum(c * d, a * b),
            surplus(aa + dd, bb + cc),
        ],
    ])
}

/// The square of the scalar part, `1 - b² - c² - d²`, exact except for the last bits.
///
/// For rotations near 180 degrees the result is close to 0, and in plain f64 arithmetic much of it would be rounding
/// error. So the errors of all squares and differences are added at the end.
fn scalar_part_squared(vector: [f64; 3]) -> f64 {
    let mut parts = vector.map(f64::abs);
    // In descending order, so that the error of each difference can be computed.
    parts.sort_by(|a, b| b.total_cmp(a));
    let (mut left, mut error) = (1.0, 0.0);
    for part in parts {
        let square = part * part;
        let difference = left - square;
        error += (left - difference - square) - part.mul_add(part, -square);
        left = difference;
    }
    left + error
}

impl NiftiHeader {
    /// Sets the sform to this affine.
    pub fn set_sform(&mut self, affine: &Affine, code: i64) {
        [self.srow_x, self.srow_y, self.srow_z, _] = *affine;
        self.sform_code = code;
    }

    /// Sets the qform to this affine, and the voxel sizes to the lengths of its columns. Shears are lost, as in
    /// nibabel.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Header`] if the affine is not finite or has a zero column.
    pub fn set_qform(&mut self, affine: &Affine, code: i64) -> Result<()> {
        let columns = [0, 1, 2].map(|column| [0, 1, 2].map(|row: usize| affine[row][column]));
        let sizes =
            columns.map(|column: [f64; 3]| column.iter().map(|x| x * x).sum::<f64>().sqrt());
        if sizes.iter().any(|size| !size.is_finite() || *size == 0.0) {
            let found = format!("columns of lengths {sizes:?}");
            return Err(Error::header("affine", found, "columns that are not zero"));
        }
        let mut rotation = [0, 1, 2]
            .map(|row: usize| [0, 1, 2].map(|column: usize| affine[row][column] / sizes[column]));
        let qfac = if determinant(&rotation) > 0.0 {
            1.0
        } else {
            -1.0
        };
        rotation.iter_mut().for_each(|row| row[2] *= qfac);
        let [_, b, c, d] = quaternion(&orthogonal_part(rotation));
        (self.quatern_b, self.quatern_c, self.quatern_d) = (b, c, d);
        [self.qoffset_x, self.qoffset_y, self.qoffset_z] =
            [affine[0][3], affine[1][3], affine[2][3]];
        self.pixdim[0] = qfac;
        self.pixdim[1..4].copy_from_slice(&sizes);
        self.qform_code = code;
        Ok(())
    }
}

impl Header {
    /// Sets the type in which the image is saved. Does not affect what is read.
    pub fn set_data_dtype(&mut self, dtype: DType) {
        self.dtype = dtype;
    }

    /// Sets the affine and, in a NIfTI header, the sform with this code (1: scanner, 2: aligned, ...).
    pub fn set_sform(&mut self, affine: &Affine, code: i64) {
        self.affine = Some(*affine);
        if let Fields::Nifti(nifti) = &mut self.fields {
            nifti.set_sform(affine, code);
        }
    }

    /// Sets the qform of a NIfTI header. If the header has no sform, the affine is updated.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Header`] for an affine that is not finite or whose columns are zero, and
    /// [`crate::ErrorKind::Usage`] for a header of another format.
    pub fn set_qform(&mut self, affine: &Affine, code: i64) -> Result<()> {
        let Fields::Nifti(nifti) = &mut self.fields else {
            return Err(Error::usage("only a NIfTI header has a qform"));
        };
        nifti.set_qform(affine, code)?;
        if let Some(affine) = nifti.best_affine_without_sform()? {
            self.affine = Some(affine);
        }
        Ok(())
    }
}

/// The unit quaternion (scalar part first, not negative) of a rotation.
fn quaternion(rotation: &[[f64; 3]; 3]) -> [f64; 4] {
    let [[xx, xy, xz], [yx, yy, yz], [zx, zy, zz]] = *rotation;
    // Of four possible formulas, the one that divides by the largest component.
    let squares = [
        1.0 + xx + yy + zz,
        1.0 + xx - yy - zz,
        1.0 - xx + yy - zz,
        1.0 - xx - yy + zz,
    ];
    let largest = (0..4).max_by(|&a, &b| squares[a].total_cmp(&squares[b]));
    let unscaled = match largest {
        Some(0) => [squares[0], zy - yz, xz - zx, yx - xy],
        Some(1) => [zy - yz, squares[1], xy + yx, xz + zx],
        Some(2) => [xz - zx, xy + yx, squares[2], yz + zy],
        _ => [yx - xy, xz + zx, yz + zy, squares[3]],
    };
    let length = unscaled.iter().map(|part| part * part).sum::<f64>().sqrt();
    let sign = if unscaled[0] < 0.0 { -length } else { length };
    unscaled.map(|part| part / sign)
}
