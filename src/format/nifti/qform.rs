//! The affine of a unit quaternion, in the arithmetic of nibabel on x86: 80-bit floats.

use super::extended::Extended;
use super::{NiftiHeader, Version};
use crate::affine::Affine;
use crate::error::{Error, Result};

/// Below this size the square of the quaternion's scalar part counts as 0: three times the precision of the fields.
fn threshold(version: Version) -> f64 {
    3.0 * match version {
        Version::One => f64::from(f32::EPSILON),
        Version::Two => f64::EPSILON,
    }
}

/// The qform: rotation by the quaternion (b, c, d and the scalar part that makes it a unit), voxel sizes, offset.
///
/// # Errors
/// `quatern_b` when (b, c, d) is longer than 1.
pub(super) fn qform(header: &NiftiHeader) -> Result<Affine> {
    let [qfac, dx, dy, dz, ..] = header.pixdim;
    let sizes = [dx, dy, dz * qfac];
    let offset = [header.qoffset_x, header.qoffset_y, header.qoffset_z];
    let rotation = rotation(header)?;
    let mut affine = [[0.0, 0.0, 0.0, 1.0]; 4];
    for ((row, turned), offset) in affine.iter_mut().zip(rotation).zip(offset) {
        let [x, y, z] = turned.scaled_by(sizes);
        *row = [x, y, z, offset];
    }
    Ok(affine)
}

/// A row of the rotation: `None` where the quaternion has a NaN.
struct Row(Option<[Extended; 3]>);

impl Row {
    /// The row times the voxel sizes, rounded to f64.
    fn scaled_by(self, sizes: [f64; 3]) -> [f64; 3] {
        let Some([x, y, z]) = self.0 else {
            return [f64::NAN; 3];
        };
        [(x, sizes[0]), (y, sizes[1]), (z, sizes[2])].map(|(turn, size)| {
            match Extended::new(size) {
                // nibabel's dot product adds to 0, so a zero has no sign.
                Some(size) => turn.mul(size).add(Extended::ZERO).to_f64(),
                None => turn.to_f64() * size,
            }
        })
    }
}

fn rotation(header: &NiftiHeader) -> Result<[Row; 3]> {
    let bcd = [header.quatern_b, header.quatern_c, header.quatern_d];
    let too_long = || {
        Error::header(
            "quatern_b",
            format!("{bcd:?} (b, c, d)"),
            "a length of at most 1",
        )
    };
    if bcd.iter().any(|value| value.is_nan()) {
        return Ok([Row(None), Row(None), Row(None)]);
    }
    let [Some(x), Some(y), Some(z)] = bcd.map(Extended::new) else {
        return Err(too_long());
    };
    let one = Extended::ONE;
    let scalar = one.sub(x.mul(x).add(y.mul(y)).add(z.mul(z)));
    let w = if scalar.abs().is_below(threshold(header.version)) {
        Extended::ZERO
    } else {
        scalar.sqrt().ok_or_else(too_long)?
    };

    let norm = w.mul(w).add(x.mul(x)).add(y.mul(y)).add(z.mul(z));
    let s = one.add(one).div(norm);
    let [sx, sy, sz] = [x.mul(s), y.mul(s), z.mul(s)];
    let [wx, wy, wz] = [w.mul(sx), w.mul(sy), w.mul(sz)];
    let [xx, xy, xz] = [x.mul(sx), x.mul(sy), x.mul(sz)];
    let [yy, yz, zz] = [y.mul(sy), y.mul(sz), z.mul(sz)];
    Ok([
        Row(Some([one.sub(yy.add(zz)), xy.sub(wz), xz.add(wy)])),
        Row(Some([xy.add(wz), one.sub(xx.add(zz)), yz.sub(wx)])),
        Row(Some([xz.sub(wy), yz.add(wx), one.sub(xx.add(yy))])),
    ])
}
