//! AFNI: text attributes in `.HEAD`, voxels in `.BRIK`
//! (<https://afni.nimh.nih.gov/pub/dist/doc/program_help/README.attributes.html>).

use super::parsed::Parsed;
use super::text::{check_entries, exactly, number, numbers, quoted};
use crate::core::affine::Affine;
use crate::core::dtype::{ByteOrder, DType};
use crate::core::error::{Error, Result};
use crate::core::format::Format;
use crate::core::scaling::{Arithmetic, Factor, Scaling, Step};
use crate::core::shape::voxels;
use crate::header::fields::{Fields, TextHeader};
use crate::header::{AxisKind, Header, Layout, Note, SpaceUnit, TimeUnit};

/// The types that nibabel reads. AFNI's complex type is two floats (nibabel reads two doubles).
const TYPES: [(i64, DType); 4] = [
    (0, DType::U8),
    (1, DType::I16),
    (3, DType::F32),
    (5, DType::C64),
];

/// Whether the first bytes are a `.HEAD` file, which begins with the type of an attribute.
pub(super) fn recognizes(prefix: &[u8]) -> bool {
    let text = prefix.trim_ascii_start();
    let value = text.strip_prefix(b"type").and_then(|rest| {
        let rest = rest.trim_ascii_start().strip_prefix(b"=")?;
        Some(rest.trim_ascii_start())
    });
    let kinds: [&[u8]; 3] = [
        b"string-attribute",
        b"integer-attribute",
        b"float-attribute",
    ];
    value.is_some_and(|value| kinds.iter().any(|kind| value.starts_with(kind)))
}

/// Parses a `.HEAD` file.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed> {
    let info = attributes(&String::from_utf8_lossy(bytes))?;
    let shape = shape(&info)?;
    let (fourth, time_unit) = fourth_axis(&info)?;
    let mut notes = Vec::new();
    let header = Header {
        format: Format::Afni,
        axes: vec![AxisKind::Space, AxisKind::Space, AxisKind::Space, fourth],
        dtype: dtype(&info)?,
        byte_order: byte_order(&info, &mut notes),
        layout: Layout::FirstFastest,
        data_offset: 0,
        scaling: scaling(&info, &shape)?,
        affine: Some(affine(&info)?),
        zooms: zooms(&info)?,
        space_unit: SpaceUnit::Millimetre,
        time_unit,
        shape,
        fields: Fields::Text(info),
    };
    header.data_end()?;
    Ok(Parsed::new(header, notes))
}

/// The attributes: blocks of type, name, count and values, separated by empty lines.
fn attributes(text: &str) -> Result<TextHeader> {
    let text = text.replace("\r\n", "\n");
    let mut info = TextHeader::default();
    for block in text.split("\n\n") {
        let block = block.trim();
        if block.is_empty() {
            continue;
        }
        let lines: Vec<&str> = block.lines().collect();
        let (head, values) = lines.split_at(lines.len().min(3));
        let of = |key: &str| {
            head.iter().find_map(|line| {
                let (found, value) = line.split_once('=')?;
                (found.trim() == key).then(|| value.trim())
            })
        };
        let kind = of("type").and_then(|kind| kind.strip_suffix("-attribute"));
        let Some(kind @ ("string" | "integer" | "float")) = kind else {
            let expected = "a string-, integer- or float-attribute";
            return Err(Error::header("type", quoted(block), expected));
        };
        let Some(name) = of("name").filter(|name| !name.is_empty()) else {
            return Err(Error::header(
                "name",
                quoted(block),
                "the name of an attribute",
            ));
        };
        let values = values.join(" ");
        let value = match kind {
            "string" => values
                .replacen('\'', "", 1)
                .trim_end_matches('~')
                .to_owned(),
            "integer" => numbers::<i64>("integer-attribute", &values).map(|_| values)?,
            _ => numbers::<f64>("float-attribute", &values).map(|_| values)?,
        };
        info.push(name, value);
    }
    if info.entries().is_empty() {
        return Err(Error::header("type", "no attribute", "attributes"));
    }
    Ok(info)
}

/// Always four axes: three in space, and the sub-bricks.
fn shape(info: &TextHeader) -> Result<Vec<usize>> {
    let rank: Vec<i64> = numbers("DATASET_RANK", info.require("DATASET_RANK")?)?;
    let &[3, bricks, ..] = rank.as_slice() else {
        return Err(Error::header(
            "DATASET_RANK",
            format!("{rank:?}"),
            "3 and the sub-bricks",
        ));
    };
    let dims: Vec<i64> = numbers("DATASET_DIMENSIONS", info.require("DATASET_DIMENSIONS")?)?;
    let &[x, y, z, ..] = dims.as_slice() else {
        return Err(Error::header(
            "DATASET_DIMENSIONS",
            format!("{dims:?}"),
            "three lengths",
        ));
    };
    super::text::shape("DATASET_DIMENSIONS", &[x, y, z, bricks])
}

fn dtype(info: &TextHeader) -> Result<DType> {
    let types: Vec<i64> = numbers("BRICK_TYPES", info.require("BRICK_TYPES")?)?;
    let refuse = |expected| Error::header("BRICK_TYPES", quoted(&format!("{types:?}")), expected);
    let [first, others @ ..] = types.as_slice() else {
        return Err(refuse("a type"));
    };
    if others.iter().any(|other| other != first) {
        return Err(refuse("the same type for all sub-bricks"));
    }
    let known = TYPES.iter().find(|(code, _)| code == first);
    known
        .map(|&(_, dtype)| dtype)
        .ok_or_else(|| refuse("0, 1, 3 or 5"))
}

/// One factor per sub-brick, with 1 in place of 0. If all are 0 or missing, nothing is multiplied; otherwise every
/// sub-brick is, even by 1.
fn scaling(info: &TextHeader, shape: &[usize]) -> Result<Scaling> {
    const FIELD: &str = "BRICK_FLOAT_FACS";
    let factors: Vec<f64> = match info.get(FIELD) {
        Some(text) => numbers(FIELD, text)?,
        None => Vec::new(),
    };
    let Some(last) = factors.iter().rposition(|&factor| factor != 0.0) else {
        return Ok(Scaling::none());
    };
    let (volume, bricks) = match shape {
        [volume @ .., bricks] => (voxels(volume)?, *bricks),
        [] => (0, 0),
    };
    if last >= bricks {
        let found = format!("{} factors", factors.len());
        return Err(Error::header(FIELD, found, format!("at most {bricks}")));
    }
    check_entries(bricks as u64)?;
    let table = (0..bricks).map(|brick| match factors.get(brick) {
        Some(&factor) if factor != 0.0 => factor,
        _ => 1.0,
    });
    let table: Vec<f64> = table.collect();
    let factor = match table.as_slice() {
        [only] => Factor::One(*only),
        // Without voxels there are no blocks.
        _ if volume == 0 => Factor::One(1.0),
        _ => Factor::Table(table.into()),
    };
    let steps = vec![Step::Multiply(factor)];
    Ok(Scaling::new(steps, volume, Arithmetic::F64))
}

/// The byte order; as in AFNI that of this machine if the header does not say.
fn byte_order(info: &TextHeader, notes: &mut Vec<Note>) -> ByteOrder {
    const FIELD: &str = "BYTEORDER_STRING";
    match info.get(FIELD) {
        Some("LSB_FIRST") => ByteOrder::Little,
        Some("MSB_FIRST") => ByteOrder::Big,
        found => {
            if found.is_none() {
                notes.push(Note {
                    field: FIELD,
                    message: format!("missing: {} endian, as this machine", ByteOrder::NATIVE),
                });
            }
            ByteOrder::NATIVE
        }
    }
}

/// `IJK_TO_DICOM_REAL`, or the matrix of the other attributes, converted from AFNI's LPS to RAS. As in nibabel, a zero
/// may become -0 by this.
fn affine(info: &TextHeader) -> Result<Affine> {
    const FIELD: &str = "IJK_TO_DICOM_REAL";
    let values: [f64; 12] = match info.get(FIELD) {
        Some(text) => exactly(FIELD, text)?,
        None => cardinal(info)?,
    };
    let mut affine = [[0.0, 0.0, 0.0, 1.0]; 4];
    for (row, (values, sign)) in affine
        .iter_mut()
        .zip(values.chunks_exact(4).zip([-1.0, -1.0, 1.0]))
    {
        for (entry, value) in row.iter_mut().zip(values) {
            *entry = value * sign;
        }
    }
    Ok(affine)
}

/// The rows of the matrix for axes that are not oblique: axis k is along x, y or z by its code in `ORIENT_SPECIFIC`
/// (0 and 1 x, 2 and 3 y, 4 and 5 z), with `DELTA`'s step from `ORIGIN`'s coordinate.
fn cardinal(info: &TextHeader) -> Result<[f64; 12]> {
    const FIELD: &str = "ORIENT_SPECIFIC";
    let missing = |_| {
        let expected = "it, or ORIENT_SPECIFIC, ORIGIN and DELTA";
        Error::header("IJK_TO_DICOM_REAL", "nothing", expected)
    };
    let orient = info.require(FIELD).map_err(missing)?;
    let codes: [i64; 3] = exactly(FIELD, orient)?;
    let origin: [f64; 3] = exactly("ORIGIN", info.require("ORIGIN").map_err(missing)?)?;
    let delta: [f64; 3] = exactly("DELTA", info.require("DELTA").map_err(missing)?)?;
    let mut rows = [0.0; 12];
    let mut seen = [false; 3];
    for (column, code) in codes.into_iter().enumerate() {
        let along = usize::try_from(code / 2).unwrap_or(3);
        let again = seen
            .get_mut(along)
            .map(|seen| std::mem::replace(seen, true));
        if code < 0 || again != Some(false) {
            let expected = "one code each of x (0, 1), y (2, 3) and z (4, 5)";
            return Err(Error::header(FIELD, quoted(orient), expected));
        }
        rows[4 * along + column] = delta[column];
        rows[4 * along + 3] = origin[column];
    }
    Ok(rows)
}

/// What the sub-bricks are, and the unit of time. They are a time series if there is a time axis, and its unit is not
/// Hz; otherwise they are a bucket, with a meaning of their own each.
fn fourth_axis(info: &TextHeader) -> Result<(AxisKind, TimeUnit)> {
    const FIELD: &str = "TAXIS_NUMS";
    let nums: Vec<i64> = match info.get(FIELD) {
        Some(text) => numbers(FIELD, text)?,
        None if info.get("TAXIS_FLOATS").is_some() => Vec::new(),
        None => return Ok((AxisKind::Other, TimeUnit::Unknown)),
    };
    Ok(match nums.get(2) {
        Some(77001) => (AxisKind::Time, TimeUnit::Millisecond),
        Some(77002) => (AxisKind::Time, TimeUnit::Second),
        Some(77003) => (AxisKind::Other, TimeUnit::Unknown),
        _ => (AxisKind::Time, TimeUnit::Unknown),
    })
}

/// Voxel sizes, and the time step; 0 if there is none.
fn zooms(info: &TextHeader) -> Result<Vec<f64>> {
    let delta: [f64; 3] = exactly("DELTA", info.require("DELTA")?)?;
    let step = match info.get("TAXIS_FLOATS") {
        None => 0.0,
        Some(text) => match text.split_whitespace().nth(1) {
            Some(step) => number("TAXIS_FLOATS", step)?,
            None => {
                return Err(Error::header(
                    "TAXIS_FLOATS",
                    quoted(text),
                    "a step in time",
                ));
            }
        },
    };
    if step < 0.0 {
        return Err(Error::header(
            "TAXIS_FLOATS",
            step,
            "a step that is not negative",
        ));
    }
    let [x, y, z] = delta.map(f64::abs);
    Ok(vec![x, y, z, step])
}
