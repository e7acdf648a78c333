//! nibabel's header checks (spec 4.2): below its level 40 a fault is repaired and noted, from there on it is an
//! error.

use super::{NiftiHeader, Version};
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::header::Note;

/// The type codes that voxels can be stored in.
const DATATYPES: [(i64, DType); 14] = [
    (2, DType::U8),
    (4, DType::I16),
    (8, DType::I32),
    (16, DType::F32),
    (32, DType::C64),
    (64, DType::F64),
    (128, DType::Rgb24),
    (256, DType::I8),
    (512, DType::U16),
    (768, DType::U32),
    (1024, DType::I64),
    (1280, DType::U64),
    (1792, DType::C128),
    (2304, DType::Rgba32),
];

/// Codes that mean a type, but none that voxels can be read from: none, binary, all, float128, complex256.
const UNSUPPORTED: [i64; 5] = [0, 1, 255, 1536, 2048];

/// The largest code of a transform.
const LAST_XFORM: i64 = 5;

const EOL: [i64; 4] = [13, 10, 26, 10];

/// Checks the header in nibabel's order and repairs it; gives the type of its voxels.
pub(super) fn check(header: &mut NiftiHeader, notes: &mut Vec<Note>) -> Result<DType> {
    let mut note = |field, message: String| notes.push(Note { field, message });

    let size = header.version.header_bytes() as i64;
    if header.sizeof_hdr != size {
        note(
            "sizeof_hdr",
            format!("was {}, set to {size}", header.sizeof_hdr),
        );
        header.sizeof_hdr = size;
    }

    let dtype = dtype_of(header.datatype)?;
    let bits = 8 * dtype.size_bytes() as i64;
    if header.bitpix != bits {
        note(
            "bitpix",
            format!("was {}, set to {bits}, the size of {dtype}", header.bitpix),
        );
        header.bitpix = bits;
    }

    check_pixdim(header, &mut note);
    check_magic(header)?;
    check_offset(header, &mut note)?;

    for (field, code) in [
        ("qform_code", &mut header.qform_code),
        ("sform_code", &mut header.sform_code),
    ] {
        if !(0..=LAST_XFORM).contains(code) {
            note(field, format!("{code} is not a transform's code, set to 0"));
            *code = 0;
        }
    }

    if header.version == Version::Two && header.eol_check != EOL {
        if header.eol_check != [0; 4] {
            let found = format!("{:?}", header.eol_check);
            return Err(Error::header(
                "eol_check",
                found,
                format!("{EOL:?}: line ends were converted"),
            ));
        }
        note("eol_check", format!("was all 0, set to {EOL:?}"));
        header.eol_check = EOL;
    }
    Ok(dtype)
}

/// The code of a voxel type; `None` for one that NIfTI does not have.
pub(super) fn datatype_code(dtype: DType) -> Option<i64> {
    let known = DATATYPES.iter().find(|(_, known)| *known == dtype);
    known.map(|&(code, _)| code)
}

fn dtype_of(code: i64) -> Result<DType> {
    let known = DATATYPES.iter().find(|(known, _)| *known == code);
    known.map(|&(_, dtype)| dtype).ok_or_else(|| {
        let expected = if UNSUPPORTED.contains(&code) {
            "a type that voxels can be read from"
        } else {
            "the code of a type"
        };
        Error::header("datatype", code, expected)
    })
}

/// Sets zero voxel sizes to 1 and negative ones to their size; a NaN passes. The sign in `pixdim[0]` must be one.
fn check_pixdim(header: &mut NiftiHeader, note: &mut impl FnMut(&'static str, String)) {
    let [qfac, sizes @ ..] = &mut header.pixdim;
    for (axis, size) in (1..=3).zip(sizes) {
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
    if qfac.abs() != 1.0 {
        note("pixdim", format!("pixdim[0] (qfac) was {qfac}, set to 1"));
        *qfac = 1.0;
    }
}

fn check_magic(header: &NiftiHeader) -> Result<()> {
    let [single, pair] = header.version.magics();
    if [single, pair].contains(&header.magic.as_str()) {
        return Ok(());
    }
    let found = format!("{:?}", header.magic);
    Err(Error::header(
        "magic",
        found,
        format!("{single:?} or {pair:?}"),
    ))
}

/// What is wrong with `vox_offset` whatever the files are: [`super::facts::data_offset`] has the rest.
fn check_offset(header: &NiftiHeader, note: &mut impl FnMut(&'static str, String)) -> Result<()> {
    let [single, _] = header.version.magics();
    let smallest = header.version.single_offset();
    let offset = header.vox_offset;
    if offset == 0.0 {
        return Ok(());
    }
    if header.magic == single && offset < smallest as f64 {
        return Err(Error::header(
            "vox_offset",
            offset,
            format!("at least {smallest}"),
        ));
    }
    if offset.is_finite() && offset % 16.0 != 0.0 {
        note(
            "vox_offset",
            format!("{offset} is not divisible by 16: kept"),
        );
    }
    Ok(())
}
