//! The format-neutral facts of a checked NIfTI header: shape, zooms, byte order, data offset, scaling, affine.

use super::{Container, NiftiHeader, Version, qform};
use crate::affine::Affine;
use crate::dtype::ByteOrder;
use crate::error::{Error, Result};
use crate::header::Note;
use crate::scaling::Scaling;

/// The byte order of a header: the one in which `dim[0]` is a number of axes (spec 4.2).
///
/// No two bytes are a number from 1 to 7 in both orders. With no axes the header's size decides.
///
/// # Errors
/// `dim` when neither order gives a number of axes.
pub(super) fn byte_order(bytes: &[u8], version: Version) -> Result<ByteOrder> {
    let read = |order| super::fields::read(bytes, version, order);
    let (little, big) = (read(ByteOrder::Little), read(ByteOrder::Big));
    let size = version.header_bytes() as i64;
    match (little.dim[0], big.dim[0]) {
        (1..=7, _) => Ok(ByteOrder::Little),
        (_, 1..=7) => Ok(ByteOrder::Big),
        (0, _) if little.sizeof_hdr == size => Ok(ByteOrder::Little),
        (0, _) if big.sizeof_hdr == size => Ok(ByteOrder::Big),
        (0, _) => Ok(ByteOrder::NATIVE),
        (in_little, in_big) => Err(Error::header(
            "dim",
            format!("dim[0] = {in_little} in little-endian and {in_big} in big-endian order"),
            "0 to 7 axes",
        )),
    }
}

/// Voxels along each axis, with FreeSurfer's ways of storing a long first axis in NIfTI-1.
///
/// # Errors
/// `dim` for a negative length, `glmin` where that is FreeSurfer's length and is not positive.
pub(super) fn shape(header: &NiftiHeader) -> Result<Vec<usize>> {
    let mut dims = header.axes(&header.dim).to_vec();
    if dims.is_empty() {
        // nibabel's shape of a header without axes.
        return Ok(vec![0]);
    }
    let mut field = "dim";
    if header.version == Version::One
        && let [first, second, third, ..] = dims.as_mut_slice()
    {
        if [*first, *second, *third] == [-1, 1, 1] {
            if header.glmin == 0 {
                return Err(Error::header(
                    "glmin",
                    0,
                    "the length that -1 in dim[1] refers to",
                ));
            }
            field = "glmin";
            *first = header.glmin;
        } else if [*first, *second, *third] == [27307, 1, 6] {
            (*first, *third) = (163_842, 1);
        }
    }
    let lengths = dims.iter().map(|&length| usize::try_from(length));
    lengths
        .collect::<Result<_, _>>()
        .map_err(|_| Error::header(field, format!("{dims:?}"), "lengths that are not negative"))
}

/// Voxel sizes along each axis.
pub(super) fn zooms(header: &NiftiHeader) -> Vec<f64> {
    match header.axes(&header.pixdim) {
        [] => vec![1.0],
        zooms => zooms.to_vec(),
    }
}

/// Byte at which the voxels begin in their file: `vox_offset` without its fraction.
///
/// In a single file a `vox_offset` of 0 means the smallest legal one (nibabel reads the header as voxels).
///
/// # Errors
/// `vox_offset` when it is no number, negative, infinite, or inside the header of a single file.
pub(super) fn data_offset(
    header: &NiftiHeader,
    container: Container,
    notes: &mut Vec<Note>,
) -> Result<u64> {
    let offset = header.vox_offset.trunc();
    let smallest = match container {
        Container::Single => header.version.single_offset(),
        Container::Pair => 0,
    };
    if container == Container::Single && header.vox_offset == 0.0 {
        notes.push(Note {
            field: "vox_offset",
            message: format!("was 0 in a single file: voxels are read from byte {smallest}"),
        });
        return Ok(smallest);
    }
    // Offsets above 2^63 are no file's; a NaN is in no range.
    if !(smallest as f64..i64::MAX as f64).contains(&offset) {
        let expected = format!("a byte of a file from {smallest} on");
        return Err(Error::header("vox_offset", header.vox_offset, expected));
    }
    Ok(offset as u64)
}

/// Scaling by `scl_slope` and `scl_inter`; a slope that is 0 or not finite means none (spec 3.2).
///
/// # Errors
/// `scl_inter` when the slope is valid and it is not finite.
pub(super) fn scaling(header: &NiftiHeader) -> Result<Scaling> {
    let (slope, inter) = (header.scl_slope, header.scl_inter);
    if slope == 0.0 || !slope.is_finite() {
        return Ok(Scaling::none());
    }
    if !inter.is_finite() {
        return Err(Error::header(
            "scl_inter",
            inter,
            "a finite intercept beside a valid slope",
        ));
    }
    Ok(Scaling::linear(slope, inter))
}

/// The best affine: sform where it has a code, else qform where it has one, else base.
///
/// # Errors
/// `quatern_b` when the qform is wanted and its quaternion is longer than 1.
pub(super) fn affine(header: &NiftiHeader) -> Result<Affine> {
    if header.sform_code != 0 {
        Ok([
            header.srow_x,
            header.srow_y,
            header.srow_z,
            [0.0, 0.0, 0.0, 1.0],
        ])
    } else if header.qform_code != 0 {
        qform::qform(header)
    } else {
        Ok(base_affine(header))
    }
}

/// Voxel sizes alone, x flipped, and the origin in the middle of the volume.
fn base_affine(header: &NiftiHeader) -> Affine {
    let axis = |index: usize| {
        let length = header.axes(&header.dim).get(index).copied().unwrap_or(1);
        let zoom = header
            .axes(&header.pixdim)
            .get(index)
            .copied()
            .unwrap_or(1.0);
        (-(length.saturating_sub(1) as f64 / 2.0), zoom)
    };
    let [(x, dx), (y, dy), (z, dz)] = [axis(0), axis(1), axis(2)];
    [
        [-dx, 0.0, 0.0, x * -dx],
        [0.0, dy, 0.0, y * dy],
        [0.0, 0.0, dz, z * dz],
        [0.0, 0.0, 0.0, 1.0],
    ]
}
