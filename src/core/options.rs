//! How files are opened, and how long they stay open.

use std::path::PathBuf;
use std::sync::Arc;

use crate::core::format::Format;
pub use crate::core::limits::Limits;
use crate::core::threads::Threads;

/// Whether plain files are mapped into memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Mmap {
    /// Mapped; zero-copy arrays can be edited without the file changing.
    #[default]
    CopyOnWrite,
    /// Mapped; editing a zero-copy array is an error.
    ReadOnly,
    /// Never mapped: read by position. Whatever others do to the file, the worst is an error.
    Off,
}

/// How long file handles stay open. A mapping holds none.
///
/// | | after load | after a read | after a slice | after drop |
/// |---|---|---|---|---|
/// | `Auto`, `No` | 0 | 0 | 0 | 0 |
/// | `Yes` | 0 | 1 | 1 | 0 |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum KeepFileOpen {
    /// voxload decides, as nibabel does for `keep_file_open=None`. As nibabel's default this is [`Self::No`] for every file:
    /// slices of a gzip file need no open handle, their seek index remembers the places in it.
    #[default]
    Auto,
    /// From the first read until the last image or proxy of the file is dropped.
    Yes,
    /// Only during an operation.
    No,
}

/// Which of the two scalings in a PAR header is used (PV is the number in the REC file).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ParScaling {
    /// `dv`, the value on the console: `PV * RS + RI`.
    #[default]
    Dv,
    /// `fp`, the floating point value: `PV / SS + RI / (RS * SS)`.
    Fp,
}

/// Where the seek index of a gzip file is.
#[derive(Debug, Clone)]
pub(crate) enum GzipIndex {
    /// In this file, or in a file of this folder; it is made if it is not there.
    At(PathBuf),
    /// Here.
    Bytes(Arc<[u8]>),
}

/// Options of [`crate::DataobjImage::from_filename`] and its kin.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct LoadOptions {
    pub(crate) mmap: Mmap,
    pub(crate) keep_file_open: KeepFileOpen,
    pub(crate) zero_copy: bool,
    pub(crate) gzip_index: Option<GzipIndex>,
    pub(crate) gzip_cache: Option<usize>,
    /// The only formats to consider; all if empty.
    pub(crate) formats: Vec<Format>,
    pub(crate) par_scaling: ParScaling,
    pub(crate) permit_truncated: bool,
    pub(crate) strict_sort: bool,
    pub(crate) quaternion_threshold: Option<f64>,
    pub(crate) limits: Limits,
    pub(crate) threads: Threads,
}

impl LoadOptions {
    /// The defaults: files are mapped, no handle stays open.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether plain files are mapped.
    pub fn mmap(mut self, mmap: Mmap) -> Self {
        self.mmap = mmap;
        self
    }

    /// How long file handles stay open.
    pub fn keep_file_open(mut self, keep_file_open: KeepFileOpen) -> Self {
        self.keep_file_open = keep_file_open;
        self
    }

    /// Stores the seek index of a gzip file in this file, or in a file of this folder: slices of the next process
    /// need not inflate the file up to what they read, and are checked. An index of indexed_gzip (`GZIDX`) is used
    /// too, after it was checked against the file.
    ///
    /// An index that is damaged or belongs to another state of the file is ignored. The first slice without a
    /// usable one inflates the whole file, which is checked by that, and writes it; when it cannot be written,
    /// the slice is as right. Without this option an index is made in memory, as far as slices reach. Whole reads
    /// use an index but make none.
    pub fn gzip_index(mut self, path: impl Into<PathBuf>) -> Self {
        self.gzip_index = Some(GzipIndex::At(path.into()));
        self
    }

    /// Uses this seek index of a gzip file, the content of a file that [`Self::gzip_index`] or
    /// [`crate::write_gzip_index`] has written, or indexed_gzip: for sources that are no files, as in a browser. That of another
    /// file is ignored; the file's length and its first and last 64 KiB are compared, but not the time at which it was changed.
    pub fn gzip_index_bytes(mut self, bytes: impl Into<Arc<[u8]>>) -> Self {
        self.gzip_index = Some(GzipIndex::Bytes(bytes.into()));
        self
    }

    /// Bytes of inflated chunks, about 1 MiB each, that an image of a gzip file caches for the next slice
    /// (default 32 MiB).
    pub fn gzip_cache(mut self, bytes: usize) -> Self {
        self.gzip_cache = Some(bytes);
        self
    }

    /// Reads the file as this format, whatever its content: the way to [`Format::Analyze`] and
    /// [`Format::Spm99Analyze`], whose headers look like [`Format::Spm2Analyze`].
    pub fn format(mut self, format: Format) -> Self {
        self.formats = vec![format];
        self
    }

    /// Considers only these formats; the content decides among them. With one format this is [`Self::format`], with none
    /// the default: all formats.
    ///
    /// ```
    /// use voxload::{LoadOptions, format::Format};
    /// let options = LoadOptions::new().formats([Format::Minc1, Format::Minc2]);
    /// ```
    pub fn formats(mut self, formats: impl IntoIterator<Item = Format>) -> Self {
        self.formats = formats.into_iter().collect();
        self
    }

    /// PAR/REC: which scaling is used.
    pub fn par_scaling(mut self, scaling: ParScaling) -> Self {
        self.par_scaling = scaling;
        self
    }

    /// PAR/REC: loads a recording that was cut short, without its incomplete volumes.
    pub fn permit_truncated(mut self, permit: bool) -> Self {
        self.permit_truncated = permit;
        self
    }

    /// PAR/REC: sorts slices by all the keys there are, not only by slice number and recurrence.
    pub fn strict_sort(mut self, strict: bool) -> Self {
        self.strict_sort = strict;
        self
    }

    /// NIfTI: how far the quaternion (b, c, d) of a qform may exceed a length of 1. The squared scalar part, which is 1
    /// minus the squared length of (b, c, d), counts as 0 if its absolute value is below that of this threshold; a negative one
    /// is an error otherwise. nibabel's `quaternion_threshold`, with its default: three times the precision of the fields,
    /// 3.6e-7 in NIfTI-1 and 6.7e-16 in NIfTI-2.
    pub fn quaternion_threshold(mut self, threshold: f64) -> Self {
        self.quaternion_threshold = Some(threshold);
        self
    }

    /// Bounds on the memory and time that the file may cost.
    ///
    /// ```
    /// use voxload::{Limits, LoadOptions};
    /// let options = LoadOptions::new().limits(Limits::new().output(2 << 30).inflate_ratio(200));
    /// ```
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The thread pool in which the image's reads do their work.
    pub fn threads(mut self, threads: Threads) -> Self {
        self.threads = threads;
        self
    }

    /// Lets a whole read of an unscaled, native-endian, aligned file in the type it is stored in be the mapping
    /// itself: no byte is copied, whatever the size.
    ///
    /// # Safety
    /// While an array made this way lives, the contents of the file must not be written to, shortened or replaced: the
    /// array would change under its readers, or reading it would raise a signal.
    #[expect(
        unsafe_code,
        reason = "the one unsafe function of the public API: its contract is the caller's"
    )]
    pub unsafe fn zero_copy(mut self) -> Self {
        self.zero_copy = true;
        self
    }
}
