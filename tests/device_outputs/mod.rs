//! Device outputs: the values of the CPU path, wherever on the device the caller wants them.

pub mod devices;
mod images;
mod ranges;
pub mod raw;
pub mod textures;
