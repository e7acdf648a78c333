//! Numeric matrices in MATLAB files of level 4 and 5 ("MAT-File Format", The MathWorks, chapters 1 and 2,
//! <https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf>), in which SPM stores affines. Everything else in
//! such a file is skipped.

use std::io::Read;

use flate2::read::ZlibDecoder;

use crate::core::dtype::ByteOrder;
use crate::core::error::{Error, ErrorKind, Result};
use crate::header::fields::binary::{Field, Number, Record, Stored, field, latin1, numbers, size};

/// A matrix; its values column by column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Matrix {
    pub name: String,
    pub dims: Vec<usize>,
    pub values: Vec<f64>,
}

/// Largest size of a file, and of what is inflated from it: files of affines are small.
const MAX_BYTES: u64 = 16 << 20;

/// All numeric matrices in a file, without imaginary parts.
///
/// # Errors
/// `mat` if this is not a MATLAB file of level 4 or 5, [`ErrorKind::Truncated`] if it is incomplete.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Matrix>> {
    match bytes {
        // Level 5 begins with text, level 4 with a number below 2^24 in either byte order.
        [a, b, c, d, ..] if [a, b, c, d].iter().all(|&&byte| byte != 0) => level5(bytes),
        _ => level4(bytes),
    }
}

fn faulty(found: impl std::fmt::Display) -> Error {
    Error::header("mat", found, "a MATLAB file of level 4 or 5")
}

/// Splits `length` bytes off the front.
fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8]> {
    let (front, after) = rest.split_at_checked(length).ok_or(ErrorKind::Truncated {
        what: "MATLAB file",
        have: rest.len() as u64,
        need: length as u64,
    })?;
    *rest = after;
    Ok(front)
}

fn count(length: i32) -> Result<usize> {
    usize::try_from(length).map_err(|_| faulty(format!("a length of {length}")))
}

// ---- level 4 ----

static LEVEL4: &[Field] = &[
    field(0, "type", Stored::I32, 1),
    field(4, "mrows", Stored::I32, 1),
    field(8, "ncols", Stored::I32, 1),
    field(12, "imagf", Stored::I32, 1),
    field(16, "namlen", Stored::I32, 1),
];

fn level4(mut rest: &[u8]) -> Result<Vec<Matrix>> {
    let mut matrices = Vec::new();
    while !rest.is_empty() {
        let bytes = take(&mut rest, size(LEVEL4))?;
        let record = |order| Record {
            table: LEVEL4,
            bytes,
            order,
        };
        let order = match record(ByteOrder::Little).get::<i32>("type") {
            0..=4999 => ByteOrder::Little,
            _ => ByteOrder::Big,
        };
        let record = record(order);
        let mopt: i32 = record.get("type");
        if !(0..5000).contains(&mopt) {
            return Err(faulty(format!("a matrix of type {mopt}")));
        }
        // The decimal digits of the number are codes: thousands the machine, tens the stored type, ones the kind of
        // matrix.
        let stored = match mopt / 10 % 10 {
            0 => Stored::F64,
            1 => Stored::F32,
            2 => Stored::I32,
            3 => Stored::I16,
            4 => Stored::U16,
            5 => Stored::U8,
            other => return Err(faulty(format!("numbers of type {other}"))),
        };
        let dims = vec![count(record.get("mrows"))?, count(record.get("ncols"))?];
        let name = latin1(take(&mut rest, count(record.get("namlen"))?)?);
        let values = dims[0]
            .checked_mul(dims[1])
            .and_then(|n| n.checked_mul(stored.bytes()))
            .ok_or_else(|| faulty(format!("{dims:?} values")))?;
        let real = take(&mut rest, values)?;
        if record.get::<i32>("imagf") != 0 {
            take(&mut rest, values)?;
        }
        if mopt % 10 == 0 {
            let values = reals(stored, real, order);
            matrices.push(Matrix { name, dims, values });
        }
    }
    Ok(matrices)
}

fn reals(stored: Stored, bytes: &[u8], order: ByteOrder) -> Vec<f64> {
    stored.numbers(bytes, order).map(Number::real).collect()
}

// ---- level 5 ----

const MI_MATRIX: i32 = 14;
const MI_COMPRESSED: i32 = 15;

/// Classes of numeric arrays: double to uint64.
const NUMERIC: std::ops::RangeInclusive<u8> = 6..=15;

fn level5(bytes: &[u8]) -> Result<Vec<Matrix>> {
    let mut rest = bytes;
    let head = take(&mut rest, 128)?;
    let order = match head.get(126..) {
        Some(b"IM") => ByteOrder::Little,
        Some(b"MI") => ByteOrder::Big,
        _ => return Err(faulty("neither IM nor MI in its header")),
    };
    let after_text = head.get(124..).unwrap_or_default();
    let [version]: [i16; 1] = numbers(Stored::I16, after_text, order);
    if version != 0x100 {
        return Err(Error::unsupported(format!(
            "MATLAB files of version {version:#x}"
        )));
    }
    let mut matrices = Vec::new();
    while !rest.is_empty() {
        let (kind, content) = element(&mut rest, order)?;
        match kind {
            MI_MATRIX => matrices.extend(matrix(content, order)?),
            MI_COMPRESSED => {
                let inflated = inflate(content)?;
                let mut inner = inflated.as_slice();
                if let (MI_MATRIX, content) = element(&mut inner, order)? {
                    matrices.extend(matrix(content, order)?);
                }
            }
            _ => {}
        }
    }
    Ok(matrices)
}

fn inflate(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut inflated = Vec::new();
    let mut limited = ZlibDecoder::new(bytes).take(MAX_BYTES);
    limited
        .read_to_end(&mut inflated)
        .map_err(|error| ErrorKind::Integrity {
            codec: "zlib",
            detail: error.to_string(),
        })?;
    Ok(inflated)
}

/// Splits an element off the front: its type and its content. A small element has its type, length and content in eight
/// bytes.
fn element<'a>(rest: &mut &'a [u8], order: ByteOrder) -> Result<(i32, &'a [u8])> {
    let tag = take(rest, 8)?;
    let [kind, length]: [i32; 2] = numbers(Stored::I32, tag, order);
    let small = kind >> 16;
    if small != 0 {
        let content = tag.get(4..4 + count(small)?);
        return match content {
            Some(content) => Ok((kind & 0xffff, content)),
            None => Err(faulty(format!("a small element of {small} bytes"))),
        };
    }
    let length = count(length)?;
    let content = take(rest, length)?;
    if kind != MI_COMPRESSED {
        let padding = (length.next_multiple_of(8) - length).min(rest.len());
        take(rest, padding)?;
    }
    Ok((kind, content))
}

/// The parts of a matrix element: flags, dimensions, name, numbers. `None` if it is not numeric.
fn matrix(mut rest: &[u8], order: ByteOrder) -> Result<Option<Matrix>> {
    let (_, flags) = element(&mut rest, order)?;
    let [flags]: [i32; 1] = numbers(Stored::I32, flags, order);
    // The lowest byte is the class.
    if !NUMERIC.contains(&(flags as u8)) {
        return Ok(None);
    }
    let (_, bytes) = element(&mut rest, order)?;
    let dims = reals(Stored::I32, bytes, order);
    let dims = dims
        .into_iter()
        .map(|length| count(length as i32))
        .collect::<Result<_>>()?;
    let (_, name) = element(&mut rest, order)?;
    let (kind, values) = element(&mut rest, order)?;
    let stored = match kind {
        1 => Stored::I8,
        2 => Stored::U8,
        3 => Stored::I16,
        4 => Stored::U16,
        5 => Stored::I32,
        6 => Stored::U32,
        7 => Stored::F32,
        9 => Stored::F64,
        12 => Stored::I64,
        13 => Stored::U64,
        _ => return Ok(None),
    };
    Ok(Some(Matrix {
        name: latin1(name),
        dims,
        values: reals(stored, values, order),
    }))
}
