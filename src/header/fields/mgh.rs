//! The fields of an MGH file in memory, and their layout in the file (FreeSurfer's "MghFormat").

use std::sync::{Arc, OnceLock};

use super::FieldValue;
use super::binary::Stored::{self, F32, I16, I32, I64};
use super::binary::{Field, Record, field, header, numbers};
use crate::core::dtype::ByteOrder;

/// Bytes of the header that are used.
pub(crate) const HEADER_BYTES: u64 = 90;

/// Bytes after the voxels that are searched for the footer and its tags.
pub(crate) const MAX_FOOTER_BYTES: u64 = 1 << 20;

/// Tags of this code or below have no length.
const LAST_TAG_WITHOUT_LENGTH: i32 = 2;

/// The name under which tags are listed.
const TAG: &str = "tag";

/// The tag whose length has 32 bits instead of 64.
const OLD_XFORM_TAG: i32 = 30;

header! {
    /// The fields of an MGH file under nibabel's names. Numbers are big-endian in the file.
    ///
    /// The footer follows the voxels. So in a compressed file of a single frame it is not read when the image is
    /// loaded; see [`Self::footer`].
    pub struct MghHeader {
        /// The footer, once it has been read; shared by clones of the header.
        pub(crate) deferred: Arc<Deferred>,
    } and fields {
        /// Always 1.
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
    }
}

/// The footer of an MGH file. A field that is missing at the end of the file is `None`.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct MghFooter {
    /// Repetition time in milliseconds.
    pub tr: Option<f32>,
    /// Flip angle in radians.
    pub flip_angle: Option<f32>,
    /// Echo time in milliseconds.
    pub te: Option<f32>,
    /// Inversion time in milliseconds.
    pub ti: Option<f32>,
    /// Field of view in millimetres.
    pub fov: Option<f32>,
    /// The tags, up to the first one whose length is not known.
    pub tags: Vec<MghTag>,
}

/// A tag in the footer of an MGH file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MghTag {
    /// What the content is (3: a command line, 31: the name of a transform, 41: the phase encoding direction).
    pub code: i32,
    /// The content, without trailing NULs.
    pub content: Vec<u8>,
}

/// A footer that may not have been read yet.
#[derive(Debug, PartialEq, Default)]
pub(crate) struct Deferred {
    /// Byte of the (inflated) file at which the footer begins.
    pub at: u64,
    pub footer: OnceLock<MghFooter>,
}

impl MghFooter {
    /// Parses the bytes after the voxels.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let mut fields = bytes.chunks(4).take(5).map(|bytes| {
            let [value]: [f32; 1] = numbers(Stored::F32, bytes, ByteOrder::Big);
            (bytes.len() == 4).then_some(value)
        });
        let mut next = || fields.next().flatten();
        Self {
            tr: next(),
            flip_angle: next(),
            te: next(),
            ti: next(),
            fov: next(),
            tags: tags(bytes.get(20..).unwrap_or_default()),
        }
    }

    /// The fields that the file has.
    pub(super) fn values(&self) -> impl Iterator<Item = (String, FieldValue)> + '_ {
        self.texts().map(|(name, text)| {
            let value = match text.parse() {
                Ok(number) if name != TAG => FieldValue::Real(number),
                _ => FieldValue::Text(text),
            };
            (name.to_owned(), value)
        })
    }

    fn texts(&self) -> impl Iterator<Item = (&'static str, String)> + '_ {
        let numbers = [
            ("tr", self.tr),
            ("flip_angle", self.flip_angle),
            ("te", self.te),
            ("ti", self.ti),
            ("fov", self.fov),
        ];
        let numbers = numbers.into_iter();
        let numbers = numbers.filter_map(|(name, value)| Some((name, value?.to_string())));
        numbers.chain(self.tags.iter().map(|tag| (TAG, tag.text())))
    }
}

/// The tags at the start of `bytes`: code, length, content.
fn tags(mut bytes: &[u8]) -> Vec<MghTag> {
    let mut tags = Vec::new();
    while let Some((code, rest)) = bytes.split_at_checked(4) {
        let [code]: [i32; 1] = numbers(I32, code, ByteOrder::Big);
        let (stored, width) = match code {
            ..=LAST_TAG_WITHOUT_LENGTH => break,
            OLD_XFORM_TAG => (I32, 4),
            _ => (I64, 8),
        };
        let Some((length, rest)) = rest.split_at_checked(width) else {
            break;
        };
        let [length]: [i64; 1] = numbers(stored, length, ByteOrder::Big);
        let content = usize::try_from(length).ok();
        let Some((content, rest)) = content.and_then(|length| rest.split_at_checked(length)) else {
            break;
        };
        let length = content
            .iter()
            .rposition(|&byte| byte != 0)
            .map_or(0, |last| last + 1);
        let content = content.iter().copied().take(length).collect();
        tags.push(MghTag { code, content });
        bytes = rest;
    }
    tags
}

impl MghTag {
    /// The code and the content if it is text, otherwise its length.
    fn text(&self) -> String {
        match std::str::from_utf8(&self.content) {
            Ok(text) if !text.contains(|c: char| c.is_control() && !c.is_whitespace()) => {
                format!("{}: {}", self.code, text.trim())
            }
            _ => format!("{}: {} bytes", self.code, self.content.len()),
        }
    }
}

impl MghHeader {
    /// Parses the header at the start of `bytes`.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let mut header = Self::default();
        header.fill(&Record {
            table: TABLE,
            bytes: bytes.get(..HEADER_BYTES as usize).unwrap_or(bytes),
            order: ByteOrder::Big,
        });
        header
    }

    /// The footer, if it has been read: when the image was loaded, by the first read of the whole array, or by
    /// [`crate::read_footer()`]. All its fields are `None` if the file has no footer.
    pub fn footer(&self) -> Option<&MghFooter> {
        self.deferred.footer.get()
    }

    /// Every field with its value as text, in the order of the file; those of the footer if it has been read.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, String)> + '_ {
        let listed = self.texts().into_iter();
        let listed = listed.map(|(field, text)| (field.name, text));
        listed.chain(self.footer().into_iter().flat_map(MghFooter::texts))
    }

    /// Every field with its value as text.
    pub(super) fn texts(&self) -> Vec<(&'static Field, String)> {
        self.list(TABLE)
    }
}

pub(crate) static TABLE: &[Field] = &[
    field(0, "version", I32, 1),
    field(4, "dims", I32, 4),
    field(20, "type", I32, 1),
    field(24, "dof", I32, 1),
    field(28, "good_ras_flag", I16, 1),
    field(30, "delta", F32, 3),
    field(42, "mdc", F32, 9),
    field(78, "pxyz_c", F32, 3),
];
