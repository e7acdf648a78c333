//! The header: what every format describes in common about a volume, and the format's own fields.

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
    /// Voxel index to millimetres (RAS+); `None` if the format has no affine.
    pub affine: Option<Affine>,
    /// Voxel size along each axis, in the format's units (millimetres, seconds), as stated in the file. (For formats
    /// other than NIfTI, Analyze and MGH, nibabel replaces the first three by the lengths of the affine's columns.)
    pub zooms: Vec<f64>,
    /// The format's own fields as stored in the file, except for repaired faults.
    pub fields: Fields,
}

impl Header {
    /// The header of voxels of no file: of this type, unscaled, without an affine, the zooms 1.
    #[must_use]
    pub fn new(shape: &[usize], dtype: DType) -> Self {
        Self {
            format: Format::Array,
            shape: shape.to_vec(),
            dtype,
            byte_order: ByteOrder::NATIVE,
            layout: Layout::FirstFastest,
            data_offset: 0,
            scaling: Scaling::none(),
            affine: None,
            zooms: vec![1.0; shape.len()],
            fields: Fields::None,
        }
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
