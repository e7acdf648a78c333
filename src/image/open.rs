//! From files and bytes to an image: which file is the header, what it says, where the voxels are.

use std::path::Path;
use std::sync::Arc;

use super::files::{self, by_position, from_byte, or_missing, stored};
use super::{DataobjImage, Extra, voxels};
use crate::core::error::{Error, ErrorKind, Result};
use crate::core::limits;
use crate::core::options::LoadOptions;
use crate::format::file_map::{FileHolder, FileMap, FileRole};
use crate::format::{FileName, Format, FormatEntry, Need, Parsed, Place, detect};
use crate::read::proxy::{ArrayProxy, ProxySpec};
use crate::source::codec::{self, ForwardCodec};
use crate::source::file::Identity;
use crate::source::gzip::{GzipSource, is_gzip};
use crate::source::memory::MemorySource;
use crate::source::{Access, Source};

/// Bytes by which a format is told: the NIfTI-1 header and its extension flag, so that no voxel is read.
const SNIFF_BYTES: u64 = 352;

/// Bytes of a file beside the others.
const MAX_BESIDE_BYTES: u64 = 16 << 20;

pub(super) fn from_filename(path: &Path, options: &LoadOptions) -> Result<DataobjImage> {
    // The file that was named is the one whose absence is reported first.
    Identity::of_path(path)?;
    from_file_map(files::file_map(path, options)?, options)
}

pub(super) fn from_bytes(bytes: MemorySource) -> Result<DataobjImage> {
    let options = LoadOptions::new();
    let source = decompressed(Source::Memory(bytes), None, &options)?;
    let (_, mut parsed) = read_header(&source, None, &options)?;
    read_more(&mut parsed, &source, &FileMap::new(), &options)?;
    let source = voxels::source(&mut parsed, source, None, &options)?;
    assemble(parsed, source, FileMap::new(), &options)
}

pub(super) fn from_file_map(file_map: FileMap, options: &LoadOptions) -> Result<DataobjImage> {
    let image = file_map
        .get(&FileRole::Image)
        .ok_or_else(|| Error::usage("the file map has no \"image\""))?;
    let header = file_map.get(&FileRole::Header).unwrap_or(image);
    let header_path = header.filename.clone();
    let of_header = |error: Error| error.at_maybe(header_path.as_deref());
    let header_source = open_holder(header, options)?;
    let name = header.filename.as_ref().map(FileName::new);
    let (entry, mut parsed) =
        read_header(&header_source, name.as_ref(), options).map_err(of_header)?;
    read_more(&mut parsed, &header_source, &file_map, options).map_err(of_header)?;
    header_source.release();
    let image_source = if entry.image_endings.is_empty() {
        header_source
    } else {
        let opened = or_missing(open_holder(image, options), image.filename.as_deref());
        match opened {
            // An image without voxels has an empty file.
            Err(error) if *error.kind() == ErrorKind::Empty && parsed.header.data_bytes()? == 0 => {
                Source::Memory(MemorySource::new([]))
            }
            opened => opened?,
        }
    };
    let folder = header_path.as_deref().and_then(Path::parent);
    let source = voxels::source(&mut parsed, image_source, folder, options).map_err(of_header)?;
    source.release();
    assemble(parsed, source, file_map, options).map_err(of_header)
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
    Ok(image)
}

fn open_holder(holder: &FileHolder, options: &LoadOptions) -> Result<Source> {
    let source = match (&holder.source, &holder.filename) {
        (Some(source), _) => Source::custom(Arc::clone(source)),
        (None, Some(path)) => return open_file(path, holder.pos, options),
        (None, None) => {
            return Err(Error::usage("a file holder has neither a name nor bytes"));
        }
    };
    decompressed(
        from_byte(source, holder.pos),
        holder.filename.as_deref(),
        options,
    )
}

pub(super) fn open_file(path: &Path, pos: u64, options: &LoadOptions) -> Result<Source> {
    let identity = Identity::of_path(path)?;
    if pos == 0 && FileName::new(path).compression().is_empty() {
        let source = stored(path, identity, options);
        let prefix = source.prefix(2)?;
        if !is_gzip(&prefix) && !codec::may_begin(&prefix) {
            return Ok(source);
        }
    }
    let opened = decompressed(
        from_byte(by_position(path, identity, options), pos),
        Some(path),
        options,
    )?;
    match opened {
        Source::File(_) => Ok(stored(path, identity, options)),
        other => Ok(other),
    }
}

/// The source, or what it inflates to when its content is gzip.
fn decompressed(source: Source, path: Option<&Path>, options: &LoadOptions) -> Result<Source> {
    // Two bytes tell most files apart: no more of the voxels is read for that.
    let mut prefix = source.prefix(2)?;
    if is_gzip(&prefix) {
        return Ok(Source::Gzip(Arc::new(GzipSource::new(
            source,
            options.gzip_cache,
            options.gzip_index.clone(),
            options.limits,
        ))));
    }
    let suffix = path.map(FileName::new);
    let suffix = suffix
        .as_ref()
        .map(|name| name.compression().to_ascii_lowercase())
        .unwrap_or_default();
    let named = ForwardCodec::of_suffix(&suffix);
    if codec::may_begin(&prefix) {
        prefix = source.prefix(codec::SNIFF_BYTES)?;
    }
    if let Some(codec) = ForwardCodec::sniff(&prefix) {
        source.release();
        let opened = codec.open(source, 0, options.limits);
        let source = opened.map_err(|error| error.at_maybe(path))?;
        return Ok(Source::Custom(Arc::new(source)));
    }
    let (codec, begins) = match named {
        _ if suffix == ".gz" => ("gzip", "1f 8b"),
        Some(ForwardCodec::Bzip2) => ("bzip2", "BZh"),
        Some(ForwardCodec::Zstd) => ("zstd", "28 b5 2f fd"),
        Some(ForwardCodec::Zlib) | None => return Ok(source),
    };
    let detail = format!("not a {codec} file: it does not begin with {begins}");
    Err(Error::from(ErrorKind::Integrity { codec, detail }).at_maybe(path))
}

/// Tells the format and parses the header.
fn read_header(
    source: &Source,
    name: Option<&FileName>,
    options: &LoadOptions,
) -> Result<(&'static FormatEntry, Parsed)> {
    let mut bytes = source.prefix(SNIFF_BYTES)?;
    let entry = match options.format {
        Some(format) => files::entry(format)?,
        None => tell(source, &mut bytes, name)?,
    };
    loop {
        let need = (entry.need)(&bytes)?;
        let length = need.bytes(&options.limits)?;
        if need == Need::All {
            bytes = source.prefix(length)?;
            limits::check("header bytes", bytes.len() as u128, options.limits.header)?;
            break;
        }
        if length <= bytes.len() as u64 {
            break;
        }
        bytes = source.prefix(length)?;
        if (bytes.len() as u64) < length {
            break;
        }
    }
    Ok((entry, (entry.parse)(&bytes, options)?))
}

/// Tells the format by the first bytes and the name.
fn tell(
    source: &Source,
    prefix: &mut Vec<u8>,
    name: Option<&FileName>,
) -> Result<&'static FormatEntry> {
    let ending = name.map(FileName::ending);
    let mut detected = detect(prefix, ending);
    if let Err(error) = &detected
        && let ErrorKind::Truncated { need, .. } = *error.kind()
        && prefix.len() as u64 == SNIFF_BYTES
    {
        // Not the file is short, but what was read of it. The four bytes behind a header tell of extensions.
        *prefix = source.prefix(need + 4)?;
        detected = detect(prefix, ending);
    }
    match detected? {
        // nibabel knows no compressed CIFTI-2: it is NIfTI-2 then, with all its axes.
        cifti if cifti.format == Format::Cifti2 && matches!(source, Source::Gzip(_)) => {
            files::entry(Format::Nifti2Single)
        }
        entry => Ok(entry),
    }
}

/// Reads what else of the header there is.
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
        let Some(pieces) = pieces(more.place, source, file_map, options)? else {
            return Ok(());
        };
        (more.apply)(&pieces, parsed)?;
    }
    Ok(())
}

/// The parts of a header that are asked for; `None` where they are not to be had.
fn pieces(
    place: Place,
    source: &Source,
    file_map: &FileMap,
    options: &LoadOptions,
) -> Result<Option<Vec<Vec<u8>>>> {
    let pieces = match place {
        Place::CheapRanges(_) if source.access() == Access::Sequential => return Ok(None),
        Place::Ranges(ranges) | Place::CheapRanges(ranges) => ranges
            .into_iter()
            .map(|range| voxels::piece(source, range))
            .collect::<Result<_>>()?,
        Place::File(key) => {
            let Some(holder) = file_map.get(&key) else {
                return Ok(None);
            };
            let opened = open_holder(holder, options);
            match opened.and_then(|source| source.prefix(MAX_BESIDE_BYTES)) {
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
