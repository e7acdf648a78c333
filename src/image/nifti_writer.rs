//! Writes NIfTI files frame by frame: first the header, then the voxels in order, so that a file may be larger than
//! memory.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::output::Output;
use crate::convert::store::{Range, Storing};
use crate::core::array::{Element, HostArray, StoredArray};
use crate::core::dtype::{ByteOrder, DType};
use crate::core::error::{Error, ErrorKind, Result};
use crate::core::scaling::Scaling;
use crate::core::scope;
use crate::core::shape::voxels;
use crate::format::nifti::{Container, NiftiHeader, Target, Version};
use crate::format::{Fields, FileName};
use crate::header::Header;
use crate::source::whole_file::WholeFile;

/// The number of the caller's values that are copied at a time.
const PIECE: usize = 1 << 18;

/// Bytes written between two checks for cancellation.
const PIECE_BYTES: usize = 1 << 20;

/// The gzip level of files whose options do not say.
const USUAL_LEVEL: u32 = 6;

/// The longest axis that NIfTI-1 can store.
pub(crate) const MAX_NIFTI1_SIDE: usize = i16::MAX as usize;

/// Options for writing an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct SaveOptions {
    pub(crate) dtype: Option<DType>,
    pub(crate) keep_scaling: bool,
    pub(crate) nifti2: bool,
    pub(crate) level: u32,
}

impl Default for SaveOptions {
    fn default() -> Self {
        Self {
            dtype: None,
            keep_scaling: false,
            nifti2: false,
            level: USUAL_LEVEL,
        }
    }
}

impl SaveOptions {
    /// As nibabel: the header's voxel type; for integers, `scl_slope` and `scl_inter` computed from the values. Gzip level 6:
    /// files as small as those of `gzip`, in less time than nibabel needs for its level 1.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stores voxels in this type instead of the header's.
    pub fn dtype(mut self, dtype: DType) -> Self {
        self.dtype = Some(dtype);
        self
    }

    /// Writes the stored numbers, `scl_slope` and `scl_inter` of the file unchanged, so that nothing is rounded again.
    /// Only possible in the type of the file, and with a scaling that NIfTI can store.
    pub fn keep_scaling(mut self) -> Self {
        self.keep_scaling = true;
        self
    }

    /// Always writes NIfTI-2. By default, NIfTI-2 is written only for NIfTI-2 images and for axes longer than 32767,
    /// which NIfTI-1 cannot store.
    pub fn nifti2(mut self) -> Self {
        self.nifti2 = true;
        self
    }

    /// The gzip level, 1 (fast) to 9 (small), 6 by default. Files are about as small as those of `gzip` at this level.
    pub fn level(mut self, level: u32) -> Self {
        self.level = level.clamp(1, 9);
        self
    }
}

/// The files to write for a path.
pub(crate) struct Paths {
    pub header: PathBuf,
    pub image: PathBuf,
    pub container: Container,
    gzip: bool,
}

impl Paths {
    /// # Errors
    /// [`ErrorKind::UnknownFormat`] for an ending that is not NIfTI's.
    pub(crate) fn new(path: &Path) -> Result<Self> {
        let name = FileName::new(path);
        let gzip = match name.compression().to_ascii_lowercase().as_str() {
            "" => false,
            ".gz" => true,
            other => return Err(Error::unsupported(format!("writing {other}")).at(path)),
        };
        let ending = name.ending().to_ascii_lowercase();
        let (header, image, container) = match ending.as_str() {
            ".nii" => (path.to_owned(), path.to_owned(), Container::Single),
            ".hdr" => (path.to_owned(), name.companion(".img"), Container::Pair),
            ".img" => (name.companion(".hdr"), path.to_owned(), Container::Pair),
            _ => {
                let message = format!("cannot write {ending:?} files, only .nii, .hdr and .img");
                return Err(Error::from(ErrorKind::UnknownFormat(message)).at(path));
            }
        };
        Ok(Self {
            header,
            image,
            container,
            gzip,
        })
    }
}

/// Writes a NIfTI file (or pair) frame by frame.
///
/// The file gets its name only when [`NiftiWriter::finish`] succeeds. Until then, an existing file of this name stays
/// unchanged, so the frames may be read from it.
///
/// ```no_run
/// # fn main() -> voxload::Result<()> {
/// use voxload::{DType, Index, NiftiWriter, SaveOptions};
/// let bold = voxload::load("bold.nii.gz")?;
/// let mut writer = NiftiWriter::create("twice.nii.gz", bold.header(), &SaveOptions::new().dtype(DType::F32))?;
/// for t in 0..bold.shape()[3] {
///     let frame = bold.dataobj().slice::<f32>(Index::new().ellipsis().at(t as i64))?;
///     let twice: Vec<f32> = frame.as_slice().iter().map(|value| 2.0 * value).collect();
///     writer.write_values(&twice)?;
/// }
/// writer.finish()?;
/// # Ok(()) }
/// ```
pub struct NiftiWriter {
    paths: Paths,
    header: Option<WholeFile>,
    image: Output<WholeFile>,
    dtype: DType,
    byte_order: ByteOrder,
    /// Voxels that have not been written yet.
    left: u64,
    buffer: Vec<u8>,
}

impl NiftiWriter {
    /// Begins a file for an image with this header: `.nii`, `.hdr` or `.img`, gzipped if the name ends in `.gz`;
    /// NIfTI-2 if the header is NIfTI-2, if the options say so, or if an axis is longer than 32767. The axes are
    /// written in the header's order.
    ///
    /// Values are stored in the type of the options, or else of the header, without scaling.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownFormat`], [`ErrorKind::Unsupported`] and [`ErrorKind::Header`] for what NIfTI cannot store,
    /// [`ErrorKind::Io`].
    pub fn create(path: impl AsRef<Path>, header: &Header, options: &SaveOptions) -> Result<Self> {
        let dtype = options.dtype.unwrap_or(header.dtype);
        Self::begin(path.as_ref(), header, dtype, (1.0, 0.0), options)
    }

    pub(crate) fn begin(
        path: &Path,
        header: &Header,
        dtype: DType,
        slope_inter: (f64, f64),
        options: &SaveOptions,
    ) -> Result<Self> {
        let paths = Paths::new(path)?;
        let target = Target {
            version: version_of(header, options),
            container: paths.container,
            gzip: paths.gzip,
            dtype,
            slope_inter,
        };
        let nifti = NiftiHeader::for_writing(header, &target).map_err(|error| error.at(path))?;
        let gzip = paths.gzip.then_some(options.level);
        let leading = nifti.leading_bytes();
        let is_pair = paths.container == Container::Pair;
        let left = voxels(&header.shape)?;
        let before = if is_pair { 0 } else { leading.len() as u64 };
        let length = left
            .saturating_mul(dtype.size_bytes() as u64)
            .saturating_add(before);
        let mut writer = Self {
            header: None,
            image: Output::new(WholeFile::create(&paths.image)?, gzip, length),
            dtype,
            byte_order: nifti.byte_order,
            left,
            buffer: Vec::new(),
            paths,
        };
        if is_pair {
            let file = WholeFile::create(&writer.paths.header)?;
            let mut file = Output::new(file, gzip, leading.len() as u64);
            file.write_all(&leading).map_err(|error| writer.io(error))?;
            writer.header = Some(file.finish().map_err(|error| writer.io(error))?);
        } else {
            writer.write_bytes(&leading)?;
        }
        Ok(writer)
    }

    /// Writes the next values, the first axis fastest, in pieces of any length: a frame, several, or a part of one.
    ///
    /// # Errors
    /// [`ErrorKind::DType`] for types that cannot be stored without scaling (floats as integers), [`ErrorKind::Shape`]
    /// for more values than the header's shape has room for, [`ErrorKind::Io`].
    pub fn write_values<T: Element>(&mut self, values: &[T]) -> Result<()> {
        self.check_room(values.len() as u64)?;
        if T::DTYPE == self.dtype && self.byte_order == ByteOrder::NATIVE {
            self.left -= values.len() as u64;
            return self.write_bytes(bytemuck::cast_slice(values));
        }
        // In pieces, so that only a small part of the values is copied at a time.
        let stored = |piece: &[T]| -> Result<StoredArray> {
            Ok(HostArray::from_vec(&[piece.len()], piece.to_vec())?.into())
        };
        let mut range = Range::EMPTY;
        if self.dtype.is_integer() && self.dtype != T::DTYPE {
            for piece in values.chunks(PIECE) {
                range = range.with(&stored(piece)?);
            }
        }
        let storing = self.unscaled(T::DTYPE, &range)?;
        for piece in values.chunks(PIECE) {
            self.write_stored(&stored(piece)?, &storing)?;
        }
        Ok(())
    }

    /// Writes the next values, of any type that can be stored without scaling.
    ///
    /// # Errors
    /// As [`Self::write_values`].
    pub fn write_array(&mut self, values: &StoredArray) -> Result<()> {
        let storing = self.unscaled(values.dtype(), &Range::EMPTY.with(values))?;
        self.write_stored(values, &storing)
    }

    /// How values of this type and range are stored without scaling.
    fn unscaled(&self, from: DType, range: &Range) -> Result<Storing> {
        let storing = Storing::choose(from, self.dtype, range)?;
        if storing.slope_inter() != (1.0, 0.0) || storing.loses(from) {
            return Err(ErrorKind::DType {
                stored: from.to_string(),
                wanted: format!("stored {} without scaling", self.dtype),
            }
            .into());
        }
        Ok(storing)
    }

    fn check_room(&self, given: u64) -> Result<()> {
        if given > self.left {
            let room = format!("at most {} more values", self.left);
            return Err(Error::shape(given, room).at(&self.paths.image));
        }
        Ok(())
    }

    /// Writes the next values with a `Storing` that was chosen for all values.
    pub(crate) fn write_stored(&mut self, values: &StoredArray, storing: &Storing) -> Result<()> {
        self.check_room(values.len() as u64)?;
        self.left -= values.len() as u64;
        let mut bytes = std::mem::take(&mut self.buffer);
        bytes.clear();
        let stored = storing.store(values, self.byte_order, &mut bytes);
        let written = stored.and_then(|()| self.write_bytes(&bytes));
        self.buffer = bytes;
        written
    }

    /// Completes the file and gives it its name.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] if voxels are missing, [`ErrorKind::Io`]; the file then does not appear.
    pub fn finish(self) -> Result<()> {
        let image_path = self.paths.image.clone();
        if self.left > 0 {
            let missing = format!("{} more values", self.left);
            return Err(Error::shape("a file that ends early", missing).at(&image_path));
        }
        scope::check().map_err(|error| error.at(&image_path))?;
        let image = self.image.finish();
        let image = image.map_err(|error| Error::io(error, 0).at(&image_path))?;
        // The voxel file first, so that there is never a header without voxels.
        image.finish(&image_path)?;
        match self.header {
            Some(header) => header.finish(&self.paths.header),
            None => Ok(()),
        }
    }

    fn write_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        for piece in bytes.chunks(PIECE_BYTES) {
            scope::check().map_err(|error| error.at(&self.paths.image))?;
            let written = self.image.write_all(piece);
            written.map_err(|error| self.io(error))?;
        }
        Ok(())
    }

    fn io(&self, error: std::io::Error) -> Error {
        Error::io(error, 0).at(&self.paths.image)
    }
}

impl fmt::Debug for NiftiWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NiftiWriter")
            .field("image", &self.paths.image)
            .field("dtype", &self.dtype)
            .field("values_left", &self.left)
            .finish_non_exhaustive()
    }
}

/// The version to write: as [`SaveOptions::nifti2`] says.
pub(crate) fn version_of(header: &Header, options: &SaveOptions) -> Version {
    if options.nifti2 || is_nifti2(header) {
        return Version::Two;
    }
    let long = header.shape.iter().any(|&length| length > MAX_NIFTI1_SIDE);
    match *header.shape.as_slice() {
        // FreeSurfer's NIfTI-1 files can store a long first axis (-1 in `dim[1]`, the length in `glmin`).
        [_, 1, 1, ..] if matches!(header.fields, Fields::Nifti(_)) => Version::One,
        _ if long => Version::Two,
        _ => Version::One,
    }
}

/// Whether the header is that of a NIfTI-2 file.
pub(crate) fn is_nifti2(header: &Header) -> bool {
    matches!(&header.fields, Fields::Nifti(nifti) if nifti.version == Version::Two)
}

/// The `scl_slope` and `scl_inter` of a scaling, if this version of NIfTI can store them: `None` for tables, other
/// steps, and numbers that NIfTI-1's f32 would round.
pub(crate) fn kept_slope_inter(scaling: &Scaling, version: Version) -> Option<(f64, f64)> {
    let (slope, inter) = (scaling.slope()?, scaling.inter()?);
    let fits = |value: f64| version == Version::Two || f64::from(value as f32) == value;
    let stated = *scaling == Scaling::linear(slope, inter) && fits(slope) && fits(inter);
    stated.then_some((slope, inter))
}
