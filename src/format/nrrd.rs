//! NRRD ("Definition of NRRD File Format", <https://teem.sourceforge.net/nrrd/format.html>): a text header, then the
//! voxels (`.nrrd`), or a text header with the names of the files that have them (`.nhdr`).
//!
//! The axes are those of the file, fastest first. An axis of vector or colour components keeps its position, usually
//! the first. The affine is for the spatial axes, in their order, and maps to RAS+. It exists only if the header names
//! a space.

use super::parsed::{Encoding, Need, Parsed, Voxels};
use super::text::{number, numbered, numbers, quoted, shape};
use crate::core::affine::Affine;
use crate::core::dtype::{ByteOrder, DType};
use crate::core::error::{Error, ErrorKind, Result};
use crate::core::format::Format;
use crate::core::scaling::Scaling;
use crate::header::fields::{Fields, TextHeader};
use crate::header::{Header, Layout, Note};
use crate::source::text::Notation;

/// Largest size of a header.
const MAX_BYTES: u64 = 16 << 20;

/// Largest number of files that a volume may be spread over.
const MAX_FILES: i64 = 1 << 20;

/// Whether the first bytes are a NRRD file.
pub(super) fn claims(prefix: &[u8]) -> bool {
    prefix.starts_with(b"NRRD000")
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
    let at_end = byte_skip == -1;
    if byte_skip < -1 || (at_end && encoding != Encoding::Raw) {
        return Err(Error::header(
            "byteskip",
            byte_skip,
            "0 or more, or -1 for raw voxels",
        ));
    }
    let line_skip = optional(&nrrd, "lineskip")?.unwrap_or(0);
    let files = data_files(&nrrd)?;
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
        lines: line_skip,
        at_end,
        encoding,
        blocks: None,
    };
    let directions = directions(&nrrd, axes.len())?;
    let header = Header {
        format: Format::Nrrd,
        dtype,
        byte_order: match encoding {
            Encoding::Text(Notation::Numbers(_)) => ByteOrder::NATIVE,
            _ => byte_order(&nrrd, dtype)?,
        },
        layout: Layout::FirstFastest,
        data_offset: u64::try_from(byte_skip).unwrap_or(0),
        scaling: Scaling::none(),
        affine: affine(&nrrd, &directions, &mut notes)?,
        zooms: zooms(&nrrd, &directions)?,
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
    if !matches!(
        magic.strip_prefix("NRRD000"),
        Some("1" | "2" | "3" | "4" | "5" | "6")
    ) {
        return Err(Error::header(
            "magic",
            quoted(magic),
            "NRRD0001 to NRRD0006",
        ));
    }
    let mut nrrd = TextHeader::default();
    nrrd.push("version", magic.trim_start_matches("NRRD000"));
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
        let name = name.to_lowercase().replace(' ', "");
        let value = value.trim();
        let list = name == "datafile" && value.split_whitespace().next() == Some("LIST");
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
    let name = name.to_lowercase();
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
    match name.to_lowercase().as_str() {
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

/// The files with the voxels: one, a list, or `pattern min max step`; none if the voxels follow the header.
fn data_files(nrrd: &TextHeader) -> Result<Vec<String>> {
    const FIELD: &str = "datafile";
    let Some(value) = nrrd.get(FIELD) else {
        return Ok(Vec::new());
    };
    let words: Vec<&str> = value.split_whitespace().collect();
    let files = match words.as_slice() {
        ["LIST", ..] => {
            let files = nrrd.entries().iter().filter(|(key, _)| key == "file");
            files.map(|(_, file)| file.clone()).collect()
        }
        [pattern, min, max, step, ..] if pattern.contains('%') => {
            let [min, max, step] = [min, max, step].map(|word| number::<i64>(FIELD, word));
            numbered(FIELD, pattern, [min?, max?, step?], MAX_FILES)?
        }
        _ => vec![value.to_owned()],
    };
    if files.iter().all(String::is_empty) {
        return Err(Error::header(FIELD, quoted(value), "names of files"));
    }
    Ok(files)
}

/// The direction of each axis; `None` for an axis that is not in space.
fn directions(nrrd: &TextHeader, axes: usize) -> Result<Vec<Option<Vec<f64>>>> {
    const FIELD: &str = "spacedirections";
    let Some(text) = nrrd.get(FIELD) else {
        return Ok(vec![None; axes]);
    };
    let mut rest = text.trim();
    let mut directions = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("none") {
            directions.push(None);
            rest = after.trim_start();
        } else {
            let (vector, after) = vector(FIELD, rest)?;
            directions.push(Some(vector));
            rest = after;
        }
    }
    if directions.len() != axes {
        let found = format!("{} directions", directions.len());
        return Err(Error::header(FIELD, found, format!("{axes}")));
    }
    Ok(directions)
}

/// A vector `(x,y,z)` at the start of a text, and the rest of the text.
fn vector<'a>(field: &'static str, text: &'a str) -> Result<(Vec<f64>, &'a str)> {
    let refuse = || Error::header(field, quoted(text), "vectors (x,y,z)");
    let inside = text.trim_start().strip_prefix('(').ok_or_else(refuse)?;
    let (inside, after) = inside.split_once(')').ok_or_else(refuse)?;
    let values = inside.split(',').map(|word| number(field, word));
    Ok((values.collect::<Result<_>>()?, after.trim_start()))
}

/// The lengths of the directions; without directions the spacings; otherwise 1.
fn zooms(nrrd: &TextHeader, directions: &[Option<Vec<f64>>]) -> Result<Vec<f64>> {
    let spacings: Vec<f64> = match nrrd.get("spacings") {
        Some(text) => numbers("spacings", text)?,
        None => Vec::new(),
    };
    let zoom = |(axis, direction): (usize, &Option<Vec<f64>>)| match direction {
        Some(vector) => vector.iter().map(|x| x * x).sum::<f64>().sqrt(),
        None => match spacings.get(axis) {
            Some(spacing) if spacing.is_finite() => spacing.abs(),
            _ => 1.0,
        },
    };
    Ok(directions.iter().enumerate().map(zoom).collect())
}

/// The affine of the three spatial axes; `None` if the space does not have three dimensions or there are not exactly
/// three spatial axes.
fn affine(
    nrrd: &TextHeader,
    directions: &[Option<Vec<f64>>],
    notes: &mut Vec<Note>,
) -> Result<Option<Affine>> {
    let Some(signs) = to_ras(nrrd, notes)? else {
        return Ok(None);
    };
    // In a space with time, the axis of time is not part of the affine.
    let spatial: Vec<&Vec<f64>> = directions
        .iter()
        .flatten()
        .filter(|vector| vector.iter().skip(3).all(|&time| time == 0.0))
        .collect();
    let origin = match nrrd.get("spaceorigin") {
        Some(text) => vector("spaceorigin", text)?.0,
        None => vec![0.0; 3],
    };
    let [x, y, z] = spatial.as_slice() else {
        return Ok(None);
    };
    let columns = [x, y, z, &&origin];
    if columns.iter().any(|column| column.len() < 3) {
        return Err(Error::header(
            "spacedirections",
            "short vectors",
            "one number per dimension",
        ));
    }
    let mut affine = [[0.0, 0.0, 0.0, 1.0]; 4];
    for (row, (k, sign)) in affine.iter_mut().zip(signs.into_iter().enumerate()) {
        for (entry, column) in row.iter_mut().zip(columns) {
            // Adding 0 turns -0 into 0.
            *entry = column.get(k).copied().unwrap_or(0.0) * sign + 0.0;
        }
    }
    Ok(Some(affine))
}

/// The signs that convert the axes of the header's space to RAS+; `None` unless the space has three dimensions.
fn to_ras(nrrd: &TextHeader, notes: &mut Vec<Note>) -> Result<Option<[f64; 3]>> {
    let mut unknown = |name: &str| {
        notes.push(Note {
            field: "space",
            message: format!("{name} does not say how the patient lies: treated as LPS, as in ITK"),
        });
        Ok(Some([-1.0, -1.0, 1.0]))
    };
    let Some(space) = nrrd.get("space") else {
        return match nrrd.get("spacedimension").map(str::trim) {
            Some("3") => unknown("a space dimension alone"),
            _ => Ok(None),
        };
    };
    let space = space.to_lowercase();
    match space.trim_end_matches("-time").trim_end_matches('t') {
        "right-anterior-superior" | "ras" => Ok(Some([1.0; 3])),
        "left-anterior-superior" | "las" => Ok(Some([-1.0, 1.0, 1.0])),
        "left-posterior-superior" | "lps" => Ok(Some([-1.0, -1.0, 1.0])),
        "scanner-xyz" | "3d-right-handed" | "3d-left-handed" => unknown(&space),
        _ => Err(Error::header(
            "space",
            quoted(&space),
            "the name of a space",
        )),
    }
}
