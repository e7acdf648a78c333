//! Writers for stored bytes: plain, or gzip that is deflated on all threads.
//!
//! Chunks are deflated independently and joined to one gzip member, as in pigz, so that every reader accepts it.

use std::io::{Error, Write};

use crc32fast::Hasher;
use flate2::{Compress, Compression, FlushCompress};

use crate::core::parallel::*;
use crate::core::{scope, threads};

/// A writer of plain or gzipped bytes.
pub(crate) enum Output<W: Write> {
    Plain(W),
    Gzip(GzWriter<W>),
}

impl<W: Write> Output<W> {
    /// A writer that gzips at this level (1 to 9), or a plain one.
    pub fn new(writer: W, gzip: Option<u32>) -> Self {
        match gzip {
            Some(level) => Self::Gzip(GzWriter::new(writer, level)),
            None => Self::Plain(writer),
        }
    }

    /// Writes pending bytes and returns the inner writer.
    pub fn finish(self) -> std::io::Result<W> {
        match self {
            Self::Plain(writer) => Ok(writer),
            Self::Gzip(gzip) => gzip.finish(),
        }
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(writer) => writer.write(bytes),
            Self::Gzip(gzip) => gzip.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Plain(writer) => writer.flush(),
            Self::Gzip(gzip) => gzip.flush(),
        }
    }
}

/// Bytes that one thread deflates at a time: so many that starting with an empty window hardly affects the size.
const CHUNK: usize = 1 << 20;

/// A gzip writer; [`GzWriter::finish`] must be called.
pub(crate) struct GzWriter<W: Write> {
    writer: W,
    level: Compression,
    pending: Vec<u8>,
    batch: usize,
    crc: Hasher,
    length: u64,
    started: bool,
}

impl<W: Write> GzWriter<W> {
    pub fn new(writer: W, level: u32) -> Self {
        let batch = CHUNK * 2 * threads::count();
        Self {
            writer,
            level: Compression::new(level.min(9)),
            pending: Vec::with_capacity(batch),
            batch,
            crc: Hasher::new(),
            length: 0,
            started: false,
        }
    }

    /// Writes pending bytes, the end of the stream and the trailer.
    pub fn finish(mut self) -> std::io::Result<W> {
        self.write_pending()?;
        // An empty block that is marked as the last one.
        self.writer.write_all(&[0x03, 0x00])?;
        let crc = self.crc.finalize();
        self.writer.write_all(&crc.to_le_bytes())?;
        self.writer.write_all(&(self.length as u32).to_le_bytes())?;
        Ok(self.writer)
    }

    fn write_pending(&mut self) -> std::io::Result<()> {
        if !self.started {
            // Without a name and a time, so that the same input gives the same file.
            self.writer
                .write_all(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])?;
            self.started = true;
        }
        let level = self.level;
        let deflated = |chunk: &[u8]| {
            scope::check().map_err(Error::other)?;
            let mut crc = Hasher::new();
            crc.update(chunk);
            Ok((deflate(chunk, level)?, crc))
        };
        let deflated: Vec<_> = threads::parallel(|scope| {
            let chunks = self.pending.par_chunks(CHUNK);
            let deflated = chunks.map(|chunk| scope.enter(|| deflated(chunk)));
            deflated.collect::<std::io::Result<_>>()
        })?;
        for (bytes, crc) in deflated {
            self.writer.write_all(&bytes)?;
            self.crc.combine(&crc);
        }
        self.length += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }
}

impl<W: Write> Write for GzWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let taken = bytes.len().min(self.batch - self.pending.len());
        self.pending.extend_from_slice(&bytes[..taken]);
        if self.pending.len() == self.batch {
            self.write_pending()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.writer.flush()
    }
}

/// Deflates a chunk to blocks that end at a byte boundary. None is marked as the last of the stream.
fn deflate(chunk: &[u8], level: Compression) -> std::io::Result<Vec<u8>> {
    let mut compress = Compress::new(level, false);
    let mut out = Vec::with_capacity(chunk.len() / 2 + 1024);
    loop {
        let rest = &chunk[compress.total_in() as usize..];
        compress
            .compress_vec(rest, &mut out, FlushCompress::Sync)
            .map_err(Error::other)?;
        let done = compress.total_in() as usize == chunk.len();
        // If there is spare capacity, the flush is complete as well.
        if done && out.len() < out.capacity() {
            return Ok(out);
        }
        out.reserve(out.capacity().max(1024));
    }
}
