//! Loads medical and scientific volumes the way nibabel's `DataobjImage` does: an image is a header plus a lazy array
//! proxy, `get_fdata` gives scaled floats and keeps them, `uncache` lets go. The same values, to the bit, in host memory
//! and in wgpu buffers.
//!
//! [`guide`] shows it in a wgpu renderer and with a series larger than memory, and has a table for those who come from
//! nibabel.
//!
#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod affine;
mod array;
mod cache;
mod convert;
mod dataobj;
mod dtype;
mod error;
mod file_map;
pub mod format;
#[cfg(feature = "gpu")]
mod gpu;
pub mod guide;
mod header;
mod image;
mod index;
mod options;
mod proxy;
mod save;
mod scaling;
mod source;
mod statistics;
mod stream;
#[cfg(test)]
mod testing;

pub use affine::{Affine, AxisDirection, Orientation, multiply};
pub use array::{Element, HostArray, Rgb, Rgba, StoredArray};
pub use cache::budget::{Budget, Usage};
#[cfg(feature = "gpu")]
pub use convert::texel::{Texels, Window};
pub use dataobj::Dataobj;
pub use dtype::{ByteOrder, ComplexFloat, DType, Float, c64, c128};
pub use error::{Error, ErrorKind, Result};
pub use file_map::{FileHolder, FileMap, HEADER, IMAGE, MAT};
#[cfg(feature = "gpu")]
pub use gpu::{
    AdapterDescription, BufferTarget, DeviceArray, Gpu, KernelChoice, KernelMethod, KernelRate,
    KernelReport, RawVolume, ShaderNames, StagingOptions, Texture3d, TextureOptions, Trace,
};
pub use header::{Header, Layout, Note};
pub use image::{Caching, DataobjImage, Extra, load};
pub use index::{Index, IndexItem};
pub use options::{KeepFileOpen, Limits, LoadOptions, Mmap, ParScaling};
pub use proxy::{ArrayProxy, ProxySpec};
pub use save::nifti::{NiftiWriter, SaveOptions};
pub use scaling::{Arithmetic, Factor, Scaling, Step};
pub use source::gzip::write_gzip_index;
pub use source::{Access, ByteSource};
pub use statistics::{
    Histogram, Statistics, StatisticsOptions, TemporalAccumulator, TemporalStatistics,
};
#[cfg(feature = "gpu")]
pub use stream::{Frame, FrameStream, StreamOptions, StreamTarget};
pub use stream::{FrameOptions, Frames, HostFrame};
