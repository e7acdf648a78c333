//! FreeSurfer's MGH and its gzipped form MGZ (<https://surfer.nmr.mgh.harvard.edu/fswiki/FsTutorial/MghFormat>): a
//! header, the voxels, and an optional footer.

pub use crate::header::fields::mgh::{MghFooter, MghHeader, MghTag};

pub(super) use crate::header::fields::mgh::HEADER_BYTES;

use std::sync::Arc;

use super::parsed::{Location, More, Parsed, check_length};
use super::text::shape;
use crate::core::affine::Affine;
use crate::core::dtype::{ByteOrder, DType};
use crate::core::error::{Error, Result};
use crate::core::format::Format;
use crate::core::scaling::Scaling;
use crate::header::fields::Fields;
use crate::header::fields::binary::{Stored, numbers};
use crate::header::fields::mgh::{Deferred, MAX_FOOTER_BYTES};
use crate::header::{AxisKind, Header, Layout, SpaceUnit, TimeUnit};

/// Byte at which the voxels begin.
const DATA_OFFSET: u64 = 284;

const TYPES: [(i32, DType); 5] = [
    (0, DType::U8),
    (1, DType::I32),
    (3, DType::F32),
    (4, DType::I16),
    (10, DType::U16),
];

/// Whether bytes without a file name are an MGH header. It has no magic number, so several fields are tested.
pub(super) fn recognizes(prefix: &[u8]) -> bool {
    if (prefix.len() as u64) < HEADER_BYTES {
        return false;
    }
    let mgh = MghHeader::from_bytes(prefix);
    mgh.version == 1 && mgh.dims.iter().all(|&n| n > 0) && dtype(mgh.r#type).is_ok()
}

fn dtype(code: i32) -> Result<DType> {
    let known = TYPES.iter().find(|(known, _)| *known == code);
    known
        .map(|&(_, dtype)| dtype)
        .ok_or_else(|| Error::header("type", code, "0, 1, 3, 4 or 10"))
}

/// Parses the header; the footer is requested.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed> {
    check_length(bytes, HEADER_BYTES)?;
    let mut mgh = MghHeader::from_bytes(bytes);
    if mgh.version != 1 {
        return Err(Error::header("version", mgh.version, 1));
    }
    if mgh.dims.contains(&0) {
        return Err(Error::header("dims", format!("{:?}", mgh.dims), "no zero"));
    }
    if mgh.good_ras_flag == 0 {
        mgh.delta = [1.0; 3];
        mgh.mdc = [[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]];
        mgh.pxyz_c = [0.0; 3];
    }
    let mut lengths = mgh.dims.map(i64::from).to_vec();
    if lengths.last() == Some(&1) {
        lengths.pop();
    }
    let affine = affine(&mgh);
    let mut zooms = zooms(&mgh, &affine).to_vec();
    zooms.resize(lengths.len(), 0.0);
    let mut header = Header {
        format: Format::Mgh,
        shape: shape("dims", &lengths)?,
        axes: AxisKind::by_position(lengths.len()),
        dtype: dtype(mgh.r#type)?,
        byte_order: ByteOrder::Big,
        layout: Layout::FirstFastest,
        data_offset: DATA_OFFSET,
        scaling: Scaling::none(),
        affine: Some(affine),
        zooms,
        space_unit: SpaceUnit::Millimetre,
        time_unit: TimeUnit::Millisecond,
        fields: Fields::None,
    };
    let end = header.data_end()?;
    mgh.deferred = Arc::new(Deferred {
        at: end,
        ..Deferred::default()
    });
    header.fields = Fields::Mgh(Box::new(mgh));
    let footer = end..end.saturating_add(MAX_FOOTER_BYTES);
    let place = match header.shape.len() {
        // The repetition time is the fourth zoom, so the footer is needed even if the voxels must be inflated to reach
        // it.
        4 => Location::Ranges(Vec::from([footer])),
        _ => Location::CheapRanges(Vec::from([footer])),
    };
    let mut parsed = Parsed::new(header, Vec::new());
    parsed.more = Some(More {
        place,
        apply: Box::new(|pieces, parsed| {
            read_footer(
                pieces.first().map_or(&[], Vec::as_slice),
                &mut parsed.header,
            );
            Ok(())
        }),
    });
    Ok(parsed)
}

/// Reads the footer. As in nibabel, bytes of the repetition time that are missing count as 0.
fn read_footer(bytes: &[u8], header: &mut Header) {
    if let Fields::Mgh(mgh) = &mut header.fields {
        let footer = MghFooter::from_bytes(bytes);
        if let Some(time) = header.zooms.get_mut(3) {
            let [tr]: [f32; 1] = numbers(Stored::F32, bytes, ByteOrder::Big);
            *time = f64::from(tr);
        }
        // Nothing else has set it.
        let _ = mgh.deferred.footer.set(footer);
    }
}

/// Voxel sizes. nibabel updates its header when the affine is not equal to the header's. An affine with a NaN never is,
/// so there the sizes are the lengths of the affine's columns.
fn zooms(mgh: &MghHeader, affine: &Affine) -> [f64; 3] {
    if !affine.as_flattened().iter().any(|value| value.is_nan()) {
        return mgh.delta.map(f64::from);
    }
    std::array::from_fn(|j| {
        let squares = affine.iter().take(3).map(|row| row[j] * row[j]);
        f64::from(squares.sum::<f64>().sqrt() as f32)
    })
}

/// Direction cosines times voxel sizes, around the middle of the volume. In f32, except for the sum that gives the
/// middle.
fn affine(mgh: &MghHeader) -> Affine {
    let mut affine = [[0.0, 0.0, 0.0, 1.0]; 4];
    for (i, (row, &centre)) in affine.iter_mut().zip(&mgh.pxyz_c).enumerate() {
        let mut middle = 0.0;
        for (j, entry) in row.iter_mut().take(3).enumerate() {
            *entry = f64::from(mgh.mdc[j][i] * mgh.delta[j]);
            middle += *entry * f64::from(mgh.dims[j]);
        }
        row[3] = f64::from((f64::from(centre) - middle / 2.0) as f32);
    }
    affine
}
