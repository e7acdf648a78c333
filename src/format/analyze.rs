//! Analyze 7.5 in its three readings (spec 4.5): Mayo's own, SPM99's and SPM2's. They share one layout; what differs is
//! the scaling, the origin and the `.mat` file with the affine.

use super::binary::{Bytes, header};
use super::matfile::{self, Matrix};
use super::text::shape;
use super::{Fields, Format, More, Parsed, Place, Sniff};
use crate::affine::{Affine, multiply};
use crate::dtype::{ByteOrder, DType};
use crate::error::{Error, ErrorKind, Result};
use crate::file_map::MAT;
use crate::header::{Header, Layout, Note};
use crate::scaling::{Arithmetic, Factor, Scaling, Step};

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

header! {
    /// The fields of an Analyze 7.5 header under nibabel's names; texts are Latin-1, without the NULs at their end.
    AnalyzeHeader {
        /// Size of the header: 348.
        0 sizeof_hdr: i32;
        /// Any text.
        4 data_type: String[10];
        /// Any text.
        14 db_name: String[18];
        /// 16384.
        32 extents: i32;
        /// Unused.
        36 session_error: i16;
        /// `r`.
        38 regular: String[1];
        /// Number of axes, then voxels along each of up to seven.
        40 dim: [i16; 8];
        /// Unit of space.
        56 vox_units: String[4];
        /// Unit of the values.
        60 cal_units: String[8];
        /// Code of the voxel type.
        70 datatype: i16;
        /// Bits of a voxel.
        72 bitpix: i16;
        /// Unused, then the voxel size along each axis.
        76 pixdim: [f32; 8];
        /// Byte of the image file at which the voxels begin.
        108 vox_offset: f32;
        /// Slope of the scaling; SPM only.
        112 scl_slope: f32;
        /// Intercept of the scaling; SPM2 only.
        116 scl_inter: f32;
        /// Value to be shown as white.
        124 cal_max: f32;
        /// Value to be shown as black.
        128 cal_min: f32;
        /// Largest stored number.
        140 glmax: i32;
        /// Smallest stored number.
        144 glmin: i32;
        /// Any text.
        148 descrip: String[80];
        /// Name of a file that goes with this one.
        228 aux_file: String[24];
        /// Slice orientation.
        252 orient: String[1];
        /// The voxel at the origin, counted from 1; SPM only (a text in Mayo's reading).
        253 origin: [i16; 5];
        /// Any text.
        263 generated: String[10];
        /// Any text.
        273 scannum: String[10];
        /// Any text.
        283 patient_id: String[10];
        /// Any text.
        293 exp_date: String[10];
        /// Any text.
        303 exp_time: String[10];
    }
}

/// Whether the first bytes are an Analyze header: of the right size, and not NIfTI's.
pub(super) fn sniff(prefix: &[u8]) -> Sniff {
    let size = HEADER_BYTES as u32;
    let sized = [size.to_le_bytes(), size.to_be_bytes()]
        .iter()
        .any(|bytes| bytes.starts_with(prefix.get(..4).unwrap_or(prefix)));
    match prefix.get(344..348) {
        None if sized => Sniff::Cut(HEADER_BYTES),
        None => Sniff::No,
        Some(magic) => Sniff::from(sized && magic != b"ni1\0" && magic != b"n+1\0"),
    }
}

/// Parses the header as `format` reads it; SPM's `.mat` file is asked for.
pub(super) fn parse(bytes: &[u8], format: Format) -> Result<Parsed> {
    if (bytes.len() as u64) < HEADER_BYTES {
        return Err(ErrorKind::Truncated {
            what: "header",
            have: bytes.len() as u64,
            need: HEADER_BYTES,
        }
        .into());
    }
    let byte_order = byte_order(bytes)?;
    let mut analyze = read(bytes, byte_order);
    let mut notes = Vec::new();
    let dtype = check(&mut analyze, &mut notes)?;
    let spm = format != Format::Analyze;
    if spm && origin(&analyze).is_none() && analyze.origin.iter().take(3).any(|&o| o != 0) {
        notes.push(Note {
            field: "origin",
            message: "very large relative to dim: kept, not used".to_owned(),
        });
    }
    let lengths: Vec<i64> = axes(&analyze, &analyze.dim)
        .iter()
        .map(|&n| n.into())
        .collect();
    let zooms: Vec<f64> = axes(&analyze, &analyze.pixdim)
        .iter()
        .map(|&z| z.into())
        .collect();
    // nibabel's shape of a header without axes.
    let none = lengths.is_empty();
    let header = Header {
        format,
        shape: if none {
            vec![0]
        } else {
            shape("dim", &lengths)?
        },
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
        fields: Fields::Analyze(Box::new(analyze)),
    };
    header.data_end()?;
    let mut parsed = Parsed::new(header, notes);
    parsed.more = spm.then(|| More {
        place: Place::File(MAT),
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

fn read(bytes: &[u8], order: ByteOrder) -> AnalyzeHeader {
    AnalyzeHeader::read(&Bytes { bytes, order })
}

/// Of the seven entries behind the first, those of the axes there are.
fn axes<'a, T>(analyze: &AnalyzeHeader, of: &'a [T; 8]) -> &'a [T] {
    let [_, entries @ ..] = of;
    let count = usize::try_from(analyze.dim[0]).unwrap_or(0);
    entries.get(..count).unwrap_or(entries)
}

/// The order in which `dim[0]` is a number of axes; with none, that in which the size is right (spec 4.2).
fn byte_order(bytes: &[u8]) -> Result<ByteOrder> {
    let [little, big] = [ByteOrder::Little, ByteOrder::Big].map(|order| read(bytes, order));
    let size = HEADER_BYTES as i32;
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

/// nibabel's checks (spec 4.2): repairs and notes what can be repaired; gives the voxel type.
fn check(analyze: &mut AnalyzeHeader, notes: &mut Vec<Note>) -> Result<DType> {
    let mut note = |field, message| notes.push(Note { field, message });
    if i64::from(analyze.sizeof_hdr) != HEADER_BYTES as i64 {
        note(
            "sizeof_hdr",
            format!("was {}, set to {HEADER_BYTES}", analyze.sizeof_hdr),
        );
        analyze.sizeof_hdr = HEADER_BYTES as i32;
    }
    let known = TYPES.iter().find(|(code, _)| *code == analyze.datatype);
    let &(_, dtype) = known
        .ok_or_else(|| Error::header("datatype", analyze.datatype, "2, 4, 8, 16, 32, 64 or 128"))?;
    let bits = 8 * dtype.size_bytes() as i16;
    if analyze.bitpix != bits {
        note(
            "bitpix",
            format!("was {}, set to {bits}, the size of {dtype}", analyze.bitpix),
        );
        analyze.bitpix = bits;
    }
    for (axis, size) in analyze.pixdim.iter_mut().enumerate().skip(1).take(3) {
        if *size == 0.0 {
            note("pixdim", format!("pixdim[{axis}] was 0, set to 1"));
            *size = 1.0;
        } else if *size < 0.0 {
            note(
                "pixdim",
                format!("pixdim[{axis}] was {size}, made positive"),
            );
            *size = size.abs();
        }
    }
    Ok(dtype)
}

fn data_offset(analyze: &AnalyzeHeader) -> Result<u64> {
    let offset = f64::from(analyze.vox_offset).trunc();
    // A NaN is in no range.
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

/// SPM99 multiplies by an f32, in f32 where that is enough (spec 3.4).
fn spm99_scaling(analyze: &AnalyzeHeader) -> Scaling {
    if !usable(analyze.scl_slope) || analyze.scl_slope == 1.0 {
        return Scaling::none();
    }
    let step = Step::Multiply(Factor::One(analyze.scl_slope.into()));
    Scaling::new(vec![step], 0, Arithmetic::Spm99)
}

/// SPM2 scales by slope and intercept, and without a slope by the two ranges, where there are any (spec 3.2).
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

/// Voxel sizes alone, x flipped, and the origin in the middle of the volume.
fn base_affine(lengths: &[i64], zooms: &[f64]) -> Affine {
    let axis = |k: usize| {
        let length = lengths.get(k).copied().unwrap_or(1);
        let zoom = zooms.get(k).copied().unwrap_or(1.0);
        (
            if k == 0 { -zoom } else { zoom },
            -((length - 1) as f64 / 2.0),
        )
    };
    diagonal(
        [0, 1, 2]
            .map(axis)
            .map(|(zoom, middle)| (zoom, middle * zoom)),
    )
}

/// The origin in use, from 0: the header's where it is set and near the volume.
fn origin(analyze: &AnalyzeHeader) -> Option<[i16; 3]> {
    let [ox, oy, oz, ..] = analyze.origin;
    let [_, nx, ny, nz, ..] = analyze.dim;
    let origin = [ox, oy, oz];
    // In i16, as nibabel computes.
    let near = |(o, n): (i16, i16)| o > n.wrapping_neg() && o < n.wrapping_mul(2);
    let all_near = origin.into_iter().zip([nx, ny, nz]).all(near);
    (origin != [0; 3] && all_near).then(|| origin.map(|o| o.wrapping_sub(1)))
}

/// Voxel sizes, x flipped, about the origin (in f32) or the middle of the volume (in f64).
fn spm_affine(analyze: &AnalyzeHeader) -> Affine {
    let [_, dx, dy, dz, ..] = analyze.pixdim;
    let [_, nx, ny, nz, ..] = analyze.dim;
    let zooms = [-dx, dy, dz];
    let moved: [f64; 3] = match origin(analyze) {
        Some(origin) => {
            std::array::from_fn(|k| f64::from(f32::from(origin[k].wrapping_neg()) * zooms[k]))
        }
        None => std::array::from_fn(|k| {
            let last = f64::from([nx, ny, nz][k].wrapping_sub(1));
            -(last / 2.0) * f64::from(zooms[k])
        }),
    };
    diagonal(std::array::from_fn(|k| (f64::from(zooms[k]), moved[k])))
}

fn diagonal([x, y, z]: [(f64, f64); 3]) -> Affine {
    [
        [x.0, 0.0, 0.0, x.1],
        [0.0, y.0, 0.0, y.1],
        [0.0, 0.0, z.0, z.1],
        [0.0, 0.0, 0.0, 1.0],
    ]
}

/// The affine of a `.mat` file: `mat` as it is, else `M` with x flipped, both counting voxels from 1.
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
            // Columns follow each other.
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
