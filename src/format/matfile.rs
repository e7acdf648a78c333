//! Numeric matrices of MATLAB files of level 4 and 5 ("MAT-File Format", The MathWorks, chapters 1 and 2): what SPM keeps
//! affines in. Everything else in such a file is passed over.

use std::io::Read;

use flate2::read::ZlibDecoder;

use super::binary::Bytes;
use crate::dtype::ByteOrder;
use crate::error::{Error, ErrorKind, Result};

/// A matrix: its values column after column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Matrix {
    pub name: String,
    pub dims: Vec<usize>,
    pub values: Vec<f64>,
}

/// A file of affines is small; so is what it inflates to.
const MOST_BYTES: u64 = 16 << 20;

/// All numeric matrices of a file, without their imaginary parts.
///
/// # Errors
/// `mat` when the file is no MATLAB file of level 4 or 5, [`ErrorKind::Truncated`] when it is cut.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Matrix>> {
    match bytes {
        // Level 5 begins with a text, level 4 with a number below 2^24 in one of the two orders.
        [a, b, c, d, ..] if [a, b, c, d].iter().all(|&&byte| byte != 0) => level5(bytes),
        _ => level4(bytes),
    }
}

fn faulty(found: impl std::fmt::Display) -> Error {
    Error::header("mat", found, "a MATLAB file of level 4 or 5")
}

/// Takes `length` bytes off the front.
fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8]> {
    let (front, behind) = rest.split_at_checked(length).ok_or(ErrorKind::Truncated {
        what: "MATLAB file",
        have: rest.len() as u64,
        need: length as u64,
    })?;
    *rest = behind;
    Ok(front)
}

fn count(length: i32) -> Result<usize> {
    usize::try_from(length).map_err(|_| faulty(format!("a length of {length}")))
}

// ---- level 4 ----

fn level4(mut rest: &[u8]) -> Result<Vec<Matrix>> {
    let mut matrices = Vec::new();
    while !rest.is_empty() {
        let bytes = take(&mut rest, 20)?;
        let read = |order| Bytes { bytes, order }.get::<[i32; 5]>(0, 0);
        let order = match read(ByteOrder::Little)[0] {
            0..=4999 => ByteOrder::Little,
            _ => ByteOrder::Big,
        };
        let [mopt, rows, columns, imaginary, name_bytes] = read(order);
        if !(0..5000).contains(&mopt) {
            return Err(faulty(format!("a matrix of type {mopt}")));
        }
        // Millions of what the number says are the machine, tens the stored type, ones the kind of matrix.
        let stored = match mopt / 10 % 10 {
            0 => Stored::F64,
            1 => Stored::F32,
            2 => Stored::I32,
            3 => Stored::I16,
            4 => Stored::U16,
            5 => Stored::U8,
            other => return Err(faulty(format!("numbers of type {other}"))),
        };
        let dims = vec![count(rows)?, count(columns)?];
        let name = name_of(take(&mut rest, count(name_bytes)?)?);
        let values = dims[0]
            .checked_mul(dims[1])
            .and_then(|n| n.checked_mul(stored.bytes()))
            .ok_or_else(|| faulty(format!("{dims:?} values")))?;
        let real = take(&mut rest, values)?;
        if imaginary != 0 {
            take(&mut rest, values)?;
        }
        if mopt % 10 == 0 {
            let values = stored.values(real, order);
            matrices.push(Matrix { name, dims, values });
        }
    }
    Ok(matrices)
}

fn name_of(bytes: &[u8]) -> String {
    let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
    text.trim_end_matches('\0').to_owned()
}

// ---- level 5 ----

const MI_MATRIX: i32 = 14;
const MI_COMPRESSED: i32 = 15;

/// Classes of arrays that hold numbers: double to uint64.
const NUMERIC: std::ops::RangeInclusive<u8> = 6..=15;

fn level5(bytes: &[u8]) -> Result<Vec<Matrix>> {
    let mut rest = bytes;
    let head = take(&mut rest, 128)?;
    let order = match head.get(126..) {
        Some(b"IM") => ByteOrder::Little,
        Some(b"MI") => ByteOrder::Big,
        _ => return Err(faulty("neither IM nor MI in its header")),
    };
    let version = Bytes { bytes: head, order }.get::<i16>(124, 0);
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
    let mut limited = ZlibDecoder::new(bytes).take(MOST_BYTES);
    limited
        .read_to_end(&mut inflated)
        .map_err(|error| ErrorKind::Integrity {
            codec: "zlib",
            detail: error.to_string(),
        })?;
    Ok(inflated)
}

/// Takes an element off the front: its type and content. A small one has both lengths in four bytes.
fn element<'a>(rest: &mut &'a [u8], order: ByteOrder) -> Result<(i32, &'a [u8])> {
    let tag = Bytes {
        bytes: take(rest, 8)?,
        order,
    };
    let small = tag.get::<i32>(0, 0) >> 16;
    if small != 0 {
        let content = tag.bytes.get(4..4 + count(small)?);
        return match content {
            Some(content) => Ok((tag.get::<i32>(0, 0) & 0xffff, content)),
            None => Err(faulty(format!("a small element of {small} bytes"))),
        };
    }
    let [kind, length] = tag.get(0, 0);
    let length = count(length)?;
    let content = take(rest, length)?;
    if kind != MI_COMPRESSED {
        let padding = (length.next_multiple_of(8) - length).min(rest.len());
        take(rest, padding)?;
    }
    Ok((kind, content))
}

/// A matrix element's parts: flags, dimensions, name, numbers. `None` when it holds none.
fn matrix(mut rest: &[u8], order: ByteOrder) -> Result<Option<Matrix>> {
    let (_, flags) = element(&mut rest, order)?;
    let class = Bytes {
        bytes: flags,
        order,
    }
    .get::<i32>(0, 0) as u8;
    if !NUMERIC.contains(&class) {
        return Ok(None);
    }
    let (_, bytes) = element(&mut rest, order)?;
    let dims = Stored::I32.values(bytes, order);
    let dims: Vec<usize> = dims
        .iter()
        .map(|&n| count(n as i32))
        .collect::<Result<_>>()?;
    let (_, name) = element(&mut rest, order)?;
    let (kind, numbers) = element(&mut rest, order)?;
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
        name: name_of(name),
        dims,
        values: stored.values(numbers, order),
    }))
}

/// A type that numbers are stored in.
#[derive(Debug, Clone, Copy)]
enum Stored {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
}

impl Stored {
    fn bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }

    fn values(self, bytes: &[u8], order: ByteOrder) -> Vec<f64> {
        let value = |bytes: &[u8]| {
            let number = Bytes { bytes, order };
            match self {
                Self::I8 => bytes.first().map_or(0.0, |&byte| f64::from(byte as i8)),
                Self::U8 => bytes.first().map_or(0.0, |&byte| f64::from(byte)),
                Self::I16 => number.get::<i16>(0, 0).into(),
                Self::U16 => number.get::<u16>(0, 0).into(),
                Self::I32 => number.get::<i32>(0, 0).into(),
                Self::U32 => number.get::<u32>(0, 0).into(),
                Self::I64 => number.get::<i64>(0, 0) as f64,
                Self::U64 => number.get::<u64>(0, 0) as f64,
                Self::F32 => number.get::<f32>(0, 0).into(),
                Self::F64 => number.get(0, 0),
            }
        };
        bytes.chunks_exact(self.bytes()).map(value).collect()
    }
}
