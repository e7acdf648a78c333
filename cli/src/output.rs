//! Output files, which are either complete or not there at all.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use voxload::{DType, StoredArray};

use crate::CommandResult;

/// Writes a file under a temporary name, which is replaced by the final name when the file is complete.
pub(crate) fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> CommandResult,
) -> CommandResult {
    let named = |error: std::io::Error| format!("{}: {error}", path.display());
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".voxload-");
    #[cfg(unix)]
    {
        // tempfile's default mode is private to the user; this is the mode of any new file.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let file: NamedTempFile<File> = builder.tempfile_in(folder).map_err(named)?;
    let mut writer = BufWriter::with_capacity(1 << 20, file);
    write(&mut writer)?;
    let file = writer
        .into_inner()
        .map_err(|error| named(error.into_error()))?;
    file.persist(path).map_err(|error| named(error.error))?;
    Ok(())
}

/// The header of a `.npy` file of version 1.0 (2.0 if it is long), in Fortran order.
fn npy_header(dtype: DType, shape: &[usize]) -> Vec<u8> {
    let axes: String = shape.iter().map(|n| format!("{n}, ")).collect();
    let axes = match shape {
        [only] => format!("{only},"),
        _ => axes.trim_end_matches(", ").to_owned(),
    };
    let mut text = format!(
        "{{'descr': {}, 'fortran_order': True, 'shape': ({axes}), }}",
        descr(dtype)
    );
    // The array begins at a multiple of 64 bytes, and the text ends with a newline.
    let length_bytes = if text.len() > 60_000 { 4 } else { 2 };
    let unpadded = 8 + length_bytes + text.len() + 1;
    text.push_str(&" ".repeat(unpadded.next_multiple_of(64) - unpadded));
    text.push('\n');
    let mut header = b"\x93NUMPY".to_vec();
    if length_bytes == 2 {
        header.extend([1, 0]);
        header.extend((text.len() as u16).to_le_bytes());
    } else {
        header.extend([2, 0]);
        header.extend((text.len() as u32).to_le_bytes());
    }
    header.extend(text.as_bytes());
    header
}

fn descr(dtype: DType) -> String {
    let order = if cfg!(target_endian = "big") {
        '>'
    } else {
        '<'
    };
    let simple = |kind: char, bytes: usize| match bytes {
        1 => format!("'|{kind}1'"),
        _ => format!("'{order}{kind}{bytes}'"),
    };
    match dtype {
        DType::Rgb24 => "[('R', '|u1'), ('G', '|u1'), ('B', '|u1')]".to_owned(),
        DType::Rgba32 => "[('R', '|u1'), ('G', '|u1'), ('B', '|u1'), ('A', '|u1')]".to_owned(),
        DType::C64 | DType::C128 => simple('c', dtype.size_bytes()),
        DType::F16 | DType::F32 | DType::F64 => simple('f', dtype.size_bytes()),
        DType::U8 | DType::U16 | DType::U32 | DType::U64 => simple('u', dtype.size_bytes()),
        DType::I8 | DType::I16 | DType::I32 | DType::I64 => simple('i', dtype.size_bytes()),
    }
}

/// An output file for an array, in the format given by its ending.
pub(crate) struct ArrayFile {
    path: PathBuf,
    npy: bool,
}

impl ArrayFile {
    /// Selects the format.
    ///
    /// # Errors
    /// If the ending is not that of a supported output format.
    pub(crate) fn new(path: &Path) -> Result<Self, String> {
        let npy = match extension(path).as_str() {
            "npy" => true,
            "raw" => false,
            other => return Err(unknown_ending(path, other)),
        };
        let path = path.to_owned();
        Ok(Self { path, npy })
    }

    /// Writes an array that is in memory.
    pub(crate) fn write_array(&self, array: &StoredArray) -> CommandResult {
        self.write(array.dtype(), array.shape(), |writer| {
            Ok(writer.write_all(array.as_bytes())?)
        })
    }

    /// Writes an array whose elements `write` outputs, first axis fastest.
    pub(crate) fn write(
        &self,
        dtype: DType,
        shape: &[usize],
        write: impl FnOnce(&mut dyn Write) -> CommandResult,
    ) -> CommandResult {
        write_whole(&self.path, |writer| {
            if self.npy {
                writer.write_all(&npy_header(dtype, shape))?;
            }
            write(writer)
        })
    }
}

/// The ending of a path without its dot, in lower case.
fn extension(path: &Path) -> String {
    path.extension()
        .map(|ending| ending.to_string_lossy().to_lowercase())
        .unwrap_or_default()
}

fn unknown_ending(path: &Path, ending: &str) -> String {
    format!(
        "{}: cannot write {}: the output must end in .npy, .raw, .nii, .nii.gz, .hdr or .img",
        path.display(),
        if ending.is_empty() {
            "a file without an ending".to_owned()
        } else {
            format!(".{ending} files")
        }
    )
}
