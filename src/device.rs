//! Devices: the context, uploads and downloads, kernels, textures and stored voxels in device memory.

pub(crate) mod array;
mod choice;
mod cut;
pub(crate) mod dispatch;
pub(crate) mod download;
pub(crate) mod gpu;
#[cfg(test)]
mod gpu_tests;
mod kernel;
pub(crate) mod proxy;
mod proxy_raw;
mod proxy_texture;
pub(crate) mod raw;
mod raw_wgsl;
mod slot;
mod table;
mod target;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub(crate) mod texture;
pub(crate) mod timer;
mod trial;
pub(crate) mod upload;

pub use crate::read::trace::Trace;
pub use array::DeviceArray;
pub(crate) use array::whole_words;
pub use choice::{KernelChoice, KernelMethod, KernelRate, KernelReport};
pub(crate) use cut::{Cut, binding_align};
pub(crate) use dispatch::*;
pub use gpu::*;
pub(crate) use kernel::{Kernel, Kernels};
pub use raw::{RawVolume, ShaderNames};
pub use target::BufferTarget;
pub use texture::{Texture3d, TextureOptions};
pub use upload::StagingOptions;
