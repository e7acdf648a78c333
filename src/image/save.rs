//! Saves images as NIfTI files, block by block, in bounded memory.

use std::io::Write;
use std::path::Path;

use super::DataobjImage;
use crate::convert::store::{Range, Storing};
use crate::core::array::StoredArray;
use crate::core::error::{Error, Result};
use crate::core::scope;
use crate::format::file_map::{FileHolder, FileMap, FileRole};
use crate::format::nifti::{Container, NiftiHeader, Target, Version};
use crate::header::{Header, Note};
use crate::image::nifti_writer::{
    MAX_NIFTI1_SIDE, NiftiWriter, Paths, SaveOptions, is_nifti2, kept_slope_inter, version_of,
};
use crate::plan::index::Index;

/// Bytes of values in a block. A block has at least one position along the last axis.
const BLOCK_BYTES: usize = 32 << 20;

/// Bytes written between two checks for cancellation.
const PIECE_BYTES: usize = 1 << 20;

/// Writes an image as NIfTI (`.nii`, `.hdr` or `.img`, gzipped if the name ends in `.gz`), as nibabel's `save` does. By
/// default, the header's voxel type is stored; if it is an integer type and the values have another type, with
/// `scl_slope` and `scl_inter` computed from the values. The voxels written are those of [`DataobjImage::dataobj`],
/// without edits of [`DataobjImage::fdata_mut`] in the cache.
///
/// NIfTI prescribes the order of axes, so those of other formats are reordered by their kinds: space, then time (or,
/// without it, the first axis of kind `Other`), then components, then the rest. The returned notes say what was
/// changed.
///
/// `path` may be the file that the image reads: it is replaced only when the new file is complete. An interrupted save
/// leaves the old file.
///
/// ```no_run
/// # fn main() -> voxload::Result<()> {
/// use voxload::{DType, SaveOptions};
/// let image = voxload::load("bold.nii.gz")?;
/// voxload::save(&image, "bold_f32.nii", &SaveOptions::new().dtype(DType::F32))?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// As [`crate::ArrayProxy::read`] and [`NiftiWriter::create`]; [`crate::ErrorKind::Unsupported`] if the scaling is to
/// be kept and NIfTI cannot store it.
pub fn save(
    image: &DataobjImage,
    path: impl AsRef<Path>,
    options: &SaveOptions,
) -> Result<Vec<Note>> {
    image.write_file(path.as_ref(), options)
}

impl DataobjImage {
    /// Saves with the default options, as [`save`] does. Then [`Self::file_map`] has the new files, and the notes of
    /// saving are added to [`Self::notes`]. nibabel's `to_filename`.
    ///
    /// # Errors
    /// As [`save`].
    pub fn to_filename(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let notes = self.write_file(path, &SaveOptions::new())?;
        self.notes.extend(notes);
        let paths = Paths::new(path)?;
        let image = FileHolder::from_filename(paths.image);
        self.file_map = FileMap::from([(FileRole::Image, image)]);
        if paths.container == Container::Pair {
            let header = FileHolder::from_filename(paths.header);
            self.file_map.insert(FileRole::Header, header);
        }
        Ok(())
    }

    /// The bytes of the image as a single NIfTI file, not gzipped.
    ///
    /// # Errors
    /// As [`save`], and [`crate::ErrorKind::Io`] if the stream fails.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.to_stream(&mut bytes)?;
        Ok(bytes)
    }

    /// Writes the image as a single NIfTI file, not gzipped, to a stream.
    ///
    /// # Errors
    /// As [`save`], and [`crate::ErrorKind::Io`] if the stream fails.
    pub fn to_stream(&self, mut stream: impl Write) -> Result<()> {
        let arranged = self.in_nifti_order()?;
        arranged.as_ref().unwrap_or(self).write_stream(&mut stream)
    }

    fn write_stream(&self, stream: &mut dyn Write) -> Result<()> {
        let options = SaveOptions::new();
        let plan = self.plan_save(&options)?;
        let nifti = NiftiHeader::for_writing(
            &self.header,
            &Target {
                version: version_of(&self.header, &options),
                container: Container::Single,
                gzip: false,
                dtype: plan.storing.to(),
                slope_inter: plan.slope_inter,
            },
        )?;
        let mut write = |bytes: &[u8]| {
            bytes.chunks(PIECE_BYTES).try_for_each(|piece| {
                scope::check()?;
                let written = stream.write_all(piece);
                written.map_err(|error| Error::io(error, 0))
            })
        };
        write(&nifti.leading_bytes())?;
        let mut bytes = Vec::new();
        self.threads().run(|| {
            self.each_block(plan.kept, |values| {
                bytes.clear();
                plan.storing.store(values, nifti.byte_order, &mut bytes)?;
                write(&bytes)
            })
        })
    }

    fn write_file(&self, path: &Path, options: &SaveOptions) -> Result<Vec<Note>> {
        // Reject a name that cannot be written before reading voxels.
        Paths::new(path)?;
        let arranged = self.in_nifti_order()?;
        let image = arranged.as_ref().unwrap_or(self);
        let mut notes = Vec::new();
        if arranged.is_some() {
            let (from, to) = (axes_of(&self.header), axes_of(&image.header));
            notes.push(Note {
                field: "dim",
                message: format!("the axes ({from}) were written in NIfTI's order: {to}"),
            });
        }
        notes.extend(note_of_version(&image.header, options));
        image
            .threads()
            .run(|| image.write_file_here(path, options))?;
        Ok(notes)
    }

    fn write_file_here(&self, path: &Path, options: &SaveOptions) -> Result<()> {
        let plan = self.plan_save(options)?;
        let mut writer = NiftiWriter::begin(
            path,
            &self.header,
            plan.storing.to(),
            plan.slope_inter,
            options,
        )?;
        self.each_block(plan.kept, |values| {
            writer.write_stored(values, &plan.storing)
        })?;
        writer.finish()
    }

    fn plan_save(&self, options: &SaveOptions) -> Result<SavePlan> {
        let to = options.dtype.unwrap_or(self.header.dtype);
        if options.keep_scaling {
            let stored = self.dataobj.dtype();
            let scaling = &self.dataobj.spec().scaling;
            let slope_inter = kept_slope_inter(scaling, version_of(&self.header, options))
                .filter(|_| to == stored)
                .ok_or_else(|| {
                    Error::unsupported(format!("keeping the scaling of {stored} voxels as {to}"))
                })?;
            return Ok(SavePlan {
                storing: Storing::choose(stored, to, &Range::EMPTY)?,
                slope_inter,
                kept: true,
            });
        }
        let from = self.dataobj.native_dtype();
        let mut range = Range::EMPTY;
        if from != to && to.is_integer() {
            self.each_block(false, |values| {
                range = range.with(values);
                Ok(())
            })?;
        }
        let storing = Storing::choose(from, to, &range)?;
        Ok(SavePlan {
            slope_inter: storing.slope_inter(),
            storing,
            kept: false,
        })
    }

    /// Passes all values (or stored numbers) to `give` in order, in blocks along the last axis.
    fn each_block(
        &self,
        stored: bool,
        mut give: impl FnMut(&StoredArray) -> Result<()>,
    ) -> Result<()> {
        let _kept = self.dataobj.source().keep_pieces();
        let shape = self.shape();
        let frames = shape.last().copied().unwrap_or(1);
        let item = self
            .dataobj
            .native_dtype()
            .size_bytes()
            .max(self.dataobj.dtype().size_bytes());
        let frame_bytes = shape
            .iter()
            .rev()
            .skip(1)
            .product::<usize>()
            .saturating_mul(item);
        let block = (BLOCK_BYTES / frame_bytes.max(1)).max(1);
        let ranges = (0..frames).step_by(block).map(|start| match shape {
            [] => Index::new(),
            _ => Index::new()
                .ellipsis()
                .range(start as i64..frames.min(start + block) as i64),
        });
        for index in ranges {
            let block = self.dataobj.sliced(index)?;
            let values = match stored {
                true => block.unscaled()?,
                false => block.native()?,
            };
            give(&values)?;
            scope::check()?;
        }
        // Reads of blocks do not check the end of a compressed stream.
        self.dataobj.check_to_end()
    }
}

/// How an image will be stored.
struct SavePlan {
    storing: Storing,
    slope_inter: (f64, f64),
    /// Whether stored numbers are written unchanged.
    kept: bool,
}

/// The kinds and lengths of a header's axes, as text.
fn axes_of(header: &Header) -> String {
    let axes = header.axes.iter().zip(&header.shape);
    let named: Vec<_> = axes
        .map(|(kind, length)| format!("{kind} {length}"))
        .collect();
    named.join(", ")
}

/// The note that an axis is too long for NIfTI-1, if this is the only reason for writing NIfTI-2.
fn note_of_version(header: &Header, options: &SaveOptions) -> Option<Note> {
    let asked = options.nifti2 || is_nifti2(header);
    if asked || version_of(header, options) == Version::One {
        return None;
    }
    let longest = header.shape.iter().max()?;
    Some(Note {
        field: "dim",
        message: format!(
            "a side of {longest} is above {MAX_NIFTI1_SIDE}, the most that NIfTI-1 can state: written as NIfTI-2"
        ),
    })
}
