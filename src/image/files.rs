//! Which files make up an image, by the name of one of them, and opening them as they are stored.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::core::error::{Error, ErrorKind, Result};
use crate::core::options::{KeepFileOpen, LoadOptions, Mmap};
use crate::format::file_map::{FileHolder, FileMap, FileRole};
use crate::format::{FORMATS, FileName, Files, Format, FormatEntry};
use crate::source::Source;
use crate::source::file::{FileSource, Identity};
use crate::source::mmap::MmapSource;
use crate::source::offset::OffsetSource;

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
            file_map.insert(FileRole::Header, FileHolder::from_filename(files.header));
            file_map.insert(FileRole::Image, FileHolder::from_filename(files.image));
        }
        _ => {
            file_map.insert(FileRole::Image, FileHolder::from_filename(path));
        }
    }
    // A file beside the others is the same for all formats that may turn out to be this one.
    for entry in candidates
        .iter()
        .filter(|entry| entry.files(&name).is_some())
    {
        for (key, ending) in entry.optional_files {
            file_map.insert(*key, FileHolder::from_filename(name.companion(ending)));
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

/// As in nibabel, a header alone can be loaded; its voxels cannot be read.
pub(super) fn or_missing(opened: Result<Source>, path: Option<&Path>) -> Result<Source> {
    match opened {
        Err(error) if *error.kind() == ErrorKind::NotFound => {
            Ok(Source::Missing(path.unwrap_or(Path::new("")).into()))
        }
        opened => opened,
    }
}

pub(super) fn by_position(path: &Path, identity: Identity, options: &LoadOptions) -> Source {
    let keep_open = options.keep_file_open == KeepFileOpen::Yes;
    Source::File(Arc::new(FileSource::new(path, identity, keep_open)))
}

/// The bytes of a file as they are stored, whatever they are.
pub(super) fn open_stored(path: &Path, options: &LoadOptions) -> Result<Source> {
    Ok(stored(path, Identity::of_path(path)?, options))
}

pub(super) fn stored(path: &Path, identity: Identity, options: &LoadOptions) -> Source {
    // Where addresses have 32 bits, files from 2 GiB on cannot be mapped.
    let is_too_large = isize::try_from(identity.length()).is_err();
    if options.mmap == Mmap::Off || is_too_large {
        return by_position(path, identity, options);
    }
    let keep_open = options.keep_file_open == KeepFileOpen::Yes;
    let zero_copy = options
        .zero_copy
        .then_some(options.mmap == Mmap::CopyOnWrite);
    Source::Mapped(Arc::new(MmapSource::new(
        path, identity, keep_open, zero_copy,
    )))
}

/// The source from `pos` on.
pub(super) fn from_byte(source: Source, pos: u64) -> Source {
    match pos {
        0 => source,
        _ => {
            let inner = source.without_pieces();
            Source::custom(Arc::new(OffsetSource { inner, pos }))
        }
    }
}
