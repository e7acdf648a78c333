//! MetaImage, the format of ITK's MetaIO library (<https://itk.org/Wiki/ITK/MetaIO/Documentation>): a text header,
//! then the voxels (`.mha`), or a text header with the names of the files that have them (`.mhd`).
//!
//! The axes are those of the file, fastest first. The components of a voxel (`ElementNumberOfChannels`) are an axis
//! before them. The affine maps the index along the first three of `DimSize` to RAS+ (MetaIO's LPS with x and y
//! negated); in two-dimensional images z is 0. A fourth axis is time: the format has no other use for it.
//! `ElementToIntensityFunction` is ignored, as in ITK.

use super::parsed::{Encoding, Need, Parsed, Voxels};
use super::text::{number, numbered, numbers, quoted, shape};
use crate::core::affine::Affine;
use crate::core::dtype::{ByteOrder, DType};
use crate::core::error::{Error, ErrorKind, Result};
use crate::core::format::Format;
use crate::core::scaling::Scaling;
use crate::core::shape::voxels;
use crate::header::fields::{Fields, TextHeader};
use crate::header::{AxisKind, Header, Layout, Note, SpaceUnit, TimeUnit};
use crate::source::text::Notation;

/// Largest size of a header.
const MAX_BYTES: u64 = 16 << 20;

/// Largest number of files that a volume may be spread over.
const MAX_FILES: i64 = 1 << 20;

/// The key that ends the header.
const DATA_FILE: &str = "ElementDataFile";

/// The value of [`DATA_FILE`] with which the names of the files follow.
const LIST: &str = "LIST";

/// Keys that show that a text is a MetaImage header; others may come before them.
const OWN_KEYS: [&str; 12] = [
    "ObjectType",
    "ObjectSubType",
    "NDims",
    "DimSize",
    "BinaryDataByteOrderMSB",
    "ElementByteOrderMSB",
    "ElementSpacing",
    "ElementSize",
    "ElementType",
    "ElementNumberOfChannels",
    "TransformMatrix",
    DATA_FILE,
];

/// Whether the first bytes of a file with the format's ending may be a MetaImage header. MetaIO accepts any key first;
/// so if none of the format's own keys is among them, each line has to be a word, a separator and a value.
pub(super) fn sniff(prefix: &[u8]) -> bool {
    let is_word = |key: &[u8]| !key.is_empty() && key.iter().all(u8::is_ascii_graphic);
    let mut keys = 0;
    for line in prefix.split_inclusive(|&byte| byte == b'\n') {
        let (is_whole, line) = (line.ends_with(b"\n"), line.trim_ascii());
        match key_and_value(line) {
            _ if line.is_empty() || line.starts_with(b"#") => {}
            Some((key, _)) if is_word(key) => keys += 1,
            // The rest of the last line was not read.
            _ if !is_whole && keys > 0 => {}
            _ => return recognizes(prefix),
        }
    }
    keys > 0
}

/// Whether the first bytes are a MetaImage header, for bytes without a file name: every line up to one with an own key
/// of the format has a key.
pub(super) fn recognizes(prefix: &[u8]) -> bool {
    let lines = prefix.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with(b"#")) {
        match key_and_value(line) {
            Some((key, _)) if OWN_KEYS.iter().any(|own| own.as_bytes() == key) => return true,
            Some(_) => {}
            None => return false,
        }
    }
    false
}

/// The key and the value of a line. As in MetaIO they are separated by `=` or `:`, even by several of them.
fn key_and_value(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = line.iter().position(|&byte| is_separator(byte))?;
    let (key, rest) = line.split_at(at);
    let value = rest
        .iter()
        .position(|&byte| !is_separator(byte) && !byte.is_ascii_whitespace());
    let value = value.and_then(|at| rest.get(at..)).unwrap_or_default();
    Some((key.trim_ascii(), value.trim_ascii_end()))
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b'=' | b':')
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
        if let Some((key, value)) = key_and_value(line)
            && key == DATA_FILE.as_bytes()
        {
            return line
                .ends_with(b"\n")
                .then_some((at, value.starts_with(LIST.as_bytes())));
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
    if sizes.len() < ndims || sizes.iter().take(ndims).any(|&size| size < 1) {
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
    let sizes = sizes.into_iter().take(ndims);
    let lengths: Vec<i64> = components.into_iter().chain(sizes).collect();
    let shape = shape("DimSize", &lengths)?;
    let spacing = per_axis(&meta, &["ElementSpacing", "ElementSize"], ndims)?;
    let spacing = spacing.unwrap_or_else(|| vec![1.0; ndims]);
    let zooms = components
        .iter()
        .map(|_| 1.0)
        .chain(spacing.iter().map(|size| size.abs()));
    let dtype = dtype(meta.require("ElementType")?)?;
    let slowest = shape.get(components.iter().count()..).unwrap_or_default();
    let mut notes = Vec::new();
    let (voxels, header_size) = data(&meta, end as u64, slowest, dtype)?;
    let header = Header {
        format: Format::MetaImage,
        dtype,
        byte_order: match flag(&meta, &["BinaryDataByteOrderMSB", "ElementByteOrderMSB"])? {
            _ if matches!(voxels.encoding, Encoding::Text(_)) => ByteOrder::NATIVE,
            true => ByteOrder::Big,
            false => ByteOrder::Little,
        },
        layout: Layout::FirstFastest,
        data_offset: header_size,
        scaling: Scaling::none(),
        affine: affine(&meta, ndims, &spacing, &mut notes)?,
        zooms: zooms.collect(),
        axes: components
            .iter()
            .map(|_| AxisKind::Component)
            .chain(AxisKind::by_position(ndims))
            .collect(),
        space_unit: match meta.get("DistanceUnits") {
            None | Some("?") => SpaceUnit::Millimetre,
            Some(unit) => SpaceUnit::named(unit),
        },
        time_unit: TimeUnit::Unknown,
        shape,
        fields: Fields::Text(meta),
    };
    header.data_end()?;
    let mut parsed = Parsed::new(header, notes);
    parsed.voxels = voxels;
    Ok(parsed)
}

fn fields(text: &str) -> Result<TextHeader> {
    let mut meta = TextHeader::default();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((key, value)) = key_and_value(line.as_bytes()) else {
            let expected = "a key, = or :, and a value";
            return Err(Error::header("header", quoted(line), expected));
        };
        let [key, value] = [key, value].map(String::from_utf8_lossy);
        let last = key == DATA_FILE;
        meta.push(key, value);
        if last {
            let files = lines.by_ref().map(str::trim);
            for file in files.filter(|file| !file.is_empty()) {
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

/// One number per axis, under the first of the keys that exists. More numbers than that are ignored, as in MetaIO.
fn per_axis(meta: &TextHeader, keys: &[&'static str], count: usize) -> Result<Option<Vec<f64>>> {
    let Some((key, text)) = keys.iter().find_map(|key| Some((*key, meta.get(key)?))) else {
        return Ok(None);
    };
    let mut values = numbers(key, text)?;
    if values.len() < count {
        let found = format!("{} numbers", values.len());
        return Err(Error::header(key, found, format!("{count}")));
    }
    values.truncate(count);
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

/// Where the voxels are, and the bytes to skip there. The header ends at byte `end`; `sizes` is `DimSize`.
fn data(meta: &TextHeader, end: u64, sizes: &[usize], dtype: DType) -> Result<(Voxels, u64)> {
    let compressed = flag(meta, &["CompressedData"])?;
    let name = meta.require(DATA_FILE)?;
    let local = matches!(name, "LOCAL" | "Local" | "local");
    let files = match local {
        true => Vec::new(),
        false => data_files(meta, name, sizes)?,
    };
    let text = meta.get("BinaryData").is_some() && !flag(meta, &["BinaryData"])?;
    if text && compressed {
        return Err(Error::unsupported("compressed MetaImage voxels as text"));
    }
    let skip: i64 = optional(meta, "HeaderSize")?.unwrap_or(0);
    let at_end = skip == -1 && voxels(sizes)? > 0;
    if skip < -1 || (at_end && (compressed || text)) {
        return Err(Error::header(
            "HeaderSize",
            skip,
            "0 or more, or -1 for voxels that are neither compressed nor text",
        ));
    }
    let skip = u64::try_from(skip).unwrap_or(0);
    let voxels = Voxels {
        // As in MetaIO, a header's size counts from the start of the file even if the voxels follow the text.
        base: match (local, compressed) {
            (true, _) if skip == 0 => end,
            (_, true) => skip,
            _ => 0,
        },
        files,
        from_end: at_end.then_some(0),
        encoding: match (compressed, text) {
            (true, _) => Encoding::Zlib,
            (_, true) => Encoding::Text(Notation::Numbers(dtype)),
            _ => Encoding::Raw,
        },
        ..Voxels::default()
    };
    Ok((voxels, if compressed { 0 } else { skip }))
}

/// The files of the voxels, as MetaIO reads them: one; `LIST n`, of n axes each; or a pattern with the first number,
/// the last and the step. If there are too many files, the first ones are used.
fn data_files(meta: &TextHeader, name: &str, sizes: &[usize]) -> Result<Vec<String>> {
    let words: Vec<&str> = name.split_whitespace().collect();
    let slices = sizes.last().copied().unwrap_or(1);
    let short = |have: usize, need: u64| {
        let expected = format!("{need}, which DimSize {sizes:?} needs");
        Error::header(DATA_FILE, format!("{have} files"), expected)
    };
    if name.starts_with(LIST) {
        // A missing number of axes, or one that leaves no axis over, means one axis less than the image has.
        let axes = words.get(1).and_then(|word| word.parse::<f64>().ok());
        let axes = axes.map_or(0, |axes| axes as usize);
        let axes = match axes {
            1.. if axes < sizes.len() => axes,
            _ => sizes.len().saturating_sub(1),
        };
        let need = voxels(sizes.get(axes..).unwrap_or_default())?;
        let listed = meta.entries().iter().filter(|(key, _)| key == "file");
        let listed = listed.map(|(_, file)| file.clone());
        let files: Vec<String> = listed
            .take(usize::try_from(need).unwrap_or(usize::MAX))
            .collect();
        return match (files.len() as u64) < need {
            true => Err(short(files.len(), need)),
            false => Ok(files),
        };
    }
    if !name.contains('%') {
        return match words.is_empty() {
            true => Err(Error::header(
                DATA_FILE,
                "nothing",
                "LOCAL, or names of files",
            )),
            false => Ok(vec![name.to_owned()]),
        };
    }
    let (pattern, given) = pattern(&words)?;
    let first = given.first().copied().unwrap_or(1);
    let count = i64::try_from(slices).unwrap_or(i64::MAX);
    let last = given.get(1).copied();
    let step = match (given.get(2), last) {
        (Some(&step), _) => step,
        (None, Some(last)) => (last.saturating_sub(first) / count.max(1)).max(1),
        (None, None) => 1,
    };
    if step < 1 {
        return Err(Error::header(
            DATA_FILE,
            quoted(name),
            "a step of 1 or more",
        ));
    }
    let needed = first.saturating_add(step.saturating_mul(count - 1));
    let last = last.unwrap_or(needed).min(needed);
    let files = match last < first {
        true => Vec::new(),
        false => numbered(DATA_FILE, &pattern, [first, last, step], MAX_FILES)?,
    };
    match files.len() < slices {
        true => Err(short(files.len(), slices as u64)),
        false => Ok(files),
    }
}

/// A pattern and the numbers after it. With five words or more, all but the last three are the pattern, which then has
/// spaces in it.
fn pattern(words: &[&str]) -> Result<(String, Vec<i64>)> {
    let (pattern, given) = words.split_at(match words.len() {
        5.. => words.len() - 3,
        _ => 1.min(words.len()),
    });
    let given = given.iter().map(|word| number(DATA_FILE, word));
    Ok((pattern.join(" "), given.collect::<Result<_>>()?))
}

/// Each row of the matrix is the direction of an axis. Converted from LPS to RAS+.
fn affine(
    meta: &TextHeader,
    ndims: usize,
    spacing: &[f64],
    notes: &mut Vec<Note>,
) -> Result<Option<Affine>> {
    let matrix = per_axis(
        meta,
        &["TransformMatrix", "Rotation", "Orientation"],
        ndims * ndims,
    )?;
    // In ITK 5.4, an earlier key of this list overrides the later ones.
    let origins = ["ImagePosition", "Origin", "Offset", "Position"];
    let offset = per_axis(meta, &origins, ndims)?;
    if ndims < 2 {
        return Ok(None);
    }
    let direction = |axis: usize, k: usize| match &matrix {
        Some(matrix) => matrix.get(axis * ndims + k).copied().unwrap_or(0.0),
        None => f64::from(u8::from(axis == k)),
    };
    let mut affine = [[0.0, 0.0, 0.0, 1.0]; 4];
    // The third column of a two-dimensional image is z.
    affine[2] = [0.0, 0.0, 1.0, 0.0];
    for (k, (row, sign)) in affine
        .iter_mut()
        .zip([-1.0, -1.0, 1.0])
        .take(ndims)
        .enumerate()
    {
        // Adding 0 turns -0 into 0.
        for (axis, (entry, size)) in row.iter_mut().zip(spacing).take(3).enumerate() {
            *entry = direction(axis, k) * size * sign + 0.0;
        }
        let origin = offset.as_ref().and_then(|offset| offset.get(k));
        row[3] = origin.copied().unwrap_or(0.0) * sign + 0.0;
    }
    let further = (3..ndims).any(|axis| (0..3).any(|k| direction(axis, k) != 0.0));
    if further {
        notes.push(Note {
            field: "TransformMatrix",
            message: "places change along the fourth axis or a later one: the affine is that of their first index"
                .to_owned(),
        });
    }
    Ok(Some(affine))
}
