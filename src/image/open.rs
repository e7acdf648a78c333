//! From files and bytes to an image: which file is the header, what it says, where the voxels are.

use std::path::Path;
use std::sync::Arc;

use super::{DataobjImage, Extra};
use crate::dataobj::Dataobj;
use crate::error::{Error, ErrorKind, Result};
use crate::file_map::{FileHolder, FileMap, HEADER, IMAGE};
use crate::format::{FORMATS, FileName, FormatEntry, Need, Parsed, detect};
use crate::options::{KeepFileOpen, LoadOptions, Mmap};
use crate::proxy::{ArrayProxy, ProxySpec};
use crate::source::Source;
use crate::source::file::{FileSource, Identity};
use crate::source::gzip::{GzipSource, is_gzip};
use crate::source::memory::MemorySource;
use crate::source::mmap::MmapSource;
use crate::source::offset::OffsetSource;

/// Bytes by which a format is told: the NIfTI-1 header and its extension flag, so that no voxel is read.
const SNIFF_BYTES: u64 = 352;

pub(super) fn from_filename(path: &Path, options: &LoadOptions) -> Result<DataobjImage> {
    // The file that was named is the one whose absence is reported first.
    Identity::of_path(path)?;
    let name = FileName::new(path);
    let mut file_map = FileMap::new();
    match FORMATS.iter().find_map(|entry| entry.files(&name)) {
        Some(files) if files.header != files.image => {
            file_map.insert(HEADER, FileHolder::from_filename(files.header));
            file_map.insert(IMAGE, FileHolder::from_filename(files.image));
        }
        _ => {
            file_map.insert(IMAGE, FileHolder::from_filename(path));
        }
    }
    from_file_map(file_map, options)
}

pub(super) fn from_bytes(bytes: Arc<[u8]>) -> Result<DataobjImage> {
    let source = decompressed(Source::Memory(MemorySource::new(bytes)), None)?;
    let (_, parsed) = read_header(&source, None)?;
    assemble(parsed, source, FileMap::new())
}

pub(super) fn from_file_map(file_map: FileMap, options: &LoadOptions) -> Result<DataobjImage> {
    let image = file_map
        .get(IMAGE)
        .ok_or_else(|| Error::usage("the file map has no \"image\""))?;
    let header = file_map.get(HEADER).unwrap_or(image);
    let header_source = open_holder(header, options)?;
    let name = header.filename.as_ref().map(FileName::new);
    let (entry, parsed) = read_header(&header_source, name.as_ref())
        .map_err(|error| error.at_maybe(header.filename.as_deref()))?;
    header_source.release();
    let image_source = if entry.image_endings.is_empty() {
        header_source
    } else {
        match open_holder(image, options) {
            // As in nibabel, a header alone can be loaded; its voxels cannot be read.
            Err(error) if *error.kind() == ErrorKind::NotFound => {
                let missing = image.filename.as_deref().unwrap_or(Path::new(""));
                Source::Missing(missing.into())
            }
            opened => opened?,
        }
    };
    image_source.release();
    let name = header.filename.clone();
    assemble(parsed, image_source, file_map).map_err(|error| error.at_maybe(name.as_deref()))
}

fn assemble(parsed: Parsed, source: Source, file_map: FileMap) -> Result<DataobjImage> {
    let proxy = ArrayProxy::from_source(source, ProxySpec::from(&parsed.header))?;
    let mut image =
        DataobjImage::new(Dataobj::Proxy(proxy), parsed.header, Extra::new(), file_map)?;
    image.notes = parsed.notes;
    Ok(image)
}

fn open_holder(holder: &FileHolder, options: &LoadOptions) -> Result<Source> {
    let source = match (&holder.source, &holder.filename) {
        (Some(source), _) => Source::Custom(Arc::clone(source)),
        (None, Some(path)) => return open_file(path, holder.pos, options),
        (None, None) => {
            return Err(Error::usage("a file holder has neither a name nor bytes"));
        }
    };
    decompressed(behind(source, holder.pos), holder.filename.as_deref())
}

fn open_file(path: &Path, pos: u64, options: &LoadOptions) -> Result<Source> {
    let identity = Identity::of_path(path)?;
    let keep_open = options.keep_file_open == KeepFileOpen::Yes;
    let by_position = Source::File(Arc::new(FileSource::new(path, identity, keep_open)));
    let opened = decompressed(behind(by_position, pos), Some(path))?;
    match opened {
        Source::File(_) if options.mmap != Mmap::Off => {
            let zero_copy = options
                .zero_copy
                .then_some(options.mmap == Mmap::CopyOnWrite);
            let mapped = MmapSource::new(path, identity, keep_open, zero_copy);
            Ok(Source::Mapped(Arc::new(mapped)))
        }
        other => Ok(other),
    }
}

/// The source from `pos` on.
fn behind(source: Source, pos: u64) -> Source {
    match pos {
        0 => source,
        _ => Source::Custom(Arc::new(OffsetSource { inner: source, pos })),
    }
}

/// The source, or what it inflates to when its content is gzip.
fn decompressed(source: Source, path: Option<&Path>) -> Result<Source> {
    let prefix = source.prefix(2)?;
    if is_gzip(&prefix) {
        return Ok(Source::Gzip(Arc::new(GzipSource::new(source))));
    }
    let suffix = path.map(FileName::new);
    let suffix = suffix
        .as_ref()
        .map(|name| name.compression().to_ascii_lowercase());
    match suffix.as_deref() {
        None | Some("") => Ok(source),
        Some(".gz") => Err(ErrorKind::Integrity {
            codec: "gzip",
            detail: "not a gzip file: it does not begin with 1f 8b".to_owned(),
        }
        .into()),
        Some(other) => Err(Error::unsupported(format!("compression {other}"))),
    }
    .map_err(|error: Error| error.at_maybe(path))
}

/// Tells the format and parses the header.
fn read_header(source: &Source, name: Option<&FileName>) -> Result<(&'static FormatEntry, Parsed)> {
    let ending = name.map(FileName::ending);
    let mut prefix = source.prefix(SNIFF_BYTES)?;
    let mut detected = detect(&prefix, ending);
    if let Err(error) = &detected
        && let ErrorKind::Truncated { need, .. } = *error.kind()
        && prefix.len() as u64 == SNIFF_BYTES
    {
        // Not the file is short, but what was read of it. The four bytes behind a header tell of extensions.
        prefix = source.prefix(need + 4)?;
        detected = detect(&prefix, ending);
    }
    let entry = detected?;
    let bytes = match (entry.need)(&prefix)? {
        Need::Bytes(length) if length <= prefix.len() as u64 => prefix,
        Need::Bytes(length) => source.prefix(length)?,
        Need::All => source.prefix(u64::MAX)?,
    };
    Ok((entry, (entry.parse)(&bytes)?))
}
