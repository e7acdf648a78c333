//! voxload

mod convert;
mod dtype;
mod error;
#[cfg(feature = "gpu")]
mod gpu;
mod index;
mod scaling;
