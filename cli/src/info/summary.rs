//! The facts about a volume that every form of output shows.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use voxload::affine::obliquity;
use voxload::format::cifti::Cifti;
use voxload::format::nifti::NiftiHeader;
use voxload::format::parrec::{Gradient, gradients};
use voxload::format::{FieldValue, Fields, Format};
use voxload::{DataobjImage, FileHolder, FileRole, Header, LoadOptions, Orientation};

/// A volume.
pub(super) struct Summary<'a> {
    pub name: String,
    pub image: &'a DataobjImage,
    pub header: &'a Header,
    pub files: Vec<StoredFile>,
    pub orientation: Option<Orientation>,
    pub gradients: Option<Vec<Gradient>>,
    pub cifti: Option<Cifti>,
    pub fields: Vec<(String, FieldValue)>,
}

/// One file of a volume.
pub(super) struct StoredFile {
    pub role: FileRole,
    pub path: PathBuf,
    /// `None` if the file does not exist.
    pub bytes: Option<u64>,
    pub compression: Option<&'static str>,
}

impl<'a> Summary<'a> {
    pub(super) fn of(name: String, image: &'a DataobjImage, options: &LoadOptions) -> Self {
        // In a compressed MGH file, the repetition time follows the voxels. If it cannot be read, everything else is
        // still shown.
        if let Err(error) = voxload::read_footer(image) {
            eprintln!("voxload: {error}");
        }
        let header = image.header();
        let files = image.file_map().iter();
        let mut files: Vec<StoredFile> = files
            .filter_map(|(role, file)| stored(*role, file))
            .collect();
        // The header first.
        files.sort_by_key(|file| match file.role {
            FileRole::Header => 0,
            FileRole::Image => 1,
            _ => 2,
        });
        Self {
            name,
            image,
            header,
            files,
            orientation: image
                .affine()
                .and_then(|affine| Orientation::of(affine).ok()),
            // If the table is invalid, everything else is still shown.
            gradients: gradients(header, options).ok().flatten(),
            cifti: match &header.fields {
                Fields::Nifti(nifti) if header.format == Format::Cifti2 => {
                    nifti.cifti().ok().flatten()
                }
                _ => None,
            },
            fields: header.fields.values(),
        }
    }

    /// The orientation letters of the spatial axes (`RAS`), `?` for an axis without a direction.
    pub(super) fn letters(&self) -> Option<String> {
        let codes = self.orientation?.codes();
        let axes = self.header.space_axes().len();
        Some(
            codes
                .iter()
                .take(axes)
                .map(|code| code.unwrap_or('?'))
                .collect(),
        )
    }

    /// The largest angle between an axis of the voxels and the direction of space that its letter names, in degrees.
    pub(super) fn tilt(&self) -> Option<f64> {
        let angles = obliquity(self.image.affine()?);
        let largest = angles.iter().copied().fold(0.0, f64::max);
        angles
            .iter()
            .all(|angle| angle.is_finite())
            .then(|| largest.to_degrees())
    }

    /// The time between two volumes, if there is a time axis and the file states it.
    pub(super) fn time_step(&self) -> Option<f64> {
        let axis = self.header.time_axis()?;
        let step = self.header.zooms.get(axis).copied()?;
        (step.is_finite() && step > 0.0).then_some(step)
    }

    pub(super) fn nifti(&self) -> Option<&NiftiHeader> {
        match &self.header.fields {
            Fields::Nifti(nifti) => Some(nifti),
            _ => None,
        }
    }

    /// The value of a text field; empty if it is missing.
    pub(super) fn text(&self, name: &str) -> &str {
        let named = self
            .fields
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let mut texts = named.filter_map(|(_, value)| match value {
            FieldValue::Text(text) => Some(text.as_str()),
            _ => None,
        });
        texts.next().unwrap_or_default()
    }

    /// The value of a numeric field; `None` if it is missing, or 0, which means unknown.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        let field = self.fields.iter().find(|(known, _)| known == name);
        let number = match field?.1 {
            FieldValue::Integer(number) => number as f64,
            FieldValue::Real(number) => number,
            _ => return None,
        };
        (number.is_finite() && number != 0.0).then_some(number)
    }
}

fn stored(role: FileRole, file: &FileHolder) -> Option<StoredFile> {
    let path = file.filename.clone()?;
    let metadata = std::fs::metadata(&path).ok();
    // This file is optional.
    if role == FileRole::Mat && metadata.is_none() {
        return None;
    }
    Some(StoredFile {
        role,
        compression: compression(&path),
        bytes: metadata.map(|metadata| metadata.len()),
        path,
    })
}

/// The compression of a file, by its first bytes.
fn compression(path: &Path) -> Option<&'static str> {
    let mut start = Vec::new();
    File::open(path)
        .ok()?
        .take(4)
        .read_to_end(&mut start)
        .ok()?;
    match start.as_slice() {
        [0x1f, 0x8b, ..] => Some("gzip"),
        [b'B', b'Z', b'h', b'1'..=b'9'] => Some("bzip2"),
        [0x28, 0xb5, 0x2f, 0xfd] => Some("zstd"),
        _ => None,
    }
}
