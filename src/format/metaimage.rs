//! MetaImage, the format of ITK's MetaIO library (<https://itk.org/Wiki/ITK/MetaIO/Documentation>): a text header,
//! then the voxels (`.mha`), or a text header with the names of the files that have them (`.mhd`).
//!
//! The axes are those of the file, fastest first. The components of a voxel (`ElementNumberOfChannels`) are an axis
//! before them. The affine maps the index along the first three of `DimSize` to RAS+ (MetaIO's LPS with x and y
//! negated); two-dimensional images have none. `ElementToIntensityFunction` is ignored, as in ITK.

use super::parsed::{Encoding, Need, Parsed, Voxels};
use super::text::{number, numbered, numbers, quoted, shape};
use crate::core::affine::Affine;
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

/// The key that ends the header.
const DATA_FILE: &str = "ElementDataFile";

/// Whether the first bytes are a MetaImage header, which begins with one of these keys.
pub(super) fn claims(prefix: &[u8]) -> bool {
    let first: Vec<u8> = prefix
        .iter()
        .copied()
        .take_while(|byte| *byte != b'=' && *byte != b'\n')
        .take(40)
        .collect();
    let keys: [&[u8]; 6] = [
        b"ObjectType",
        b"ObjectSubType",
        b"NDims",
        b"Comment",
        b"TransformType",
        b"ID",
    ];
    prefix.get(first.len()) == Some(&b'=') && keys.contains(&first.trim_ascii())
}

/// The header ends with the line of the data file, or, for a list of data files, with the file.
pub(super) fn need(prefix: &[u8]) -> Result<Need> {
    let have = prefix.len() as u64;
    match header_end(prefix) {
        Some((end, false)) => Ok(Need::Bytes(end as u64)),
        _ if have > MAX_BYTES => Err(ErrorKind::Limit {
            what: "header",
            needed: u128::from(have),
            allowed: MAX_BYTES,
        }
        .into()),
        _ => Ok(Need::Bytes(2 * have + 1)),
    }
}

/// The byte after the line of the data file, and whether a list of file names follows it.
fn header_end(bytes: &[u8]) -> Option<(usize, bool)> {
    let mut at = 0;
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        at += line.len();
        if let Some(value) = line.trim_ascii_start().strip_prefix(DATA_FILE.as_bytes()) {
            let value = value
                .trim_ascii_start()
                .strip_prefix(b"=")
                .unwrap_or_default();
            let list = value.trim_ascii_start().starts_with(b"LIST");
            return line.ends_with(b"\n").then_some((at, list));
        }
    }
    None
}

/// Parses the header and ignores what follows it.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed> {
    let (end, list) = header_end(bytes).unwrap_or((bytes.len(), false));
    let text_end = if list { bytes.len() } else { end };
    let meta = fields(&String::from_utf8_lossy(
        bytes.get(..text_end).unwrap_or(bytes),
    ))?;
    let ndims: usize = number("NDims", meta.require("NDims")?)?;
    if !(1..=10).contains(&ndims) {
        return Err(Error::header("NDims", ndims, "1 to 10"));
    }
    let sizes: Vec<i64> = numbers("DimSize", meta.require("DimSize")?)?;
    if sizes.len() != ndims || sizes.iter().any(|&size| size < 1) {
        let expected = format!("{ndims} sizes of at least 1");
        return Err(Error::header("DimSize", format!("{sizes:?}"), expected));
    }
    let channels: i64 = optional(&meta, "ElementNumberOfChannels")?.unwrap_or(1);
    if channels < 1 {
        return Err(Error::header(
            "ElementNumberOfChannels",
            channels,
            "1 or more",
        ));
    }
    let components = (channels > 1).then_some(channels);
    let lengths: Vec<i64> = components.into_iter().chain(sizes).collect();
    let shape = shape("DimSize", &lengths)?;
    let spacing = per_axis(&meta, &["ElementSpacing"], ndims)?.unwrap_or_else(|| vec![1.0; ndims]);
    let zooms = components
        .iter()
        .map(|_| 1.0)
        .chain(spacing.iter().map(|size| size.abs()));
    let dtype = dtype(meta.require("ElementType")?)?;
    let (voxels, header_size) = data(&meta, end as u64, &shape, dtype)?;
    let header = Header {
        format: Format::MetaImage,
        dtype,
        byte_order: match flag(&meta, &["ElementByteOrderMSB", "BinaryDataByteOrderMSB"])? {
            _ if matches!(voxels.encoding, Encoding::Text(_)) => ByteOrder::NATIVE,
            true => ByteOrder::Big,
            false => ByteOrder::Little,
        },
        layout: Layout::FirstFastest,
        data_offset: header_size,
        scaling: Scaling::none(),
        affine: affine(&meta, ndims, &spacing)?,
        zooms: zooms.collect(),
        shape,
        fields: Fields::Text(meta),
    };
    header.data_end()?;
    let mut parsed = Parsed::new(header, Vec::new());
    parsed.voxels = voxels;
    Ok(parsed)
}

fn fields(text: &str) -> Result<TextHeader> {
    let mut meta = TextHeader::default();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim().is_empty() {
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            return Err(Error::header(
                "header",
                quoted(line),
                "a key, = and a value",
            ));
        };
        let key = key.trim();
        meta.push(key, value.trim());
        if key == DATA_FILE {
            for file in lines
                .by_ref()
                .map(str::trim)
                .filter(|file| !file.is_empty())
            {
                meta.push("file", file);
            }
        }
    }
    Ok(meta)
}

fn optional<T: std::str::FromStr>(meta: &TextHeader, key: &'static str) -> Result<Option<T>> {
    meta.get(key).map(|text| number(key, text)).transpose()
}

/// The flag under the first of the keys that exists: true if its value begins with T, t or 1.
fn flag(meta: &TextHeader, keys: &[&'static str]) -> Result<bool> {
    let found = keys.iter().find_map(|key| Some((*key, meta.get(key)?)));
    match found {
        None => Ok(false),
        Some((key, text)) => match text.chars().next() {
            Some('T' | 't' | '1') => Ok(true),
            Some('F' | 'f' | '0') => Ok(false),
            _ => Err(Error::header(key, quoted(text), "True or False")),
        },
    }
}

/// One number per axis, under the first of the keys that exists.
fn per_axis(meta: &TextHeader, keys: &[&'static str], count: usize) -> Result<Option<Vec<f64>>> {
    let Some((key, text)) = keys.iter().find_map(|key| Some((*key, meta.get(key)?))) else {
        return Ok(None);
    };
    let values = numbers(key, text)?;
    if values.len() != count {
        let found = format!("{} numbers", values.len());
        return Err(Error::header(key, found, format!("{count}")));
    }
    Ok(Some(values))
}

fn dtype(name: &str) -> Result<DType> {
    // An array of a type is the type with several channels.
    Ok(match name.trim_end_matches("_ARRAY") {
        "MET_CHAR" => DType::I8,
        "MET_UCHAR" | "MET_ASCII_CHAR" => DType::U8,
        "MET_SHORT" => DType::I16,
        "MET_USHORT" => DType::U16,
        "MET_INT" | "MET_LONG" => DType::I32,
        "MET_UINT" | "MET_ULONG" => DType::U32,
        "MET_LONG_LONG" => DType::I64,
        "MET_ULONG_LONG" => DType::U64,
        "MET_FLOAT" => DType::F32,
        "MET_DOUBLE" => DType::F64,
        _ => {
            return Err(Error::header(
                "ElementType",
                quoted(name),
                "the name of a type",
            ));
        }
    })
}

/// Where the voxels are, and the bytes to skip there. The header ends at byte `end`.
fn data(meta: &TextHeader, end: u64, shape: &[usize], dtype: DType) -> Result<(Voxels, u64)> {
    let compressed = flag(meta, &["CompressedData"])?;
    let name = meta.require(DATA_FILE)?;
    let words: Vec<&str> = name.split_whitespace().collect();
    let files: Vec<String> = match words.as_slice() {
        ["LOCAL" | "Local" | "local"] => Vec::new(),
        ["LIST", ..] => {
            let files = meta.entries().iter().filter(|(key, _)| key == "file");
            files.map(|(_, file)| file.clone()).collect()
        }
        [pattern, numbers @ ..] if pattern.contains('%') => {
            let mut given = numbers.iter().map(|word| number::<i64>(DATA_FILE, word));
            let first = given.next().transpose()?.unwrap_or(1);
            let slices = shape.last().copied().unwrap_or(1) as i64;
            let last = given.next().transpose()?;
            let step = given.next().transpose()?.unwrap_or(1);
            let last = last.unwrap_or(first.saturating_add(step.saturating_mul(slices - 1)));
            numbered(DATA_FILE, pattern, [first, last, step], MAX_FILES)?
        }
        [_, ..] => vec![name.to_owned()],
        [] => Vec::new(),
    };
    let local = matches!(words.as_slice(), ["LOCAL" | "Local" | "local"]);
    if files.is_empty() != local {
        return Err(Error::header(
            DATA_FILE,
            quoted(name),
            "LOCAL, or names of files",
        ));
    }
    let text = meta.get("BinaryData").is_some() && !flag(meta, &["BinaryData"])?;
    if text && compressed {
        return Err(Error::unsupported("compressed MetaImage voxels as text"));
    }
    if compressed && files.len() > 1 {
        return Err(Error::unsupported(
            "compressed MetaImage voxels in several files",
        ));
    }
    let skip: i64 = optional(meta, "HeaderSize")?.unwrap_or(0);
    let at_end = skip == -1 && voxels(shape)? > 0;
    if skip < -1 || (skip != 0 && compressed) || (at_end && text) {
        return Err(Error::header(
            "HeaderSize",
            skip,
            "0 or more, or -1 for raw voxels, and 0 when compressed",
        ));
    }
    let voxels = Voxels {
        base: if local { end } else { 0 },
        files,
        at_end,
        encoding: match (compressed, text) {
            (true, _) => Encoding::Zlib,
            (_, true) => Encoding::Text(Notation::Numbers(dtype)),
            _ => Encoding::Raw,
        },
        ..Voxels::default()
    };
    Ok((voxels, u64::try_from(skip).unwrap_or(0)))
}

/// Each row of the matrix is the direction of an axis. Converted from LPS to RAS+.
fn affine(meta: &TextHeader, ndims: usize, spacing: &[f64]) -> Result<Option<Affine>> {
    let matrix = per_axis(
        meta,
        &["TransformMatrix", "Rotation", "Orientation"],
        ndims * ndims,
    )?;
    let offset = per_axis(meta, &["Offset", "Position", "Origin"], ndims)?;
    if ndims < 3 {
        return Ok(None);
    }
    let direction = |axis: usize, k: usize| match &matrix {
        Some(matrix) => matrix.get(axis * ndims + k).copied().unwrap_or(0.0),
        None => f64::from(u8::from(axis == k)),
    };
    let mut affine = [[0.0, 0.0, 0.0, 1.0]; 4];
    for (k, (row, sign)) in affine.iter_mut().zip([-1.0, -1.0, 1.0]).enumerate() {
        // Adding 0 turns -0 into 0.
        for (axis, (entry, size)) in row.iter_mut().zip(spacing).take(3).enumerate() {
            *entry = direction(axis, k) * size * sign + 0.0;
        }
        let origin = offset.as_ref().and_then(|offset| offset.get(k));
        row[3] = origin.copied().unwrap_or(0.0) * sign + 0.0;
    }
    Ok(Some(affine))
}
