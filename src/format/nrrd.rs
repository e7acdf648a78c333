//! NRRD ("Definition of NRRD File Format", <https://teem.sourceforge.net/nrrd/format.html>): a text header, then the
//! voxels (`.nrrd`), or a text header with the names of the files that have them (`.nhdr`).
//!
//! The axes are those of the file, fastest first. `nrrd/geometry.rs` has what they mean and where they are in space.

mod geometry;

use geometry::Geometry;

use super::parsed::{Encoding, Need, Parsed, Voxels};
use super::text::{number, numbered, numbers, quoted, shape};
use crate::core::dtype::{ByteOrder, DType};
use crate::core::error::{Error, ErrorKind, Result};
use crate::core::format::Format;
use crate::core::scaling::Scaling;
use crate::core::shape::voxels;
use crate::header::fields::{Fields, TextHeader};
use crate::header::{Header, Layout};
use crate::source::text::Notation;

/// Largest size of a header.
const MAX_BYTES: u64 = 16 << 20;

/// Largest number of files that a volume may be spread over.
const MAX_FILES: i64 = 1 << 20;

/// Whether the first bytes are a NRRD file.
pub(super) fn recognizes(prefix: &[u8]) -> bool {
    prefix.starts_with(b"NRRD000") || prefix.starts_with(b"NRRD00.01")
}

/// The header ends with an empty line, or with the file if there is none.
pub(super) fn need(prefix: &[u8]) -> Result<Need> {
    let have = prefix.len() as u64;
    match header_end(prefix) {
        Some(end) => Ok(Need::Bytes(end as u64)),
        None if have > MAX_BYTES => Err(ErrorKind::Limit {
            what: "header",
            needed: u128::from(have),
            allowed: MAX_BYTES,
        }
        .into()),
        None => Ok(Need::Bytes(2 * have + 1)),
    }
}

/// The byte after the empty line.
fn header_end(bytes: &[u8]) -> Option<usize> {
    let mut line_empty = false;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'\n' if line_empty => return Some(at + 1),
            b'\n' => line_empty = true,
            b'\r' => {}
            _ => line_empty = false,
        }
    }
    None
}

/// Parses the header and ignores what follows it.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed> {
    let end = header_end(bytes);
    let text = String::from_utf8_lossy(bytes.get(..end.unwrap_or(bytes.len())).unwrap_or(bytes));
    let nrrd = fields(&text)?;
    let axes = axes(&nrrd)?;
    let dtype = dtype(nrrd.require("type")?)?;
    let encoding = encoding(nrrd.require("encoding")?, dtype)?;
    let mut notes = Vec::new();
    let byte_skip: i64 = optional(&nrrd, "byteskip")?.unwrap_or(0);
    let is_text = matches!(encoding, Encoding::Text(_));
    if byte_skip < 0 && is_text {
        let expected = "0 or more for voxels that are text";
        return Err(Error::header("byteskip", byte_skip, expected));
    }
    let line_skip = optional(&nrrd, "lineskip")?.unwrap_or(0);
    let (files, skips) = data_files(&nrrd, &axes)?;
    if !skips.is_empty() && (byte_skip != 0 || encoding != Encoding::Raw) {
        let expected = "neither beside SKIPLIST, which is for raw voxels";
        return Err(Error::header("byteskip", "a skip or an encoding", expected));
    }
    if files.is_empty() && end.is_none() {
        return Err(ErrorKind::Truncated {
            what: "header",
            have: bytes.len() as u64,
            need: bytes.len() as u64 + 1,
        }
        .into());
    }
    let voxels = Voxels {
        source: None,
        base: if files.is_empty() {
            bytes.len().min(end.unwrap_or(0)) as u64
        } else {
            0
        },
        files,
        skips,
        lines: line_skip,
        // -1 - n is for voxels that end n bytes before the end.
        from_end: (byte_skip < 0).then(|| (byte_skip + 1).unsigned_abs()),
        encoding,
        blocks: None,
    };
    let geometry = Geometry::read(&nrrd, &axes, &mut notes)?;
    let header = Header {
        format: Format::Nrrd,
        axes: geometry.kinds,
        dtype,
        byte_order: match encoding {
            Encoding::Text(Notation::Numbers(_)) => ByteOrder::NATIVE,
            _ => byte_order(&nrrd, dtype)?,
        },
        layout: Layout::FirstFastest,
        data_offset: u64::try_from(byte_skip).unwrap_or(0),
        scaling: Scaling::none(),
        affine: geometry.affine,
        zooms: geometry.zooms,
        space_unit: geometry.space_unit,
        time_unit: geometry.time_unit,
        shape: axes,
        fields: Fields::Text(nrrd),
    };
    header.data_end()?;
    let mut parsed = Parsed::new(header, notes);
    parsed.voxels = voxels;
    Ok(parsed)
}

/// Fields, with their names in lower case and without spaces; key/value pairs, with their keys unchanged.
fn fields(text: &str) -> Result<TextHeader> {
    let mut lines = text.lines();
    let magic = lines.next().unwrap_or_default();
    let version = match magic.trim_end() {
        "NRRD00.01" => "00.01",
        known => match known.strip_prefix("NRRD000") {
            Some(version @ ("1" | "2" | "3" | "4" | "5" | "6")) => version,
            _ => {
                let expected = "NRRD00.01, or NRRD0001 to NRRD0006";
                return Err(Error::header("magic", quoted(magic), expected));
            }
        },
    };
    let mut nrrd = TextHeader::default();
    nrrd.push("version", version);
    while let Some(line) = lines.next() {
        if line.trim().is_empty() {
            break;
        }
        if line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.split_once(':') else {
            return Err(Error::header(
                "field",
                quoted(line),
                "a name, a colon and a value",
            ));
        };
        if let Some(value) = value.strip_prefix('=') {
            nrrd.push(name, value);
            continue;
        }
        let name = name.to_ascii_lowercase().replace(' ', "");
        let value = value.trim();
        let list = name == "datafile" && is_list(value);
        nrrd.push(name, value);
        if list {
            // The file names are all remaining lines.
            for file in lines
                .by_ref()
                .map(str::trim)
                .filter(|file| !file.is_empty())
            {
                nrrd.push("file", file);
            }
        }
    }
    Ok(nrrd)
}

fn optional<T: std::str::FromStr>(nrrd: &TextHeader, field: &'static str) -> Result<Option<T>> {
    nrrd.get(field).map(|text| number(field, text)).transpose()
}

/// Voxels along each axis.
fn axes(nrrd: &TextHeader) -> Result<Vec<usize>> {
    let dimension: i64 = number("dimension", nrrd.require("dimension")?)?;
    let sizes: Vec<i64> = numbers("sizes", nrrd.require("sizes")?)?;
    if !(1..=16).contains(&dimension) {
        return Err(Error::header("dimension", dimension, "1 to 16"));
    }
    if sizes.len() as i64 != dimension || sizes.iter().any(|&size| size < 1) {
        let expected = format!("{dimension} sizes of at least 1");
        return Err(Error::header("sizes", format!("{sizes:?}"), expected));
    }
    shape("sizes", &sizes)
}

fn dtype(name: &str) -> Result<DType> {
    let name = name.to_ascii_lowercase();
    let words: Vec<&str> = name.split_whitespace().collect();
    Ok(match words.join(" ").as_str() {
        "signed char" | "int8" | "int8_t" => DType::I8,
        "uchar" | "unsigned char" | "uint8" | "uint8_t" => DType::U8,
        "short" | "short int" | "signed short" | "signed short int" | "int16" | "int16_t" => {
            DType::I16
        }
        "ushort" | "unsigned short" | "unsigned short int" | "uint16" | "uint16_t" => DType::U16,
        "int" | "signed int" | "int32" | "int32_t" => DType::I32,
        "uint" | "unsigned int" | "uint32" | "uint32_t" => DType::U32,
        "longlong"
        | "long long"
        | "long long int"
        | "signed long long"
        | "signed long long int"
        | "int64"
        | "int64_t" => DType::I64,
        "ulonglong" | "unsigned long long" | "unsigned long long int" | "uint64" | "uint64_t" => {
            DType::U64
        }
        "float" => DType::F32,
        "double" => DType::F64,
        "block" => return Err(Error::unsupported("NRRD voxels of type block")),
        other => return Err(Error::header("type", quoted(other), "the name of a type")),
    })
}

fn encoding(name: &str, dtype: DType) -> Result<Encoding> {
    match name.to_ascii_lowercase().as_str() {
        "raw" => Ok(Encoding::Raw),
        "gzip" | "gz" => Ok(Encoding::Gzip),
        "bzip2" | "bz2" => Ok(Encoding::Bzip2),
        "txt" | "text" | "ascii" => Ok(Encoding::Text(Notation::Numbers(dtype))),
        "hex" => Ok(Encoding::Text(Notation::Hexadecimal)),
        other => {
            let expected = "raw, gzip, bzip2, text or hex";
            Err(Error::header("encoding", quoted(other), expected))
        }
    }
}

fn byte_order(nrrd: &TextHeader, dtype: DType) -> Result<ByteOrder> {
    match nrrd.get("endian").map(str::to_lowercase).as_deref() {
        Some("little") => Ok(ByteOrder::Little),
        Some("big") => Ok(ByteOrder::Big),
        None if dtype.part_bytes() == 1 => Ok(ByteOrder::NATIVE),
        None => Err(Error::header("endian", "nothing", "little or big")),
        Some(other) => Err(Error::header("endian", quoted(other), "little or big")),
    }
}

/// Whether the names of the files follow the field.
fn is_list(data_file: &str) -> bool {
    data_file.starts_with("LIST") || data_file.starts_with("SKIPLIST")
}

/// The files with the voxels, and for a `SKIPLIST` the bytes to skip in each: one file, a list, or
/// `pattern min max step`; none if the voxels follow the header. After a list or a pattern comes the number of axes of
/// each file; by default it is one less than the volume has.
///
/// # Errors
/// The field, if the number of files does not match the sizes.
fn data_files(nrrd: &TextHeader, sizes: &[usize]) -> Result<(Vec<String>, Vec<i64>)> {
    const FIELD: &str = "datafile";
    let Some(value) = nrrd.get(FIELD) else {
        return Ok(Default::default());
    };
    let refuse = |expected: &str| Error::header(FIELD, quoted(value), expected);
    let words: Vec<&str> = value.split_whitespace().collect();
    let (mut files, mut skips) = (Vec::new(), Vec::new());
    let axes = match words.as_slice() {
        [] => return Err(refuse("names of files")),
        [list, rest @ ..] if is_list(list) => {
            for (_, line) in nrrd.entries().iter().filter(|(key, _)| key == "file") {
                let file = match *list {
                    "SKIPLIST" => {
                        let (skip, file) = line
                            .split_once(' ')
                            .ok_or_else(|| refuse("a number and a name in each line"))?;
                        skips.push(number(FIELD, skip)?);
                        file
                    }
                    _ => line,
                };
                files.push(file.to_owned());
            }
            rest.first()
        }
        [pattern, rest @ ..] if has_number(pattern) => {
            let [min, max, step, axes @ ..] = rest else {
                return Err(refuse("the first number, the last and the step"));
            };
            let [min, max, step] = [min, max, step].map(|word| number::<i64>(FIELD, word));
            files = numbered(FIELD, pattern, [min?, max?, step?], MAX_FILES)?;
            axes.first()
        }
        _ => return Ok((vec![value.to_owned()], skips)),
    };
    let axes = match axes {
        Some(axes) => number(FIELD, axes)?,
        None => sizes.len().saturating_sub(1).max(1),
    };
    if !(1..=sizes.len()).contains(&axes) {
        let expected = format!("1 to {} axes for each file", sizes.len());
        return Err(Error::header(FIELD, axes, expected));
    }
    check_count(files.len(), sizes, axes)?;
    Ok((files, skips))
}

/// Whether a name is a pattern with a place for a number.
fn has_number(name: &str) -> bool {
    name.split_once('%').is_some_and(|(_, rest)| {
        rest.trim_start_matches(|c: char| c.is_ascii_digit())
            .starts_with('d')
    })
}

/// Checks the number of files that have `axes` axes each: one for each index of the further axes. Files of all axes
/// share the last one, so their number must divide its length.
fn check_count(files: usize, sizes: &[usize], axes: usize) -> Result<()> {
    let further = sizes.get(axes..).unwrap_or_default();
    let (fits, expected) = match further {
        [] => {
            let last = sizes.last().copied().unwrap_or(1);
            let fits = files > 0 && last % files == 0;
            (
                fits,
                format!("a number that divides {last}, the last of the sizes"),
            )
        }
        further => {
            let need = voxels(further)?;
            let expected = format!("{need} of {axes} axes, which sizes {sizes:?} need");
            (files as u64 == need, expected)
        }
    };
    match fits {
        true => Ok(()),
        false => Err(Error::header(
            "datafile",
            format!("{files} files"),
            expected,
        )),
    }
}
