//! The file formats: each parses the bytes of a header and reports where the voxels are.
//!
//! Parsers work on bytes, not on files: the image layer reads what a parser asks for and passes it on, decompressed.
//! ARCHITECTURE.md lists the steps to add a format.

pub mod afni;
pub mod analyze;
pub mod cifti;
mod ecat;
pub(crate) mod file_map;
pub(crate) mod foreign;
#[cfg(feature = "minc2")]
mod hdf5;
mod matfile;
pub mod metaimage;
pub mod mgh;
pub mod minc;
#[cfg(feature = "minc2")]
mod minc2;
mod names;
mod netcdf;
pub mod nifti;
pub mod nrrd;
pub mod parrec;
mod parsed;
mod table;
mod text;

#[cfg(test)]
mod tests;

pub use crate::core::format::Format;
pub use crate::header::fields::{FieldValue, Fields, TextHeader};
pub(crate) use names::FileName;
pub(crate) use parsed::{Encoding, Location, Need, Parsed, Voxels};
pub(crate) use table::{By, Detected, FORMATS, FormatEntry, detect, sniff_bytes};
pub use table::{FormatInfo, formats};
