//! The table of formats: how each is recognised, which files it has, and who parses its header.
//!
//! Formats see bytes, never files: [`crate::image`] reads what a format asks for and hands it over.

pub mod nifti;

use crate::error::Result;
use crate::header::{Header, Note};

/// A format of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// NIfTI-1, header and voxels in one file (`.nii`).
    Nifti1Single,
    /// NIfTI-1, header and voxels apart (`.hdr` and `.img`).
    Nifti1Pair,
    /// NIfTI-2, header and voxels in one file (`.nii`).
    Nifti2Single,
    /// NIfTI-2, header and voxels apart (`.hdr` and `.img`).
    Nifti2Pair,
    /// No file: made from an array.
    Array,
}

/// A format's own fields.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Fields {
    /// All fields of a NIfTI-1 or NIfTI-2 header, and its extensions.
    Nifti(Box<nifti::NiftiHeader>),
    /// An array image has none.
    None,
}

/// How much of the header file a parser needs to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// This many bytes from the start; fewer are handed over when the file is shorter.
    Bytes(u64),
    /// The whole file.
    All,
}

/// What a header's parser found.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub header: Header,
    /// Repaired faults.
    pub notes: Vec<Note>,
}

/// One row of the table.
pub(crate) struct FormatEntry {
    pub format: Format,
    /// The name in messages and in the README's table.
    pub name: &'static str,
    /// Endings of the header file, lower case, without compression suffix.
    pub header_endings: &'static [&'static str],
    /// Endings of the voxel file where it is another one; empty when both are in one file.
    pub image_endings: &'static [&'static str],
    /// Whether these first bytes of the header file belong to the format (`None`: by ending only).
    pub sniff: Option<fn(&[u8]) -> bool>,
    /// How much the parser needs, told from the first bytes.
    pub need: fn(&[u8]) -> Need,
    /// Parses the header: the bytes asked for, or the whole file when it is shorter.
    pub parse: fn(&[u8]) -> Result<Parsed>,
}
