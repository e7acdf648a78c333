//! A gzip stream read by position: forwards it inflates and skips, backwards it starts again.
//!
//! Framing is our own, over flate2's raw inflate: every member's CRC-32 and length are compared, members follow
//! each other, zero padding behind the last one is fine, other bytes there are noted (gzip-and-faults.md
//! section 2).

mod member;

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::{ByteSource, Source, truncated};
use crate::error::{Error, ErrorKind, Result};
use member::Stream;

/// Deflate cannot do better than about 1030 to 1, so a header that needs more than this is lying.
const MOST_RATIO: u64 = 1100;

/// Bytes inflated at a time when only the position or the checksum matters.
const SKIP_BYTES: usize = 256 << 10;

/// A gzip stream of any number of members.
pub(crate) struct GzipSource {
    compressed: Source,
    stream: Mutex<Option<Stream>>,
    prefix: Mutex<Vec<u8>>,
    /// Bytes of something else behind the last member, once the end has been seen.
    trailing: Arc<AtomicU64>,
}

impl GzipSource {
    pub fn new(compressed: Source) -> Self {
        Self {
            compressed,
            stream: Mutex::new(None),
            prefix: Mutex::default(),
            trailing: Arc::default(),
        }
    }

    /// The compressed file, where there is one.
    pub fn path(&self) -> Option<&Path> {
        self.compressed.path()
    }

    /// Lets go of the compressed file's handle.
    pub fn release(&self) {
        self.compressed.release();
    }

    /// A bound on the inflated bytes, from the compressed ones alone.
    pub fn most_bytes(&self) -> Result<u64> {
        let compressed = self.compressed.len()?.unwrap_or(u64::MAX);
        Ok(compressed.saturating_mul(MOST_RATIO))
    }

    /// Bytes of something else found behind the last member.
    pub fn trailing(&self) -> u64 {
        self.trailing.load(Ordering::Relaxed)
    }

    /// Up to `length` inflated bytes from the start.
    pub fn prefix(&self, length: u64) -> Result<Vec<u8>> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let mut prefix = self.prefix.lock().unwrap_or_else(PoisonError::into_inner);
        self.with_stream(prefix.len() as u64, |stream| {
            let mut piece = vec![0; length.saturating_sub(prefix.len()).min(SKIP_BYTES)];
            while prefix.len() < length {
                let wanted = piece.len().min(length - prefix.len());
                match stream.read(&mut piece[..wanted])? {
                    0 => break,
                    n => prefix.extend_from_slice(&piece[..n]),
                }
            }
            Ok(())
        })?;
        Ok(prefix[..length.min(prefix.len())].to_vec())
    }

    /// Runs `work` on the stream with its position at `offset`.
    fn with_stream(&self, offset: u64, work: impl FnOnce(&mut Stream) -> Result<()>) -> Result<()> {
        let mut slot = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stream = match slot.take() {
            Some(stream) if stream.position() <= offset => stream,
            _ => Stream::new(self.compressed.clone(), Arc::clone(&self.trailing)),
        };
        // A stream that failed is not put back: the next read starts again.
        let done = skip_to(&mut stream, offset).and_then(|()| work(&mut stream));
        match done {
            Ok(()) => {
                *slot = Some(stream);
                Ok(())
            }
            Err(error) => Err(error.at_maybe(self.path())),
        }
    }
}

fn skip_to(stream: &mut Stream, offset: u64) -> Result<()> {
    if stream.position() >= offset {
        return Ok(());
    }
    let mut scratch = vec![0; SKIP_BYTES];
    while stream.position() < offset {
        let wanted = (offset - stream.position()).min(SKIP_BYTES as u64) as usize;
        if stream.read(&mut scratch[..wanted])? == 0 {
            return Err(truncated("voxel data", stream.position(), offset));
        }
    }
    Ok(())
}

impl ByteSource for GzipSource {
    fn len(&self) -> Result<Option<u64>> {
        Ok(None)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.with_stream(offset, |stream| {
            let mut filled = 0;
            while filled < buffer.len() {
                match stream.read(&mut buffer[filled..])? {
                    0 => {
                        let need = offset.saturating_add(buffer.len() as u64);
                        return Err(truncated("voxel data", stream.position(), need));
                    }
                    n => filled += n,
                }
            }
            Ok(())
        })
    }

    fn access(&self) -> super::Access {
        super::Access::Sequential
    }

    fn finish(&self) -> Result<()> {
        let position = {
            let slot = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
            slot.as_ref().map_or(0, Stream::position)
        };
        self.with_stream(position, |stream| {
            let mut scratch = vec![0; SKIP_BYTES];
            while stream.read(&mut scratch)? > 0 {}
            Ok(())
        })
    }
}

impl fmt::Debug for GzipSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GzipSource")
            .field("compressed", &self.compressed)
            .finish_non_exhaustive()
    }
}

/// Whether these first bytes are a gzip member's.
pub(crate) fn is_gzip(prefix: &[u8]) -> bool {
    prefix.starts_with(&[0x1f, 0x8b])
}

fn damaged(detail: impl Into<String>) -> Error {
    ErrorKind::Integrity {
        codec: "gzip",
        detail: detail.into(),
    }
    .into()
}
