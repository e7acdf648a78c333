//! Errors: a kind, the file and field, what was found and what was expected.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The result of everything in this crate that can fail.
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
    /// The operating system's error that this one was made of.
    io: Option<Arc<std::io::Error>>,
}

/// The kinds of [`Error`], by whose fault they are.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    // ---- the file system's ----
    /// The file, or the other file of a pair, does not exist, or its folder cannot be entered. Check the name; for a pair,
    /// check that both names differ only in their endings. A header without its voxels loads; reading voxels is this error.
    #[error("no such file or no access")]
    NotFound,
    /// The path names a folder, a device or a pipe. Read a pipe with [`crate::DataobjImage::from_stream`].
    #[error("not a regular file")]
    NotAFile,
    /// Reading or writing failed in the operating system, at this byte of the file: a faulty disk, a lost network file
    /// system, no permission, no space. A failed read is not cached: the same call may be tried again.
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
        /// The fact that changed (`length`, `modification time`, `identity`).
        what: &'static str,
        /// Its value when the file was opened.
        was: String,
        /// Its value now.
        is: String,
    },

    // ---- the file's ----
    /// The file has no bytes: perhaps its transfer failed. Fetch it again.
    #[error("empty file")]
    Empty,
    /// The content is of no known format. A format without a mark of its own (Analyze) is recognised only under its usual
    /// ending; [`crate::LoadOptions::format`] names the format of such a file.
    #[error("cannot work out the format: {0}")]
    UnknownFormat(String),
    /// The content is something else than a volume: a pointer of Git LFS or git-annex to the file, a web page that was
    /// saved in its place, an archive, a document. The message says what it is and what to do.
    #[error("{what}: {hint}")]
    NotAVolume {
        /// What the file is.
        what: &'static str,
        /// What to do about it.
        hint: &'static str,
    },
    /// The file ends before its header or its voxels do: its transfer was cut short, or the header is wrong. Fetch it again;
    /// slices before its end can be read.
    #[error("truncated: {what} needs {need} bytes, there are {have}")]
    Truncated {
        /// What did not fit (`header`, `voxel data`, `extension`, `gzip trailer`).
        what: &'static str,
        /// Bytes that the file has.
        have: u64,
        /// Bytes that are needed.
        need: u64,
    },
    /// A header field holds a value that cannot be used. Faults that do no harm are repaired instead and listed by
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
    /// The file is valid, but voxload, or this build of it, does not support this. The message names the feature to enable,
    /// if there is one; otherwise convert the file.
    #[error("not supported: {0}")]
    Unsupported(String),
    /// Something in the file exceeds a limit (limits of a device are `GpuLimit`): one of [`crate::Limits`], what the
    /// compression can hold (then the header is wrong, or the file was cut short), or one that no valid file comes near.
    /// Raise the limit if you trust the file, or read slices or frames instead of the whole.
    #[error("{what}: {needed}, the limit is {allowed}")]
    Limit {
        /// What is too large or too many (`output bytes`, `header bytes`, `inflated bytes`, `gzip members`).
        what: &'static str,
        /// How many are needed.
        needed: u128,
        /// How many are allowed.
        allowed: u64,
    },

    // ---- the caller's ----
    /// An index does not fit the shape, or cannot be parsed. The message has the part. As in numpy, bounds of slices clamp,
    /// positions do not.
    #[error("index: {0}")]
    Index(String),
    /// A shape, or a buffer's length, does not fit. Make the buffer as long as the selection has voxels.
    #[error("shape: found {found}, expected {expected}")]
    Shape {
        /// What was given.
        found: String,
        /// What fits.
        expected: String,
    },
    /// The voxels cannot be converted to this: colours to floats, complex numbers on a device, or a buffer of another type.
    /// Use [`crate::ArrayProxy::unscaled`], or read on the host.
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

    /// The read was ended early by a [`crate::Cancel`]. Nothing of it is kept; the same call may be made again, with another
    /// token or with none.
    #[error("cancelled")]
    Cancelled,

    // ---- the machine's ----
    /// The system has not this much memory. Nothing was read; read slices or frames, or a smaller type.
    #[error("out of memory: {needed} bytes were needed")]
    OutOfMemory {
        /// Bytes asked for.
        needed: u64,
    },
    /// There is no usable graphics adapter, or this build has no GPU support. The CPU computes the same bits.
    #[error("no usable GPU: {0}")]
    NoGpu(String),
    /// The device cannot do this: a feature or a format is missing. Request it when the device is made, or use the CPU.
    #[error("the device cannot do this: {0}")]
    GpuUnsupported(String),
    /// The device has no memory left for this. The device and the image are still good: free something
    /// ([`crate::DataobjImage::uncache`]), or load a part.
    #[error("out of device memory: {needed} bytes were needed")]
    GpuOutOfMemory {
        /// Bytes asked for.
        needed: u64,
    },
    /// A size exceeds a limit of the device (limits for files are [`ErrorKind::Limit`]); found before anything was allocated.
    /// Request higher limits when the device is made, or load a part.
    #[error("{limit} of the device is {allowed}, {needed} were needed")]
    GpuLimit {
        /// The name of the limit, as wgpu names it.
        limit: &'static str,
        /// What was needed.
        needed: u64,
        /// What the device allows.
        allowed: u64,
    },
    /// The device was lost or destroyed; what was to be loaded did not arrive. The image and its host copies are still
    /// good: make a new device and load again.
    #[error("the device was lost")]
    DeviceLost,
    /// The device refused a command; a fault of voxload or of the driver. Please report it with the message.
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

    /// The file concerned, where there is one.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// Whether a [`crate::Cancel`] ended the read.
    pub(crate) fn is_cancelled(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Cancelled)
    }

    /// The same error, said of this file unless it names one already.
    pub(crate) fn at(mut self, path: impl AsRef<Path>) -> Self {
        self.0.path.get_or_insert_with(|| path.as_ref().to_owned());
        self
    }

    /// The same error, said of this file if there is one.
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
    /// As reading reports it, at byte 0. An error of voxload inside is given back itself.
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

/// Writes control characters, which names of files and texts in them may hold, as escapes.
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
