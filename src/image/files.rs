//! Which files make up an image, by the name of one of them, and opening them as they are stored.

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

/// The file, or the same one without a compression suffix or with another, if that is the one that exists: one half of a
/// pair may be compressed and the other not, as AFNI has it.
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

/// The file with the voxels of a header under a name that is not usual for its format: the first that exists, else the
/// one that should.
pub(super) fn image_of(name: &FileName, entry: &FormatEntry) -> PathBuf {
    let endings = entry.image_endings.iter();
    let mut images = endings.flat_map(|ending| {
        let names = [
            name.companion(ending),
            name.with_ending(ending),
            name.with_ending(&ending.to_uppercase()),
        ];
        names.map(existing)
    });
    let first = images.next().unwrap_or_default();
    match first.exists() {
        true => first,
        false => images.find(|path| path.exists()).unwrap_or(first),
    }
}

/// A source that is not there, with what else was found: as in nibabel, a header alone can be loaded, and its voxels
/// cannot be read.
pub(super) fn or_missing<T: Default>(
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

/// The state of a file, by which a change of it is noticed later.
///
/// # Errors
/// As [`Identity::of_path`]; [`ErrorKind::NotAVolume`] for a link to a file of git-annex that is not here.
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

pub(super) fn by_position(path: &Path, identity: Identity, options: &LoadOptions) -> Source {
    let keep_open = options.keep_file_open == KeepFileOpen::Yes;
    Source::File(Arc::new(FileSource::new(path, identity, keep_open)))
}

/// The bytes of a file as they are stored, whatever they are.
pub(super) fn open_stored(path: &Path, options: &LoadOptions) -> Result<Source> {
    Ok(stored(path, identity(path)?, options))
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
