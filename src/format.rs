//! The table of formats: how each is recognised, which files it has, and who parses its header.
//!
//! Formats see bytes, never files: the image layer reads what a format asks for and hands it over, decompressed.

pub mod afni;
pub mod analyze;
mod binary;
mod cifti;
mod ecat;
pub(crate) mod file_map;
#[cfg(feature = "minc2")]
mod hdf5;
mod matfile;
pub mod metaimage;
pub mod mgh;
pub mod minc;
#[cfg(feature = "minc2")]
mod minc2;
mod names;
mod netcdf;
pub mod nifti;
pub mod nrrd;
pub mod parrec;
mod table;
mod text;
mod voxels;

pub use crate::core::format::Format;
pub(crate) use names::FileName;
pub(crate) use table::FORMATS;
pub use text::TextHeader;
pub(crate) use voxels::{Blocks, Encoding, More, Place, Voxels};

use std::path::PathBuf;

use crate::core::limits::{self, Limits};
use crate::error::{Error, ErrorKind, Result};
use crate::header::{Header, Note};
use crate::options::LoadOptions;
use crate::source::Source;

/// A format's own fields.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Fields {
    /// All fields of a NIfTI-1 or NIfTI-2 header, and its extensions.
    Nifti(Box<nifti::NiftiHeader>),
    /// All fields of an Analyze 7.5 header in any of its three readings.
    Analyze(Box<analyze::AnalyzeHeader>),
    /// The header and the footer of an MGH file.
    Mgh(Box<mgh::MghHeader>),
    /// The keys and values of a format whose header is text, or nearly so: AFNI, PAR/REC, ECAT, NRRD, MetaImage,
    /// MINC.
    Text(TextHeader),
    /// An array image has none.
    None,
}

impl Fields {
    /// Every field with its value as text, in the order of the file.
    pub fn list(&self) -> Vec<(String, String)> {
        fn owned(fields: impl Iterator<Item = (&'static str, String)>) -> Vec<(String, String)> {
            fields
                .map(|(name, value)| (name.to_owned(), value))
                .collect()
        }
        match self {
            Self::Nifti(nifti) => owned(nifti.fields()),
            Self::Analyze(analyze) => owned(analyze.fields()),
            Self::Mgh(mgh) => owned(mgh.fields()),
            Self::Text(text) => text.entries().to_vec(),
            Self::None => Vec::new(),
        }
    }
}

/// How much of the header file a parser needs to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// This many bytes from the start; fewer are handed over when the file is shorter.
    Bytes(u64),
    /// The same up to `end`, where the bytes behind `header` are extensions.
    Extensions { header: u64, end: u64 },
    /// The whole file.
    All,
}

impl Need {
    /// Bytes to read from the start of the header file.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] for more than the limits allow.
    pub fn bytes(self, limits: &Limits) -> Result<u64> {
        match self {
            Self::Bytes(bytes) => {
                limits::check("header bytes", bytes.into(), limits.header)?;
                Ok(bytes)
            }
            Self::Extensions { header, end } => {
                let extensions = end.saturating_sub(header);
                limits::check("extension bytes", extensions.into(), limits.extensions)?;
                Ok(end)
            }
            // One more tells that there are too many.
            Self::All => Ok(limits.header.saturating_add(1)),
        }
    }
}

/// What the first bytes of a header file say about a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sniff {
    /// They belong to it.
    Yes,
    /// They belong to something else.
    No,
    /// They would belong to it, but its header has this many bytes.
    Cut(u64),
}

impl From<bool> for Sniff {
    fn from(belongs: bool) -> Self {
        if belongs { Self::Yes } else { Self::No }
    }
}

/// Reads a header out of a file that is a container, and sets [`Voxels::source`].
pub(crate) type Container = fn(&Source, &mut Parsed) -> Result<()>;

/// What a header's parser found.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub header: Header,
    /// Repaired faults.
    pub notes: Vec<Note>,
    /// Where the voxels are and how they are stored there.
    pub voxels: Voxels,
    /// What else of the header is to be read.
    pub more: Option<More>,
    /// Reads all of the header where only the whole file tells it: the file is a container of its own.
    pub container: Option<Container>,
}

impl Parsed {
    /// A header that is complete, of voxels stored raw in the format's image file.
    pub fn new(header: Header, notes: Vec<Note>) -> Self {
        Self {
            header,
            notes,
            voxels: Voxels::default(),
            more: None,
            container: None,
        }
    }
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
    /// Endings of files that may be there beside them, by their key in the file map.
    pub beside: &'static [(&'static str, &'static str)],
    /// Whether the first bytes of the header file belong to the format (`None`: by ending only).
    pub sniff: Option<fn(&[u8]) -> Sniff>,
    /// Whether bytes that [`Self::sniff`] accepts are of this format when there is no name to go by.
    pub claims: fn(&[u8]) -> bool,
    /// How much the parser needs, told from the bytes there are; asked again while that is more than there are.
    pub need: fn(&[u8]) -> Result<Need>,
    /// Parses the header: the bytes asked for, or the whole file when it is shorter.
    pub parse: fn(&[u8], &LoadOptions) -> Result<Parsed>,
}

impl Format {
    /// The name, as in messages and in the README's table.
    pub fn name(self) -> &'static str {
        FORMATS
            .iter()
            .find(|entry| entry.format == self)
            .map_or("array", |entry| entry.name)
    }
}

/// A format and the files it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FormatInfo {
    /// The format.
    pub format: Format,
    /// Its name, as in messages and in the README's table.
    pub name: &'static str,
    /// Endings of the header file, lower case, without compression suffix.
    pub header_endings: &'static [&'static str],
    /// Endings of the voxel file where it is another one; empty when both are in one file.
    pub image_endings: &'static [&'static str],
}

/// All formats that this build reads, in the order in which they are tried.
pub fn formats() -> impl Iterator<Item = FormatInfo> {
    FORMATS.iter().map(|entry| FormatInfo {
        format: entry.format,
        name: entry.name,
        header_endings: entry.header_endings,
        image_endings: entry.image_endings,
    })
}

impl FormatEntry {
    /// Whether files of the format can have this ending, in any case.
    pub fn has_ending(&self, ending: &str) -> bool {
        let mut endings = self.header_endings.iter().chain(self.image_endings);
        endings.any(|known| known.eq_ignore_ascii_case(ending))
    }

    /// The header file and the voxel file that go with a name; `None` when its ending is not the format's.
    pub fn files(&self, name: &FileName) -> Option<Files> {
        let among = |endings: &[&str]| {
            endings
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name.ending()))
        };
        let given = || name.path().to_owned();
        let beside = |endings: &[&str]| endings.first().map(|ending| name.companion(ending));
        if among(self.header_endings) {
            Some(Files {
                header: given(),
                image: beside(self.image_endings).unwrap_or_else(given),
            })
        } else if among(self.image_endings) {
            Some(Files {
                header: beside(self.header_endings).unwrap_or_else(given),
                image: given(),
            })
        } else {
            None
        }
    }
}

/// Where the two parts of an image are; the same file twice when they are in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Files {
    pub header: PathBuf,
    pub image: PathBuf,
}

/// Finds the format of a header file by its first bytes, decompressed, and the ending of its name
/// ([`FileName::ending`]); by content alone where there is no name.
///
/// As in nibabel, a format must have both: its ending (in any case) and its content.
///
/// # Errors
/// - [`ErrorKind::Empty`] for no bytes
/// - [`ErrorKind::Truncated`] for the beginning of a header
/// - [`ErrorKind::Unsupported`] for HDF5
/// - [`ErrorKind::UnknownFormat`] for all else
pub(crate) fn detect(prefix: &[u8], ending: Option<&str>) -> Result<&'static FormatEntry> {
    if prefix.is_empty() {
        return Err(ErrorKind::Empty.into());
    }
    let mut cut = None;
    for entry in FORMATS.iter() {
        if ending.is_some_and(|ending| !entry.has_ending(ending)) {
            continue;
        }
        let sniffed = match (entry.sniff, ending) {
            (Some(sniff), _) => sniff(prefix),
            (None, Some(_)) => Sniff::Yes,
            (None, None) => Sniff::from((entry.claims)(prefix)),
        };
        match sniffed {
            Sniff::Yes if ending.is_some() || (entry.claims)(prefix) => return Ok(entry),
            Sniff::Yes | Sniff::No => {}
            Sniff::Cut(need) => cut = cut.max(Some(need)),
        }
    }
    if prefix.starts_with(b"\x89HDF") {
        return Err(Error::unsupported(
            "HDF5 files but MINC2, which needs the feature minc2",
        ));
    }
    Err(match cut {
        Some(need) => ErrorKind::Truncated {
            what: "header",
            have: prefix.len() as u64,
            need,
        },
        None => ErrorKind::UnknownFormat(unknown(prefix, ending)),
    }
    .into())
}

/// What to say of a file that is of no format: perhaps its content is known, but not under its name.
fn unknown(prefix: &[u8], ending: Option<&str>) -> String {
    let Some(ending) = ending else {
        return "the content is of no known format".to_owned();
    };
    let by_content = FORMATS.iter().find(|entry| {
        entry.sniff.is_some_and(|sniff| sniff(prefix) == Sniff::Yes) && (entry.claims)(prefix)
    });
    match by_content {
        Some(entry) => format!(
            "the content is {}, the name must end in {} and not in {ending:?}",
            entry.name,
            entry.header_endings.join(" or ")
        ),
        None if FORMATS.iter().any(|entry| entry.has_ending(ending)) => {
            format!("the content is of no format whose files end in {ending:?}")
        }
        None => format!("no known format's files end in {ending:?}"),
    }
}

#[cfg(test)]
mod tests;
