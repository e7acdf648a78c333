//! Device outputs: the values of the CPU path, wherever on the device the caller wants them.

mod awaited;
pub mod devices;
mod images;
mod ranges;
pub mod raw;
mod send;
pub mod textures;
