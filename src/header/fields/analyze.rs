//! The fields of an Analyze 7.5 header in memory, and their layout in the file ("ANALYZE 7.5 File Format", Mayo
//! Foundation).

use super::binary::Stored::{F32, I16, I32, Text};
use super::binary::{Field, Record, field, header};
use crate::core::dtype::ByteOrder;

header! {
    /// The fields of an Analyze 7.5 header under nibabel's names. Texts are Latin-1, without trailing NULs.
    pub struct AnalyzeHeader {
    } and fields {
        /// Size of the header: 348.
        pub sizeof_hdr: i32,
        /// Any text.
        pub data_type: String,
        /// Any text.
        pub db_name: String,
        /// Always 16384.
        pub extents: i32,
        /// Unused.
        pub session_error: i16,
        /// Always `r`.
        pub regular: String,
        /// Number of axes, then voxels along each of up to seven.
        pub dim: [i16; 8],
        /// Unit of space.
        pub vox_units: String,
        /// Unit of the values.
        pub cal_units: String,
        /// Code of the voxel type.
        pub datatype: i16,
        /// Bits of a voxel.
        pub bitpix: i16,
        /// Unused, then the voxel size along each axis.
        pub pixdim: [f32; 8],
        /// Byte of the image file at which the voxels begin.
        pub vox_offset: f32,
        /// Slope; SPM only.
        pub scl_slope: f32,
        /// Intercept; SPM2 only.
        pub scl_inter: f32,
        /// Value to display as white.
        pub cal_max: f32,
        /// Value to display as black.
        pub cal_min: f32,
        /// Largest stored number.
        pub glmax: i32,
        /// Smallest stored number.
        pub glmin: i32,
        /// Any text.
        pub descrip: String,
        /// Name of a file that goes with this one.
        pub aux_file: String,
        /// Slice orientation.
        pub orient: String,
        /// The voxel at the origin, counted from 1; SPM only (text in Mayo's variant).
        pub origin: [i16; 5],
        /// Any text.
        pub generated: String,
        /// Any text.
        pub scannum: String,
        /// Any text.
        pub patient_id: String,
        /// Any text.
        pub exp_date: String,
        /// Any text.
        pub exp_time: String,
    }
}

impl AnalyzeHeader {
    /// Parses the header at the start of `bytes`.
    pub(crate) fn from_bytes(bytes: &[u8], order: ByteOrder) -> Self {
        let mut header = Self::default();
        header.fill(&Record {
            table: TABLE,
            bytes,
            order,
        });
        header
    }

    /// Every field with its value as text, in the order of the file.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, String)> + '_ {
        let listed = self.texts().into_iter();
        listed.map(|(field, text)| (field.name, text))
    }

    /// Every field with its value as text.
    pub(super) fn texts(&self) -> Vec<(&'static Field, String)> {
        self.list(TABLE)
    }
}

/// The gaps are unused, or private to SPM.
pub(crate) static TABLE: &[Field] = &[
    field(0, "sizeof_hdr", I32, 1),
    field(4, "data_type", Text, 10),
    field(14, "db_name", Text, 18),
    field(32, "extents", I32, 1),
    field(36, "session_error", I16, 1),
    field(38, "regular", Text, 1),
    field(40, "dim", I16, 8),
    field(56, "vox_units", Text, 4),
    field(60, "cal_units", Text, 8),
    field(70, "datatype", I16, 1),
    field(72, "bitpix", I16, 1),
    field(76, "pixdim", F32, 8),
    field(108, "vox_offset", F32, 1),
    field(112, "scl_slope", F32, 1),
    field(116, "scl_inter", F32, 1),
    field(124, "cal_max", F32, 1),
    field(128, "cal_min", F32, 1),
    field(140, "glmax", I32, 1),
    field(144, "glmin", I32, 1),
    field(148, "descrip", Text, 80),
    field(228, "aux_file", Text, 24),
    field(252, "orient", Text, 1),
    field(253, "origin", I16, 5),
    field(263, "generated", Text, 10),
    field(273, "scannum", Text, 10),
    field(283, "patient_id", Text, 10),
    field(293, "exp_date", Text, 10),
    field(303, "exp_time", Text, 10),
];
