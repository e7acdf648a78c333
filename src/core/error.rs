//! Errors: a kind, the file and field, what was found and what was expected.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The result type of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of voxload: a kind to match on, and where it happened.
///
/// Displayed in one line: file, field, what was found, what was expected.
#[derive(Debug, Clone)]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    kind: ErrorKind,
    path: Option<PathBuf>,
    /// The operating system's error that caused this one.
    io: Option<Arc<std::io::Error>>,
}

/// The kinds of [`Error`], grouped by cause.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    // ---- file system ----
    /// The file, or the other file of a pair, does not exist, or its folder cannot be accessed. Check the name; the
    /// names of a pair may differ only in their endings. A header can be loaded without its voxel file; reading the
    /// voxels then gives this error.
    #[error("no such file or no access")]
    NotFound,
    /// The path names a folder, a device or a pipe. Read a pipe with [`crate::DataobjImage::from_stream`].
    #[error("not a regular file")]
    NotAFile,
    /// The operating system could not read or write at this byte of the file, for example because of a faulty disk, a
    /// lost network file system, missing permission or a full disk. A failed read is not cached, so the call can be
    /// repeated.
    #[error("{message} (at byte {offset})")]
    Io {
        /// Byte offset in the file at which it failed.
        offset: u64,
        /// The kind of the operating system's error; [`Error::source`](std::error::Error::source) is the error itself.
        kind: std::io::ErrorKind,
        /// The operating system's message.
        message: String,
    },
    /// The file was changed after it was loaded. Load it again; arrays that were read before stay as they
    /// are.
    #[error("the file changed while it was in use: {what} was {was}, is {is}")]
    Changed {
        /// What changed (`length`, `modification time`, `identity`).
        what: &'static str,
        /// Its value when the file was opened.
        was: String,
        /// Its value now.
        is: String,
    },

    // ---- content of the file ----
    /// The file has no bytes: perhaps its transfer failed. Fetch it again.
    #[error("empty file")]
    Empty,
    /// The content is of no known format. A format without a magic number (Analyze) is recognized only by its usual
    /// endings. For a file with another name, set [`crate::LoadOptions::format`].
    #[error("cannot work out the format: {0}")]
    UnknownFormat(String),
    /// The content is not a volume but, for example, a Git LFS or git-annex pointer, a web page that was saved instead
    /// of the file, an archive or a document. The message says what it is and what to do.
    #[error("{what}: {hint}")]
    NotAVolume {
        /// What the file is.
        what: &'static str,
        /// What to do about it.
        hint: &'static str,
    },
    /// The file ends before the end of its header or its voxels, because its transfer was interrupted or the header is
    /// wrong. Fetch it again; slices before the end of the file can be read.
    #[error("truncated: {what} needs {need} bytes, there are {have}")]
    Truncated {
        /// What did not fit (`header`, `voxel data`, `extension`, `gzip trailer`).
        what: &'static str,
        /// Bytes that the file has.
        have: u64,
        /// Bytes that are needed.
        need: u64,
    },
    /// A header field has an unusable value. Harmless faults are repaired instead and listed by
    /// [`crate::DataobjImage::notes`]. Correct the field with the tool that wrote it.
    #[error("header field {field}: found {found}, expected {expected}")]
    Header {
        /// The format's name for the field.
        field: &'static str,
        /// What the file says.
        found: String,
        /// What is valid.
        expected: String,
    },
    /// Compressed data is damaged: it does not inflate, or its checksum or length is wrong. The read returns no voxels.
    /// Fetch the file again; slices before the damage can be read.
    #[error("damaged {codec} data: {detail}")]
    Integrity {
        /// The compression (`gzip`).
        codec: &'static str,
        /// What is wrong.
        detail: String,
    },
    /// The file is valid, but voxload, or this build of it, does not support it. The message names the feature to
    /// enable, if there is one; otherwise convert the file.
    #[error("not supported: {0}")]
    Unsupported(String),
    /// The file exceeds a limit (limits of a device are [`ErrorKind::GpuLimit`]): one of [`crate::Limits`]; the most
    /// that its compressed data can inflate to (then the header is wrong, or the file is truncated); or a fixed limit
    /// that no valid file approaches. Raise the limit if you trust the file, or read slices or frames instead of the
    /// whole volume.
    #[error("{what}: {needed}, the limit is {allowed}")]
    Limit {
        /// What is too large or too many (`output bytes`, `header bytes`, `inflated bytes`, `gzip members`).
        what: &'static str,
        /// How many are needed.
        needed: u128,
        /// How many are allowed.
        allowed: u64,
    },

    // ---- caller ----
    /// An index does not fit the shape, or cannot be parsed. The message names the part. As in numpy, bounds of slices
    /// are clamped to the axis, but positions must be inside it.
    #[error("index: {0}")]
    Index(String),
    /// A shape or the length of a buffer does not match. A buffer must have one element for each selected voxel.
    #[error("shape: found {found}, expected {expected}")]
    Shape {
        /// What was given.
        found: String,
        /// What fits.
        expected: String,
    },
    /// The voxels cannot be converted to the requested type, for example colours to floats, or complex numbers on a
    /// device. Use [`crate::ArrayProxy::unscaled`], or read on the host.
    #[error("voxel type {stored} cannot give {wanted}")]
    DType {
        /// The stored type.
        stored: String,
        /// The request.
        wanted: String,
    },
    /// This image or these options do not allow the call; the message says why.
    #[error("{0}")]
    Usage(String),

    /// A [`crate::Cancel`] ended the read early. No partial result is kept. The call can be repeated, with another
    /// token or without one.
    #[error("cancelled")]
    Cancelled,

    // ---- machine ----
    /// There is not enough memory. Nothing was read. Read slices or frames, or as a smaller type.
    #[error("out of memory: {needed} bytes were needed")]
    OutOfMemory {
        /// Bytes asked for.
        needed: u64,
    },
    /// There is no usable graphics adapter, or this build has no GPU support. The CPU computes the same bits.
    #[error("no usable GPU: {0}")]
    NoGpu(String),
    /// The device lacks a feature or a format that this needs. Request it when the device is created, or use the CPU.
    #[error("the device cannot do this: {0}")]
    GpuUnsupported(String),
    /// There is not enough memory on the device. The device and the image stay usable: free memory
    /// ([`crate::DataobjImage::uncache`]), or load a part.
    #[error("out of device memory: {needed} bytes were needed")]
    GpuOutOfMemory {
        /// Bytes asked for.
        needed: u64,
    },
    /// A size exceeds a limit of the device (limits for files are [`ErrorKind::Limit`]). This is checked before
    /// anything is allocated. Request higher limits when the device is created, or load a part.
    #[error("{limit} of the device is {allowed}, {needed} were needed")]
    GpuLimit {
        /// The name of the limit, as wgpu names it.
        limit: &'static str,
        /// What was needed.
        needed: u64,
        /// What the device allows.
        allowed: u64,
    },
    /// The device was lost or destroyed, so loading did not complete. The image and its arrays in host memory stay
    /// usable: create a new device and load again.
    #[error("the device was lost")]
    DeviceLost,
    /// The device rejected a command, because of a bug in voxload or in the driver. Please report it with the message.
    #[error("the device refused a command: {0}")]
    Gpu(String),
    /// All frames of a stream are held by the caller. Drop one, or ask for more slots.
    #[error("all {0} frames of the stream are held: drop one first")]
    FramesHeld(usize),
}

impl Error {
    /// The kind, to match on.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// The file that the error is about, if there is one.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// Whether a [`crate::Cancel`] ended the read.
    pub(crate) fn is_cancelled(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Cancelled)
    }

    /// The same error with this path, unless it has one already.
    pub(crate) fn at(mut self, path: impl AsRef<Path>) -> Self {
        self.0.path.get_or_insert_with(|| path.as_ref().to_owned());
        self
    }

    /// The same error with this path, if there is one.
    pub(crate) fn at_maybe(self, path: Option<&Path>) -> Self {
        match path {
            Some(path) => self.at(path),
            None => self,
        }
    }

    pub(crate) fn header(
        field: &'static str,
        found: impl fmt::Display,
        expected: impl fmt::Display,
    ) -> Self {
        ErrorKind::Header {
            field,
            found: found.to_string(),
            expected: expected.to_string(),
        }
        .into()
    }

    pub(crate) fn index(message: impl fmt::Display) -> Self {
        ErrorKind::Index(message.to_string()).into()
    }

    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        ErrorKind::Usage(message.to_string()).into()
    }

    pub(crate) fn unsupported(message: impl fmt::Display) -> Self {
        ErrorKind::Unsupported(message.to_string()).into()
    }

    pub(crate) fn shape(found: impl fmt::Debug, expected: impl fmt::Display) -> Self {
        ErrorKind::Shape {
            found: format!("{found:?}"),
            expected: expected.to_string(),
        }
        .into()
    }

    /// An operating system's error at a byte offset; a missing file becomes [`ErrorKind::NotFound`].
    /// A voxload error that passed through a reader or writer is returned as it was.
    pub(crate) fn io(error: std::io::Error, offset: u64) -> Self {
        let error = match error.downcast::<Self>() {
            Ok(own) => return own,
            Err(error) => error,
        };
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            kind => ErrorKind::Io {
                offset,
                kind,
                message: error.to_string(),
            },
        };
        let mut made = Self::from(kind);
        made.0.io = Some(Arc::new(error));
        made
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Error(Box::new(Inner {
            kind,
            path: None,
            io: None,
        }))
    }
}

impl From<std::io::Error> for Error {
    /// An error as of reading, at byte 0. If the error contains one of voxload, that one is returned.
    fn from(error: std::io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(own) => own,
            Err(error) => Self::io(error, 0),
        }
    }
}

impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        let mut line = OneLine(f);
        if let Some(path) = &self.0.path {
            write!(line, "{}: ", path.display())?;
        }
        write!(line, "{}", self.0.kind)
    }
}

/// Escapes control characters, which file names and texts in files can contain.
struct OneLine<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive(char::is_control) {
            let (last, before) = match part.chars().next_back() {
                Some(last) if last.is_control() => {
                    (Some(last), &part[..part.len() - last.len_utf8()])
                }
                _ => (None, part),
            };
            self.0.write_str(before)?;
            last.map_or(Ok(()), |last| write!(self.0, "{}", last.escape_default()))?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    /// The operating system's error, for [`ErrorKind::NotFound`] and [`ErrorKind::Io`].
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let io = self.0.io.as_deref();
        io.map(|error| error as &(dyn std::error::Error + 'static))
    }
}
