//! MINC2 ("MINC 2.0 File Format Reference",
//! <https://en.wikibooks.org/wiki/MINC/Reference/MINC2.0_File_Format_Reference>; nibabel's `minc2` module): the
//! contents of MINC1 in an HDF5 file, with the voxels in the dataset `image`.

use std::sync::Arc;

use super::hdf5::{Data, File, Value};
use super::minc::{Axis, COMPONENTS, Named, Ranges, affine, units};
use super::parsed::Parsed;
use super::text::{quoted, shape};
use crate::core::dtype::DType;
use crate::core::error::{Error, ErrorKind, Result};
use crate::core::format::Format;
use crate::header::fields::{Fields, TextHeader};
use crate::header::{Header, Layout, Note};
use crate::source::Source;

/// The HDF5 group of the image at full resolution.
const IMAGE: &str = "minc-2.0/image/0";
const DIMENSIONS: &str = "minc-2.0/dimensions";

/// Larger than deflate's ratio: a dataset that needs more cannot be in the file.
const MAX_INFLATION: u64 = 1100;

/// Whether the first bytes are an HDF5 file.
pub(super) fn recognizes(prefix: &[u8]) -> bool {
    prefix.starts_with(b"\x89HDF")
}

/// An HDF5 file cannot be parsed from its first bytes, so [`read`] reads the file itself.
pub(super) fn parse(_: &[u8]) -> Result<Parsed> {
    let header = Header {
        format: Format::Minc2,
        layout: Layout::LastFastest,
        ..Header::new(&[], DType::U8)
    };
    let mut parsed = Parsed::new(header, Vec::new());
    parsed.container = Some(read);
    Ok(parsed)
}

/// Completes the header from the file.
fn read(source: &Source, parsed: &mut Parsed) -> Result<()> {
    let file = File::open(source)?;
    let image = file.dataset("image", IMAGE)?;
    let [max, min] = [
        file.dataset("image-max", IMAGE)?,
        file.dataset("image-min", IMAGE)?,
    ];
    let dtype = image.dtype()?;
    let named = dimensions(&image)?;
    let mut described = Vec::with_capacity(named.len());
    let mut axes = Vec::with_capacity(named.len());
    for (name, _) in &named {
        match file.dataset(name, DIMENSIONS) {
            Ok(dimension) => {
                axes.push(axis(name, &dimension, &mut parsed.notes)?);
                described.push(dimension);
            }
            // The axis of components needs no description.
            Err(_) if name == COMPONENTS => axes.push(Axis::of_components()),
            Err(error) => return Err(error),
        }
    }
    let lengths: Vec<i64> = image.lengths().iter().map(|&n| n as i64).collect();
    let header = &mut parsed.header;
    header.shape = shape("image", &lengths)?;
    header.dtype = dtype;
    header.affine = Some(affine(&axes)?);
    header.zooms = axes.iter().map(|axis| axis.step.abs()).collect();
    header.axes = axes.iter().map(Axis::kind).collect();
    (header.space_unit, header.time_unit) = units(&axes);
    header.fields = Fields::Text(listing(described.iter().chain([&image, &max, &min])));
    let (need, have) = (header.data_bytes()?, file.bytes());
    if need / MAX_INFLATION > have {
        return Err(ErrorKind::Truncated {
            what: "voxel data",
            have,
            need,
        }
        .into());
    }
    if dtype.is_integer() {
        let ranges = Ranges::new(
            dtype,
            valid_range(&image)?,
            &named,
            &dimensions(&max)?,
            &dimensions(&min)?,
        )?;
        let narrow = max.dtype()? == DType::F32 && min.dtype()? == DType::F32;
        let [max, min] = [max.numbers(ranges.entries)?, min.numbers(ranges.entries)?];
        header.scaling = ranges.scaling(&max, &min, narrow);
    }
    parsed.voxels.source = Some(Arc::new(image));
    Ok(())
}

/// The names of a dataset's axes. More may be listed than the dataset has.
fn dimensions(data: &Data) -> Result<Vec<Named>> {
    const FIELD: &str = "dimorder";
    let names = match data.attribute(FIELD) {
        None => String::new(),
        Some(Value::Text(names)) => names,
        Some(other) => return Err(Error::header(FIELD, other, "names")),
    };
    let lengths = data.lengths();
    let listed = names.split(',').filter(|_| !names.is_empty());
    let named: Vec<Named> = listed
        .zip(lengths)
        .map(|(name, &length)| (name.to_owned(), length))
        .collect();
    if named.len() != lengths.len() {
        let expected = format!("{} names", lengths.len());
        return Err(Error::header(FIELD, quoted(&names), expected));
    }
    Ok(named)
}

fn axis(name: &str, data: &Data, notes: &mut Vec<Note>) -> Result<Axis> {
    const FIELD: &str = "spacing";
    match data.attribute(FIELD) {
        None => {}
        Some(Value::Text(spacing)) if spacing == "regular__" => {}
        Some(Value::Text(spacing)) if spacing == "irregular" => {
            return Err(Error::header(FIELD, quoted(&spacing), "regular__"));
        }
        Some(other) => notes.push(Note {
            field: FIELD,
            message: format!("{other} of {name} is treated as regular__"),
        }),
    }
    let cosines = match data.attribute("direction_cosines") {
        None => None,
        _ if !name.ends_with("space") => None,
        Some(Value::Numbers(cosines)) if cosines.len() == 3 => {
            Some([cosines[0], cosines[1], cosines[2]])
        }
        Some(other) => {
            return Err(Error::header("direction_cosines", other, "three numbers"));
        }
    };
    Ok(Axis {
        name: name.to_owned(),
        step: one(data, "step", 1.0)?,
        start: one(data, "start", 0.0)?,
        cosines,
        units: match data.attribute("units") {
            Some(Value::Text(units)) => units,
            _ => String::new(),
        },
    })
}

/// An attribute with one number.
fn one(data: &Data, name: &'static str, absent: f64) -> Result<f64> {
    match data.attribute(name) {
        None => Ok(absent),
        Some(Value::Numbers(numbers)) if numbers.len() == 1 => Ok(numbers[0]),
        Some(other) => Err(Error::header(name, other, "a number")),
    }
}

fn valid_range(image: &Data) -> Result<Option<[f64; 2]>> {
    const FIELD: &str = "valid_range";
    match image.attribute(FIELD) {
        None => Ok(None),
        Some(Value::Numbers(range)) if range.len() == 2 => Ok(Some([range[0], range[1]])),
        Some(other) => Err(Error::header(FIELD, other, "two numbers")),
    }
}

/// All attributes as `dataset:attribute`.
fn listing<'a>(datasets: impl Iterator<Item = &'a Data>) -> TextHeader {
    let mut listing = TextHeader::default();
    for data in datasets {
        for (name, value) in data.attributes() {
            let text = match value {
                Value::Text(text) => text,
                other => other.to_string(),
            };
            listing.push(format!("{}:{name}", data.name()), text);
        }
    }
    listing
}
