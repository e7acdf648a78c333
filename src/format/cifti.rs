//! CIFTI-2 (spec 4.10) as its dense array: a NIfTI-2 file whose four first axes have a length of 1, and whose meaning is
//! in an extension of XML, which is kept as it is.

use super::nifti::{self, Container, Version};
use super::{Fields, Format, Parsed, Sniff};
use crate::dtype::ByteOrder;
use crate::error::{Error, Result};
use crate::format::binary::Bytes;

/// Code of the extension.
pub(super) const CIFTI: i32 = 32;

/// Whether the first bytes are a NIfTI-2 header with an intent of CIFTI's.
pub(super) fn claims(prefix: &[u8]) -> bool {
    const INTENT_CODE: usize = 504;
    let size = Version::Two.header_bytes() as i32;
    nifti::sniff(prefix, Version::Two) == Sniff::Yes
        && [ByteOrder::Little, ByteOrder::Big].iter().any(|&order| {
            let bytes = Bytes {
                bytes: prefix,
                order,
            };
            let intent: i32 = bytes.get(INTENT_CODE, 0);
            bytes.get::<i32>(0, 0) == size && (3000..3100).contains(&intent)
        })
}

/// Parses the NIfTI-2 header, and drops the four first axes.
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
