//! The file formats by name.

/// A format of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// NIfTI-1, header and voxels in one file (`.nii`).
    Nifti1Single,
    /// NIfTI-1, header and voxels apart (`.hdr` and `.img`).
    Nifti1Pair,
    /// NIfTI-2, header and voxels in one file (`.nii`).
    Nifti2Single,
    /// NIfTI-2, header and voxels apart (`.hdr` and `.img`).
    Nifti2Pair,
    /// CIFTI-2 (`.dconn.nii` and its kin): the dense array of a NIfTI-2 file.
    Cifti2,
    /// Analyze 7.5 as SPM2 writes it (`.hdr`, `.img`, perhaps `.mat`): what Analyze files are taken for.
    Spm2Analyze,
    /// Analyze 7.5 as SPM99 writes it; only by [`crate::LoadOptions::format`].
    Spm99Analyze,
    /// Analyze 7.5 as Mayo's software writes it: no scaling, no origin; only by [`crate::LoadOptions::format`].
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
    /// No file: made from an array.
    Array,
}
