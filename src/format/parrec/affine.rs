//! The affine of a PAR/REC volume (spec 4.8): voxels about the middle, to Philips' PSL axes, turned, moved, to RAS.

use super::par::Par;
use crate::affine::{Affine, multiply};
use crate::error::{Error, Result};

const PSL_TO_RAS: Affine = [
    [0.0, 0.0, -1.0, 0.0],
    [-1.0, 0.0, 0.0, 0.0],
    [0.0, 1.0, 0.0, 0.0],
    [0.0, 0.0, 0.0, 1.0],
];

const TRANSVERSE_TO_PSL: Affine = [
    [0.0, 1.0, 0.0, 0.0],
    [0.0, 0.0, 1.0, 0.0],
    [1.0, 0.0, 0.0, 0.0],
    [0.0, 0.0, 0.0, 1.0],
];

const SAGITTAL_TO_PSL: Affine = [
    [1.0, 0.0, 0.0, 0.0],
    [0.0, -1.0, 0.0, 0.0],
    [0.0, 0.0, -1.0, 0.0],
    [0.0, 0.0, 0.0, 1.0],
];

const CORONAL_TO_PSL: Affine = [
    [0.0, 0.0, 1.0, 0.0],
    [0.0, -1.0, 0.0, 0.0],
    [1.0, 0.0, 0.0, 0.0],
    [0.0, 0.0, 0.0, 1.0],
];

const IDENTITY: Affine = [
    [1.0, 0.0, 0.0, 0.0],
    [0.0, 1.0, 0.0, 0.0],
    [0.0, 0.0, 1.0, 0.0],
    [0.0, 0.0, 0.0, 1.0],
];

pub(super) fn affine(par: &Par, lengths: &[i64], zooms: &[f64]) -> Result<Affine> {
    let permutation = match par.same("slice orientation", |slice| slice.orientation)? {
        1 => TRANSVERSE_TO_PSL,
        2 => SAGITTAL_TO_PSL,
        3 => CORONAL_TO_PSL,
        other => return Err(Error::header("slice orientation", other, "1, 2 or 3")),
    };
    let (mut zoomer, mut to_centre) = (IDENTITY, IDENTITY);
    for (axis, (&length, &zoom)) in lengths.iter().zip(zooms).take(3).enumerate() {
        zoomer[axis][axis] = zoom;
        to_centre[axis][3] = -(length - 1) as f64 / 2.0;
    }
    let zoomed = multiply(&zoomer, &to_centre);
    let mut psl = multiply(&rotation(par)?, &multiply(&permutation, &zoomed));
    let moved = three(par, "Off Centre midslice(ap,fh,rl) [mm]")?;
    for (row, offset) in psl.iter_mut().zip(moved) {
        row[3] += offset;
    }
    Ok(multiply(&PSL_TO_RAS, &psl))
}

/// The rotations about the three axes, in the order that nibabel found by trial.
fn rotation(par: &Par) -> Result<Affine> {
    const RADIANS: f64 = std::f64::consts::PI / 180.0;
    let [x, y, z] =
        three(par, "Angulation midslice(ap,fh,rl)[degr]")?.map(|degrees| degrees * RADIANS);
    let about = |angle: f64, [from, to]: [usize; 2]| {
        let mut turn = IDENTITY;
        if angle != 0.0 {
            let (sin, cos) = (angle.sin(), angle.cos());
            (turn[from][from], turn[from][to]) = (cos, -sin);
            (turn[to][from], turn[to][to]) = (sin, cos);
        }
        turn
    };
    let (mx, my, mz) = (about(x, [1, 2]), about(y, [2, 0]), about(z, [0, 1]));
    Ok(multiply(&mz, &multiply(&mx, &my)))
}

fn three(par: &Par, key: &'static str) -> Result<[f64; 3]> {
    let values = par.reals(key)?.unwrap_or_default();
    <[f64; 3]>::try_from(values)
        .map_err(|values| Error::header(key, format!("{values:?}"), "three numbers"))
}
