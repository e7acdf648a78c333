//! The file formats by name.

/// A file format. doc/FORMATS.md has a table of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// NIfTI-1, header and voxels in one file (`.nii`).
    Nifti1Single,
    /// NIfTI-1, header and voxels in two files (`.hdr` and `.img`).
    Nifti1Pair,
    /// NIfTI-2, header and voxels in one file (`.nii`).
    Nifti2Single,
    /// NIfTI-2, header and voxels in two files (`.hdr` and `.img`).
    Nifti2Pair,
    /// CIFTI-2 (`.dconn.nii` and similar endings): the dense array of a NIfTI-2 file.
    Cifti2,
    /// Analyze 7.5 as SPM2 writes it (`.hdr`, `.img`, optionally `.mat`). The default for Analyze files.
    Spm2Analyze,
    /// Analyze 7.5 as SPM99 writes it. Used only if [`crate::LoadOptions::format`] names it.
    Spm99Analyze,
    /// Analyze 7.5 as Mayo's software writes it, without scaling or origin. Used only if
    /// [`crate::LoadOptions::format`] names it.
    Analyze,
    /// MINC1 (`.mnc`): netCDF-3.
    Minc1,
    /// MINC2 (`.mnc`): HDF5; with the feature `minc2`.
    Minc2,
    /// FreeSurfer's MGH and MGZ (`.mgh`, `.mgz`).
    Mgh,
    /// Philips PAR/REC (`.par`, `.rec`).
    ParRec,
    /// AFNI (`.HEAD`, `.BRIK`).
    Afni,
    /// ECAT 7 (`.v`).
    Ecat,
    /// NRRD (`.nrrd`, or `.nhdr` and the files it names).
    Nrrd,
    /// MetaImage (`.mha`, or `.mhd` and the files it names).
    MetaImage,
    /// No file: the image was made from an array.
    Array,
}
