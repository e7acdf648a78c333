//! A zlib stream read by position: forwards it inflates and skips, backwards it starts again. MetaImage's
//! `CompressedData`.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use flate2::{Decompress, FlushDecompress, Status};

use super::gzip::MOST_RATIO;
use super::{Access, ByteSource, Source, check_tail, truncated};
use crate::error::{Error, ErrorKind, Result};
use crate::options::Limits;

/// Compressed bytes read at a time.
const INPUT_BYTES: usize = 64 << 10;

/// Bytes inflated at a time when only the position matters.
const SKIP_BYTES: usize = 256 << 10;

/// A zlib stream that begins at a byte of another source.
pub(crate) struct ZlibSource {
    compressed: Source,
    start: u64,
    limits: Limits,
    stream: Mutex<Option<Stream>>,
}

/// How far a stream has been inflated.
struct Stream {
    state: Decompress,
    input: Vec<u8>,
    /// Bytes of `input` already taken.
    taken: usize,
    /// Byte of the source at which `input` ends.
    read_to: u64,
    ended: bool,
}

impl ZlibSource {
    pub fn new(compressed: Source, start: u64, limits: Limits) -> Self {
        Self {
            compressed,
            start,
            limits,
            stream: Mutex::new(None),
        }
    }

    fn open(&self) -> Stream {
        Stream {
            state: Decompress::new(true),
            input: Vec::new(),
            taken: 0,
            read_to: self.start,
            ended: false,
        }
    }

    /// Runs `work` on the stream with its position at `offset`.
    fn with_stream(&self, offset: u64, work: impl FnOnce(&mut Stream) -> Result<()>) -> Result<()> {
        let mut slot = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stream = match slot.take() {
            Some(stream) if stream.state.total_out() <= offset => stream,
            _ => self.open(),
        };
        let mut scratch = Vec::new();
        while stream.state.total_out() < offset {
            let wanted = (offset - stream.state.total_out()).min(SKIP_BYTES as u64) as usize;
            scratch.resize(wanted, 0);
            self.fill(&mut stream, &mut scratch, offset)?;
        }
        work(&mut stream)?;
        // A stream that failed is not put back: the next read starts again.
        *slot = Some(stream);
        Ok(())
    }

    /// Fills `buffer` from the stream; `need` is what the caller wants in all.
    fn fill(&self, stream: &mut Stream, buffer: &mut [u8], need: u64) -> Result<()> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.inflate(stream, &mut buffer[filled..])? {
                0 => return Err(truncated("voxel data", stream.state.total_out(), need)),
                n => filled += n,
            }
        }
        Ok(())
    }

    /// Inflates some bytes; none at the end of the stream.
    fn inflate(&self, stream: &mut Stream, out: &mut [u8]) -> Result<usize> {
        while !stream.ended {
            if stream.taken == stream.input.len() {
                self.read_on(stream)?;
            }
            let (before_in, before_out) = (stream.state.total_in(), stream.state.total_out());
            let status = stream
                .state
                .decompress(
                    stream.input.get(stream.taken..).unwrap_or_default(),
                    out,
                    FlushDecompress::None,
                )
                .map_err(|error| damaged(error.to_string()))?;
            stream.taken += (stream.state.total_in() - before_in) as usize;
            stream.ended = status == Status::StreamEnd;
            let produced = (stream.state.total_out() - before_out) as usize;
            if produced > 0 {
                return Ok(produced);
            }
        }
        Ok(0)
    }

    /// Reads the next compressed bytes.
    fn read_on(&self, stream: &mut Stream) -> Result<()> {
        let have = self.compressed.len()?.unwrap_or(u64::MAX);
        let left = have.saturating_sub(stream.read_to);
        if left == 0 {
            return Err(truncated("zlib stream", have, have.saturating_add(1)));
        }
        stream
            .input
            .resize(left.min(INPUT_BYTES as u64) as usize, 0);
        let session = self.compressed.begin()?;
        session.read_at(stream.read_to, &mut stream.input)?;
        session.end()?;
        stream.read_to += stream.input.len() as u64;
        stream.taken = 0;
        Ok(())
    }
}

fn damaged(detail: String) -> Error {
    ErrorKind::Integrity {
        codec: "zlib",
        detail,
    }
    .into()
}

impl ByteSource for ZlibSource {
    fn len(&self) -> Result<Option<u64>> {
        Ok(None)
    }

    fn most_bytes(&self) -> Result<Option<u64>> {
        let compressed = self.compressed.len()?;
        let most = |length: u64| {
            let own = length.saturating_sub(self.start);
            self.limits.inflated(own, MOST_RATIO)
        };
        Ok(compressed.map(most))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let need = offset.saturating_add(buffer.len() as u64);
        self.with_stream(offset, |stream| self.fill(stream, buffer, need))
            .map_err(|error| error.at_maybe(self.compressed.path()))
    }

    fn access(&self) -> Access {
        Access::Sequential
    }

    /// Inflates to the end of the stream, where its checksum is.
    fn finish(&self, end: u64) -> Result<()> {
        let position = {
            let slot = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
            slot.as_ref().map_or(0, |stream| stream.state.total_out())
        };
        self.with_stream(position, |stream| {
            let mut scratch = vec![0; SKIP_BYTES];
            while self.inflate(stream, &mut scratch)? > 0 {
                check_tail(stream.state.total_out(), end)?;
            }
            Ok(())
        })
    }
}

impl fmt::Debug for ZlibSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZlibSource")
            .field("compressed", &self.compressed)
            .field("start", &self.start)
            .finish_non_exhaustive()
    }
}
