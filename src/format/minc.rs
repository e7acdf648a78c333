//! MINC1 (spec 4.9 and 3.8): a netCDF-3 file with the voxels in the variable `image`, in C order, and the range of real
//! values that stored numbers stand for in `image-min` and `image-max`, for all voxels or over the slowest axes.

use super::netcdf::{Kind, NetCdf, Value, Variable};
use super::text::{check_entries, shape};
use super::{Fields, Format, More, Need, Parsed, Place, TextHeader};
use crate::affine::Affine;
use crate::dtype::{ByteOrder, DType};
use crate::error::{Error, ErrorKind, Result};
use crate::header::{Header, Layout, voxels};
use crate::scaling::{Arithmetic, Factor, Scaling, Step};

/// A header without voxels; more than this is something else.
const MOST_BYTES: u64 = 64 << 20;

/// Whether the first bytes are a netCDF-3 file's.
pub(super) fn claims(prefix: &[u8]) -> bool {
    prefix.starts_with(b"CDF\x01")
}

/// As much as the header takes, which only parsing it tells.
pub(super) fn need(prefix: &[u8]) -> Result<Need> {
    let have = prefix.len() as u64;
    match NetCdf::parse(prefix) {
        Err(error) => match *error.kind() {
            ErrorKind::Truncated { need, .. } if need > MOST_BYTES => Err(ErrorKind::Limit {
                what: "header",
                needed: need.into(),
                allowed: MOST_BYTES,
            }
            .into()),
            ErrorKind::Truncated { need, .. } => Ok(Need::Bytes(need.max(2 * have))),
            // A faulty header is the parser's to report.
            _ => Ok(Need::Bytes(have)),
        },
        Ok(_) => Ok(Need::Bytes(have)),
    }
}

/// Parses the header; the ranges of real values are asked for.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed> {
    let file = NetCdf::parse(bytes)?;
    let image = variable(&file, "image")?;
    let axes = axes(&file, image)?;
    let [max, min] = [variable(&file, "image-max")?, variable(&file, "image-min")?];
    let dtype = dtype(image)?;
    let lengths: Vec<i64> = image.dimensions.iter().map(|&(_, n)| n as i64).collect();
    let zooms = axes.iter().map(|axis| Ok(one(axis, "step", 1.0)?.abs()));
    let mut parsed = Parsed::new(
        Header {
            format: Format::Minc1,
            shape: shape("image", &lengths)?,
            dtype,
            byte_order: ByteOrder::Big,
            layout: Layout::LastFastest,
            data_offset: image.begin,
            scaling: Scaling::none(),
            affine: Some(affine(&axes)?),
            zooms: zooms.collect::<Result<_>>()?,
            fields: Fields::Text(listing(&file)),
        },
        Vec::new(),
    );
    parsed.header.data_end()?;
    if dtype.is_integer() {
        parsed.more = Some(ranges(image, max, min, dtype)?);
    }
    Ok(parsed)
}

fn variable<'a>(file: &'a NetCdf, name: &'static str) -> Result<&'a Variable> {
    let found = file.variable(name);
    let found = found.ok_or_else(|| Error::header(name, "nothing", "the variable"))?;
    if found.in_records {
        return Err(Error::unsupported(format!(
            "MINC1 variable {name} in records"
        )));
    }
    Ok(found)
}

/// The variables that describe the image's axes.
fn axes<'a>(file: &'a NetCdf, image: &Variable) -> Result<Vec<&'a Variable>> {
    let axis = |(name, _): &(String, u64)| {
        let found = file.variable(name);
        let found = found.ok_or_else(|| Error::header("image", name, "axes with a variable"))?;
        match found.attribute("spacing") {
            Some(Value::Text(spacing)) if spacing == "regular__" => Ok(found),
            other => Err(Error::header("spacing", format!("{other:?}"), "regular__")),
        }
    };
    image.dimensions.iter().map(axis).collect()
}

fn dtype(image: &Variable) -> Result<DType> {
    let signed = match (image.kind, image.attribute("signtype")) {
        (Kind::Float | Kind::Double, _) => true,
        (_, Some(Value::Text(sign))) if sign == "signed__" => true,
        (_, Some(Value::Text(sign))) if sign == "unsigned" => false,
        (_, other) => {
            let found = format!("{other:?}");
            return Err(Error::header("signtype", found, "signed__ or unsigned"));
        }
    };
    let dtype = image.kind.dtype(signed);
    dtype.ok_or_else(|| Error::header("image", "characters", "numbers"))
}

/// An attribute of one number.
fn one(axis: &Variable, name: &'static str, absent: f64) -> Result<f64> {
    match axis.attribute(name) {
        None => Ok(absent),
        Some(Value::Numbers(numbers)) if numbers.len() == 1 => Ok(numbers[0]),
        Some(other) => Err(Error::header(name, format!("{other:?}"), "a number")),
    }
}

/// Direction cosines times steps, the axes in the order of the file, and the starts along them.
fn affine(axes: &[&Variable]) -> Result<Affine> {
    let spatial: Vec<_> = axes
        .iter()
        .filter(|axis| axis.name.ends_with("space"))
        .collect();
    if spatial.len() != 3 {
        let found = format!("{} axes", spatial.len());
        return Err(Error::header("image", found, "three axes in space"));
    }
    let mut affine = [[0.0, 0.0, 0.0, 1.0]; 4];
    let mut rotation = [[0.0; 3]; 3];
    let mut starts = [0.0; 3];
    for (column, axis) in spatial.into_iter().enumerate() {
        let cosines = match (axis.attribute("direction_cosines"), axis.name.as_str()) {
            (Some(Value::Numbers(cosines)), _) if cosines.len() == 3 => cosines.clone(),
            (None, "xspace") => vec![1.0, 0.0, 0.0],
            (None, "yspace") => vec![0.0, 1.0, 0.0],
            (None, "zspace") => vec![0.0, 0.0, 1.0],
            (other, _) => {
                let found = format!("{other:?}");
                return Err(Error::header("direction_cosines", found, "three numbers"));
            }
        };
        let step = one(axis, "step", 1.0)?;
        starts[column] = one(axis, "start", 0.0)?;
        for (k, cosine) in cosines.into_iter().enumerate() {
            rotation[k][column] = cosine;
            affine[k][column] = cosine * step;
        }
    }
    for (row, turn) in affine.iter_mut().zip(rotation) {
        // The order and the fused steps of OpenBLAS, so that the sum has numpy's bits.
        let first_two = turn[0].mul_add(starts[0], turn[1] * starts[1]);
        row[3] = turn[2].mul_add(starts[2], first_two);
    }
    Ok(affine)
}

/// The range that stored numbers are limited to.
fn valid_range(image: &Variable, dtype: DType) -> Result<[f64; 2]> {
    const FIELD: &str = "valid_range";
    let (low, high) = dtype.integer_extremes().unwrap_or((0.0, 0.0));
    let single = |name| match image.attribute(name) {
        Some(Value::Numbers(numbers)) => numbers.first().copied(),
        _ => None,
    };
    let [min, max] = match image.attribute(FIELD) {
        Some(Value::Numbers(range)) if range.len() == 2 => [range[0], range[1]],
        Some(other) => return Err(Error::header(FIELD, format!("{other:?}"), "two numbers")),
        None => match (single("valid_min"), single("valid_max")) {
            (Some(min), Some(max)) => [min, max],
            _ => [low, high],
        },
    };
    if min < low || max > high {
        let found = format!("{min} to {max}");
        return Err(Error::header(FIELD, found, format!("within {dtype}")));
    }
    Ok([min, max])
}

/// Asks for the ranges of real values, to make the scaling of them.
fn ranges(image: &Variable, max: &Variable, min: &Variable, dtype: DType) -> Result<More> {
    let [low, high] = valid_range(image, dtype)?;
    let scaled = max.dimensions.len();
    if max.dimensions != min.dimensions {
        let found = "other axes than image-max";
        return Err(Error::header("image-min", found, "the same"));
    }
    if scaled > 2 || image.dimensions.get(..scaled) != Some(max.dimensions.as_slice()) {
        let found = format!("{} axes", scaled);
        return Err(Error::header(
            "image-max",
            found,
            "at most two, the slowest of the image",
        ));
    }
    let count = |dimensions: &[(String, u64)]| {
        let lengths: Vec<usize> = dimensions.iter().map(|&(_, n)| n as usize).collect();
        voxels(&lengths)
    };
    let entries = count(&max.dimensions)?;
    let block = count(image.dimensions.get(scaled..).unwrap_or_default())?;
    check_entries(entries as usize)?;
    let range = |variable: &Variable| {
        let bytes = entries * variable.kind.bytes() as u64;
        variable.begin..variable.begin.saturating_add(bytes)
    };
    let kinds = [max.kind, min.kind];
    Ok(More {
        place: Place::Ranges(vec![range(max), range(min)]),
        apply: Box::new(move |pieces, parsed| {
            let numbers = |piece: Option<&Vec<u8>>, kind: Kind| {
                let found = kind.numbers(piece.map_or(&[], Vec::as_slice));
                match found.len() as u64 {
                    have if have < entries => Err(Error::from(ErrorKind::Truncated {
                        what: "image-max and image-min",
                        have,
                        need: entries,
                    })),
                    _ => Ok(found),
                }
            };
            let max = numbers(pieces.first(), kinds[0])?;
            let min = numbers(pieces.get(1), kinds[1])?;
            // Two arrays of f32 are subtracted as such; single numbers are f64 to nibabel.
            let narrow = kinds == [Kind::Float; 2] && scaled > 0;
            let slopes = max.iter().zip(&min).map(|(max, min)| {
                let difference = match narrow {
                    true => f64::from((*max as f32) - (*min as f32)),
                    false => max - min,
                };
                difference / (high - low)
            });
            let slopes: Vec<f64> = slopes.collect();
            let inters = min
                .iter()
                .zip(&slopes)
                .map(|(min, slope)| min - low * slope);
            let factor = |table: Vec<f64>| match table.as_slice() {
                [only] => Factor::One(*only),
                _ if entries * block == 0 => Factor::One(0.0),
                _ => Factor::Table(table.into()),
            };
            let inters = factor(inters.collect());
            let steps = vec![
                Step::Clip { lo: low, hi: high },
                Step::Multiply(factor(slopes)),
                Step::Add(inters),
            ];
            parsed.header.scaling = Scaling::new(steps, block, Arithmetic::F64);
            Ok(())
        }),
    })
}

/// All attributes: the file's own, then those of the variables as `variable:attribute`.
fn listing(file: &NetCdf) -> TextHeader {
    let mut listing = TextHeader::default();
    let text = |value: &Value| match value {
        Value::Text(text) => text.clone(),
        Value::Numbers(numbers) => {
            let texts: Vec<_> = numbers.iter().map(f64::to_string).collect();
            texts.join(" ")
        }
    };
    for attribute in &file.attributes {
        listing.push(attribute.name.as_str(), text(&attribute.value));
    }
    for variable in &file.variables {
        for attribute in &variable.attributes {
            let name = format!("{}:{}", variable.name, attribute.name);
            listing.push(name, text(&attribute.value));
        }
    }
    listing
}
