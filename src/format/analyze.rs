//! Analyze 7.5 in three variants: Mayo's, SPM99's and SPM2's. All have the same layout ("ANALYZE 7.5 File Format", Mayo
//! Foundation, <https://rportal.mayo.edu/bir/ANALYZE75.pdf>). They differ in the scaling, the origin and the `.mat`
//! file with the affine; for these the reference is nibabel's `spm99analyze` and `spm2analyze`.
//!
//! The layout of NIfTI-1 is derived from this one, so its parser uses the checks and the base affine of this module.

pub use crate::header::fields::analyze::AnalyzeHeader;

use std::fmt::Display;
use std::ops::Neg;

use super::file_map::FileRole;
use super::matfile::{self, Matrix};
use super::parsed::{Location, More, Parsed, Sniff, check_length};
use super::text::shape;
use crate::core::affine::{Affine, multiply};
use crate::core::dtype::{ByteOrder, DType};
use crate::core::error::{Error, Result};
use crate::core::format::Format;
use crate::core::scaling::{Arithmetic, Factor, Scaling, Step};
use crate::header::fields::Fields;
use crate::header::fields::analyze::TABLE;
use crate::header::fields::binary::{Field, Record};
use crate::header::{AxisKind, Header, Layout, Note, SpaceUnit, TimeUnit};

/// Bytes of the header.
pub(super) const HEADER_BYTES: u64 = 348;

const TYPES: [(i16, DType); 7] = [
    (2, DType::U8),
    (4, DType::I16),
    (8, DType::I32),
    (16, DType::F32),
    (32, DType::C64),
    (64, DType::F64),
    (128, DType::Rgb24),
];

/// Whether the first bytes are an Analyze header: the right header size, and no NIfTI magic.
pub(super) fn sniff(prefix: &[u8]) -> Sniff {
    let sized = begins_with_size(prefix, HEADER_BYTES as u32);
    match prefix.get(344..348) {
        None if sized => Sniff::Cut(HEADER_BYTES),
        None => Sniff::No,
        Some(magic) => Sniff::from(sized && magic != b"ni1\0" && magic != b"n+1\0"),
    }
}

/// Whether the first four bytes (or as many as there are) are this number in either byte order.
pub(super) fn begins_with_size(prefix: &[u8], size: u32) -> bool {
    let first = prefix.get(..4).unwrap_or(prefix);
    let orders = [size.to_le_bytes(), size.to_be_bytes()];
    orders.iter().any(|bytes| bytes.starts_with(first))
}

/// Parses the header as the variant `format` defines it; SPM's `.mat` file is requested.
pub(super) fn parse(bytes: &[u8], format: Format) -> Result<Parsed> {
    check_length(bytes, HEADER_BYTES)?;
    let byte_order = byte_order(bytes, TABLE, HEADER_BYTES)?;
    let mut analyze = AnalyzeHeader::from_bytes(bytes, byte_order);
    let mut notes = Vec::new();
    let dtype = check(&mut analyze, &mut notes)?;
    let spm = format != Format::Analyze;
    if spm && origin(&analyze).is_none() && analyze.origin.iter().take(3).any(|&o| o != 0) {
        notes.push(Note {
            field: "origin",
            message: "very large relative to dim: kept, not used".to_owned(),
        });
    }
    let ndim = analyze.dim[0].into();
    let lengths: Vec<i64> = axes(ndim, &analyze.dim).iter().map(|&n| n.into()).collect();
    let zooms: Vec<f64> = axes(ndim, &analyze.pixdim)
        .iter()
        .map(|&z| z.into())
        .collect();
    // nibabel's shape for a header without axes.
    let none = lengths.is_empty();
    let shape = match none {
        true => vec![0],
        false => shape("dim", &lengths)?,
    };
    let header = Header {
        format,
        axes: AxisKind::by_position(shape.len()),
        shape,
        dtype,
        byte_order,
        layout: Layout::FirstFastest,
        data_offset: data_offset(&analyze)?,
        scaling: match format {
            Format::Spm2Analyze => spm2_scaling(&analyze)?,
            Format::Spm99Analyze => spm99_scaling(&analyze),
            _ => Scaling::none(),
        },
        affine: Some(if spm {
            spm_affine(&analyze)
        } else {
            base_affine(&lengths, &zooms)
        }),
        zooms: if none { vec![1.0] } else { zooms },
        // The format defines both.
        space_unit: SpaceUnit::Millimetre,
        time_unit: TimeUnit::Millisecond,
        fields: Fields::Analyze(Box::new(analyze)),
    };
    header.data_end()?;
    let mut parsed = Parsed::new(header, notes);
    parsed.more = spm.then(|| More {
        place: Location::File(FileRole::Mat),
        apply: Box::new(|pieces, parsed| match pieces {
            [mat] if !mat.is_empty() => {
                parsed.header.affine = Some(mat_affine(mat, &mut parsed.notes)?);
                Ok(())
            }
            _ => Ok(()),
        }),
    });
    Ok(parsed)
}

/// The entries of the axes that exist, of the seven after the first; all seven if `ndim` is out of range.
pub(super) fn axes<T>(ndim: i64, of: &[T; 8]) -> &[T] {
    let [_, entries @ ..] = of;
    let count = usize::try_from(ndim).unwrap_or(0);
    entries.get(..count).unwrap_or(entries)
}

/// The byte order of a header: the one in which `dim[0]` is a valid number of axes.
///
/// No two bytes are a number from 1 to 7 in both byte orders. If there are no axes, the header's size decides.
///
/// # Errors
/// `dim` if neither byte order gives a valid number of axes.
pub(super) fn byte_order(bytes: &[u8], table: &'static [Field], size: u64) -> Result<ByteOrder> {
    let read = |order| {
        let record = Record {
            table,
            bytes,
            order,
        };
        let [ndim]: [i64; 1] = record.get("dim");
        let sizeof_hdr: i64 = record.get("sizeof_hdr");
        (ndim, u64::try_from(sizeof_hdr) == Ok(size))
    };
    match (read(ByteOrder::Little), read(ByteOrder::Big)) {
        ((1..=7, _), _) => Ok(ByteOrder::Little),
        (_, (1..=7, _)) => Ok(ByteOrder::Big),
        ((0, true), _) => Ok(ByteOrder::Little),
        ((0, _), (_, true)) => Ok(ByteOrder::Big),
        ((0, _), _) => Ok(ByteOrder::NATIVE),
        ((in_little, _), (in_big, _)) => Err(Error::header(
            "dim",
            format!("dim[0] = {in_little} in little-endian and {in_big} in big-endian order"),
            "0 to 7 axes",
        )),
    }
}

/// nibabel's checks: repairs what can be repaired, with a note. Returns the voxel type.
fn check(analyze: &mut AnalyzeHeader, notes: &mut Vec<Note>) -> Result<DType> {
    let size = HEADER_BYTES as i32;
    repair("sizeof_hdr", &mut analyze.sizeof_hdr, size, "", notes);
    let known = TYPES.iter().find(|(code, _)| *code == analyze.datatype);
    let &(_, dtype) = known
        .ok_or_else(|| Error::header("datatype", analyze.datatype, "2, 4, 8, 16, 32, 64 or 128"))?;
    let (bits, reason) = (
        8 * dtype.size_bytes() as i16,
        format!(", the size of {dtype}"),
    );
    repair("bitpix", &mut analyze.bitpix, bits, &reason, notes);
    repair_sizes(&mut analyze.pixdim, notes);
    Ok(dtype)
}

/// Sets a field to its required value, with a note if it had another.
pub(super) fn repair<T: PartialEq + Display>(
    field: &'static str,
    value: &mut T,
    right: T,
    reason: &str,
    notes: &mut Vec<Note>,
) {
    if *value != right {
        let message = format!("was {value}, set to {right}{reason}");
        notes.push(Note { field, message });
        *value = right;
    }
}

/// Sets the first three voxel sizes to 1 if they are 0, and to their absolute values if they are negative. NaN stays.
pub(super) fn repair_sizes<T>(pixdim: &mut [T; 8], notes: &mut Vec<Note>)
where
    T: Copy + PartialOrd + Neg<Output = T> + From<i8> + Display,
{
    let [_, sizes @ ..] = pixdim;
    for (axis, size) in (1..=3).zip(sizes) {
        let message = if *size == T::from(0) {
            *size = T::from(1);
            format!("pixdim[{axis}] was 0, set to 1")
        } else if *size < T::from(0) {
            let message = format!("pixdim[{axis}] was {size}, made positive");
            *size = -*size;
            message
        } else {
            continue;
        };
        notes.push(Note {
            field: "pixdim",
            message,
        });
    }
}

fn data_offset(analyze: &AnalyzeHeader) -> Result<u64> {
    let offset = f64::from(analyze.vox_offset).trunc();
    // NaN is in no range, so it is rejected too.
    if !(0.0..i64::MAX as f64).contains(&offset) {
        return Err(Error::header(
            "vox_offset",
            analyze.vox_offset,
            "a byte of a file",
        ));
    }
    Ok(offset as u64)
}

fn usable(slope: f32) -> bool {
    slope != 0.0 && slope.is_finite()
}

/// SPM99 multiplies by an f32; for types that f32 can represent, in f32.
fn spm99_scaling(analyze: &AnalyzeHeader) -> Scaling {
    if !usable(analyze.scl_slope) || analyze.scl_slope == 1.0 {
        return Scaling::none();
    }
    let step = Step::Multiply(Factor::One(analyze.scl_slope.into()));
    Scaling::new(vec![step], 0, Arithmetic::Spm99)
}

/// SPM2 scales by slope and intercept. Without a valid slope it maps the range `glmin` to `glmax` of stored numbers to
/// the range `cal_min` to `cal_max` of values, if both ranges are valid.
fn spm2_scaling(analyze: &AnalyzeHeader) -> Result<Scaling> {
    if usable(analyze.scl_slope) {
        let inter = analyze.scl_inter;
        return Ok(Scaling::linear(
            analyze.scl_slope.into(),
            if inter.is_finite() { inter.into() } else { 0.0 },
        ));
    }
    let stored = analyze.glmax.wrapping_sub(analyze.glmin);
    let scaled = analyze.cal_max - analyze.cal_min;
    if stored == 0 || scaled == 0.0 {
        return Ok(Scaling::none());
    }
    let slope = f64::from(scaled) / f64::from(stored);
    let inter = f64::from(analyze.cal_min) - slope * f64::from(analyze.glmin);
    if !(slope.is_finite() && inter.is_finite()) {
        return Err(Error::header(
            "cal_max",
            analyze.cal_max,
            "a finite range of values",
        ));
    }
    Ok(Scaling::linear(slope, inter))
}

/// Voxel sizes on the diagonal, x flipped, and the origin in the middle of the volume.
pub(super) fn base_affine(lengths: &[i64], zooms: &[f64]) -> Affine {
    let axis = |k: usize| {
        let length = lengths.get(k).copied().unwrap_or(1);
        let zoom = zooms.get(k).copied().unwrap_or(1.0);
        (
            if k == 0 { -zoom } else { zoom },
            -(length.saturating_sub(1) as f64 / 2.0),
        )
    };
    diagonal(
        [0, 1, 2]
            .map(axis)
            .map(|(zoom, middle)| (zoom, middle * zoom)),
    )
}

/// The origin, counted from 0: the one in the header, if it is set and near the volume.
fn origin(analyze: &AnalyzeHeader) -> Option<[i16; 3]> {
    let [ox, oy, oz, ..] = analyze.origin;
    let [_, nx, ny, nz, ..] = analyze.dim;
    let origin = [ox, oy, oz];
    // In i16, with wrapping, as nibabel computes it.
    let near = |(o, n): (i16, i16)| o > n.wrapping_neg() && o < n.wrapping_mul(2);
    let all_near = origin.into_iter().zip([nx, ny, nz]).all(near);
    (origin != [0; 3] && all_near).then(|| origin.map(|o| o.wrapping_sub(1)))
}

/// Voxel sizes with x flipped, around the origin (in f32, as nibabel computes it) or the middle of the volume.
fn spm_affine(analyze: &AnalyzeHeader) -> Affine {
    let [_, dx, dy, dz, ..] = analyze.pixdim;
    let [_, nx, ny, nz, ..] = analyze.dim;
    match origin(analyze) {
        Some(origin) => {
            let zooms = [-dx, dy, dz];
            diagonal(std::array::from_fn(|k| {
                let moved = f32::from(origin[k].wrapping_neg()) * zooms[k];
                (zooms[k].into(), moved.into())
            }))
        }
        // In i16, as above.
        None => base_affine(
            &[nx, ny, nz].map(|n| i64::from(n.wrapping_sub(1)) + 1),
            &[dx, dy, dz].map(f64::from),
        ),
    }
}

fn diagonal([x, y, z]: [(f64, f64); 3]) -> Affine {
    [
        [x.0, 0.0, 0.0, x.1],
        [0.0, y.0, 0.0, y.1],
        [0.0, 0.0, z.0, z.1],
        [0.0, 0.0, 0.0, 1.0],
    ]
}

/// The affine in a `.mat` file: `mat` unchanged, or `M` with x flipped. Both count voxels from 1.
fn mat_affine(bytes: &[u8], notes: &mut Vec<Note>) -> Result<Affine> {
    const FLIP_X: Affine = [
        [-1.0, 0.0, 0.0, 0.0],
        [0.0, 1.0, 0.0, 0.0],
        [0.0, 0.0, 1.0, 0.0],
        [0.0, 0.0, 0.0, 1.0],
    ];
    const FROM_1: Affine = [
        [1.0, 0.0, 0.0, 1.0],
        [0.0, 1.0, 0.0, 1.0],
        [0.0, 0.0, 1.0, 1.0],
        [0.0, 0.0, 0.0, 1.0],
    ];
    let matrices = matfile::read(bytes)?;
    let named = |name: &str| matrices.iter().rev().find(|matrix| matrix.name == name);
    let affine = match (named("mat"), named("M")) {
        (Some(mat), _) => {
            if mat.dims.len() > 2 {
                notes.push(Note {
                    field: "mat",
                    message: "more than one affine, the first is used".to_owned(),
                });
            }
            four_by_four("mat", mat)?
        }
        (None, Some(m)) if m.dims.len() == 2 => multiply(&FLIP_X, &four_by_four("M", m)?),
        (None, Some(m)) => return Err(not_affine("M", m)),
        (None, None) => {
            return Err(Error::header("mat", "neither", "a matrix \"mat\" or \"M\""));
        }
    };
    Ok(multiply(&affine, &FROM_1))
}

fn four_by_four(field: &'static str, matrix: &Matrix) -> Result<Affine> {
    let first = matrix.values.get(..16);
    match (matrix.dims.as_slice(), first) {
        ([4, 4, ..], Some(values)) => Ok(std::array::from_fn(|row| {
            // The file stores one column after the other.
            std::array::from_fn(|column| values[4 * column + row])
        })),
        _ => Err(not_affine(field, matrix)),
    }
}

fn not_affine(field: &'static str, matrix: &Matrix) -> Error {
    Error::header(
        field,
        format!("{:?} values", matrix.dims),
        "a matrix of 4 x 4",
    )
}
