//! CIFTI-2 as its dense array: a NIfTI-2 file whose first four axes have length 1. An XML extension has the meaning of
//! the other axes and is kept unchanged ("CIFTI-2 Connectivity File Format", <https://www.nitrc.org/projects/cifti/>).

use super::nifti::{self, Container, Version};
use super::parsed::{Parsed, Sniff};
use crate::core::dtype::ByteOrder;
use crate::core::error::{Error, Result};
use crate::core::format::Format;
use crate::header::fields::Fields;
use crate::header::fields::binary::Record;
use crate::header::fields::nifti::CIFTI;

/// Whether the first bytes are a NIfTI-2 header with an intent code of CIFTI.
pub(super) fn claims(prefix: &[u8]) -> bool {
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
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed> {
    let mut parsed = nifti::parse(bytes, Version::Two, Container::Single)?;
    let header = &mut parsed.header;
    let has_extension = match &header.fields {
        Fields::Nifti(nifti) => nifti.extensions.iter().any(|e| e.code == CIFTI),
        _ => false,
    };
    if !has_extension {
        return Err(Error::header("extension", "none of code 32", "CIFTI's"));
    }
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
    Ok(parsed)
}
