//! Which files make up an image, by the name of one of them.

use std::path::{Path, PathBuf};

use crate::core::error::{Error, Result};
use crate::core::options::LoadOptions;
use crate::format::file_map::{FileHolder, FileMap, HEADER, IMAGE};
use crate::format::{FORMATS, FileName, Files, Format, FormatEntry};

/// The row of the table.
///
/// # Errors
/// [`crate::ErrorKind::Usage`] for a format without files.
pub(super) fn entry(format: Format) -> Result<&'static FormatEntry> {
    let row = FORMATS.iter().find(|entry| entry.format == format);
    row.ok_or_else(|| Error::usage(format!("no file is of the format {}", format.name())))
}

/// The files that go with a name.
pub(super) fn file_map(path: &Path, options: &LoadOptions) -> Result<FileMap> {
    let name = FileName::new(path);
    let candidates = match options.format {
        Some(format) => vec![entry(format)?],
        None => FORMATS.iter().collect(),
    };
    let mut file_map = FileMap::new();
    let found = candidates
        .iter()
        .find_map(|entry| Some((*entry, entry.files(&name)?)));
    match found {
        Some((entry, files)) if files.header != files.image => {
            let files = match entry.format {
                Format::Afni => afni(files),
                _ => files,
            };
            file_map.insert(HEADER, FileHolder::from_filename(files.header));
            file_map.insert(IMAGE, FileHolder::from_filename(files.image));
        }
        _ => {
            file_map.insert(IMAGE, FileHolder::from_filename(path));
        }
    }
    // A file beside the others is the same for all formats that may turn out to be this one.
    for entry in candidates
        .iter()
        .filter(|entry| entry.files(&name).is_some())
    {
        for (key, ending) in entry.beside {
            file_map.insert(key, FileHolder::from_filename(name.companion(ending)));
        }
    }
    Ok(file_map)
}

/// AFNI's header is never compressed, its voxels may be, and each is found from the other's name.
fn afni(files: Files) -> Files {
    let plain = |path: &Path| {
        let name = FileName::new(path);
        match name.compression() {
            "" => None,
            _ => Some(path.with_extension("")),
        }
    };
    let compressed = |path: &Path| {
        [".gz", ".bz2", ".zst"].into_iter().find_map(|suffix| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            Some(PathBuf::from(name)).filter(|path| path.exists())
        })
    };
    let or = |path: PathBuf, other: &dyn Fn(&Path) -> Option<PathBuf>| match path.exists() {
        true => path,
        false => other(&path).unwrap_or(path),
    };
    Files {
        header: or(files.header, &plain),
        image: or(files.image, &compressed),
    }
}
