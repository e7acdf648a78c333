//! bzip2 and zstd, streamed: forwards they inflate and skip, backwards they start again. Checksums that the
//! formats have are compared; a whole read reaches the end of the file.

use std::fmt;
use std::io::{self, Read};
use std::sync::{Mutex, PoisonError};

use super::{Access, ByteSource, Source, check_tail, truncated};
use crate::error::{Error, ErrorKind, Result};
use crate::options::Limits;

/// Compressed bytes read at a time, and bytes inflated at a time when only the position matters.
const STEP_BYTES: usize = 256 << 10;

/// Bytes by which a codec is told.
pub(crate) const SNIFF_BYTES: u64 = 10;

/// Whether content with these first two bytes may be compressed: [`SNIFF_BYTES`] tell.
pub(crate) fn may_begin(prefix: &[u8]) -> bool {
    matches!(prefix, [b'B', b'Z', ..] | [0x28, 0xb5, ..])
}

/// A compression that is streamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    Bzip2,
    Zstd,
}

impl Codec {
    /// The compression that content begins with.
    pub fn sniff(prefix: &[u8]) -> Option<Self> {
        match prefix {
            // A block, or the end of a stream of none: digits of pi and of its root.
            [
                b'B',
                b'Z',
                b'h',
                b'1'..=b'9',
                0x31,
                0x41,
                0x59,
                0x26,
                0x53,
                0x59,
                ..,
            ]
            | [
                b'B',
                b'Z',
                b'h',
                b'1'..=b'9',
                0x17,
                0x72,
                0x45,
                0x38,
                0x50,
                0x90,
                ..,
            ] => Some(Self::Bzip2),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The compression that a name's suffix (lower case, with its dot) stands for.
    pub fn of_suffix(suffix: &str) -> Option<Self> {
        match suffix {
            ".bz2" => Some(Self::Bzip2),
            ".zst" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Bytes that one compressed byte can stand for: a block of 900 000 equal bytes takes some
    /// 40 (bytes that repeat count 5 for 259), one of 128 KiB four.
    fn reach(self) -> u64 {
        match self {
            Self::Bzip2 => 1_200_000,
            Self::Zstd => 32 << 10,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Bzip2 => "bzip2",
            Self::Zstd => "zstd",
        }
    }

    /// A source of what the compressed one inflates to.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] when the crate was built without the codec.
    pub fn open(self, compressed: Source, limits: Limits) -> Result<CodecSource> {
        // Made once to know that it can be.
        self.stream(compressed.clone())?;
        Ok(CodecSource {
            codec: self,
            compressed,
            limits,
            stream: Mutex::default(),
        })
    }

    fn stream(self, compressed: Source) -> Result<Box<dyn Read + Send>> {
        let _input = io::BufReader::with_capacity(STEP_BYTES, Input::new(compressed));
        match self {
            #[cfg(feature = "bz2")]
            Self::Bzip2 => Ok(Box::new(bzip2::bufread::MultiBzDecoder::new(_input))),
            #[cfg(feature = "zst")]
            Self::Zstd => Ok(Box::new(super::zst::Frames::new(_input))),
            #[cfg(not(all(feature = "bz2", feature = "zst")))]
            other => Err(Error::unsupported(format!(
                "{} compression: voxload was built without it",
                other.name()
            ))),
        }
    }
}

/// What a compressed file inflates to.
pub(crate) struct CodecSource {
    codec: Codec,
    compressed: Source,
    limits: Limits,
    stream: Mutex<Option<Stream>>,
}

struct Stream {
    inner: Box<dyn Read + Send>,
    position: u64,
}

impl CodecSource {
    /// Runs `work` on the stream with its position at `offset`.
    fn with_stream(&self, offset: u64, work: impl FnOnce(&mut Stream) -> Result<()>) -> Result<()> {
        let mut slot = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stream = match slot.take() {
            Some(stream) if stream.position <= offset => stream,
            _ => Stream {
                inner: self.codec.stream(self.compressed.clone())?,
                position: 0,
            },
        };
        // A stream that failed is not put back: the next read starts again.
        self.skip_to(&mut stream, offset)
            .and_then(|()| work(&mut stream))
            .map_err(|error| error.at_maybe(self.compressed.path()))?;
        *slot = Some(stream);
        Ok(())
    }

    fn skip_to(&self, stream: &mut Stream, offset: u64) -> Result<()> {
        let mut scratch = Vec::new();
        while stream.position < offset {
            let length = (offset - stream.position).min(STEP_BYTES as u64) as usize;
            scratch.resize(length, 0);
            if self.read(stream, &mut scratch)? == 0 {
                return Err(truncated("voxel data", stream.position, offset));
            }
        }
        Ok(())
    }

    fn read(&self, stream: &mut Stream, buffer: &mut [u8]) -> Result<usize> {
        loop {
            match stream.inner.read(buffer) {
                Ok(read) => {
                    stream.position += read as u64;
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.error(error)),
            }
        }
    }

    /// What a decoder's error means: our own of reading the file, its early end, or damage.
    fn error(&self, error: io::Error) -> Error {
        let codec = self.codec.name();
        let early_end = error.kind() == io::ErrorKind::UnexpectedEof;
        let detail = error.to_string();
        match error.downcast::<Error>() {
            Ok(own) => own,
            Err(_) if early_end => {
                let have = self.compressed.len().ok().flatten().unwrap_or_default();
                truncated("compressed data", have, have.saturating_add(1))
            }
            Err(_) => ErrorKind::Integrity { codec, detail }.into(),
        }
    }
}

impl ByteSource for CodecSource {
    fn len(&self) -> Result<Option<u64>> {
        Ok(None)
    }

    fn most_bytes(&self) -> Result<Option<u64>> {
        let compressed = self.compressed.len()?;
        Ok(compressed.map(|length| self.limits.inflated(length, self.codec.reach())))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let need = offset.saturating_add(buffer.len() as u64);
        self.with_stream(offset, |stream| {
            let mut rest = buffer;
            while !rest.is_empty() {
                match self.read(stream, rest)? {
                    0 => return Err(truncated("voxel data", stream.position, need)),
                    read => rest = rest.get_mut(read..).unwrap_or_default(),
                }
            }
            Ok(())
        })
    }

    fn access(&self) -> Access {
        Access::Sequential
    }

    fn finish(&self, end: u64) -> Result<()> {
        let position = {
            let slot = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
            slot.as_ref().map_or(0, |stream| stream.position)
        };
        self.with_stream(position, |stream| {
            let mut scratch = vec![0; STEP_BYTES];
            while self.read(stream, &mut scratch)? > 0 {
                check_tail(stream.position, end)?;
            }
            Ok(())
        })
    }
}

impl fmt::Debug for CodecSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodecSource")
            .field("codec", &self.codec)
            .field("compressed", &self.compressed)
            .finish_non_exhaustive()
    }
}

/// The bytes of a source from the start on.
pub(super) struct Input {
    source: Source,
    position: u64,
}

impl Input {
    pub fn new(source: Source) -> Self {
        Self {
            source,
            position: 0,
        }
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = || -> Result<usize> {
            let left = self
                .source
                .len()?
                .unwrap_or(0)
                .saturating_sub(self.position);
            let length = left.min(buffer.len() as u64) as usize;
            let buffer = buffer.get_mut(..length).unwrap_or_default();
            let session = self.source.begin()?;
            session.read_at(self.position, buffer)?;
            session.end()?;
            self.position += length as u64;
            Ok(length)
        };
        read().map_err(io::Error::other)
    }
}
