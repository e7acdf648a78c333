//! File objects of Python as sources of bytes.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use voxload::{ByteSource, Error, ErrorKind, ReadHint, Result};

/// A reader of the package (`voxload._files.Reader`): its methods take the reader's own lock.
#[derive(Debug)]
pub(crate) struct PyFile {
    reader: Py<PyAny>,
    hint: ReadHint,
}

impl PyFile {
    /// # Errors
    /// Those of the reader's attributes.
    pub(crate) fn new(reader: &Bound<'_, PyAny>) -> PyResult<Self> {
        let gap: u64 = reader.getattr("merge_gap")?.extract()?;
        let least: u64 = reader.getattr("min_read")?.extract()?;
        Ok(Self {
            hint: ReadHint::new().merge_gap(gap).min_read(least),
            reader: reader.clone().unbind(),
        })
    }

    /// Copies what the reader returns; how many bytes there were.
    fn read(&self, offset: u64, buffer: &mut [u8]) -> PyResult<usize> {
        Python::attach(|py| {
            let reader = self.reader.bind(py);
            let read = reader.call_method1("read_at", (offset, buffer.len()))?;
            let bytes = read.cast::<PyBytes>()?.as_bytes();
            let have = bytes.len().min(buffer.len());
            let (place, _) = buffer.split_at_mut(have);
            place.copy_from_slice(bytes.split_at(have).0);
            Ok(have)
        })
    }
}

impl ByteSource for PyFile {
    fn len(&self) -> Result<Option<u64>> {
        Python::attach(|py| self.reader.bind(py).call_method0("length")?.extract())
            .map_err(of_python)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let have = self.read(offset, buffer).map_err(of_python)?;
        if have == buffer.len() {
            return Ok(());
        }
        Err(ErrorKind::Truncated {
            what: "file object",
            have: offset + have as u64,
            need: offset + buffer.len() as u64,
        }
        .into())
    }

    fn hint(&self) -> ReadHint {
        self.hint
    }
}

/// An exception of a file object, to be raised again as the cause of ours.
fn of_python(error: PyErr) -> Error {
    std::io::Error::other(error).into()
}
