//! The header: what every format describes in common about a volume, and the format's own fields.

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

/// A fault in a header that was repaired when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Note {
    /// The field, as the format names it.
    pub field: &'static str,
    /// What was found, and what was done about it.
    pub message: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// The facts of a volume that do not depend on its format, and the format's own fields.
///
/// Edits of an image's header ([`crate::DataobjImage::header_mut`]) say how it is saved and where it is in space; what is read
/// of the voxels stays what it was.
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
    /// Index along [`Self::space_axes`] to a place in space (RAS+), in [`Self::space_unit`]; `None` if the file has
    /// none. If there are two axes of space, the third column is the direction across them.
    pub affine: Option<Affine>,
    /// Voxel size along each axis as stated in the file: in [`Self::space_unit`] for axes of space, in
    /// [`Self::time_unit`] for an axis of time. (For formats other than NIfTI, Analyze and MGH, nibabel replaces those of
    /// space by the lengths of the affine's columns.)
    pub zooms: Vec<f64>,
    /// The unit of the affine and of the zooms in space.
    pub space_unit: SpaceUnit,
    /// The unit of the zooms in time.
    pub time_unit: TimeUnit,
    /// The format's own fields as stored in the file, except for repaired faults.
    pub fields: Fields,
}

impl Header {
    /// The header of voxels of no file: of this type, unscaled, without an affine, the zooms 1. The first three axes are
    /// of space, the fourth is of time.
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

    /// The axes of space, at most three, in the order of the affine's columns.
    pub fn space_axes(&self) -> Vec<usize> {
        let of_space = |&(axis, kind): &(usize, &AxisKind)| {
            *kind == AxisKind::Space && axis < self.shape.len()
        };
        let found = self.axes.iter().enumerate().filter(of_space);
        found.map(|(axis, _)| axis).take(3).collect()
    }

    /// The axis of time.
    pub fn time_axis(&self) -> Option<usize> {
        self.axes.iter().position(|kind| *kind == AxisKind::Time)
    }

    /// The axis of components; the first one, if there are several.
    pub fn component_axis(&self) -> Option<usize> {
        let mut axes = self.axes.iter();
        axes.position(|kind| *kind == AxisKind::Component)
    }

    /// The axis along which frames are counted: that of time; if there is none, or it has one position, the last axis of kind
    /// [`AxisKind::Other`] of a volume in space. Without such an axis the whole image is one frame.
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
    /// [`ErrorKind::Header`] if the number does not fit in a u64.
    pub fn data_bytes(&self) -> Result<u64> {
        self.voxels()?
            .checked_mul(self.dtype.size_bytes() as u64)
            .filter(|&bytes| i64::try_from(bytes).is_ok())
            .ok_or_else(|| overflow(&self.shape))
    }

    /// Byte at which the voxels end in their file.
    ///
    /// # Errors
    /// [`ErrorKind::Header`] if the number does not fit in a u64.
    pub fn data_end(&self) -> Result<u64> {
        self.data_bytes()?
            .checked_add(self.data_offset)
            .filter(|&end| i64::try_from(end).is_ok())
            .ok_or_else(|| overflow(&self.shape))
    }
}
