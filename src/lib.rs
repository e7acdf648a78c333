//! voxload

mod convert;
mod dtype;
mod error;
mod index;
mod scaling;
