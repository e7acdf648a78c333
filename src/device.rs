//! GPU devices: the context, uploads and downloads, kernels, textures and stored voxels in device memory.
//!
//! From the bottom up: [`context`] has the device, its errors, and the functions that poll a future until it is ready;
//! [`pipelines`], [`staging`] and [`download`] are built on it. [`kernel`], [`table`], [`trial`] and [`choice`] select
//! the shader for a conversion from stored bytes to values. [`gpu`] is the public handle.
//!
//! An upload has three parts: [`proxy`] turns the call into plans (which voxels are read, and where they go), [`load`]
//! splits the plans into packets that fit a staging slot, and [`engine`] submits the slots as they are filled.

pub(crate) mod array;
mod choice;
pub(crate) mod context;
pub(crate) mod cut;
pub(crate) mod download;
pub(crate) mod engine;
pub(crate) mod gpu;
#[cfg(test)]
mod gpu_tests;
pub(crate) mod kernel;
pub(crate) mod load;
pub(crate) mod pipelines;
pub(crate) mod proxy;
mod raw;
pub(crate) mod staging;
mod table;
mod target;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub(crate) mod texture;
#[cfg(not(target_family = "wasm"))]
mod ticker;
mod timer;
mod trial;

pub use crate::read::trace::{StageTime, Trace};
pub use array::DeviceArray;
pub use choice::{KernelChoice, KernelRate, KernelReport};
pub use gpu::{AdapterDescription, Gpu};
pub use kernel::KernelMethod;
pub use proxy::TracedLoad;
pub use raw::{RawVolume, ShaderNames};
pub use staging::StagingOptions;
pub use target::BufferTarget;
pub use texture::{HostTexels, Texture3d, TextureOptions};
