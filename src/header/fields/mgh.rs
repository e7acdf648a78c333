//! The fields of an MGH file: where they are, by FreeSurfer's wiki page "MghFormat", and the same in memory.

use super::binary::Stored::{F32, I16, I32};
use super::binary::{Field, Record, field, header};
use crate::core::dtype::ByteOrder;

/// Bytes of the header that have a meaning.
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
        /// Whether the next three fields are set; where they are not they hold FreeSurfer's defaults.
        pub good_ras_flag: i16,
        /// Voxel sizes.
        pub delta: [f32; 3],
        /// Direction cosines: where the x, the y and the z axis of the voxels point.
        pub mdc: [[f32; 3]; 3],
        /// Where the middle of the volume is.
        pub pxyz_c: [f32; 3],
        /// Repetition time in milliseconds; of the footer, as are the next four: 0 where there is none, or where
        /// a single frame is gzipped.
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
    /// The header at the start of `bytes`. The footer's fields are 0: it is after the voxels.
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

/// The footer's five floats, from 284 on, are where they are when there are no voxels.
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
