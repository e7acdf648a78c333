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
use crate::header::{Header, Layout};

/// The types that nibabel reads. AFNI's complex type is two floats, but nibabel reads two doubles, and so does voxload.
const TYPES: [(i64, DType); 4] = [
    (0, DType::U8),
    (1, DType::I16),
    (3, DType::F32),
    (5, DType::C128),
];

/// Parses a `.HEAD` file.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed> {
    let info = attributes(&String::from_utf8_lossy(bytes))?;
    let shape = shape(&info)?;
    let header = Header {
        format: Format::Afni,
        dtype: dtype(&info)?,
        byte_order: match info.require("BYTEORDER_STRING")? {
            "LSB_FIRST" => ByteOrder::Little,
            "MSB_FIRST" => ByteOrder::Big,
            _ => ByteOrder::NATIVE,
        },
        layout: Layout::FirstFastest,
        data_offset: 0,
        scaling: scaling(&info, &shape)?,
        affine: Some(affine(&info)?),
        zooms: zooms(&info)?,
        shape,
        fields: Fields::Text(info),
    };
    header.data_end()?;
    Ok(Parsed::new(header, Vec::new()))
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

/// `IJK_TO_DICOM_REAL`, converted from AFNI's LPS to RAS. As in nibabel, a zero may become -0 by this.
fn affine(info: &TextHeader) -> Result<Affine> {
    const FIELD: &str = "IJK_TO_DICOM_REAL";
    let values: [f64; 12] = exactly(FIELD, info.require(FIELD)?)?;
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
