//! Compressed streams that are read forwards: one trait for every decoder, and one byte source for all of them.
//!
//! A [`Decoder`] inflates one stream from its start; a [`Codec`] makes decoders. [`ForwardSource`] reads by position:
//! it inflates and discards what lies between, and starts again to go backwards. A read of the whole array continues
//! to the end of the stream, so that every checksum is verified.

use std::fmt;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Mutex;

use super::{Access, ByteSource, Source, check_tail, truncated};
use crate::core::error::{Error, Result};
use crate::core::limits::Limits;
use crate::core::scope;

/// Inflated bytes per step, at most: between two steps a read can be cancelled.
pub(super) const SKIP_BYTES: usize = 256 << 10;

/// Inflates one stream from its start.
pub(crate) trait Decoder: Send {
    /// Inflates into `out`, which must not be empty. Returns 0 at the end of the stream, when every checksum has been
    /// verified.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Integrity`] and [`crate::ErrorKind::Truncated`] for a damaged stream,
    /// [`crate::ErrorKind::Limit`], and errors of reading the compressed bytes.
    fn read(&mut self, out: &mut [u8]) -> Result<usize>;

    /// Number of inflated bytes returned so far.
    fn position(&self) -> u64;

    /// Whether the last read succeeded. Only then can a decoder be used again after its read was cancelled.
    fn is_sound(&self) -> bool;
}

/// A compression whose streams can only be inflated from their start.
pub(crate) trait Codec: fmt::Debug + Send + Sync {
    type Decoder: Decoder;

    /// A decoder for the stream that begins at byte `start` of the compressed source.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unsupported`] if voxload was built without the codec.
    fn decoder(&self, compressed: &Source, start: u64) -> Result<Self::Decoder>;

    /// The most inflated bytes that one compressed byte can represent.
    fn max_ratio(&self) -> u64;
}

/// Inflates and discards bytes up to `offset`. `need` is where the whole read ends, for the error.
pub(super) fn skip_to(
    decoder: &mut impl Decoder,
    offset: u64,
    need: u64,
    scratch: &mut Vec<u8>,
) -> Result<()> {
    while decoder.position() < offset {
        scope::check()?;
        let left = offset - decoder.position();
        scratch.resize(SKIP_BYTES, 0);
        let wanted = left.min(SKIP_BYTES as u64) as usize;
        if decoder.read(scratch.get_mut(..wanted).unwrap_or_default())? == 0 {
            return Err(truncated("voxel data", decoder.position(), need));
        }
    }
    Ok(())
}

/// Fills `buffer`. `need` is where the whole read ends, for the error.
pub(super) fn read_exact(
    decoder: &mut impl Decoder,
    mut buffer: &mut [u8],
    need: u64,
) -> Result<()> {
    while !buffer.is_empty() {
        scope::check()?;
        let step = buffer.len().min(SKIP_BYTES);
        let place = buffer.get_mut(..step).unwrap_or_default();
        match decoder.read(place)? {
            0 => return Err(truncated("voxel data", decoder.position(), need)),
            read => buffer = buffer.get_mut(read..).unwrap_or_default(),
        }
    }
    Ok(())
}

/// Inflates to the end of the stream, and calls `after_each` after each step.
pub(super) fn drain<D: Decoder>(
    decoder: &mut D,
    mut after_each: impl FnMut(&mut D) -> Result<()>,
) -> Result<()> {
    let mut scratch = vec![0; SKIP_BYTES];
    while decoder.read(&mut scratch)? > 0 {
        after_each(decoder)?;
        scope::check()?;
    }
    Ok(())
}

/// The inflated bytes of a compressed stream, read by position with a private cursor.
pub(crate) struct ForwardSource<C: Codec> {
    codec: C,
    compressed: Source,
    /// The byte of the compressed source at which the stream begins.
    start: u64,
    limits: Limits,
    decoder: Mutex<Option<C::Decoder>>,
}

impl<C: Codec> ForwardSource<C> {
    pub(crate) fn new(codec: C, compressed: Source, start: u64, limits: Limits) -> Self {
        Self {
            codec,
            compressed,
            start,
            limits,
            decoder: Mutex::default(),
        }
    }

    /// Runs `work` on a decoder that is at `offset` or before it: the last one or a new one. After an error the
    /// decoder is dropped, after a cancellation it is kept.
    fn with_decoder(
        &self,
        offset: u64,
        work: impl FnOnce(&mut C::Decoder) -> Result<()>,
    ) -> Result<()> {
        let mut kept = scope::lock(&self.decoder)?;
        let usable = kept.take().filter(|decoder| decoder.position() <= offset);
        let mut decoder = match usable {
            Some(decoder) => decoder,
            None => self.codec.decoder(&self.compressed, self.start)?,
        };
        let done = work(&mut decoder).map_err(|error| error.at_maybe(self.compressed.path()));
        let is_cancelled = done.as_ref().is_err_and(Error::is_cancelled);
        if done.is_ok() || (is_cancelled && decoder.is_sound()) {
            *kept = Some(decoder);
        }
        done
    }
}

impl<C: Codec> ByteSource for ForwardSource<C> {
    fn len(&self) -> Result<Option<u64>> {
        Ok(None)
    }

    fn max_len(&self) -> Result<Option<u64>> {
        let compressed = self.compressed.len()?;
        Ok(compressed.map(|length| {
            let own = length.saturating_sub(self.start);
            self.limits.inflated(own, self.codec.max_ratio())
        }))
    }

    fn path(&self) -> Option<&Path> {
        self.compressed.path()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let need = offset.saturating_add(buffer.len() as u64);
        self.with_decoder(offset, |decoder| {
            skip_to(decoder, offset, need, &mut Vec::new())?;
            read_exact(decoder, buffer, need)
        })
    }

    fn access(&self) -> Access {
        Access::Sequential
    }

    fn finish(&self, end: u64) -> Result<()> {
        // Continues from where the last read ended.
        self.with_decoder(u64::MAX, |decoder| {
            drain(decoder, |decoder| check_tail(decoder.position(), end))
        })
    }
}

impl<C: Codec> fmt::Debug for ForwardSource<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForwardSource")
            .field("codec", &self.codec)
            .field("compressed", &self.compressed)
            .field("start", &self.start)
            .finish_non_exhaustive()
    }
}

/// The bytes of a source in order, from a given position.
pub(super) struct SourceReader {
    source: Source,
    position: u64,
}

impl SourceReader {
    pub(super) fn new(source: Source, position: u64) -> Self {
        Self { source, position }
    }
}

impl Read for SourceReader {
    /// Errors are voxload's own, which [`io::Error::downcast`] returns.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = || -> Result<usize> {
            let length = self.source.len()?.unwrap_or(0);
            let left = length.saturating_sub(self.position);
            let wanted = left.min(buffer.len() as u64) as usize;
            let buffer = buffer.get_mut(..wanted).unwrap_or_default();
            let session = self.source.begin()?;
            session.read_at(self.position, buffer)?;
            session.end()?;
            self.position += wanted as u64;
            Ok(wanted)
        };
        read().map_err(io::Error::other)
    }
}
