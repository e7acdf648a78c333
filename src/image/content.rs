//! Recognizes the compression and the format of files by their content, and notes where a name does not match.

use std::cell::OnceCell;
use std::path::Path;
use std::sync::Arc;

use super::files::{by_position, from_byte, identity, stored};
use crate::core::error::{Error, ErrorKind, Result};
use crate::core::format::Format;
use crate::core::limits;
use crate::core::options::LoadOptions;
use crate::format::file_map::FileHolder;
use crate::format::foreign::{self, Foreign};
use crate::format::nifti::Version;
use crate::format::{By, Detected, FileName, Need, Parsed, detect, sniff_bytes};
use crate::header::Note;
use crate::source::codec::{self, ForwardCodec};
use crate::source::gzip::{GzipSource, is_gzip};
use crate::source::{Access, Source};

/// Bytes that are read to recognize a format: the NIfTI-1 header and its extension flag, but no voxels.
const SNIFF_BYTES: u64 = 352;

/// Bytes that are read to recognize a Git LFS or git-annex pointer, or an HTML page, in place of voxels.
const POINTER_BYTES: u64 = 512;

/// A compression that a file name can indicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Compression {
    pub name: &'static str,
    /// The ending of the file name that indicates it.
    suffix: &'static str,
    /// The first bytes of its files, for messages.
    begins: &'static str,
}

const GZIP: Compression = Compression {
    name: "gzip",
    suffix: ".gz",
    begins: "1f 8b",
};
const BZIP2: Compression = Compression {
    name: "bzip2",
    suffix: ".bz2",
    begins: "BZh",
};
const ZSTD: Compression = Compression {
    name: "zstd",
    suffix: ".zst",
    begins: "28 b5 2f fd",
};

/// An opened file, decompressed.
#[derive(Debug)]
pub(super) struct Opened {
    pub source: Source,
    /// The first two stored bytes, or fewer if the file is shorter.
    start: Vec<u8>,
    /// The compression of the content.
    content: Option<Compression>,
    /// The compression that the name indicates.
    of_name: Option<Compression>,
    /// The first bytes of the content, once they have been read, so that a stream is not inflated twice for them.
    first: OnceCell<Vec<u8>>,
}

impl Opened {
    /// The first [`SNIFF_BYTES`] of the content, or fewer if it is shorter.
    ///
    /// # Errors
    /// Errors of reading.
    fn first_bytes(&self) -> Result<Vec<u8>> {
        if let Some(bytes) = self.first.get() {
            return Ok(bytes.clone());
        }
        let bytes = self.source.prefix(SNIFF_BYTES)?;
        Ok(self.first.get_or_init(|| bytes).clone())
    }

    /// The compression that the name indicates, if the content is not compressed.
    fn missing_compression(&self) -> Option<Compression> {
        self.of_name.filter(|_| self.content.is_none())
    }

    /// The error for a file whose name indicates a compression, but whose content is neither compressed nor recognized.
    fn not_compressed(of_name: Compression) -> Error {
        let Compression { name, begins, .. } = of_name;
        let detail = format!("not a {name} file: it does not begin with {begins}");
        ErrorKind::Integrity {
            codec: name,
            detail,
        }
        .into()
    }

    /// A note if the name and the content disagree about the compression.
    fn note(&self, path: &Path) -> Option<Note> {
        let ending = || {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let at = name.rfind('.');
            at.map_or(String::new(), |at| name.chars().skip(at).collect())
        };
        let message = match (self.content, self.of_name) {
            (content, of_name) if content == of_name => return None,
            (Some(content), _) => format!(
                "the content is compressed by {}, but the name does not end in {}",
                content.name, content.suffix
            ),
            (None, _) => format!(
                "the content is not compressed, but the name ends in {}",
                ending()
            ),
        };
        Some(name_note(path, message))
    }
}

/// A note about a file's name.
pub(super) fn name_note(path: &Path, message: String) -> Note {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Note {
        field: "name",
        message: format!("{name}: {message}"),
    }
}

/// The compression that a file name indicates.
fn compression_of_name(path: &Path) -> Option<Compression> {
    let name = FileName::new(path);
    match name.compression().to_ascii_lowercase().as_str() {
        ".gz" => Some(GZIP),
        ".bz2" => Some(BZIP2),
        ".zst" => Some(ZSTD),
        _ if name.ending().eq_ignore_ascii_case(".mgz") => Some(GZIP),
        _ => None,
    }
}

/// Opens a file or the caller's bytes.
///
/// # Errors
/// Errors of opening the file and of reading its first bytes.
pub(super) fn open(holder: &FileHolder, options: &LoadOptions) -> Result<Opened> {
    let path = holder.filename.as_deref();
    match (&holder.source, path) {
        (Some(source), _) => {
            let source = from_byte(Source::custom(Arc::clone(source)), holder.pos);
            decompressed(source, path, options)
        }
        (None, Some(path)) => open_file(path, holder.pos, options),
        (None, None) => Err(Error::usage("a file holder has neither a name nor bytes")),
    }
}

/// Opens a file of raw voxels, decompressed.
///
/// # Errors
/// [`ErrorKind::Integrity`] if the name indicates a compression and the content is not compressed.
pub(super) fn open_raw(path: &Path, options: &LoadOptions) -> Result<Source> {
    let opened = open_file(path, 0, options)?;
    match opened.missing_compression() {
        Some(of_name) => Err(Opened::not_compressed(of_name).at(path)),
        None => Ok(opened.source),
    }
}

fn open_file(path: &Path, pos: u64, options: &LoadOptions) -> Result<Opened> {
    let identity = identity(path)?;
    let of_name = compression_of_name(path);
    if pos == 0 && of_name.is_none() {
        let source = stored(path, identity, options);
        // One read for all that recognizing an uncompressed file needs.
        let first = source.prefix(SNIFF_BYTES)?;
        let start: Vec<u8> = first.iter().copied().take(2).collect();
        if !is_gzip(&start) && !codec::may_begin(&start) {
            return Ok(Opened {
                source,
                start,
                content: None,
                of_name,
                first: OnceCell::from(first),
            });
        }
    }
    let source = from_byte(by_position(path, identity, options), pos);
    let mut opened = decompressed(source, Some(path), options)?;
    if matches!(opened.source, Source::File(_)) {
        opened.source = stored(path, identity, options);
    }
    Ok(opened)
}

/// The source, decompressed if its content is compressed.
pub(super) fn decompressed(
    source: Source,
    path: Option<&Path>,
    options: &LoadOptions,
) -> Result<Opened> {
    let of_name = path.and_then(compression_of_name);
    // Two bytes rule out compression for most files, so that no voxels are read.
    let start = source.prefix(2)?;
    if is_gzip(&start) {
        let gzip = GzipSource::new(
            source,
            options.gzip_cache,
            options.gzip_index.clone(),
            options.limits,
        );
        return Ok(Opened {
            source: Source::Gzip(Arc::new(gzip)),
            start,
            content: Some(GZIP),
            of_name,
            first: OnceCell::new(),
        });
    }
    let prefix = match codec::may_begin(&start) {
        true => source.prefix(codec::SNIFF_BYTES)?,
        false => start.clone(),
    };
    let content = match ForwardCodec::sniff(&prefix) {
        Some(ForwardCodec::Bzip2) => Some((ForwardCodec::Bzip2, BZIP2)),
        Some(ForwardCodec::Zstd) => Some((ForwardCodec::Zstd, ZSTD)),
        Some(ForwardCodec::Zlib) | None => None,
    };
    let Some((codec, compression)) = content else {
        return Ok(Opened {
            source,
            start,
            content: None,
            of_name,
            first: OnceCell::new(),
        });
    };
    source.release();
    let opened = codec.open(source, 0, options.limits);
    let inflated = opened.map_err(|error| error.at_maybe(path))?;
    Ok(Opened {
        source: Source::Custom(Arc::new(inflated)),
        start,
        content: Some(compression),
        of_name,
        first: OnceCell::new(),
    })
}

/// Recognizes the format of a header file. `ending` is that of its name; if it is `None`, only the content decides.
///
/// # Errors
/// As [`detect`], and [`ErrorKind::Integrity`] if the name indicates a compression and the content is neither
/// compressed nor of a known format.
pub(super) fn recognise(
    opened: &Opened,
    ending: Option<&str>,
    options: &LoadOptions,
) -> Result<Detected> {
    let mut prefix = opened.first_bytes()?;
    if let &[format] = options.formats.as_slice() {
        return as_named(&prefix, format);
    }
    if prefix.len() as u64 == SNIFF_BYTES
        && let Some(need) = sniff_bytes(&prefix)
    {
        // The header is longer than what was read. The four bytes after it announce extensions.
        prefix = opened.source.prefix(need.saturating_add(4))?;
    }
    let detected = detect(&prefix, ending, &options.formats);
    match (detected, opened.missing_compression()) {
        (Ok(Detected { by: By::Name, .. }), Some(of_name)) => Err(Opened::not_compressed(of_name)),
        (Err(error), Some(of_name))
            if matches!(error.kind(), ErrorKind::UnknownFormat(_))
                && detect(&prefix, None, &[]).is_err() =>
        {
            Err(Opened::not_compressed(of_name))
        }
        // nibabel does not read compressed CIFTI-2 files as CIFTI-2, but as NIfTI-2 with all seven axes.
        (Ok(found), _)
            if found.entry.format == Format::Cifti2 && matches!(opened.source, Source::Gzip(_)) =>
        {
            let entry = super::files::entry(Format::Nifti2Single)?;
            Ok(Detected { entry, ..found })
        }
        (detected, _) => detected,
    }
}

/// The format that the caller named, unless the content is known not to be a volume.
fn as_named(prefix: &[u8], format: Format) -> Result<Detected> {
    if prefix.is_empty() {
        return Err(ErrorKind::Empty.into());
    }
    let entry = super::files::entry(format)?;
    match foreign::recognise(prefix) {
        Some(foreign) if !entry.matches(prefix) => Err(foreign.into()),
        _ => Ok(Detected {
            entry,
            by: By::Name,
        }),
    }
}

/// The format of a file that has the name of a NIfTI pair's header but is a complete volume: it has the magic of a
/// single file, and bytes after the header.
///
/// # Errors
/// Errors of reading.
pub(super) fn whole_volume(opened: &Opened, options: &LoadOptions) -> Result<Option<Detected>> {
    match recognise(opened, None, options) {
        Ok(found) if found.entry.image_endings.is_empty() => if_whole(opened, found, options),
        _ => Ok(None),
    }
}

/// The same for bytes without a name. As there is no second file, bytes with the magic of a pair are also a complete
/// volume if the voxels begin after the header.
///
/// # Errors
/// Errors of reading.
pub(super) fn whole_bytes(
    opened: &Opened,
    found: Detected,
    options: &LoadOptions,
) -> Result<Option<Detected>> {
    let (single, version) = match found.entry.format {
        Format::Nifti1Pair => (Format::Nifti1Single, Version::One),
        Format::Nifti2Pair => (Format::Nifti2Single, Version::Two),
        _ => return Ok(None),
    };
    let entry = super::files::entry(single)?;
    match parse(opened, found, options) {
        Ok(pair) if pair.header.data_offset >= version.single_offset() => {
            if_whole(opened, Detected { entry, ..found }, options)
        }
        _ => Ok(None),
    }
}

/// The format `single`, if the file has bytes where the voxels would begin.
fn if_whole(opened: &Opened, single: Detected, options: &LoadOptions) -> Result<Option<Detected>> {
    let Ok(parsed) = parse(opened, single, options) else {
        return Ok(None);
    };
    let first = parsed.header.data_offset.saturating_add(1);
    let is_whole = opened.source.prefix(first)?.len() as u64 == first;
    Ok(is_whole.then_some(Detected {
        by: By::Content,
        ..single
    }))
}

/// Parses the header of a file of this format.
///
/// # Errors
/// Errors of the parser and of reading.
pub(super) fn parse(opened: &Opened, found: Detected, options: &LoadOptions) -> Result<Parsed> {
    let entry = found.entry;
    let (source, mut bytes) = (&opened.source, opened.first_bytes()?);
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
    (entry.parse)(&bytes, options)
}

/// Notes about the name of a header file.
pub(super) fn notes(opened: &Opened, found: Detected, path: Option<&Path>) -> Vec<Note> {
    let Some(path) = path else {
        return Vec::new();
    };
    let by_content = (found.by == By::Content).then(|| {
        let (name, endings) = (found.entry.name, found.entry.header_endings.join(" or "));
        name_note(
            path,
            format!("the content is {name}, but the name does not end in {endings}"),
        )
    });
    by_content.into_iter().chain(opened.note(path)).collect()
}

/// Opens the voxel file of a format that has separate header and voxel files. `bytes` is the length of the file if it
/// is not compressed. Also returns a note about its name.
///
/// A voxel file has no magic number. If its name indicates a compression and its content is not compressed, it is
/// accepted only if it has this length.
///
/// # Errors
/// As [`open`]; [`ErrorKind::Integrity`] and [`ErrorKind::NotAVolume`] for content that cannot be voxels.
pub(super) fn open_voxels(
    holder: &FileHolder,
    bytes: Option<u64>,
    options: &LoadOptions,
) -> Result<(Source, Option<Note>)> {
    let path = holder.filename.as_deref();
    if let Some(path) = path
        && holder.source.is_none()
        && holder.pos == 0
        && compression_of_name(path).is_none()
    {
        // Voxels can begin with the magic number of a compression. A file of the right length is not compressed.
        let identity = identity(path)?;
        if Some(identity.length()) == bytes {
            return Ok((stored(path, identity, options), None));
        }
    }
    let opened = open(holder, options)?;
    if opened.content.is_none() {
        let named = |error: Error| error.at_maybe(path);
        if may_be_pointer(&opened.start) {
            check_pointer(&opened.source).map_err(named)?;
        }
        if let Some(of_name) = opened.of_name
            && opened.source.len()? != bytes
        {
            return Err(named(Opened::not_compressed(of_name)));
        }
    }
    let note = path.and_then(|path| opened.note(path));
    Ok((opened.source, note))
}

/// Whether a file with these first two bytes may be a pointer or an HTML page; [`check_pointer`] decides.
fn may_be_pointer(start: &[u8]) -> bool {
    const STARTS: [&[u8]; 8] = [b"ve", b"/a", b"..", b".g", b"<!", b"<h", b"<H", b"\xef\xbb"];
    STARTS.contains(&start)
}

/// Checks that a voxel file is not a Git LFS or git-annex pointer, nor an HTML page.
///
/// # Errors
/// [`ErrorKind::NotAVolume`].
pub(super) fn check_pointer(source: &Source) -> Result<()> {
    if source.access() == Access::Sequential {
        return Ok(());
    }
    let foreign: Option<Foreign> = foreign::pointer(&source.prefix(POINTER_BYTES)?);
    foreign.map_or(Ok(()), |foreign| Err(foreign.into()))
}
