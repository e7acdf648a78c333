//! The image: voxels, header, files, and the cached values.

mod axes;
pub(crate) mod cache;
mod content;
#[cfg(feature = "gpu")]
mod device;
pub(crate) mod fdata;
mod files;
pub(crate) mod nifti_writer;
mod open;
mod orient;
mod output;
mod raw_file;
pub(crate) mod save;
pub(crate) mod statistics;
mod stream;
#[cfg(feature = "gpu")]
mod texture;
mod voxels;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::core::affine::Affine;
use crate::core::array::StoredArray;
use crate::core::error::{Error, Result};
use crate::core::options::LoadOptions;
use crate::core::threads::Threads;
use crate::format::Fields;
use crate::format::file_map::FileMap;
use crate::format::mgh::MghFooter;
use crate::header::fields::mgh::{Deferred, MAX_FOOTER_BYTES};
use crate::header::{AxisKind, Header, Note};
use crate::image::cache::Cache;
use crate::image::cache::budget::Budget;
use crate::read::proxy::ArrayProxy;
use crate::source::Source;
use crate::source::memory::MemorySource;

/// The caller's own notes on an image; voxload ignores them.
pub type Extra = BTreeMap<String, String>;

/// Whether the image caches a computed array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Caching {
    /// The array replaces what is cached.
    #[default]
    Fill,
    /// The cache stays as it is.
    Unchanged,
}

/// An image: a header, and voxels that are read when they are asked for.
#[derive(Debug)]
pub struct DataobjImage {
    dataobj: ArrayProxy,
    header: Header,
    extra: Extra,
    file_map: FileMap,
    notes: Vec<Note>,
    cache: Mutex<Cache>,
}

/// Loads an image: reads its header, and no voxel.
///
/// # Errors
/// As [`DataobjImage::from_filename`].
pub fn load(path: impl AsRef<Path>) -> Result<DataobjImage> {
    DataobjImage::from_filename(path, &LoadOptions::new())
}

impl DataobjImage {
    /// Loads an image from the name of any of its files. Format and compression are recognized by the content; where a name
    /// does not fit it, [`Self::notes`] says so. Analyze files have no magic number, and are recognized only under `.hdr` and
    /// `.img`, or by [`LoadOptions::format`].
    ///
    /// A NRRD or MetaImage header may name the files its voxels are in. These names are followed from the header's
    /// folder wherever they lead, as in SimpleITK: only load such headers from sources that may name any file.
    ///
    /// # Errors
    /// - [`crate::ErrorKind::NotFound`], [`crate::ErrorKind::NotAFile`], [`crate::ErrorKind::Empty`] for the file
    /// - [`crate::ErrorKind::UnknownFormat`] when the content is of no known format
    /// - [`crate::ErrorKind::NotAVolume`] when it is known to be something else, such as a pointer of Git LFS
    /// - [`crate::ErrorKind::Header`], [`crate::ErrorKind::Truncated`] for header faults that cannot be repaired
    /// - [`crate::ErrorKind::Integrity`] for damaged compressed data
    pub fn from_filename(path: impl AsRef<Path>, options: &LoadOptions) -> Result<Self> {
        open::from_filename(path.as_ref(), options)
    }

    /// Loads an image from its files, by name or from the caller's bytes.
    ///
    /// # Errors
    /// As [`Self::from_filename`], and [`crate::ErrorKind::Usage`] for a map without an image file or a holder
    /// with neither name nor bytes.
    pub fn from_file_map(file_map: FileMap, options: &LoadOptions) -> Result<Self> {
        open::from_file_map(file_map, options)
    }

    /// Loads a single-file image from memory, gzipped or not. The owner of the bytes (a `Vec`, an `Arc<[u8]>`) is stored in
    /// the image; the bytes are not copied.
    ///
    /// # Errors
    /// As [`Self::from_filename`].
    pub fn from_bytes(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Result<Self> {
        open::from_bytes(MemorySource::new(bytes))
    }

    /// Loads a single-file image from a stream, which is read to its end.
    ///
    /// # Errors
    /// As [`Self::from_filename`], and [`crate::ErrorKind::Io`] when reading fails.
    pub fn from_stream(mut stream: impl Read) -> Result<Self> {
        let mut bytes = Vec::new();
        stream
            .read_to_end(&mut bytes)
            .map_err(|error| Error::io(error, bytes.len() as u64))?;
        Self::from_bytes(bytes)
    }

    /// An image of an array in memory. The affine maps voxel indices to millimetres.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Header`] when the array's bytes do not fit in 63 bits.
    pub fn from_array(array: impl Into<StoredArray>, affine: Option<Affine>) -> Result<Self> {
        let array = array.into();
        let header = Header {
            affine,
            zooms: zooms(array.ndim(), affine.as_ref()),
            ..Header::new(array.shape(), array.dtype())
        };
        Self::new(array, header, Extra::new(), FileMap::new())
    }

    /// An image of its parts, as nibabel's constructor: a proxy or an array, and a header, which is the image's own from here
    /// on, and whose shape becomes that of the data.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Header`] when the shape's bytes do not fit in 63 bits.
    pub fn new(
        dataobj: impl Into<ArrayProxy>,
        mut header: Header,
        extra: Extra,
        file_map: FileMap,
    ) -> Result<Self> {
        let dataobj = dataobj.into();
        if header.shape != dataobj.shape() {
            header.shape = dataobj.shape().to_vec();
            header.zooms.resize(header.shape.len(), 1.0);
        }
        let by_position = AxisKind::by_position(header.shape.len());
        header.axes.truncate(header.shape.len());
        let missing = by_position.into_iter().skip(header.axes.len());
        header.axes.extend(missing);
        header.data_bytes()?;
        Ok(Self {
            dataobj,
            header,
            extra,
            file_map,
            notes: Vec::new(),
            cache: Mutex::default(),
        })
    }

    /// The same image with a cache within this budget; the cache is empty.
    pub fn with_budget(mut self, budget: &Budget) -> Self {
        self.cache = Mutex::new(Cache::new(budget));
        self
    }

    /// Voxels along each axis.
    pub fn shape(&self) -> &[usize] {
        self.dataobj.shape()
    }

    /// Number of axes.
    pub fn ndim(&self) -> usize {
        self.shape().len()
    }

    /// The voxels: of a file, read on demand, or of an array ([`ArrayProxy::as_array`]).
    pub fn dataobj(&self) -> &ArrayProxy {
        &self.dataobj
    }

    /// The thread pool of the image's reads.
    pub(crate) fn threads(&self) -> &Threads {
        self.dataobj.threads()
    }

    /// The header. Its offset and scaling are those of the file.
    pub fn header(&self) -> &Header {
        if let Some(deferred) = self.unread_footer()
            && let Some(bytes) = self.dataobj.source().tail()
        {
            deferred.footer.get_or_init(|| MghFooter::from_bytes(bytes));
        }
        &self.header
    }

    /// Reads the footer of a gzipped MGH file, which has the repetition time and more, if that has not been done yet. It
    /// follows the voxels, so the file is inflated once to its end; no voxel is kept. Does nothing for other files. See
    /// [`MghHeader::footer`](crate::format::mgh::MghHeader::footer).
    ///
    /// # Errors
    /// [`crate::ErrorKind::Truncated`] and [`crate::ErrorKind::Integrity`] for a damaged file,
    /// [`crate::ErrorKind::NotFound`], [`crate::ErrorKind::Changed`] and [`crate::ErrorKind::Io`].
    pub fn read_footer(&self) -> Result<()> {
        let Some(deferred) = self.unread_footer() else {
            return Ok(());
        };
        let footer = match self.dataobj.source() {
            Source::Gzip(gzip) => MghFooter::from_bytes(gzip.read_tail()?),
            other => {
                let range = deferred.at..deferred.at.saturating_add(MAX_FOOTER_BYTES);
                MghFooter::from_bytes(&voxels::piece(other, range)?)
            }
        };
        deferred.footer.get_or_init(|| footer);
        Ok(())
    }

    /// The footer of an MGH file that has not been read yet.
    fn unread_footer(&self) -> Option<&Deferred> {
        match &self.header.fields {
            Fields::Mgh(mgh) if mgh.footer().is_none() => Some(&mgh.deferred),
            _ => None,
        }
    }

    /// The header, for editing; the voxels that [`Self::dataobj`] reads stay what they were.
    pub fn header_mut(&mut self) -> &mut Header {
        &mut self.header
    }

    /// Voxel index to millimetres (RAS+), where there is one: the header's.
    pub fn affine(&self) -> Option<&Affine> {
        self.header.affine.as_ref()
    }

    /// The caller's own notes on the image.
    pub fn extra(&self) -> &Extra {
        &self.extra
    }

    /// The caller's own notes on the image, for editing.
    pub fn extra_mut(&mut self) -> &mut Extra {
        &mut self.extra
    }

    /// The files of the image.
    pub fn file_map(&self) -> &FileMap {
        &self.file_map
    }

    /// Header faults that were repaired on reading, names that do not fit the content (`name`), and what a whole read found
    /// after a gzip stream.
    pub fn notes(&self) -> Vec<Note> {
        let mut notes = self.notes.clone();
        let trailing = self.dataobj.source().trailing();
        if trailing > 0 {
            notes.push(Note {
                field: "gzip",
                message: format!("{trailing} bytes after the last member were ignored"),
            });
        }
        notes
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        // The cache is only ever replaced whole, so a panic elsewhere leaves it usable.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Voxel sizes: lengths of the affine's columns, 1 for further axes.
fn zooms(ndim: usize, affine: Option<&Affine>) -> Vec<f64> {
    (0..ndim)
        .map(|axis| match affine {
            Some(affine) if axis < 3 => (0..3)
                .map(|row| affine[row][axis] * affine[row][axis])
                .sum::<f64>()
                .sqrt(),
            _ => 1.0,
        })
        .collect()
}
