//! The header: the properties of a volume that all formats describe, and the format's own fields.

mod axes;
pub(crate) mod fields;

use std::fmt;

use crate::core::affine::Affine;
use crate::core::dtype::{ByteOrder, DType};
#[cfg(doc)]
use crate::core::error::ErrorKind;
use crate::core::error::Result;
use crate::core::format::Format;
use crate::core::scaling::Scaling;
use crate::core::shape::overflow;
use crate::core::shape::voxels;
use fields::Fields;

pub use axes::{AxisKind, SpaceUnit, TimeUnit};

/// Which axis of the stored voxels varies fastest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// The first axis, as in Fortran: every format except MINC.
    #[default]
    FirstFastest,
    /// The last axis, as in C: MINC.
    LastFastest,
}

/// A note about an image: a repaired fault in its header, a misleading file name, or a change on saving.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Note {
    /// The field, as the format names it, or another subject (`name`, `gzip`).
    pub field: &'static str,
    /// What was found, and what was done about it.
    pub message: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// The properties of a volume that do not depend on its format, and the format's own fields.
///
/// Edits of an image's header ([`crate::DataobjImage::header_mut`]) affect how it is saved and its position in space,
/// but not the voxels that are read.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Header {
    /// The format of the file.
    pub format: Format,
    /// Voxels along each axis, first axis first; empty if the file has no axes.
    pub shape: Vec<usize>,
    /// What each axis of the shape means.
    pub axes: Vec<AxisKind>,
    /// The stored voxel type.
    pub dtype: DType,
    /// The byte order of the stored voxels.
    pub byte_order: ByteOrder,
    /// Which axis varies fastest in the file.
    pub layout: Layout,
    /// Byte at which the voxels begin in their file (after decompression).
    pub data_offset: u64,
    /// How stored numbers become values.
    pub scaling: Scaling,
    /// Maps indices along [`Self::space_axes`] to RAS+ coordinates, in [`Self::space_unit`]; `None` if the file has no
    /// affine. With two spatial axes, the third column is the direction across them.
    pub affine: Option<Affine>,
    /// Voxel size along each axis as stated in the file: in [`Self::space_unit`] for spatial axes, in
    /// [`Self::time_unit`] for the time axis. (For formats other than NIfTI, Analyze and MGH, nibabel replaces the
    /// zooms of spatial axes by the lengths of the affine's columns.)
    pub zooms: Vec<f64>,
    /// The unit of the affine and of the zooms of spatial axes.
    pub space_unit: SpaceUnit,
    /// The unit of the zoom of the time axis.
    pub time_unit: TimeUnit,
    /// The format's own fields as stored in the file, except for repaired faults.
    pub fields: Fields,
}

impl Header {
    /// A header for voxels that are not in a file: of this shape and type, unscaled, without an affine, with zooms of
    /// 1. The first three axes are spatial, the fourth is time.
    #[must_use]
    pub fn new(shape: &[usize], dtype: DType) -> Self {
        Self {
            format: Format::Array,
            shape: shape.to_vec(),
            axes: AxisKind::by_position(shape.len()),
            dtype,
            byte_order: ByteOrder::NATIVE,
            layout: Layout::FirstFastest,
            data_offset: 0,
            scaling: Scaling::none(),
            affine: None,
            zooms: vec![1.0; shape.len()],
            space_unit: SpaceUnit::Unknown,
            time_unit: TimeUnit::Unknown,
            fields: Fields::None,
        }
    }

    /// The spatial axes, at most three, in the order of the affine's columns.
    pub fn space_axes(&self) -> Vec<usize> {
        let of_space = |&(axis, kind): &(usize, &AxisKind)| {
            *kind == AxisKind::Space && axis < self.shape.len()
        };
        let found = self.axes.iter().enumerate().filter(of_space);
        found.map(|(axis, _)| axis).take(3).collect()
    }

    /// The time axis.
    pub fn time_axis(&self) -> Option<usize> {
        self.axes.iter().position(|kind| *kind == AxisKind::Time)
    }

    /// The component axis; the first one, if there are several.
    pub fn component_axis(&self) -> Option<usize> {
        let mut axes = self.axes.iter();
        axes.position(|kind| *kind == AxisKind::Component)
    }

    /// The axis along which frames are counted: the time axis. If there is none, or it has one position, it is the last
    /// axis of kind [`AxisKind::Other`], provided that the image has a spatial axis. Without such an axis, the whole
    /// image is one frame.
    pub fn frame_axis(&self) -> Option<usize> {
        let time = self.time_axis();
        let length = |axis: usize| self.shape.get(axis).copied().unwrap_or(1);
        if time.is_some_and(|axis| length(axis) != 1) || !self.axes.contains(&AxisKind::Space) {
            return time;
        }
        let mut axes = self.axes.iter();
        axes.rposition(|kind| *kind == AxisKind::Other).or(time)
    }

    /// Number of voxels.
    ///
    /// # Errors
    /// [`ErrorKind::Header`] if the number does not fit in an i64.
    pub fn voxels(&self) -> Result<u64> {
        voxels(&self.shape)
    }

    /// Number of bytes of all stored voxels.
    ///
    /// # Errors
    /// [`ErrorKind::Header`] if the number does not fit in an i64.
    pub fn data_bytes(&self) -> Result<u64> {
        self.voxels()?
            .checked_mul(self.dtype.size_bytes() as u64)
            .filter(|&bytes| i64::try_from(bytes).is_ok())
            .ok_or_else(|| overflow(&self.shape))
    }

    /// Byte at which the voxels end in their file.
    ///
    /// # Errors
    /// [`ErrorKind::Header`] if the number does not fit in an i64.
    pub fn data_end(&self) -> Result<u64> {
        self.data_bytes()?
            .checked_add(self.data_offset)
            .filter(|&end| i64::try_from(end).is_ok())
            .ok_or_else(|| overflow(&self.shape))
    }
}
