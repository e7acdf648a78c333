//! The image: voxels, header, files, and the cached values.

pub(crate) mod axes;
pub(crate) mod cache;
mod content;
#[cfg(feature = "gpu")]
mod device;
pub(crate) mod fdata;
mod files;
#[cfg(not(target_family = "wasm"))]
pub(crate) mod many;
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
    /// The array replaces the cached one.
    #[default]
    Fill,
    /// The cache does not change.
    Unchanged,
}

/// An image: a header, and voxels that are read on demand.
#[derive(Debug)]
pub struct DataobjImage {
    dataobj: ArrayProxy,
    header: Header,
    extra: Extra,
    file_map: FileMap,
    notes: Vec<Note>,
    cache: Mutex<Cache>,
}

/// Loads an image: reads its header, but no voxels.
///
/// # Errors
/// As [`DataobjImage::from_filename`].
pub fn load(path: impl AsRef<Path>) -> Result<DataobjImage> {
    DataobjImage::from_filename(path, &LoadOptions::new())
}

impl DataobjImage {
    /// Loads an image from the name of any of its files. The format and the compression are recognized by the content;
    /// [`Self::notes`] reports a name that does not match it. Analyze files have no magic number: they are recognized
    /// only by their endings, `.hdr` and `.img`, or with [`LoadOptions::format`].
    ///
    /// A NRRD or MetaImage header can name the files that contain its voxels, relative to its folder or by an absolute
    /// path, as in SimpleITK. Do not load untrusted NRRD or MetaImage headers with privileges that their author should
    /// not have.
    ///
    /// # Errors
    /// - [`crate::ErrorKind::NotFound`], [`crate::ErrorKind::NotAFile`], [`crate::ErrorKind::Empty`] for the file
    /// - [`crate::ErrorKind::UnknownFormat`] if the content is of no known format
    /// - [`crate::ErrorKind::NotAVolume`] if the content is known to be something else, such as a Git LFS pointer
    /// - [`crate::ErrorKind::Header`], [`crate::ErrorKind::Truncated`] for header faults that cannot be repaired
    /// - [`crate::ErrorKind::Integrity`] for damaged compressed data
    pub fn from_filename(path: impl AsRef<Path>, options: &LoadOptions) -> Result<Self> {
        open::from_filename(path.as_ref(), options)
    }

    /// Loads an image from its files, by name or from the caller's bytes.
    ///
    /// # Errors
    /// As [`Self::from_filename`], and [`crate::ErrorKind::Usage`] for a map without an image file, or a file with
    /// neither a name nor bytes.
    pub fn from_file_map(file_map: FileMap, options: &LoadOptions) -> Result<Self> {
        open::from_file_map(file_map, options)
    }

    /// Loads a single-file image from memory, gzipped or not. The owner of the bytes (a `Vec`, an `Arc<[u8]>`) is
    /// stored in the image; the bytes are not copied.
    ///
    /// # Errors
    /// As [`Self::from_filename`].
    pub fn from_bytes(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Result<Self> {
        open::from_bytes(MemorySource::new(bytes))
    }

    /// Loads a single-file image from a stream, which is read to its end.
    ///
    /// # Errors
    /// As [`Self::from_filename`], and [`crate::ErrorKind::Io`] if reading fails.
    pub fn from_stream(mut stream: impl Read) -> Result<Self> {
        let mut bytes = Vec::new();
        stream
            .read_to_end(&mut bytes)
            .map_err(|error| Error::io(error, bytes.len() as u64))?;
        Self::from_bytes(bytes)
    }

    /// Makes an image of an array in memory. The affine maps voxel indices to RAS+ coordinates.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Header`] if the array's size in bytes does not fit in 63 bits.
    pub fn from_array(array: impl Into<StoredArray>, affine: Option<Affine>) -> Result<Self> {
        let array = array.into();
        let header = Header {
            affine,
            zooms: zooms(array.ndim(), affine.as_ref()),
            ..Header::new(array.shape(), array.dtype())
        };
        Self::new(array, header, Extra::new(), FileMap::new())
    }

    /// Makes an image from its parts, as nibabel's constructor does. `dataobj` can be a proxy or an array. The shape of
    /// the header is set to that of the data.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Header`] if the data's size in bytes does not fit in 63 bits.
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

    /// Returns the image with an empty cache that counts towards this budget.
    #[must_use]
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

    /// The voxels: those of a file, read on demand, or an array in memory ([`ArrayProxy::as_array`]).
    pub fn dataobj(&self) -> &ArrayProxy {
        &self.dataobj
    }

    /// The thread pool that the image's reads use.
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

    /// The footer of an MGH file, if it has not been read yet.
    fn unread_footer(&self) -> Option<&Deferred> {
        match &self.header.fields {
            Fields::Mgh(mgh) if mgh.footer().is_none() => Some(&mgh.deferred),
            _ => None,
        }
    }

    /// The header, for editing. Edits do not affect the voxels that [`Self::dataobj`] reads.
    pub fn header_mut(&mut self) -> &mut Header {
        &mut self.header
    }

    /// The header's affine, if it has one: maps voxel indices to RAS+ coordinates, in [`Header::space_unit`].
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

    /// Notes about repaired header faults, about a file name that does not match the content (field `name`), and about
    /// bytes that a whole read found after a gzip stream (field `gzip`).
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
        // A panic while the lock is held leaves a valid cache, because its fields are only replaced as a whole.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the footer of a compressed MGH file, which contains the repetition time and other parameters, unless it
/// has been read already. The footer follows the voxels, so the whole file is inflated, but no voxels are kept.
/// Does nothing for other files. See [`MghHeader::footer`](crate::format::mgh::MghHeader::footer).
///
/// # Errors
/// [`crate::ErrorKind::Truncated`] and [`crate::ErrorKind::Integrity`] for a damaged file,
/// [`crate::ErrorKind::NotFound`], [`crate::ErrorKind::Changed`] and [`crate::ErrorKind::Io`].
pub fn read_footer(image: &DataobjImage) -> Result<()> {
    let Some(deferred) = image.unread_footer() else {
        return Ok(());
    };
    let footer = match image.dataobj.source() {
        Source::Gzip(gzip) => MghFooter::from_bytes(gzip.read_tail()?),
        other => {
            let range = deferred.at..deferred.at.saturating_add(MAX_FOOTER_BYTES);
            MghFooter::from_bytes(&voxels::piece(other, range)?)
        }
    };
    deferred.footer.get_or_init(|| footer);
    Ok(())
}

/// Voxel sizes: the lengths of the affine's columns, and 1 for further axes.
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
