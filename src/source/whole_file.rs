//! Files that are either complete or not there at all: a temporary file gets its final name when it is complete.

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use crate::core::error::{Error, Result};

/// A file under a temporary name until it is complete; until then the old file of its name, if any, remains.
pub(crate) struct WholeFile {
    file: BufWriter<NamedTempFile<File>>,
}

impl WholeFile {
    /// Begins a file that will be at `path`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`], and [`crate::ErrorKind::NotFound`] if the folder does not exist.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let mut builder = tempfile::Builder::new();
        builder.prefix(".voxload-");
        #[cfg(unix)]
        {
            // tempfile's default mode is private to the user; this is the mode of any new file.
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let file = builder
            .tempfile_in(folder.unwrap_or(Path::new(".")))
            .map_err(|error| Error::io(error, 0).at(path))?;
        Ok(Self {
            file: BufWriter::with_capacity(1 << 20, file),
        })
    }

    /// Gives the file its final name, replacing an old file of that name.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`]; then the temporary file is removed, and what was at `path` remains.
    pub(crate) fn finish(self, path: &Path) -> Result<()> {
        let named = |error: std::io::Error| Error::io(error, 0).at(path);
        let file = self
            .file
            .into_inner()
            .map_err(|error| named(error.into_error()))?;
        file.as_file().sync_data().map_err(named)?;
        file.persist(path).map_err(|error| named(error.error))?;
        Ok(())
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl Seek for WholeFile {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.file.seek(to)
    }
}
