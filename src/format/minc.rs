//! MINC1 (MINC Programmer's Reference Manual,
//! <https://en.wikibooks.org/wiki/MINC/Reference/MINC1-programmers-reference>; nibabel's `minc1` module): a netCDF-3
//! file. The voxels are in the variable `image`, in C order. `image-min` and `image-max` have the range of values that
//! the stored numbers represent, for all voxels or for each index of the slowest axes. This module also has what MINC2
//! shares with MINC1: axes, ranges and the scaling.

use super::netcdf::{Kind, NetCdf, Pieces, Value, Variable};
use super::parsed::{Blocks, Location, More, Need, Parsed};
use super::text::{check_entries, shape};
use crate::core::affine::Affine;
use crate::core::dtype::{ByteOrder, DType};
use crate::core::error::{Error, ErrorKind, Result};
use crate::core::format::Format;
use crate::core::scaling::{Arithmetic, Factor, Scaling, Step};
use crate::core::shape::voxels;
use crate::header::fields::{Fields, TextHeader};
use crate::header::{AxisKind, Header, Layout, SpaceUnit, TimeUnit};

/// Largest size of a header without voxels.
const MAX_BYTES: u64 = 64 << 20;

/// Whether the first bytes are a netCDF-3 file.
pub(super) fn recognizes(prefix: &[u8]) -> bool {
    prefix.starts_with(b"CDF\x01")
}

/// The size of the header is known only once it can be parsed.
pub(super) fn need(prefix: &[u8]) -> Result<Need> {
    let have = prefix.len() as u64;
    match NetCdf::parse(prefix) {
        Err(error) => match *error.kind() {
            ErrorKind::Truncated { need, .. } if need > MAX_BYTES => Err(ErrorKind::Limit {
                what: "header",
                needed: need.into(),
                allowed: MAX_BYTES,
            }
            .into()),
            ErrorKind::Truncated { need, .. } => Ok(Need::Bytes(need.max(2 * have))),
            // The parser will report what is wrong.
            _ => Ok(Need::Bytes(have)),
        },
        Ok(_) => Ok(Need::Bytes(have)),
    }
}

/// Parses the header; the ranges of values are requested.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed> {
    let file = NetCdf::parse(bytes)?;
    let image = variable(&file, "image")?;
    let axes = axes(&file, image)?;
    let [max, min] = [variable(&file, "image-max")?, variable(&file, "image-min")?];
    let dtype = dtype(image)?;
    let lengths: Vec<i64> = image.dimensions.iter().map(|&(_, n)| n as i64).collect();
    let (space_unit, time_unit) = units(&axes);
    let mut parsed = Parsed::new(
        Header {
            format: Format::Minc1,
            shape: shape("image", &lengths)?,
            axes: axes.iter().map(Axis::kind).collect(),
            dtype,
            byte_order: ByteOrder::Big,
            layout: Layout::LastFastest,
            data_offset: image.begin,
            scaling: Scaling::none(),
            affine: Some(affine(&axes)?),
            zooms: axes.iter().map(|axis| axis.step.abs()).collect(),
            space_unit,
            time_unit,
            fields: Fields::Text(listing(&file)),
        },
        Vec::new(),
    );
    parsed.header.data_end()?;
    if image.in_records {
        let Pieces { bytes, starts } = file.pieces(image)?;
        parsed.voxels.blocks = Some(Blocks {
            bytes,
            starts,
            reversed: 0,
        });
    }
    if dtype.is_integer() {
        parsed.more = Some(ranges(&file, image, max, min, dtype)?);
    }
    Ok(parsed)
}

fn variable<'a>(file: &'a NetCdf, name: &'static str) -> Result<&'a Variable> {
    let found = file.variable(name);
    found.ok_or_else(|| Error::header(name, "nothing", "the variable"))
}

/// The image's axes. Each is described by a variable of the same name.
fn axes(file: &NetCdf, image: &Variable) -> Result<Vec<Axis>> {
    let axis = |(name, _): &(String, u64)| {
        let found = file.variable(name);
        if found.is_none() && name == COMPONENTS {
            return Ok(Axis::of_components());
        }
        let found = found.ok_or_else(|| Error::header("image", name, "axes with a variable"))?;
        match found.attribute("spacing") {
            // MINC's default. (nibabel refuses such a file.)
            None => {}
            Some(Value::Text(spacing)) if spacing == "regular__" => {}
            Some(Value::Text(spacing)) => {
                return Err(Error::header(
                    "spacing",
                    format!("{spacing:?}"),
                    "regular__",
                ));
            }
            Some(_) => return Err(Error::header("spacing", "numbers", "regular__")),
        }
        let cosines = match found.attribute("direction_cosines") {
            None => None,
            _ if !name.ends_with("space") => None,
            Some(Value::Numbers(cosines)) if cosines.len() == 3 => {
                Some([cosines[0], cosines[1], cosines[2]])
            }
            Some(other) => {
                let found = format!("{other:?}");
                return Err(Error::header("direction_cosines", found, "three numbers"));
            }
        };
        Ok(Axis {
            name: name.clone(),
            step: one(found, "step", 1.0)?,
            start: one(found, "start", 0.0)?,
            cosines,
            units: match found.attribute("units") {
                Some(Value::Text(units)) => units.clone(),
                _ => String::new(),
            },
        })
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

/// An attribute with one number.
fn one(axis: &Variable, name: &'static str, absent: f64) -> Result<f64> {
    match axis.attribute(name) {
        None => Ok(absent),
        Some(Value::Numbers(numbers)) if numbers.len() == 1 => Ok(numbers[0]),
        Some(other) => Err(Error::header(name, format!("{other:?}"), "a number")),
    }
}

/// The valid range of stored numbers, if the file has one.
fn valid_range(image: &Variable) -> Result<Option<[f64; 2]>> {
    const FIELD: &str = "valid_range";
    let single = |name| match image.attribute(name) {
        Some(Value::Numbers(numbers)) => numbers.first().copied(),
        _ => None,
    };
    Ok(match image.attribute(FIELD) {
        Some(Value::Numbers(range)) if range.len() == 2 => Some([range[0], range[1]]),
        Some(other) => return Err(Error::header(FIELD, format!("{other:?}"), "two numbers")),
        None => match (single("valid_min"), single("valid_max")) {
            (Some(min), Some(max)) => Some([min, max]),
            _ => None,
        },
    })
}

/// Requests the ranges of values, from which the scaling is made.
fn ranges(
    file: &NetCdf,
    image: &Variable,
    max: &Variable,
    min: &Variable,
    dtype: DType,
) -> Result<More> {
    let ranges = Ranges::new(
        dtype,
        valid_range(image)?,
        &image.dimensions,
        &max.dimensions,
        &min.dimensions,
    )?;
    let places = |variable: &Variable| -> Result<Vec<_>> {
        let Pieces { bytes, starts } = file.pieces(variable)?;
        let place = |start: u64| {
            let begin = variable.begin.saturating_add(start);
            begin..begin.saturating_add(bytes)
        };
        Ok(starts.into_iter().map(place).collect())
    };
    let (max_places, min_places) = (places(max)?, places(min)?);
    let (of_max, kinds) = (max_places.len(), [max.kind, min.kind]);
    Ok(More {
        place: Location::Ranges([max_places, min_places].concat()),
        apply: Box::new(move |pieces, parsed| {
            let numbers = |pieces: &[Vec<u8>], kind: Kind| {
                let found: Vec<f64> = pieces
                    .iter()
                    .flat_map(|piece| kind.numbers(piece))
                    .collect();
                match found.len() as u64 {
                    have if have < ranges.entries => Err(Error::from(ErrorKind::Truncated {
                        what: "image-max and image-min",
                        have,
                        need: ranges.entries,
                    })),
                    _ => Ok(found),
                }
            };
            let (max, min) = pieces.split_at(of_max.min(pieces.len()));
            let (max, min) = (numbers(max, kinds[0])?, numbers(min, kinds[1])?);
            // As in nibabel, two f32 arrays are subtracted in f32, single numbers in f64.
            let narrow = kinds == [Kind::Float; 2] && ranges.axes > 0;
            parsed.header.scaling = ranges.scaling(&max, &min, narrow);
            Ok(())
        }),
    })
}

/// All attributes: the file's own, then those of each variable as `variable:attribute`.
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

/// An axis of the image.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    pub name: String,
    pub step: f64,
    pub start: f64,
    /// Its direction in space; if the file has none, the name decides.
    pub cosines: Option<[f64; 3]>,
    /// The unit of the step; empty if the file has none.
    pub units: String,
}

/// The name of the axis of components, as of a vector or a colour. It need not have a description.
pub(super) const COMPONENTS: &str = "vector_dimension";

impl Axis {
    pub(super) fn of_components() -> Self {
        Self {
            name: COMPONENTS.to_owned(),
            step: 1.0,
            start: 0.0,
            cosines: None,
            units: String::new(),
        }
    }

    /// What the axis means, by its name.
    pub(super) fn kind(&self) -> AxisKind {
        match self.name.as_str() {
            COMPONENTS => AxisKind::Component,
            "time" => AxisKind::Time,
            name if name.ends_with("space") => AxisKind::Space,
            _ => AxisKind::Other,
        }
    }
}

/// The units of space and of time. The default in space is millimetres. If spatial axes have different units, the unit
/// is unknown.
pub(super) fn units(axes: &[Axis]) -> (SpaceUnit, TimeUnit) {
    let of = |kind| axes.iter().filter(move |axis| axis.kind() == kind);
    let mut space = of(AxisKind::Space).map(|axis| match axis.units.as_str() {
        "" => SpaceUnit::Millimetre,
        units => SpaceUnit::named(units),
    });
    let first = space.next().unwrap_or_default();
    let space = match space.all(|unit| unit == first) {
        true => first,
        false => SpaceUnit::Unknown,
    };
    let mut time = of(AxisKind::Time).map(|axis| TimeUnit::named(&axis.units));
    (space, time.next().unwrap_or_default())
}

/// Direction cosines times steps, with the axes in the order of the file, and the starts along the axes.
///
/// # Errors
/// The field, if there are not three spatial axes or one has no direction.
pub(super) fn affine(axes: &[Axis]) -> Result<Affine> {
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
        let cosines = match (axis.cosines, axis.name.as_str()) {
            (Some(cosines), _) => cosines,
            (None, "xspace") => [1.0, 0.0, 0.0],
            (None, "yspace") => [0.0, 1.0, 0.0],
            (None, "zspace") => [0.0, 0.0, 1.0],
            (None, _) => {
                return Err(Error::header("direction_cosines", "None", "three numbers"));
            }
        };
        starts[column] = axis.start;
        for (k, cosine) in cosines.into_iter().enumerate() {
            rotation[k][column] = cosine;
            affine[k][column] = cosine * axis.step;
        }
    }
    for (row, turn) in affine.iter_mut().zip(rotation) {
        // In the order of OpenBLAS and with its fused operations, so that the sum has numpy's bits.
        let first_two = turn[0].mul_add(starts[0], turn[1] * starts[1]);
        row[3] = turn[2].mul_add(starts[2], first_two);
    }
    Ok(affine)
}

/// The name and the length of an axis.
pub(super) type Named = (String, u64);

/// How stored numbers become values, except for the range of values itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ranges {
    /// The valid range of stored numbers.
    limits: [f64; 2],
    /// Number of axes, the slowest ones, for each of whose indices there is a range of values.
    pub axes: usize,
    /// Number of these ranges.
    pub entries: u64,
    /// Voxels per range.
    block: u64,
}

impl Ranges {
    /// From the valid range of stored numbers, if the file has one, and the axes of the image, of `image-max` and of
    /// `image-min`.
    ///
    /// # Errors
    /// The field, if the range does not fit the type or the axes do not match.
    pub(super) fn new(
        dtype: DType,
        valid_range: Option<[f64; 2]>,
        image: &[Named],
        max: &[Named],
        min: &[Named],
    ) -> Result<Self> {
        let (low, high) = dtype.integer_extremes().unwrap_or((0.0, 0.0));
        let limits = valid_range.unwrap_or([low, high]);
        if limits[0] < low || limits[1] > high {
            let found = format!("{} to {}", limits[0], limits[1]);
            return Err(Error::header(
                "valid_range",
                found,
                format!("within {dtype}"),
            ));
        }
        if max != min {
            let found = "other axes than image-max";
            return Err(Error::header("image-min", found, "the same"));
        }
        let axes = max.len();
        if axes > 2 || image.get(..axes) != Some(max) {
            let (found, expected) = (
                format!("{axes} axes"),
                "at most two, the slowest of the image",
            );
            return Err(Error::header("image-max", found, expected));
        }
        let count = |dimensions: &[Named]| {
            let lengths: Vec<i64> = dimensions.iter().map(|&(_, n)| n as i64).collect();
            voxels(&shape("image", &lengths)?)
        };
        let entries = count(max)?;
        let block = count(image.get(axes..).unwrap_or_default())?;
        check_entries(entries)?;
        Ok(Self {
            limits,
            axes,
            entries,
            block,
        })
    }

    /// The scaling, given the ends of each range of values; they are subtracted in f32 if `narrow` is set.
    pub(super) fn scaling(&self, max: &[f64], min: &[f64], narrow: bool) -> Scaling {
        let [low, high] = self.limits;
        let slopes = max.iter().zip(min).map(|(max, min)| {
            let difference = match narrow {
                true => f64::from((*max as f32) - (*min as f32)),
                false => max - min,
            };
            difference / (high - low)
        });
        let slopes: Vec<f64> = slopes.collect();
        let inters = min.iter().zip(&slopes);
        let inters = inters.map(|(min, slope)| min - low * slope).collect();
        let steps = vec![
            Step::Clip { lo: low, hi: high },
            Step::Multiply(Factor::over_blocks(slopes, self.block)),
            Step::Add(Factor::over_blocks(inters, self.block)),
        ];
        Scaling::new(steps, self.block, Arithmetic::F64)
    }
}
