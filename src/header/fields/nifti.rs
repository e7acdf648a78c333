//! The fields of NIfTI headers in memory, and their layout in the file (`nifti1.h` and `nifti2.h`).

use super::binary::Stored::{self, F32, F64, I8, I16, I32, I64, Text, U8};
use super::binary::{Field, Record, RecordMut, field, header};
use crate::core::dtype::{ByteOrder, DType};

/// The version of a NIfTI header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Version {
    /// NIfTI-1: 348 bytes, with 16-bit lengths and 32-bit floats.
    #[default]
    One,
    /// NIfTI-2: 540 bytes, with 64-bit lengths and floats.
    Two,
}

/// A header extension: a block of bytes whose format is given by a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// The format of the content (`ecode`: 4 for AFNI, 6 for a comment, 32 for CIFTI).
    pub code: i32,
    /// The content, without trailing NULs.
    pub content: Vec<u8>,
}

header! {
    /// The fields of a NIfTI header, with their names in `nifti1.h` and `nifti2.h`.
    ///
    /// Integers are `i64` and reals `f64`, wide enough for both versions. A field that this version does not have is
    /// zero or empty. Texts are Latin-1, without trailing NULs. Values are those in the file, except for the faults
    /// listed by [`crate::header::Note`]s.
    pub struct NiftiHeader {
        /// The version, which decides the layout in the file.
        pub version: Version,
        /// The byte order of the header and of the voxels.
        pub byte_order: ByteOrder,
        /// The extensions, in the order of the file.
        pub extensions: Vec<Extension>,
    } and fields {
        /// Size of the header in bytes: 348 or 540.
        pub sizeof_hdr: i64,
        /// Unused; NIfTI-1 only.
        pub data_type: String,
        /// Unused; NIfTI-1 only.
        pub db_name: String,
        /// Unused; NIfTI-1 only.
        pub extents: i64,
        /// Unused; NIfTI-1 only.
        pub session_error: i64,
        /// Unused, `r` in old files; NIfTI-1 only.
        pub regular: String,
        /// Which axes are frequency (bits 0 and 1), phase (2 and 3) and slice (4 and 5), counted from 1; 0 if unknown.
        pub dim_info: i64,
        /// Number of axes, then voxels along each of up to seven.
        pub dim: [i64; 8],
        /// First parameter of the intent.
        pub intent_p1: f64,
        /// Second parameter of the intent.
        pub intent_p2: f64,
        /// Third parameter of the intent.
        pub intent_p3: f64,
        /// What the values mean.
        pub intent_code: i64,
        /// Code of the voxel type.
        pub datatype: i64,
        /// Bits of a voxel.
        pub bitpix: i64,
        /// First slice of the slice timing, counted from 0.
        pub slice_start: i64,
        /// The sign of the third axis (`qfac`: -1 or 1), then the voxel size along each axis in `xyzt_units`.
        pub pixdim: [f64; 8],
        /// Byte at which the voxels begin in their file.
        pub vox_offset: f64,
        /// Slope of the scaling; 0 means no scaling.
        pub scl_slope: f64,
        /// Intercept of the scaling.
        pub scl_inter: f64,
        /// Last slice of the slice timing, counted from 0.
        pub slice_end: i64,
        /// Order in which the slices were acquired.
        pub slice_code: i64,
        /// Units of space (bits 0 to 2) and of time (bits 3 to 5).
        pub xyzt_units: i64,
        /// Value to display as white.
        pub cal_max: f64,
        /// Value to display as black.
        pub cal_min: f64,
        /// Acquisition time of one slice, in the unit of time.
        pub slice_duration: f64,
        /// Time of the first volume, in the unit of time.
        pub toffset: f64,
        /// Unused; NIfTI-1 only.
        pub glmax: i64,
        /// Unused, except by FreeSurfer, which stores a length above 32767 here; NIfTI-1 only.
        pub glmin: i64,
        /// Any text.
        pub descrip: String,
        /// Name of a file that goes with this one.
        pub aux_file: String,
        /// The coordinate system of the qform; 0 if there is no qform.
        pub qform_code: i64,
        /// The coordinate system of the sform; 0 if there is no sform.
        pub sform_code: i64,
        /// The quaternion's b. The scalar part follows, because the length of the quaternion is 1.
        pub quatern_b: f64,
        /// The quaternion's c.
        pub quatern_c: f64,
        /// The quaternion's d.
        pub quatern_d: f64,
        /// x of the first voxel according to the qform.
        pub qoffset_x: f64,
        /// y of the first voxel according to the qform.
        pub qoffset_y: f64,
        /// z of the first voxel according to the qform.
        pub qoffset_z: f64,
        /// First row of the sform.
        pub srow_x: [f64; 4],
        /// Second row of the sform.
        pub srow_y: [f64; 4],
        /// Third row of the sform.
        pub srow_z: [f64; 4],
        /// Name or meaning of the values.
        pub intent_name: String,
        /// `n+1` or `n+2` for a single file, `ni1` or `ni2` for a pair.
        pub magic: String,
        /// The bytes 13, 10, 26, 10, which a conversion of line endings would change; NIfTI-2 only.
        pub eol_check: [i64; 4],
        /// Unused; NIfTI-2 only.
        pub unused_str: String,
    }
}

impl NiftiHeader {
    /// Parses the header at the start of `bytes`; missing bytes count as 0.
    pub(crate) fn from_bytes(bytes: &[u8], version: Version, byte_order: ByteOrder) -> Self {
        let mut header = Self {
            version,
            byte_order,
            ..Self::default()
        };
        header.fill(&Record {
            table: version.table(),
            bytes,
            order: byte_order,
        });
        header
    }

    /// Every field of this version with its value as text, in the order of the file.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, String)> + '_ {
        let listed = self.texts().into_iter();
        listed.map(|(field, text)| match field.stored {
            Stored::Text => (field.name, text.escape_default().to_string()),
            _ => (field.name, text),
        })
    }

    /// Every field of this version with its value as text.
    pub(super) fn texts(&self) -> Vec<(&'static Field, String)> {
        self.list(self.version.table())
    }

    /// The bytes of the header in its version and byte order, without extensions.
    ///
    /// A number that does not fit in its field is truncated as by `as`, a text at the end of its field.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut record = RecordMut::new(self.version.table(), self.byte_order);
        self.store(&mut record);
        record.bytes
    }
}

impl Version {
    /// The layout of the header.
    pub(crate) fn table(self) -> &'static [Field] {
        match self {
            Self::One => NIFTI1,
            Self::Two => NIFTI2,
        }
    }

    /// Bytes of the header, without the extension flag.
    pub(crate) const fn header_bytes(self) -> usize {
        match self {
            Self::One => 348,
            Self::Two => 540,
        }
    }

    /// Smallest byte at which voxels can begin in a single file: after the header and the four bytes of the extension
    /// flag.
    pub(crate) const fn single_offset(self) -> u64 {
        self.header_bytes() as u64 + 4
    }

    /// The magic of a single file, and that of a pair.
    pub(crate) const fn magics(self) -> [&'static str; 2] {
        match self {
            Self::One => ["n+1", "ni1"],
            Self::Two => ["n+2", "ni2"],
        }
    }

    /// The bytes of a header at which the magic is.
    pub(crate) fn magic_at(self, prefix: &[u8]) -> &[u8] {
        let offset = match self {
            Self::One => 344,
            Self::Two => 4,
        };
        prefix.get(offset..offset + 4).unwrap_or_default()
    }
}

/// Whether header and voxels share a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Container {
    Single,
    Pair,
}

/// The code of CIFTI's extension.
pub(crate) const CIFTI: i32 = 32;

/// The value of `eol_check`, unless a transfer as text has changed it.
pub(crate) const EOL: [i64; 4] = [13, 10, 26, 10];

/// The codes of the types in which voxels can be stored.
pub(crate) const DATATYPES: [(i64, DType); 14] = [
    (2, DType::U8),
    (4, DType::I16),
    (8, DType::I32),
    (16, DType::F32),
    (32, DType::C64),
    (64, DType::F64),
    (128, DType::Rgb24),
    (256, DType::I8),
    (512, DType::U16),
    (768, DType::U32),
    (1024, DType::I64),
    (1280, DType::U64),
    (1792, DType::C128),
    (2304, DType::Rgba32),
];

/// The code of a voxel type; `None` if NIfTI does not have it.
pub(crate) fn datatype_code(dtype: DType) -> Option<i64> {
    let known = DATATYPES.iter().find(|(_, known)| *known == dtype);
    known.map(|&(code, _)| code)
}

static NIFTI1: &[Field] = &[
    field(0, "sizeof_hdr", I32, 1),
    field(4, "data_type", Text, 10),
    field(14, "db_name", Text, 18),
    field(32, "extents", I32, 1),
    field(36, "session_error", I16, 1),
    field(38, "regular", Text, 1),
    field(39, "dim_info", U8, 1),
    field(40, "dim", I16, 8),
    field(56, "intent_p1", F32, 1),
    field(60, "intent_p2", F32, 1),
    field(64, "intent_p3", F32, 1),
    field(68, "intent_code", I16, 1),
    field(70, "datatype", I16, 1),
    field(72, "bitpix", I16, 1),
    field(74, "slice_start", I16, 1),
    field(76, "pixdim", F32, 8),
    field(108, "vox_offset", F32, 1),
    field(112, "scl_slope", F32, 1),
    field(116, "scl_inter", F32, 1),
    field(120, "slice_end", I16, 1),
    field(122, "slice_code", U8, 1),
    field(123, "xyzt_units", U8, 1),
    field(124, "cal_max", F32, 1),
    field(128, "cal_min", F32, 1),
    field(132, "slice_duration", F32, 1),
    field(136, "toffset", F32, 1),
    field(140, "glmax", I32, 1),
    field(144, "glmin", I32, 1),
    field(148, "descrip", Text, 80),
    field(228, "aux_file", Text, 24),
    field(252, "qform_code", I16, 1),
    field(254, "sform_code", I16, 1),
    field(256, "quatern_b", F32, 1),
    field(260, "quatern_c", F32, 1),
    field(264, "quatern_d", F32, 1),
    field(268, "qoffset_x", F32, 1),
    field(272, "qoffset_y", F32, 1),
    field(276, "qoffset_z", F32, 1),
    field(280, "srow_x", F32, 4),
    field(296, "srow_y", F32, 4),
    field(312, "srow_z", F32, 4),
    field(328, "intent_name", Text, 16),
    field(344, "magic", Text, 4),
];

static NIFTI2: &[Field] = &[
    field(0, "sizeof_hdr", I32, 1),
    field(4, "magic", Text, 4),
    field(8, "eol_check", I8, 4),
    field(12, "datatype", I16, 1),
    field(14, "bitpix", I16, 1),
    field(16, "dim", I64, 8),
    field(80, "intent_p1", F64, 1),
    field(88, "intent_p2", F64, 1),
    field(96, "intent_p3", F64, 1),
    field(104, "pixdim", F64, 8),
    field(168, "vox_offset", I64, 1),
    field(176, "scl_slope", F64, 1),
    field(184, "scl_inter", F64, 1),
    field(192, "cal_max", F64, 1),
    field(200, "cal_min", F64, 1),
    field(208, "slice_duration", F64, 1),
    field(216, "toffset", F64, 1),
    field(224, "slice_start", I64, 1),
    field(232, "slice_end", I64, 1),
    field(240, "descrip", Text, 80),
    field(320, "aux_file", Text, 24),
    field(344, "qform_code", I32, 1),
    field(348, "sform_code", I32, 1),
    field(352, "quatern_b", F64, 1),
    field(360, "quatern_c", F64, 1),
    field(368, "quatern_d", F64, 1),
    field(376, "qoffset_x", F64, 1),
    field(384, "qoffset_y", F64, 1),
    field(392, "qoffset_z", F64, 1),
    field(400, "srow_x", F64, 4),
    field(432, "srow_y", F64, 4),
    field(464, "srow_z", F64, 4),
    field(496, "slice_code", I32, 1),
    field(500, "xyzt_units", I32, 1),
    field(504, "intent_code", I32, 1),
    field(508, "intent_name", Text, 16),
    field(524, "dim_info", U8, 1),
    field(525, "unused_str", Text, 15),
];
