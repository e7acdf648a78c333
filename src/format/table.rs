//! The table of formats: how each is recognised, which files it has, and which function parses its header.

use std::fmt;
use std::path::PathBuf;

use super::file_map::FileRole;
#[cfg(feature = "minc2")]
use super::minc2;
use super::names::FileName;
use super::parsed::{Need, Parsed, Sniff};
use super::{afni, analyze, cifti, ecat, foreign, metaimage, mgh, minc, nifti, nrrd, parrec};
use crate::core::error::{Error, ErrorKind, Result};
use crate::core::format::Format;
use crate::core::options::LoadOptions;
use crate::header::fields::nifti::{Container, Version};

/// A row of the table.
pub(crate) struct FormatEntry {
    pub format: Format,
    /// The name, as in messages and in the table of doc/FORMATS.md.
    pub name: &'static str,
    /// Endings of the header file, in lower case and without compression suffix.
    pub header_endings: &'static [&'static str],
    /// Endings of the voxel file if there is a separate one; otherwise empty.
    pub image_endings: &'static [&'static str],
    /// Endings of optional further files, by their key in the file map.
    pub optional_files: &'static [(FileRole, &'static str)],
    /// Whether the first bytes of the header file belong to the format (`None`: by ending only).
    pub sniff: Option<fn(&[u8]) -> Sniff>,
    /// Whether bytes that [`Self::sniff`] accepts are of this format even if the name differs: by a magic number, or by
    /// a text with which no other files begin.
    pub recognizes: fn(&[u8]) -> bool,
    /// How much the parser needs, given the bytes read so far. Called again until it does not need more.
    pub need: fn(&[u8]) -> Result<Need>,
    /// Parses the header from the requested bytes, or from the whole file if that is shorter.
    pub parse: fn(&[u8], &LoadOptions) -> Result<Parsed>,
}

impl Format {
    /// The name, as in messages and in the table of doc/FORMATS.md.
    pub fn name(self) -> &'static str {
        FORMATS
            .iter()
            .find(|entry| entry.format == self)
            .map_or("array", |entry| entry.name)
    }
}

/// A format and its file endings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FormatInfo {
    /// The format.
    pub format: Format,
    /// Its name, as in messages and in the table of doc/FORMATS.md.
    pub name: &'static str,
    /// Endings of the header file, in lower case and without compression suffix.
    pub header_endings: &'static [&'static str],
    /// Endings of the voxel file if there is a separate one; otherwise empty.
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

impl fmt::Debug for FormatEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl FormatEntry {
    /// Whether files of the format can have this ending, in upper or lower case.
    pub(crate) fn has_ending(&self, ending: &str) -> bool {
        let mut endings = self.header_endings.iter().chain(self.image_endings);
        endings.any(|known| known.eq_ignore_ascii_case(ending))
    }

    /// Whether a file with these first bytes is of the format.
    pub(crate) fn matches(&self, prefix: &[u8]) -> bool {
        match self.sniff {
            Some(sniff) => sniff(prefix) == Sniff::Yes,
            None => (self.recognizes)(prefix),
        }
    }

    /// The header file and the voxel file for a file name; `None` if its ending is not one of the format's.
    pub(crate) fn files(&self, name: &FileName) -> Option<Files> {
        let among = |endings: &[&str]| {
            endings
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name.ending()))
        };
        let given = || name.path().to_owned();
        let companion = |endings: &[&str]| endings.first().map(|ending| name.companion(ending));
        if among(self.header_endings) {
            Some(Files {
                header: given(),
                image: companion(self.image_endings).unwrap_or_else(given),
            })
        } else if among(self.image_endings) {
            Some(Files {
                header: companion(self.header_endings).unwrap_or_else(given),
                image: given(),
            })
        } else {
            None
        }
    }
}

/// The paths of the header and the voxels; the same path if both are in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Files {
    pub header: PathBuf,
    pub image: PathBuf,
}

/// The format of a file, and how it was recognized.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Detected {
    pub entry: &'static FormatEntry,
    pub by: By,
}

/// How a format was recognized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// By the content, and by the name if there is one.
    Both,
    /// By the content. The ending of the name is not one of the format's.
    Content,
    /// By the ending alone, or by the caller. The content does not identify the format.
    Name,
}

/// How much of a file is needed to recognize its format, if it is more than `prefix`: the length of the longest header
/// that can begin with these bytes.
pub(crate) fn sniff_bytes(prefix: &[u8]) -> Option<u64> {
    let sniffs = FORMATS.iter().filter_map(|entry| entry.sniff);
    let cuts = sniffs.filter_map(|sniff| match sniff(prefix) {
        Sniff::Cut(need) => Some(need),
        Sniff::Yes | Sniff::No => None,
    });
    cuts.max()
}

/// Finds the format of a header file from its first decompressed bytes and the ending of its name
/// ([`FileName::ending`]), or from the bytes alone if there is no name. Only the formats in `among` are considered, or
/// all if it is empty.
///
/// A format that matches both comes first, in nibabel's order. If there is none, the content decides by the formats'
/// magic numbers. The ending alone decides only for formats whose files can begin with any bytes, so that their parsers
/// can report what is wrong.
///
/// # Errors
/// - [`ErrorKind::Empty`] if there are no bytes
/// - [`ErrorKind::Truncated`] for an incomplete header
/// - [`ErrorKind::NotAVolume`] for known files of other kinds
/// - [`ErrorKind::Unsupported`] for HDF5 without the feature `minc2`
/// - [`ErrorKind::UnknownFormat`] otherwise
pub(crate) fn detect(prefix: &[u8], ending: Option<&str>, among: &[Format]) -> Result<Detected> {
    if prefix.is_empty() {
        return Err(ErrorKind::Empty.into());
    }
    let allowed = |entry: &&FormatEntry| among.is_empty() || among.contains(&entry.format);
    let named = |entry: &&FormatEntry| ending.is_some_and(|ending| entry.has_ending(ending));
    // The lines of a pointer or a web page can look like keys of MetaImage.
    let foreign = foreign::recognise(prefix);
    let mut cut = None;
    for entry in FORMATS.iter().filter(allowed).filter(named) {
        match entry.sniff.map(|sniff| sniff(prefix)) {
            Some(Sniff::Yes) if foreign.is_none() || (entry.recognizes)(prefix) => {
                return Ok(Detected {
                    entry,
                    by: By::Both,
                });
            }
            Some(Sniff::Cut(need)) => cut = cut.max(Some(need)),
            Some(Sniff::Yes | Sniff::No) => {}
            None if (entry.recognizes)(prefix) => {
                return Ok(Detected {
                    entry,
                    by: By::Both,
                });
            }
            None => {}
        }
    }
    let by = if ending.is_some() {
        By::Content
    } else {
        By::Both
    };
    // Among the formats that the caller named, one without a magic number is used if no other matches.
    let mut without_magic = None;
    for entry in FORMATS.iter().filter(allowed) {
        let sniffed = match entry.sniff {
            Some(sniff) => sniff(prefix),
            None => Sniff::from((entry.recognizes)(prefix)),
        };
        match sniffed {
            Sniff::Yes if (entry.recognizes)(prefix) => return Ok(Detected { entry, by }),
            Sniff::Yes if !among.is_empty() => {
                without_magic.get_or_insert(Detected { entry, by });
            }
            Sniff::Cut(need) => cut = cut.max(Some(need)),
            Sniff::Yes | Sniff::No => {}
        }
    }
    if let Some(found) = without_magic {
        return Ok(found);
    }
    if let Some(foreign) = foreign {
        return Err(foreign.into());
    }
    let mut by_name = FORMATS.iter().filter(allowed).filter(named);
    if let Some(entry) = by_name.find(|entry| entry.sniff.is_none()) {
        return Ok(Detected {
            entry,
            by: By::Name,
        });
    }
    if prefix.starts_with(b"\x89HDF") {
        return Err(Error::unsupported(
            "HDF5 files except MINC2, which needs the feature minc2",
        ));
    }
    Err(match cut {
        Some(need) => ErrorKind::Truncated {
            what: "header",
            have: prefix.len() as u64,
            need,
        },
        None => ErrorKind::UnknownFormat(unknown(prefix, ending, among)),
    }
    .into())
}

/// The message for a file of unknown format.
fn unknown(prefix: &[u8], ending: Option<&str>, among: &[Format]) -> String {
    if !among.is_empty() {
        let names: Vec<&str> = among.iter().map(|format| format.name()).collect();
        let names = names.join(" or ");
        return match detect(prefix, None, &[]) {
            Ok(found) => format!("the content is {}, not {names}", found.entry.name),
            Err(_) => format!("the content is not {names}"),
        };
    }
    match ending {
        None => "the content is not of a known format".to_owned(),
        Some(ending) if FORMATS.iter().any(|entry| entry.has_ending(ending)) => {
            format!("the content is not of a format whose files end in {ending:?}, nor of another")
        }
        Some("") => "the content is of no known format, and the name has no ending".to_owned(),
        Some(ending) => {
            format!("the content is of no known format, and no format's files end in {ending:?}")
        }
    }
}

/// All formats, in the order in which nibabel tries them.
pub(crate) static FORMATS: &[FormatEntry] = &[
    FormatEntry {
        format: Format::Nifti1Pair,
        name: "NIfTI-1 pair",
        header_endings: &[".hdr"],
        image_endings: &[".img"],
        optional_files: &[],
        sniff: Some(|prefix| nifti::sniff(prefix, Version::One)),
        recognizes: |prefix| nifti::recognizes(prefix, Version::One, Container::Pair),
        need: |prefix| nifti::need(prefix, Version::One, Container::Pair),
        parse: |bytes, options| nifti::parse(bytes, Version::One, Container::Pair, options),
    },
    FormatEntry {
        format: Format::Nifti1Single,
        name: "NIfTI-1",
        header_endings: &[".nii"],
        image_endings: &[],
        optional_files: &[],
        sniff: Some(|prefix| nifti::sniff(prefix, Version::One)),
        recognizes: |prefix| nifti::recognizes(prefix, Version::One, Container::Single),
        need: |prefix| nifti::need(prefix, Version::One, Container::Single),
        parse: |bytes, options| nifti::parse(bytes, Version::One, Container::Single, options),
    },
    FormatEntry {
        format: Format::Nifti2Pair,
        name: "NIfTI-2 pair",
        header_endings: &[".hdr"],
        image_endings: &[".img"],
        optional_files: &[],
        sniff: Some(|prefix| nifti::sniff(prefix, Version::Two)),
        recognizes: |prefix| nifti::recognizes(prefix, Version::Two, Container::Pair),
        need: |prefix| nifti::need(prefix, Version::Two, Container::Pair),
        parse: |bytes, options| nifti::parse(bytes, Version::Two, Container::Pair, options),
    },
    FormatEntry {
        format: Format::Cifti2,
        name: "CIFTI-2",
        header_endings: &[".nii"],
        image_endings: &[],
        optional_files: &[],
        sniff: Some(|prefix| Sniff::from(cifti::recognizes(prefix))),
        recognizes: cifti::recognizes,
        need: |prefix| nifti::need(prefix, Version::Two, Container::Single),
        parse: cifti::parse,
    },
    FormatEntry {
        format: Format::Nifti2Single,
        name: "NIfTI-2",
        header_endings: &[".nii"],
        image_endings: &[],
        optional_files: &[],
        sniff: Some(|prefix| nifti::sniff(prefix, Version::Two)),
        recognizes: |prefix| nifti::recognizes(prefix, Version::Two, Container::Single),
        need: |prefix| nifti::need(prefix, Version::Two, Container::Single),
        parse: |bytes, options| nifti::parse(bytes, Version::Two, Container::Single, options),
    },
    FormatEntry {
        format: Format::Spm2Analyze,
        name: "SPM2 Analyze",
        header_endings: &[".hdr"],
        image_endings: &[".img"],
        optional_files: &[(FileRole::Mat, ".mat")],
        sniff: Some(analyze::sniff),
        recognizes: |_| false,
        need: |_| Ok(Need::Bytes(analyze::HEADER_BYTES)),
        parse: |bytes, _| analyze::parse(bytes, Format::Spm2Analyze),
    },
    // As in nibabel, detection never reaches the next two: their headers are also valid SPM2 headers.
    FormatEntry {
        format: Format::Spm99Analyze,
        name: "SPM99 Analyze",
        header_endings: &[".hdr"],
        image_endings: &[".img"],
        optional_files: &[(FileRole::Mat, ".mat")],
        sniff: Some(analyze::sniff),
        recognizes: |_| false,
        need: |_| Ok(Need::Bytes(analyze::HEADER_BYTES)),
        parse: |bytes, _| analyze::parse(bytes, Format::Spm99Analyze),
    },
    FormatEntry {
        format: Format::Analyze,
        name: "Analyze 7.5",
        header_endings: &[".hdr"],
        image_endings: &[".img"],
        optional_files: &[],
        sniff: Some(analyze::sniff),
        recognizes: |_| false,
        need: |_| Ok(Need::Bytes(analyze::HEADER_BYTES)),
        parse: |bytes, _| analyze::parse(bytes, Format::Analyze),
    },
    FormatEntry {
        format: Format::Minc1,
        name: "MINC1",
        header_endings: &[".mnc"],
        image_endings: &[],
        optional_files: &[],
        sniff: Some(|prefix| Sniff::from(minc::recognizes(prefix))),
        recognizes: minc::recognizes,
        need: minc::need,
        parse: |bytes, _| minc::parse(bytes),
    },
    #[cfg(feature = "minc2")]
    FormatEntry {
        format: Format::Minc2,
        name: "MINC2",
        header_endings: &[".mnc"],
        image_endings: &[],
        optional_files: &[],
        sniff: Some(|prefix| Sniff::from(minc2::recognizes(prefix))),
        recognizes: minc2::recognizes,
        need: |prefix| Ok(Need::Bytes(prefix.len() as u64)),
        parse: |bytes, _| minc2::parse(bytes),
    },
    FormatEntry {
        format: Format::Mgh,
        name: "MGH",
        header_endings: &[".mgh", ".mgz"],
        image_endings: &[],
        optional_files: &[],
        sniff: None,
        recognizes: mgh::recognizes,
        need: |_| Ok(Need::Bytes(mgh::HEADER_BYTES)),
        parse: |bytes, _| mgh::parse(bytes),
    },
    FormatEntry {
        format: Format::ParRec,
        name: "PAR/REC",
        header_endings: &[".par"],
        image_endings: &[".rec"],
        optional_files: &[],
        sniff: None,
        recognizes: parrec::recognizes,
        need: |_| Ok(Need::All),
        parse: parrec::parse,
    },
    FormatEntry {
        format: Format::Afni,
        name: "AFNI",
        header_endings: &[".head"],
        image_endings: &[".brik"],
        optional_files: &[],
        sniff: None,
        recognizes: afni::recognizes,
        need: |_| Ok(Need::All),
        parse: |bytes, _| afni::parse(bytes),
    },
    // nibabel reads these only if the caller asks for ECAT.
    FormatEntry {
        format: Format::Ecat,
        name: "ECAT 7",
        header_endings: &[".v"],
        image_endings: &[],
        optional_files: &[],
        sniff: Some(|prefix| Sniff::from(ecat::recognizes(prefix))),
        recognizes: ecat::recognizes,
        need: |_| Ok(ecat::NEED),
        parse: |bytes, _| ecat::parse(bytes),
    },
    FormatEntry {
        format: Format::Nrrd,
        name: "NRRD",
        header_endings: &[".nrrd", ".nhdr"],
        image_endings: &[],
        optional_files: &[],
        sniff: Some(|prefix| Sniff::from(nrrd::recognizes(prefix))),
        recognizes: nrrd::recognizes,
        need: nrrd::need,
        parse: |bytes, _| nrrd::parse(bytes),
    },
    FormatEntry {
        format: Format::MetaImage,
        name: "MetaImage",
        header_endings: &[".mha", ".mhd"],
        image_endings: &[],
        optional_files: &[],
        // AFNI's attributes are lines of keys and values too.
        sniff: Some(|prefix| Sniff::from(metaimage::sniff(prefix) && !afni::recognizes(prefix))),
        recognizes: metaimage::recognizes,
        need: metaimage::need,
        parse: |bytes, _| metaimage::parse(bytes),
    },
];
