//! CIFTI-2 as its dense array: a NIfTI-2 file whose first four axes have length 1. An XML extension has the meaning of
//! the other axes (`header/fields/cifti.rs`); it is checked here and kept unchanged.

pub use crate::header::fields::cifti::{BrainModel, Cifti, CiftiMap, CiftiMeaning, CiftiSeries};

use super::nifti::{self, Container, Version};
use super::parsed::{Parsed, Sniff};
use crate::core::dtype::ByteOrder;
use crate::core::error::{Error, Result};
use crate::core::format::Format;
use crate::core::options::LoadOptions;
use crate::header::fields::Fields;
use crate::header::fields::binary::Record;
use crate::header::{AxisKind, Header, Note, SpaceUnit, TimeUnit};

/// Whether the first bytes are a NIfTI-2 header with an intent code of CIFTI.
pub(super) fn recognizes(prefix: &[u8]) -> bool {
    let version = Version::Two;
    nifti::sniff(prefix, version) == Sniff::Yes
        && [ByteOrder::Little, ByteOrder::Big]
            .into_iter()
            .any(|order| {
                let record = Record {
                    table: version.table(),
                    bytes: prefix,
                    order,
                };
                let sized = record.get::<i64>("sizeof_hdr") == version.header_bytes() as i64;
                sized && (3000..3100).contains(&record.get::<i64>("intent_code"))
            })
}

/// Parses the NIfTI-2 header and drops the first four axes.
pub(super) fn parse(bytes: &[u8], options: &LoadOptions) -> Result<Parsed> {
    let mut parsed = nifti::parse(bytes, Version::Two, Container::Single, options)?;
    let header = &mut parsed.header;
    let cifti = match &header.fields {
        Fields::Nifti(nifti) => nifti.cifti()?,
        _ => None,
    };
    let Some(cifti) = cifti else {
        return Err(Error::header("extension", "none of code 32", "CIFTI's"));
    };
    match header.shape.split_at_checked(4) {
        Some(([1, 1, 1, 1], dense)) if !dense.is_empty() => header.shape = dense.to_vec(),
        _ => {
            let found = format!("{:?}", header.shape);
            return Err(Error::header(
                "dim",
                found,
                "four axes of length 1, and more",
            ));
        }
    }
    header.zooms.drain(..4);
    header.format = Format::Cifti2;
    header.affine = None;
    header.space_unit = SpaceUnit::Unknown;
    header.time_unit = TimeUnit::Unknown;
    describe(&cifti, header, &mut parsed.notes);
    Ok(parsed)
}

/// Sets what the maps say of the axes: a series in seconds is an axis of time, and its step the zoom.
fn describe(cifti: &Cifti, header: &mut Header, notes: &mut Vec<Note>) {
    let mut note = |message| {
        notes.push(Note {
            field: "MatrixIndicesMap",
            message,
        });
    };
    header.axes = vec![AxisKind::Other; header.shape.len()];
    for (axis, &length) in header.shape.iter().enumerate() {
        let mut maps = cifti.maps.iter();
        let Some(map) = maps.find(|map| map.axes.contains(&axis)) else {
            note(format!("axis {axis} is not described"));
            continue;
        };
        if let Some(described) = map.length()
            && described != length
        {
            note(format!(
                "axis {axis} has {length} indices, {described} are described"
            ));
        }
        if let CiftiMeaning::Series(series) = &map.meaning
            && series.unit == "SECOND"
            && !header.axes.contains(&AxisKind::Time)
            && let Some(kind) = header.axes.get_mut(axis)
            && let Some(zoom) = header.zooms.get_mut(axis)
        {
            (*kind, *zoom) = (AxisKind::Time, series.step);
            header.time_unit = TimeUnit::Second;
        }
    }
}
