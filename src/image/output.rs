//! Writers for stored bytes: plain, or gzip that is deflated on all threads.
//!
//! Chunks are deflated independently and joined to one gzip member, as in pigz, so that every reader accepts it. A table
//! of them in the header ([`ChunkTable`]) lets voxload read such a file in parallel, and parts of it verified. The file
//! depends only on the bytes and the level, not on the number of threads.

mod deflater;

use std::io::{Error, Result, Seek, SeekFrom, Write};

use crc32fast::Hasher;

use crate::core::parallel::*;
use crate::core::{scope, threads};
use crate::source::gzip::chunk_table::{self, ChunkTable, Entry, LAST_BLOCK};
use deflater::{Deflated, Deflaters};

/// A writer of plain or gzipped bytes.
pub(crate) enum Output<W: Write + Seek> {
    Plain(W),
    Gzip(GzWriter<W>),
}

impl<W: Write + Seek> Output<W> {
    /// A writer of `length` bytes that gzips at this level (1 to 9), or a plain one.
    pub(super) fn new(writer: W, gzip: Option<u32>, length: u64) -> Self {
        match gzip {
            Some(level) => Self::Gzip(GzWriter::new(writer, level, length)),
            None => Self::Plain(writer),
        }
    }

    /// Writes pending bytes and returns the inner writer.
    pub(super) fn finish(self) -> Result<W> {
        match self {
            Self::Plain(writer) => Ok(writer),
            Self::Gzip(gzip) => gzip.finish(),
        }
    }
}

impl<W: Write + Seek> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        match self {
            Self::Plain(writer) => writer.write(bytes),
            Self::Gzip(gzip) => gzip.write(bytes),
        }
    }

    fn flush(&mut self) -> Result<()> {
        match self {
            Self::Plain(writer) => writer.flush(),
            Self::Gzip(gzip) => gzip.flush(),
        }
    }
}

/// Chunks for each thread that are deflated together: the more, the less threads wait for the last one.
const CHUNKS_PER_THREAD: usize = 4;

/// The least bytes of a file that gets a table: it has more than one chunk.
const MIN_CHUNKS: usize = 2;

/// A gzip writer; [`GzWriter::finish`] must be called.
pub(crate) struct GzWriter<W: Write + Seek> {
    writer: W,
    deflaters: Deflaters,
    /// Bytes that are deflated at a time: so many that starting without history hardly affects the size.
    chunk: usize,
    /// The chunks so far; `None` for a file without a table.
    table: Option<ChunkTable>,
    /// The number of chunks that there is room for in the header.
    chunks: usize,
    pending: Vec<u8>,
    batch: usize,
    crc: Hasher,
    length: u64,
    started: bool,
}

impl<W: Write + Seek> GzWriter<W> {
    /// A writer of `length` bytes, from the start of `writer`.
    pub(super) fn new(writer: W, level: u32, length: u64) -> Self {
        let split = chunk_table::split(length);
        let (chunk, chunks) = split.unwrap_or((chunk_table::USUAL_CHUNK, 0));
        let table = (chunks >= MIN_CHUNKS).then(|| ChunkTable {
            chunk: chunk as u32,
            length,
            entries: Vec::with_capacity(chunks),
        });
        let batch = chunk * CHUNKS_PER_THREAD * threads::count();
        Self {
            writer,
            deflaters: Deflaters::new(level),
            chunk,
            table,
            chunks,
            pending: Vec::with_capacity(batch.min(chunk * chunks.max(1))),
            batch,
            crc: Hasher::new(),
            length: 0,
            started: false,
        }
    }

    /// Writes pending bytes, the end of the stream, the trailer and the table.
    pub(super) fn finish(mut self) -> Result<W> {
        self.write_pending()?;
        self.writer.write_all(&LAST_BLOCK)?;
        let crc = self.crc.finalize();
        self.writer.write_all(&crc.to_le_bytes())?;
        self.writer.write_all(&(self.length as u32).to_le_bytes())?;
        // Without the table the file is as good a gzip file: zeros are no table.
        let table = self
            .table
            .filter(|table| table.entries.len() == self.chunks);
        if let Some(table) = table {
            self.writer.seek(SeekFrom::Start(0))?;
            self.writer.write_all(&table.header())?;
            self.writer.seek(SeekFrom::End(0))?;
        }
        Ok(self.writer)
    }

    /// The header, with room for the table.
    fn write_header(&mut self) -> Result<()> {
        let header = match &self.table {
            Some(_) => chunk_table::header_without_table(self.chunks),
            None => chunk_table::PLAIN_HEADER.to_vec(),
        };
        self.writer.write_all(&header)
    }

    fn write_pending(&mut self) -> Result<()> {
        if !self.started {
            self.write_header()?;
            self.started = true;
        }
        let deflaters = &self.deflaters;
        let deflate = |chunk: &[u8]| {
            scope::check().map_err(Error::other)?;
            deflaters.deflate(chunk)
        };
        let deflated: Vec<Deflated> = threads::parallel(|scope| {
            let chunks = self.pending.par_chunks(self.chunk);
            let deflated = chunks.map(|chunk| scope.enter(|| deflate(chunk)));
            deflated.collect::<Result<_>>()
        })?;
        for Deflated { bytes, crc } in deflated {
            self.writer.write_all(&bytes)?;
            self.crc.combine(&crc);
            if let Some(table) = &mut self.table {
                table.entries.push(Entry {
                    packed: bytes.len() as u32,
                    crc: crc.finalize(),
                });
            }
        }
        self.length += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }
}

impl<W: Write + Seek> Write for GzWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let taken = bytes.len().min(self.batch - self.pending.len());
        self.pending
            .extend_from_slice(bytes.get(..taken).unwrap_or_default());
        if self.pending.len() == self.batch {
            self.write_pending()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> Result<()> {
        self.writer.flush()
    }
}

#[cfg(test)]
mod tests;
