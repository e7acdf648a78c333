//! Opens images: finds and parses the header, and finds the voxels.

use std::path::Path;

use super::content::{self, Opened};
use super::files::{self, identity, source_or_missing};
use super::voxels::{self, FileLookup};
use super::{DataobjImage, Extra};
use crate::core::error::{Error, ErrorKind, Result};
use crate::core::options::LoadOptions;
use crate::format::file_map::{FileHolder, FileMap, FileRole};
use crate::format::{By, Detected, FileName, Format, Location, Parsed};
use crate::header::Note;
use crate::header::fields::mgh::MAX_FOOTER_BYTES;
use crate::read::proxy::{ArrayProxy, ProxySpec};
use crate::source::memory::MemorySource;
use crate::source::{Access, Source};

/// The most bytes that are read of an optional file, such as SPM's `.mat` file.
const MAX_BESIDE_BYTES: u64 = 16 << 20;

pub(super) fn from_filename(path: &Path, options: &LoadOptions) -> Result<DataobjImage> {
    let file_map = files::file_map(path, options)?;
    let header = file_map
        .get(&FileRole::Header)
        .and_then(|file| file.filename.clone());
    // If the named file does not exist, report this before errors about the other files.
    if header.as_ref().is_some_and(|header| header != path) {
        identity(path)?;
    }
    let loaded = load(file_map, Names::Found, options);
    // By its name, the file contains only voxels. If the header file does not exist or is not a header, the named file
    // itself may be a complete volume.
    let is_no_header = |error: &Error| {
        let kind = matches!(
            error.kind(),
            ErrorKind::NotFound
                | ErrorKind::UnknownFormat(_)
                | ErrorKind::NotAVolume { .. }
                | ErrorKind::Empty
        );
        kind && error.path() == header.as_deref()
    };
    match (&loaded, &header) {
        (Err(error), Some(header)) if header != path && is_no_header(error) => {
            let alone = FileMap::from([(FileRole::Image, FileHolder::from_filename(path))]);
            load(alone, Names::Misleading, options).or(loaded)
        }
        _ => loaded,
    }
}

pub(super) fn from_bytes(bytes: MemorySource) -> Result<DataobjImage> {
    let options = LoadOptions::new();
    let opened = content::decompressed(Source::Memory(bytes), None, &options)?;
    let found = content::recognise(&opened, None, &options)?;
    let found = in_one_file(found, &opened, &options)?;
    let mut parsed = content::parse(&opened, found, &options)?;
    read_more(&mut parsed, &opened.source, &FileMap::new(), &options)?;
    let lookup = FileLookup::default();
    let source = voxels::source(&mut parsed, opened.source, &lookup, &options)?;
    assemble(parsed, source, FileMap::new(), &options)
}

pub(super) fn from_file_map(file_map: FileMap, options: &LoadOptions) -> Result<DataobjImage> {
    load(file_map, Names::Given, options)
}

/// Where the names in a file map come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    /// Derived from the name of one file, which may be misleading.
    Found,
    /// Given by the caller.
    Given,
    /// The map has only one file, which has the name of a voxel file but begins with a header.
    Misleading,
}

fn load(mut file_map: FileMap, names: Names, options: &LoadOptions) -> Result<DataobjImage> {
    let image = file_map
        .get(&FileRole::Image)
        .ok_or_else(|| Error::usage("the file map has no \"image\""))?;
    let header = file_map.get(&FileRole::Header).unwrap_or(image).clone();
    let header_path = header.filename.clone();
    let named = named_files(&file_map);
    let of_header = |error: Error| error.at_maybe(header_path.as_deref());
    let opened = content::open(&header, options)?;
    let name = header.filename.as_ref().map(FileName::new);
    let ending = match names {
        Names::Misleading => None,
        Names::Found | Names::Given => name.as_ref().map(FileName::ending),
    };
    let found = content::recognise(&opened, ending, options)
        .and_then(|found| find_voxels(found, &opened, &mut file_map, names, options))
        .map_err(of_header)?;
    let mut parsed = content::parse(&opened, found, options).map_err(of_header)?;
    let notes = content::notes(&opened, found, header_path.as_deref());
    parsed.notes.splice(..0, notes);
    let header_source = opened.source;
    read_more(&mut parsed, &header_source, &file_map, options).map_err(of_header)?;
    header_source.release();
    let image_source = match file_map.get(&FileRole::Image) {
        Some(image) if !found.entry.image_endings.is_empty() => {
            let (source, note) = open_voxels(image, &parsed, options)?;
            parsed.notes.extend(note);
            source
        }
        _ => header_source,
    };
    let lookup = FileLookup {
        folder: header_path.as_deref().and_then(Path::parent),
        given: &named,
    };
    let source = voxels::source(&mut parsed, image_source, &lookup, options).map_err(of_header)?;
    source.release();
    assemble(parsed, source, file_map, options).map_err(of_header)
}

/// The files of a map that a header may name.
fn named_files(file_map: &FileMap) -> Vec<FileHolder> {
    let files = file_map.iter();
    let named = files.filter(|(role, _)| matches!(role, FileRole::Named(_)));
    named.map(|(_, holder)| holder.clone()).collect()
}

/// The format of bytes that must contain both header and voxels, because a second file cannot be found.
///
/// # Errors
/// [`ErrorKind::Usage`] if the voxels are in a separate file.
fn in_one_file(found: Detected, opened: &Opened, options: &LoadOptions) -> Result<Detected> {
    if found.entry.image_endings.is_empty() {
        return Ok(found);
    }
    if let Some(whole) = content::whole_bytes(opened, found, options)? {
        return Ok(whole);
    }
    let name = found.entry.name;
    Err(Error::usage(format!(
        "{name} keeps its voxels in a file of their own: load it by its name, or from a map of both files"
    )))
}

/// Corrects the voxel file in the map if the names mislead: for a header with an unusual name, and for a complete
/// volume that has the name of a header. Returns the format, which in the second case is not `found`.
///
/// # Errors
/// [`ErrorKind::Usage`] if the format needs a second file and its name cannot be derived.
fn find_voxels(
    found: Detected,
    opened: &Opened,
    file_map: &mut FileMap,
    names: Names,
    options: &LoadOptions,
) -> Result<Detected> {
    let found = match names {
        Names::Misleading => Detected {
            by: By::Content,
            ..found
        },
        Names::Found | Names::Given => found,
    };
    let has_two = file_map.contains_key(&FileRole::Header);
    let header = file_map
        .get(&FileRole::Header)
        .or(file_map.get(&FileRole::Image));
    let header = header.cloned().unwrap_or_default();
    if found.entry.image_endings.is_empty() {
        if has_two {
            *file_map = FileMap::from([(FileRole::Image, header)]);
        }
        return Ok(found);
    }
    let (None, Some(path)) = (&header.source, &header.filename) else {
        return if has_two {
            Ok(found)
        } else {
            in_one_file(found, opened, options)
        };
    };
    if has_two && (names == Names::Given || found.by != By::Content) {
        let image = file_map
            .get(&FileRole::Image)
            .and_then(|image| image.filename.as_deref());
        if names == Names::Given || image.is_some_and(Path::exists) {
            return Ok(found);
        }
    }
    if is_pair(found.entry.format)
        && let Some(single) = content::whole_volume(opened, options)?
    {
        *file_map = FileMap::from([(FileRole::Image, header)]);
        return Ok(single);
    }
    let image = files::image_of(&FileName::new(path), found.entry);
    if has_two && found.by != By::Content {
        // Its name may differ from that of the header in case.
        if image.exists() && image != *path {
            file_map.insert(FileRole::Image, FileHolder::from_filename(image));
        }
        return Ok(found);
    }
    if image == *path {
        return in_one_file(found, opened, options);
    }
    file_map.insert(FileRole::Image, FileHolder::from_filename(image));
    file_map.insert(FileRole::Header, header);
    Ok(found)
}

/// Whether it is a NIfTI pair, whose header may turn out to be a single file.
fn is_pair(format: Format) -> bool {
    matches!(format, Format::Nifti1Pair | Format::Nifti2Pair)
}

/// Opens the voxel file. If it does not exist, only reading the voxels fails.
fn open_voxels(
    image: &FileHolder,
    parsed: &Parsed,
    options: &LoadOptions,
) -> Result<(Source, Option<Note>)> {
    let header = &parsed.header;
    let opened = content::open_voxels(image, header.data_end().ok(), options);
    match source_or_missing(opened, image.filename.as_deref()) {
        // An empty file is valid for an image without voxels.
        Err(error) if *error.kind() == ErrorKind::Empty && header.data_bytes()? == 0 => {
            Ok((Source::Memory(MemorySource::new([])), None))
        }
        opened => opened,
    }
}

fn assemble(
    parsed: Parsed,
    source: Source,
    file_map: FileMap,
    options: &LoadOptions,
) -> Result<DataobjImage> {
    let proxy = ArrayProxy::from_source(source, ProxySpec::from(&parsed.header))?
        .with_limits(options.limits)
        .with_threads(options.threads.clone());
    let mut image = DataobjImage::new(proxy, parsed.header, Extra::new(), file_map)?;
    image.notes = parsed.notes;
    if let Some(footer) = image.unread_footer()
        && let Source::Gzip(gzip) = image.dataobj.source()
    {
        gzip.keep_tail(footer.at, MAX_FOOTER_BYTES);
    }
    Ok(image)
}

/// Reads the other parts of the header ([`Location`]).
fn read_more(
    parsed: &mut Parsed,
    source: &Source,
    file_map: &FileMap,
    options: &LoadOptions,
) -> Result<()> {
    if let Some(read) = parsed.container.take() {
        read(source, parsed)?;
    }
    while let Some(more) = parsed.more.take() {
        // Errors name the file in which they were found.
        let path = match &more.place {
            Location::File(key) => file_map.get(key).and_then(|file| file.filename.clone()),
            _ => None,
        };
        let of_other = |error: Error| error.at_maybe(path.as_deref());
        let pieces = pieces(&more.place, source, file_map, options).map_err(of_other)?;
        let Some(pieces) = pieces else {
            return Ok(());
        };
        (more.apply)(&pieces, parsed).map_err(of_other)?;
    }
    Ok(())
}

/// Reads the requested parts of a header; `None` if they are not available.
fn pieces(
    place: &Location,
    source: &Source,
    file_map: &FileMap,
    options: &LoadOptions,
) -> Result<Option<Vec<Vec<u8>>>> {
    let pieces = match place {
        Location::CheapRanges(_) if source.access() == Access::Sequential => return Ok(None),
        Location::Ranges(ranges) | Location::CheapRanges(ranges) => ranges
            .iter()
            .map(|range| voxels::piece(source, range.clone()))
            .collect::<Result<_>>()?,
        Location::File(key) => {
            let Some(holder) = file_map.get(key) else {
                return Ok(None);
            };
            let opened = content::open(holder, options);
            match opened.and_then(|opened| opened.source.prefix(MAX_BESIDE_BYTES)) {
                Ok(bytes) => vec![bytes],
                Err(error) => match error.kind() {
                    ErrorKind::NotFound | ErrorKind::NotAFile | ErrorKind::Empty => {
                        return Ok(None);
                    }
                    _ => return Err(error),
                },
            }
        }
    };
    Ok(Some(pieces))
}
