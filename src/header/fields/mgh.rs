//! The fields of an MGH file in memory, and their layout in the file (FreeSurfer's "MghFormat").

use super::binary::Stored::{F32, I16, I32};
use super::binary::{Field, Record, field, header};
use crate::core::dtype::ByteOrder;

/// Bytes of the header that are used.
pub(crate) const HEADER_BYTES: u64 = 90;

header! {
    /// The fields of an MGH file under nibabel's names. Numbers are big-endian in the file.
    pub struct MghHeader {
    } and fields {
        /// 1.
        pub version: i32,
        /// Voxels along x, y and z, and frames.
        pub dims: [i32; 4],
        /// Code of the voxel type.
        pub r#type: i32,
        /// Degrees of freedom.
        pub dof: i32,
        /// Whether the next three fields are set. If not, they have FreeSurfer's defaults.
        pub good_ras_flag: i16,
        /// Voxel sizes.
        pub delta: [f32; 3],
        /// Direction cosines: the directions of the x, y and z axes of the voxels.
        pub mdc: [[f32; 3]; 3],
        /// Coordinates of the middle of the volume.
        pub pxyz_c: [f32; 3],
        /// Repetition time in milliseconds. This field and the next four are in the footer; they are 0 if there is no
        /// footer, or if the file is gzipped and has a single frame.
        pub tr: f32,
        /// Flip angle in radians.
        pub flip_angle: f32,
        /// Echo time in milliseconds.
        pub te: f32,
        /// Inversion time in milliseconds.
        pub ti: f32,
        /// Field of view in millimetres.
        pub fov: f32,
    }
}

impl MghHeader {
    /// Parses the header at the start of `bytes`. The footer's fields are 0, because it follows the voxels.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let mut header = Self::default();
        header.fill(&Record {
            table: TABLE,
            bytes: bytes.get(..HEADER_BYTES as usize).unwrap_or(bytes),
            order: ByteOrder::Big,
        });
        header
    }

    /// Every field with its value as text, in the order of the file.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, String)> + '_ {
        let listed = self.list(TABLE).into_iter();
        listed.map(|(field, text)| (field.name, text))
    }
}

/// The footer's five floats are listed at byte 284, where they are if there are no voxels.
pub(crate) static TABLE: &[Field] = &[
    field(0, "version", I32, 1),
    field(4, "dims", I32, 4),
    field(20, "type", I32, 1),
    field(24, "dof", I32, 1),
    field(28, "good_ras_flag", I16, 1),
    field(30, "delta", F32, 3),
    field(42, "mdc", F32, 9),
    field(78, "pxyz_c", F32, 3),
    field(284, "tr", F32, 1),
    field(288, "flip_angle", F32, 1),
    field(292, "te", F32, 1),
    field(296, "ti", F32, 1),
    field(300, "fov", F32, 1),
];
