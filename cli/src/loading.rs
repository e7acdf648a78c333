//! Loading volumes: the options that several subcommands share, standard input, and messages about files that cannot be
//! loaded.

use std::io::{IsTerminal, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use clap::ValueEnum;
use voxload::format::Format;
use voxload::{
    ByteSource, DataobjImage, Error, ErrorKind, FileHolder, FileMap, FileRole, LoadOptions,
};

use crate::CommandResult;

#[derive(clap::Args)]
pub(crate) struct Loading {
    /// Read the file as this format. Only Analyze files need it, which are read as SPM2 by default, and are not recognized
    /// under another ending than .hdr or .img
    #[arg(long, value_enum)]
    format: Option<FormatName>,
    /// PAR/REC: scale to the values displayed on the console (dv) or to floating point values (fp)
    #[arg(long, value_enum, default_value_t = ParScaling::Dv)]
    par_scaling: ParScaling,
    /// PAR/REC: load an incomplete recording, without its incomplete volumes
    #[arg(long)]
    permit_truncated: bool,
    /// PAR/REC: sort slices by all their keys
    #[arg(long)]
    strict_sort: bool,
    /// NIfTI: how far the quaternion of a qform may exceed a length of 1 (its squared scalar part; nibabel's option)
    #[arg(long, value_name = "NUMBER")]
    quaternion_threshold: Option<f64>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatName {
    /// NIfTI-1, NIfTI-2 or CIFTI-2, in one file or two
    Nifti,
    /// FreeSurfer's MGH or MGZ
    Mgh,
    Nrrd,
    Metaimage,
    Afni,
    /// Philips PAR/REC
    Parrec,
    /// MINC1 or MINC2
    Minc,
    /// ECAT 7
    Ecat,
    /// Analyze 7.5 of Mayo's software
    Analyze,
    Spm99,
    Spm2,
}

impl FormatName {
    fn formats(self) -> &'static [Format] {
        match self {
            Self::Nifti => &[
                Format::Nifti1Single,
                Format::Nifti1Pair,
                Format::Cifti2,
                Format::Nifti2Single,
                Format::Nifti2Pair,
            ],
            Self::Mgh => &[Format::Mgh],
            Self::Nrrd => &[Format::Nrrd],
            Self::Metaimage => &[Format::MetaImage],
            Self::Afni => &[Format::Afni],
            Self::Parrec => &[Format::ParRec],
            #[cfg(feature = "minc2")]
            Self::Minc => &[Format::Minc1, Format::Minc2],
            #[cfg(not(feature = "minc2"))]
            Self::Minc => &[Format::Minc1],
            Self::Ecat => &[Format::Ecat],
            Self::Analyze => &[Format::Analyze],
            Self::Spm99 => &[Format::Spm99Analyze],
            Self::Spm2 => &[Format::Spm2Analyze],
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ParScaling {
    Dv,
    Fp,
}

impl Loading {
    /// Loads a file with these options; `-` is standard input.
    ///
    /// # Errors
    /// As [`DataobjImage::from_filename`].
    pub(crate) fn load(&self, path: &Path) -> voxload::Result<DataobjImage> {
        if is_standard_input(path) {
            let source = Arc::new(Spooled::standard_input()?);
            let files = FileMap::from([(FileRole::Image, FileHolder::from_source(source))]);
            return DataobjImage::from_file_map(files, &self.options());
        }
        DataobjImage::from_filename(path, &self.options())
    }

    /// The options of the library.
    pub(crate) fn options(&self) -> LoadOptions {
        let formats = self.format.map_or(&[][..], FormatName::formats);
        let options = LoadOptions::new()
            .formats(formats.iter().copied())
            .permit_truncated(self.permit_truncated)
            .strict_sort(self.strict_sort)
            .par_scaling(match self.par_scaling {
                ParScaling::Dv => voxload::ParScaling::Dv,
                ParScaling::Fp => voxload::ParScaling::Fp,
            });
        match self.quaternion_threshold {
            Some(threshold) => options.quaternion_threshold(threshold),
            None => options,
        }
    }
}

fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// How messages name a file.
pub(crate) fn shown(path: &Path) -> String {
    match is_standard_input(path) {
        true => "standard input".to_owned(),
        false => path.display().to_string(),
    }
}

/// A stream that was copied to an unnamed temporary file, so that memory use does not depend on the volume's size.
#[derive(Debug)]
struct Spooled {
    file: Mutex<std::fs::File>,
    length: u64,
}

impl Spooled {
    fn standard_input() -> voxload::Result<Self> {
        let input = std::io::stdin();
        if input.is_terminal() {
            let message = "standard input is a terminal: name a file, or pipe one into it";
            return Err(ErrorKind::Usage(message.to_owned()).into());
        }
        let failed = |error: std::io::Error| {
            Error::from(ErrorKind::Io {
                offset: 0,
                kind: error.kind(),
                message: format!("cannot be copied to a temporary file: {error}"),
            })
        };
        let mut file = tempfile::tempfile().map_err(failed)?;
        let length = std::io::copy(&mut input.lock(), &mut file).map_err(failed)?;
        Ok(Self {
            file: Mutex::new(file),
            length,
        })
    }
}

impl ByteSource for Spooled {
    fn len(&self) -> voxload::Result<Option<u64>> {
        Ok(Some(self.length))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> voxload::Result<()> {
        let need = offset.saturating_add(buffer.len() as u64);
        if need > self.length {
            return Err(ErrorKind::Truncated {
                what: "voxel data",
                have: self.length,
                need,
            }
            .into());
        }
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let read = file
            .seek(SeekFrom::Start(offset))
            .and_then(|_| file.read_exact(buffer));
        read.map_err(|error| {
            ErrorKind::Io {
                offset,
                kind: error.kind(),
                message: error.to_string(),
            }
            .into()
        })
    }
}

/// Prints the library's notes about an image, such as repaired faults and misleading file names.
pub(crate) fn print_notes(image: &DataobjImage, path: &Path) {
    for note in image.notes() {
        eprintln!("voxload: {}: {note}", shown(path));
    }
}

/// The result of a subcommand. Adds the name of the input, and a hint if there is one, to an error of the library.
pub(crate) fn explained(
    result: CommandResult,
    input: &Path,
    output: Option<&Path>,
) -> CommandResult {
    result.map_err(|error| match error.downcast::<Error>() {
        Ok(error) => message(&error, input, output).into(),
        Err(error) => error,
    })
}

/// The message for an error with an input, in one line.
pub(crate) fn message(error: &Error, input: &Path, output: Option<&Path>) -> String {
    let line = match error.path() {
        Some(_) => error.to_string(),
        None => format!("{}: {error}", shown(input)),
    };
    match hint(error, input, output) {
        Some(hint) => format!("{line}: {hint}"),
        None => line,
    }
}

fn hint(error: &Error, input: &Path, output: Option<&Path>) -> Option<String> {
    let beside = |path: &PathBuf| path.parent() == input.parent() && Some(path.as_path()) != output;
    match error.kind() {
        ErrorKind::UnknownFormat(_) => {
            Some("if you know the format, name it by --format".to_owned())
        }
        ErrorKind::NotAFile if input.is_dir() => {
            Some("voxload info -r lists the volumes in a folder".to_owned())
        }
        ErrorKind::NotFound => {
            let missing = error.path()?.to_owned();
            let other = missing != input && input.exists() && beside(&missing);
            other.then(|| format!("{} is not complete without it", shown(input)))
        }
        ErrorKind::DType { stored, .. } if stored.to_lowercase().starts_with("rgb") => {
            Some("voxload convert --dtype native writes colours as they are stored, --channels as bytes with an axis of channels".to_owned())
        }
        ErrorKind::DType { stored, wanted } if stored.starts_with("complex") => {
            let hint = match wanted.starts_with("stored") {
                true => "without --dtype they stay complex",
                false => "complex voxels are read on the CPU: --backend cpu",
            };
            Some(hint.to_owned())
        }
        ErrorKind::Header {
            field: "quatern_b", ..
        } => Some("--quaternion-threshold 1e-4, say, accepts it".to_owned()),
        ErrorKind::NoGpu(_) => Some("--backend cpu gives the same values".to_owned()),
        _ => None,
    }
}
