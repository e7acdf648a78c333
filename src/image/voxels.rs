//! Makes the source of an image's voxels from the header's description of where and how they are stored.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::content::check_pointer;
use super::files::{from_byte, open_stored, source_or_missing};
use crate::core::error::{Error, ErrorKind, Result};
use crate::core::options::LoadOptions;
use crate::core::scope;
use crate::format::file_map::FileHolder;
use crate::format::{Encoding, Parsed, Voxels};
use crate::source::blocks::BlockSource;
use crate::source::codec::ForwardCodec;
use crate::source::gzip::{GzipSource, is_gzip};
use crate::source::joined::JoinedSource;
use crate::source::tail::TailSource;
use crate::source::text::TextSource;
use crate::source::{Source, truncated, zeros};

/// Bytes read at a time while lines are skipped.
const LINE_BYTES: u64 = 4096;

/// Git LFS and git-annex pointers are smaller than this.
const MAX_POINTER: u64 = 1024;

/// Where the files are that a header names.
#[derive(Default)]
pub(super) struct FileLookup<'a> {
    /// The header's folder.
    pub folder: Option<&'a Path>,
    /// Files that the caller has given in place of those of the same names.
    pub given: &'a [FileHolder],
}

/// The source of the voxels, given the format's image file. Sets the header's data offset to the offset in this source.
///
/// Every file name in the header is followed, relative to the header's folder or absolute, as in SimpleITK.
pub(super) fn source(
    parsed: &mut Parsed,
    image: Source,
    lookup: &FileLookup<'_>,
    options: &LoadOptions,
) -> Result<Source> {
    let voxels = std::mem::take(&mut parsed.voxels);
    if let Some(own) = voxels.source {
        return Ok(Source::Custom(own));
    }
    let bytes = parsed.header.data_bytes()?;
    let position = match voxels.from_end {
        Some(after) => DataPosition::BeforeEnd(after),
        None => DataPosition::After(parsed.header.data_offset),
    };
    let (source, offset) = match voxels.files.as_slice() {
        [] => part(image, &voxels, position, bytes, options)?,
        names => {
            let files = names.len() as u64;
            if bytes % files != 0 {
                let found = format!("{files} files for {bytes} bytes");
                return Err(Error::header(
                    "data file",
                    found,
                    "an equal share for each file",
                ));
            }
            let mut parts = Vec::with_capacity(names.len());
            for (k, name) in names.iter().enumerate() {
                let position = match voxels.skips.get(k) {
                    Some(&skip) => DataPosition::of_skip(skip),
                    None => position,
                };
                let (source, path) = named(name, lookup, options)?;
                let opened = part(source, &voxels, position, bytes / files, options);
                parts.push(opened.map_err(|error| error.at_maybe(path.as_deref()))?);
            }
            joined(parts, bytes / files)
        }
    };
    let (source, offset) = match voxels.blocks {
        None => (source, offset),
        Some(_) if matches!(source, Source::Missing(_)) => (source, offset),
        Some(blocks) => {
            let reordered = BlockSource {
                inner: source,
                offset,
                bytes: blocks.bytes.max(1),
                starts: blocks.starts,
                reversed: blocks.reversed,
            };
            (Source::custom(Arc::new(reordered)), 0)
        }
    };
    parsed.header.data_offset = offset;
    Ok(source)
}

fn joined(mut parts: Vec<(Source, u64)>, bytes: u64) -> (Source, u64) {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            let bytes = bytes.max(1);
            (Source::custom(Arc::new(JoinedSource { parts, bytes })), 0)
        }
    }
}

/// A file that the header names, and its path for errors.
fn named(
    name: &str,
    lookup: &FileLookup<'_>,
    options: &LoadOptions,
) -> Result<(Source, Option<PathBuf>)> {
    let last_part = |path: &Path| path.file_name().map(|last| last.to_owned());
    let wanted = last_part(Path::new(name));
    let is_it = |holder: &&FileHolder| holder.filename.as_deref().and_then(last_part) == wanted;
    if let Some(holder) = lookup.given.iter().find(is_it)
        && let Some(source) = &holder.source
    {
        let source = from_byte(Source::custom(Arc::clone(source)), holder.pos);
        return Ok((source, holder.filename.clone()));
    }
    let Some(folder) = lookup.folder else {
        return Err(Error::usage(format!(
            "the voxels are in the file {name:?}: load the header by its name"
        )));
    };
    let path = folder.join(name);
    let opened = open_stored(&path, options).map(|source| (source, ()));
    let (source, ()) = source_or_missing(opened, Some(&path))?;
    if source.len().is_ok_and(|have| have < Some(MAX_POINTER)) {
        check_pointer(&source).map_err(|error| error.at(&path))?;
    }
    Ok((source, Some(path)))
}

/// Where the voxels are in a decoded file.
#[derive(Clone, Copy)]
enum DataPosition {
    /// They begin after this many bytes.
    After(u64),
    /// They end this many bytes before the end.
    BeforeEnd(u64),
}

impl DataPosition {
    fn of_skip(skip: i64) -> Self {
        match u64::try_from(skip) {
            Ok(skip) => Self::After(skip),
            Err(_) => Self::BeforeEnd((skip + 1).unsigned_abs()),
        }
    }

    /// A source for the voxels of a file that begins at byte `from`, and the offset in it at which they begin.
    fn of(self, source: Source, bytes: u64, from: u64) -> (Source, u64) {
        match self {
            Self::After(skip) => (source, from.saturating_add(skip)),
            Self::BeforeEnd(after) => {
                let source = TailSource::new(source, bytes, after, from);
                (Source::Custom(Arc::new(source)), 0)
            }
        }
    }
}

/// The decoded source of a file's voxels, and the offset in it at which they begin.
fn part(
    source: Source,
    voxels: &Voxels,
    position: DataPosition,
    bytes: u64,
    options: &LoadOptions,
) -> Result<(Source, u64)> {
    if matches!(source, Source::Missing(_)) {
        return Ok((source, 0));
    }
    let start = skip_lines(&source, voxels.base, voxels.lines)?;
    source.release();
    let limits = options.limits;
    let gzip = |source| {
        let source = from_byte(source, start);
        Source::Gzip(Arc::new(GzipSource::new(source, None, None, limits)))
    };
    Ok(match voxels.encoding {
        Encoding::Raw => match (position, source.len()?) {
            (DataPosition::BeforeEnd(after), Some(have)) => {
                let need = bytes.saturating_add(after);
                let offset = have.checked_sub(need).filter(|&offset| offset >= start);
                let need = start.saturating_add(need);
                let offset = offset.ok_or_else(|| truncated("voxel data", have, need))?;
                (source, offset)
            }
            _ => position.of(source, bytes, start),
        },
        Encoding::Gzip => position.of(gzip(source), bytes, 0),
        // MetaIO accepts gzip in place of zlib.
        Encoding::Zlib if is_gzip(&piece(&source, start..start.saturating_add(2))?) => {
            position.of(gzip(source), bytes, 0)
        }
        Encoding::Zlib => {
            let inflated = ForwardCodec::Zlib.open(source, start, limits)?;
            position.of(Source::Custom(Arc::new(inflated)), bytes, 0)
        }
        Encoding::Bzip2 => {
            let inflated = ForwardCodec::Bzip2.open(source, start, limits)?;
            position.of(Source::Custom(Arc::new(inflated)), bytes, 0)
        }
        Encoding::Text(notation) => {
            let skip = match position {
                DataPosition::After(skip) => skip,
                DataPosition::BeforeEnd(_) => {
                    return Err(Error::unsupported("voxels at the end of a text"));
                }
            };
            let text = from_byte(source, start.saturating_add(skip));
            let decoded = TextSource::new(text, notation, bytes)?;
            (Source::Custom(Arc::new(decoded)), 0)
        }
    })
}

/// The offset after this many lines, which end with `\n`, `\r` or both, as in teem.
fn skip_lines(source: &Source, start: u64, lines: u64) -> Result<u64> {
    let (mut at, mut left) = (start, lines);
    let mut after_return = false;
    while left > 0 || after_return {
        scope::check()?;
        let bytes = piece(source, at..at.saturating_add(LINE_BYTES))?;
        if bytes.is_empty() && left > 0 {
            return Err(truncated("skipped lines", at, at.saturating_add(left)));
        }
        for &byte in &bytes {
            let second = std::mem::take(&mut after_return) && byte == b'\n';
            if left == 0 && !second {
                return Ok(at);
            }
            at += 1;
            if !second && matches!(byte, b'\n' | b'\r') {
                left -= 1;
                after_return = byte == b'\r';
            }
        }
        if bytes.is_empty() {
            break;
        }
    }
    Ok(at)
}

/// The bytes of a range, or fewer if the source ends earlier.
pub(super) fn piece(source: &Source, range: Range<u64>) -> Result<Vec<u8>> {
    let end = source.len()?.map_or(range.end, |have| have.min(range.end));
    let mut bytes = zeros(end.saturating_sub(range.start))?;
    if bytes.is_empty() {
        return Ok(bytes);
    }
    let session = source.begin()?;
    if let Err(error) = session.read_at(range.start, &mut bytes) {
        let ErrorKind::Truncated { have, .. } = *error.kind() else {
            return Err(error);
        };
        // The length of a stream is only known once its end was reached.
        bytes.truncate(have.saturating_sub(range.start) as usize);
        if !bytes.is_empty() {
            session.read_at(range.start, &mut bytes)?;
        }
    }
    session.end()?;
    Ok(bytes)
}
