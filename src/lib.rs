//! voxload

mod affine;
mod convert;
mod dtype;
mod error;
pub mod format;
mod header;
mod index;
mod scaling;
