//! Images to NIfTI files: whole, block by block, in bounded memory.

use std::io::Write;
use std::path::Path;

use super::DataobjImage;
use crate::convert::store::{Range, Storing};
use crate::core::affine::Affine;
use crate::core::array::StoredArray;
use crate::core::dtype::DType;
use crate::core::error::{Error, Result};
use crate::core::scope;
use crate::format::Fields;
use crate::format::file_map::{FileHolder, FileMap, HEADER, IMAGE};
use crate::format::nifti::{Container, NiftiHeader, Target};
use crate::header::Header;
use crate::image::nifti_writer::{NiftiWriter, Paths, SaveOptions, kept_slope_inter, version_of};
use crate::plan::index::Index;

/// Values that are held in memory at a time while an image is written, in bytes.
const BLOCK_BYTES: usize = 32 << 20;

/// Bytes that are written between two looks at whether the save was cancelled.
const PIECE_BYTES: usize = 1 << 20;

impl DataobjImage {
    /// Writes the image as NIfTI (`.nii`, `.hdr` or `.img`, gzipped if the name ends in `.gz`), as nibabel does: in
    /// the header's voxel type, with a slope and inter derived from the values where that is an integer and they are
    /// not. The image's file map then names the new files. The voxels written are those of [`Self::dataobj`], not an
    /// edited copy of [`Self::fdata_mut`].
    ///
    /// It may be the file that the image reads: that stays until the new one is complete. An interrupted save leaves
    /// the old file.
    ///
    /// # Errors
    /// As [`crate::ArrayProxy::read`] and [`NiftiWriter::create`].
    pub fn to_filename(&mut self, path: impl AsRef<Path>) -> Result<()> {
        self.save(path, &SaveOptions::new())
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`Self::to_filename`]; [`crate::ErrorKind::Unsupported`] when the scaling is to be kept and NIfTI cannot
    /// state it.
    pub fn save(&mut self, path: impl AsRef<Path>, options: &SaveOptions) -> Result<()> {
        let path = path.as_ref();
        let threads = self.threads();
        threads.run(|| self.save_here(path, options))
    }

    fn save_here(&mut self, path: &Path, options: &SaveOptions) -> Result<()> {
        let paths = Paths::new(path)?;
        let plan = self.plan_save(options)?;
        let mut writer = NiftiWriter::begin(
            path,
            &self.header_to_save(),
            plan.storing.to(),
            plan.slope_inter,
            options,
        )?;
        self.each_block(plan.kept, |values| {
            writer.write_stored(values, &plan.storing)
        })?;
        writer.finish()?;
        self.file_map = FileMap::from([(IMAGE, FileHolder::from_filename(paths.image))]);
        if paths.container == Container::Pair {
            self.file_map
                .insert(HEADER, FileHolder::from_filename(paths.header));
        }
        Ok(())
    }

    /// Writes the image to the files that a map names.
    ///
    /// # Errors
    /// As [`Self::to_filename`], and [`crate::ErrorKind::Usage`] for a map whose image has no name.
    pub fn to_file_map(&mut self, file_map: &FileMap) -> Result<()> {
        let name = file_map
            .get(IMAGE)
            .and_then(|holder| holder.filename.clone());
        let name = name.ok_or_else(|| Error::usage("the file map's \"image\" has no name"))?;
        self.to_filename(name)
    }

    /// The bytes of the image as a single NIfTI file, not gzipped.
    ///
    /// # Errors
    /// As [`Self::to_filename`].
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.to_stream(&mut bytes)?;
        Ok(bytes)
    }

    /// Writes the image as a single NIfTI file, not gzipped, to a stream.
    ///
    /// # Errors
    /// As [`Self::to_filename`].
    pub fn to_stream(&self, mut stream: impl Write) -> Result<()> {
        let plan = self.plan_save(&SaveOptions::new())?;
        let header = self.header_to_save();
        let nifti = NiftiHeader::for_writing(
            &header,
            &Target {
                version: version_of(&header),
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
                written.map_err(|error| Error::io(&error, 0))
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

    /// Sets the type that the image is saved in; what is read stays as it is.
    pub fn set_data_dtype(&mut self, dtype: DType) {
        self.header.dtype = dtype;
    }

    /// Sets the affine of the image and the sform of its NIfTI header, with this code (1: scanner, 2: aligned, ...).
    pub fn set_sform(&mut self, affine: &Affine, code: i64) {
        self.affine = Some(*affine);
        self.header.affine = Some(*affine);
        if let Fields::Nifti(nifti) = &mut self.header.fields {
            nifti.set_sform(affine, code);
        }
    }

    /// Sets the qform of the NIfTI header; the image's affine follows where the sform has no code.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Header`] for an affine that is not finite or whose columns are zero, and
    /// [`crate::ErrorKind::Usage`] for an image without a NIfTI header.
    pub fn set_qform(&mut self, affine: &Affine, code: i64) -> Result<()> {
        let Fields::Nifti(nifti) = &mut self.header.fields else {
            return Err(Error::usage(
                "the image has no NIfTI header to set a qform of",
            ));
        };
        nifti.set_qform(affine, code)?;
        if let Some(affine) = nifti.best_affine_without_sform()? {
            self.affine = Some(affine);
            self.header.affine = Some(affine);
        }
        Ok(())
    }

    fn header_to_save(&self) -> Header {
        let mut header = self.header.clone();
        header.affine = self.affine;
        header
    }

    fn plan_save(&self, options: &SaveOptions) -> Result<SavePlan> {
        let to = options.dtype.unwrap_or(self.header.dtype);
        if options.keep_scaling {
            let stored = self.dataobj.dtype();
            let scaling = self.proxy().map(|proxy| proxy.scaling().clone());
            let slope_inter =
                kept_slope_inter(&scaling.unwrap_or_default(), version_of(&self.header))
                    .filter(|_| to == stored)
                    .ok_or_else(|| {
                        Error::unsupported(format!(
                            "keeping the scaling of {stored} voxels as {to}"
                        ))
                    })?;
            return Ok(SavePlan {
                storing: Storing::choose(stored, to, &Range::EMPTY)?,
                slope_inter,
                kept: true,
            });
        }
        let from = self.native_dtype();
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

    fn native_dtype(&self) -> DType {
        self.proxy()
            .map_or(self.dataobj.dtype(), crate::ArrayProxy::native_dtype)
    }

    /// Gives all values (or stored numbers) in order, by blocks of the last axis.
    fn each_block(
        &self,
        stored: bool,
        mut give: impl FnMut(&StoredArray) -> Result<()>,
    ) -> Result<()> {
        let _one_read = self.proxy().map(|proxy| proxy.source().hold());
        let shape = self.shape();
        let frames = shape.last().copied().unwrap_or(1);
        let item = self
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
            let values = match (stored, self.proxy()) {
                (true, Some(proxy)) => proxy.slice_unscaled(&index)?,
                _ => self.dataobj.slice_native(&index)?,
            };
            give(&values)?;
            scope::check()?;
        }
        match self.proxy() {
            // A read by blocks never comes to the end of a compressed stream by itself.
            Some(proxy) => proxy.check_to_end(),
            None => Ok(()),
        }
    }
}

/// How an image is going to be stored.
struct SavePlan {
    storing: Storing,
    slope_inter: (f64, f64),
    /// Whether stored numbers are written as they are.
    kept: bool,
}
