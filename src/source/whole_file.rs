//! Files that are written whole: a temporary file that takes its name once all of it is there.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use crate::core::error::{Error, Result};

/// A file that takes its name only when all of it is written: what was there before stays until then.
pub(crate) struct WholeFile {
    file: BufWriter<NamedTempFile<File>>,
}

impl WholeFile {
    /// Begins a file that is going to be at `path`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`], [`crate::ErrorKind::NotFound`] when its folder cannot be written to.
    pub fn create(path: &Path) -> Result<Self> {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let mut builder = tempfile::Builder::new();
        builder.prefix(".voxload-");
        #[cfg(unix)]
        {
            // The permissions of any new file; tempfile's own are for secrets.
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

    /// Gives the file its name, in place of what had it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`]; the temporary file is then gone, and what was at `path` still there.
    pub fn finish(self, path: &Path) -> Result<()> {
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
