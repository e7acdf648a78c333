//! Loads medical and scientific volumes the way nibabel's `DataobjImage` does: an image is a header plus a lazy array
//! proxy, `get_fdata` gives scaled floats and keeps them, `uncache` lets go. The same values, to the bit, in host memory
//! and in wgpu buffers.
//!
//! [`guide`] shows it in a wgpu renderer and with a series larger than memory, and has a table for those who come from
//! nibabel.
//!
#![doc = include_str!("../README.md")]
#![warn(missing_docs)]
#![cfg_attr(
    target_family = "wasm",
    allow(
        clippy::arc_with_non_send_sync,
        reason = "wgpu's types are not Send in browsers, and there are no threads"
    )
)]

mod convert;
mod core;
#[cfg(feature = "gpu")]
mod device;
pub mod format;
pub mod guide;
mod header;
mod image;
mod plan;
mod read;
mod source;
mod stream;
#[cfg(test)]
mod testing;

pub use crate::core::affine::{Affine, AxisDirection, Orientation, multiply};
pub use crate::core::array::{Element, HostArray, Rgb, Rgba, StoredArray};
pub use crate::core::cancel::Cancel;
pub use crate::core::dtype::{ByteOrder, DType, c64, c128};
pub use crate::core::error::{Error, ErrorKind, Result};
pub use crate::core::float::{ComplexFloat, Float};
pub use crate::core::options::{KeepFileOpen, Limits, LoadOptions, Mmap, ParScaling};
pub use crate::core::scaling::{Arithmetic, Factor, Scaling, Step};
pub use crate::core::threads::Threads;
#[cfg(feature = "gpu")]
pub use convert::texel::{Texels, Window};
#[cfg(feature = "gpu")]
pub use device::{
    AdapterDescription, BufferTarget, DeviceArray, Gpu, KernelChoice, KernelMethod, KernelRate,
    KernelReport, RawVolume, ShaderNames, StagingOptions, Texture3d, TextureOptions, Trace,
};
pub use format::file_map::{FileHolder, FileMap, HEADER, IMAGE, MAT};
pub use header::{Header, Layout, Note};
pub use image::cache::budget::{Budget, Usage};
pub use image::dataobj::Dataobj;
pub use image::nifti_writer::{NiftiWriter, SaveOptions};
pub use image::statistics::{
    Histogram, Statistics, StatisticsOptions, TemporalAccumulator, TemporalStatistics,
};
pub use image::{Caching, DataobjImage, Extra, load};
pub use plan::index::{Index, IndexItem};
pub use read::proxy::{ArrayProxy, ProxySpec};
pub use source::gzip::write_gzip_index;
pub use source::{Access, ByteSource, ReadHint};
#[cfg(feature = "gpu")]
pub use stream::{Frame, FrameStream, StreamOptions, StreamTarget};
pub use stream::{FrameOptions, Frames, HostFrame};
