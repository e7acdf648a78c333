//! Finds the files of an image from the name of one of them, and opens them without decompressing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::core::error::{Error, ErrorKind, Result};
use crate::core::options::{KeepFileOpen, LoadOptions, Mmap};
use crate::format::file_map::{FileHolder, FileMap, FileRole};
use crate::format::foreign::{ANNEX_LINK, is_annex_path};
use crate::format::{FORMATS, FileName, Format, FormatEntry};
use crate::source::Source;
use crate::source::file::{FileSource, Identity};
use crate::source::mmap::MmapSource;
use crate::source::offset::OffsetSource;

/// The table's entry for a format.
///
/// # Errors
/// [`crate::ErrorKind::Usage`] for a format without files.
pub(super) fn entry(format: Format) -> Result<&'static FormatEntry> {
    let row = FORMATS.iter().find(|entry| entry.format == format);
    row.ok_or_else(|| Error::usage(format!("no file is of the format {}", format.name())))
}

/// The files of the image that has a file of this name.
pub(super) fn file_map(path: &Path, options: &LoadOptions) -> Result<FileMap> {
    let name = FileName::new(path);
    let candidates: Vec<&FormatEntry> = match options.formats.as_slice() {
        [] => FORMATS.iter().collect(),
        formats => formats
            .iter()
            .map(|&format| entry(format))
            .collect::<Result<_>>()?,
    };
    let mut file_map = FileMap::new();
    let found = candidates.iter().find_map(|entry| entry.files(&name));
    match found {
        Some(files) if files.header != files.image => {
            let header = FileHolder::from_filename(existing(files.header));
            let image = FileHolder::from_filename(existing(files.image));
            file_map.extend([(FileRole::Header, header), (FileRole::Image, image)]);
        }
        _ => {
            file_map.insert(FileRole::Image, FileHolder::from_filename(path));
        }
    }
    // Optional files have the same name for all formats that the file may turn out to be.
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

/// This path if the file exists; otherwise the same name without a compression suffix, or with another one, if that
/// exists. One file of a pair may be compressed and the other not, as in AFNI.
fn existing(path: PathBuf) -> PathBuf {
    if path.exists() {
        return path;
    }
    let plain = FileName::new(&path).plain();
    let compressed = [".gz", ".bz2", ".zst"].map(|suffix| {
        let mut name = plain.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    });
    let mut others = std::iter::once(plain).chain(compressed);
    others.find(|other| other.exists()).unwrap_or(path)
}

/// The voxel file of a header whose name is unusual for its format: the first candidate that exists, otherwise the
/// first candidate.
pub(super) fn image_of(name: &FileName, entry: &FormatEntry) -> PathBuf {
    let endings = entry.image_endings.iter();
    let mut images = endings.flat_map(|ending| {
        let names = [
            name.companion(ending),
            name.with_ending(ending),
            name.with_ending(&ending.to_ascii_uppercase()),
        ];
        names.map(existing)
    });
    let first = images.next().unwrap_or_default();
    match first.exists() {
        true => first,
        false => images.find(|path| path.exists()).unwrap_or(first),
    }
}

/// Replaces a source that was not found by [`Source::Missing`]: as in nibabel, a header can be loaded without its voxel
/// file, but reading the voxels then fails.
pub(super) fn source_or_missing<T: Default>(
    opened: Result<(Source, T)>,
    path: Option<&Path>,
) -> Result<(Source, T)> {
    match opened {
        Err(error) if *error.kind() == ErrorKind::NotFound => {
            let missing = Source::Missing(path.unwrap_or(Path::new("")).into());
            Ok((missing, T::default()))
        }
        opened => opened,
    }
}

/// The identity of a file, by which later changes are noticed.
///
/// # Errors
/// As [`Identity::of_path`]; [`ErrorKind::NotAVolume`] for a git-annex link whose content is not present.
pub(super) fn identity(path: &Path) -> Result<Identity> {
    let found = Identity::of_path(path);
    match &found {
        Err(error) if *error.kind() == ErrorKind::NotFound => {
            let target = std::fs::read_link(path).unwrap_or_default();
            if is_annex_path(target.as_os_str().as_encoded_bytes()) {
                return Err(Error::from(ANNEX_LINK).at(path));
            }
            found
        }
        _ => found,
    }
}

fn file(path: &Path, identity: Identity, options: &LoadOptions) -> FileSource {
    FileSource::new(path, identity, options.keep_file_open == KeepFileOpen::Yes)
}

pub(super) fn by_position(path: &Path, identity: Identity, options: &LoadOptions) -> Source {
    Source::File(Arc::new(file(path, identity, options)))
}

/// Opens a file without decompressing it.
pub(super) fn open_stored(path: &Path, options: &LoadOptions) -> Result<Source> {
    Ok(stored(path, identity(path)?, options))
}

pub(super) fn stored(path: &Path, identity: Identity, options: &LoadOptions) -> Source {
    // On 32-bit machines, files of 2 GiB and more cannot be mapped.
    let is_too_large = isize::try_from(identity.length()).is_err();
    if options.mmap == Mmap::Off || is_too_large {
        return by_position(path, identity, options);
    }
    let zero_copy = options
        .zero_copy
        .then_some(options.mmap == Mmap::CopyOnWrite);
    let file = file(path, identity, options);
    Source::Mapped(Arc::new(MmapSource::new(file, zero_copy)))
}

/// The source from byte `pos` on.
pub(super) fn from_byte(source: Source, pos: u64) -> Source {
    match pos {
        0 => source,
        _ => {
            let inner = source.without_pieces();
            Source::custom(Arc::new(OffsetSource { inner, pos }))
        }
    }
}
