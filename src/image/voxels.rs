//! The source of an image's voxels, made of what the header says about where and how they are stored.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::files::{from_byte, open_stored, or_missing};
use crate::core::error::{Error, ErrorKind, Result};
use crate::core::options::LoadOptions;
use crate::core::scope;
use crate::format::{Encoding, Parsed, Voxels};
use crate::source::blocks::BlockSource;
use crate::source::codec::ForwardCodec;
use crate::source::gzip::{GzipSource, is_gzip};
use crate::source::joined::JoinedSource;
use crate::source::text::TextSource;
use crate::source::{Source, truncated, zeros};

/// Bytes read at a time in search of the ends of lines.
const LINE_BYTES: u64 = 4096;

/// The source to read voxels from, given the format's image file; the header's offset becomes the one in that source.
///
/// Names of files in a header are followed wherever they lead, from the header's folder, as SimpleITK follows them.
pub(super) fn source(
    parsed: &mut Parsed,
    image: Source,
    folder: Option<&Path>,
    options: &LoadOptions,
) -> Result<Source> {
    let voxels = std::mem::take(&mut parsed.voxels);
    if let Some(own) = voxels.source {
        return Ok(Source::Custom(own));
    }
    let bytes = parsed.header.data_bytes()?;
    let skip = parsed.header.data_offset;
    let (source, offset) = match voxels.files.as_slice() {
        [] => part(image, &voxels, skip, bytes, options)?,
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
            for name in names {
                parts.push(part(
                    named(name, folder, options)?,
                    &voxels,
                    skip,
                    bytes / files,
                    options,
                )?);
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

fn named(name: &str, folder: Option<&Path>, options: &LoadOptions) -> Result<Source> {
    let Some(folder) = folder else {
        return Err(Error::usage(format!(
            "the voxels are in the file {name:?}: load the header by its name"
        )));
    };
    let path = folder.join(name);
    or_missing(open_stored(&path, options), Some(&path))
}

/// The source of a file's voxels once decoded, and the byte of it at which they begin.
fn part(
    source: Source,
    voxels: &Voxels,
    skip: u64,
    bytes: u64,
    options: &LoadOptions,
) -> Result<(Source, u64)> {
    if matches!(source, Source::Missing(_)) {
        return Ok((source, skip));
    }
    let start = skip_lines(&source, voxels.base, voxels.lines)?;
    source.release();
    let limits = options.limits;
    let gzip = |source| {
        let source = from_byte(source, start);
        Source::Gzip(Arc::new(GzipSource::new(source, None, None, limits)))
    };
    Ok(match voxels.encoding {
        Encoding::Raw if voxels.at_end => {
            let Some(have) = source.len()? else {
                return Err(Error::unsupported("voxels at the end of a compressed file"));
            };
            let offset = have.checked_sub(bytes).filter(|&offset| offset >= start);
            let offset = offset.ok_or_else(|| truncated("voxel data", have, start + bytes))?;
            (source, offset)
        }
        Encoding::Raw => (source, start.saturating_add(skip)),
        Encoding::Gzip => (gzip(source), skip),
        // MetaIO inflates both.
        Encoding::Zlib if is_gzip(&piece(&source, start..start.saturating_add(2))?) => {
            (gzip(source), skip)
        }
        Encoding::Zlib => {
            let inflated = ForwardCodec::Zlib.open(source, start, limits)?;
            (Source::Custom(Arc::new(inflated)), skip)
        }
        Encoding::Bzip2 => {
            let inflated = ForwardCodec::Bzip2.open(source, start, limits)?;
            (Source::Custom(Arc::new(inflated)), skip)
        }
        Encoding::Text(notation) => {
            let text = from_byte(source, start.saturating_add(skip));
            let decoded = TextSource::new(text, notation, bytes)?;
            (Source::Custom(Arc::new(decoded)), 0)
        }
    })
}

/// The byte behind a number of lines, which end with `\n`, `\r` or both, as teem reads them.
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

/// The bytes of a range; fewer where the source ends before.
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
        // Only now is it known where a stream ends.
        bytes.truncate(have.saturating_sub(range.start) as usize);
        if !bytes.is_empty() {
            session.read_at(range.start, &mut bytes)?;
        }
    }
    session.end()?;
    Ok(bytes)
}
