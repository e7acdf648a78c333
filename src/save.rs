//! Writing: files that appear complete or not at all ([`crate::source::whole_file`]), gzip on all threads.

mod gzip;
pub(crate) mod nifti;

use std::io::Write;

pub(crate) use gzip::GzWriter;

/// Where stored bytes are written: plainly, or gzipped on the way.
pub(crate) enum Output<W: Write> {
    Plain(W),
    Gzip(GzWriter<W>),
}

impl<W: Write> Output<W> {
    /// Gzipped at this level (1 to 9), or plain.
    pub fn new(writer: W, gzip: Option<u32>) -> Self {
        match gzip {
            Some(level) => Self::Gzip(GzWriter::new(writer, level)),
            None => Self::Plain(writer),
        }
    }

    /// Writes what is still to be written, and gives the writer back.
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
