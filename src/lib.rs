//! Loads medical and scientific volumes the way nibabel's `DataobjImage` does: an image is a header plus a lazy array
//! proxy, `get_fdata` gives scaled floats and keeps them, `uncache` lets go. The same values, to the bit, in host memory
//! and in wgpu buffers.
//!
//! | nibabel | here |
//! |---|---|
//! | `img = nib.load(path)` | [`load`]`(path)?` |
//! | `img.get_fdata(dtype=np.float32)` | [`img.get_fdata::<f32>`](DataobjImage::get_fdata)`(Caching::Fill)?` |
//! | `img.get_fdata(caching="unchanged")` | [`img.get_fdata::<f64>`](DataobjImage::get_fdata)`(Caching::Unchanged)?` |
//! | `np.asarray(img.dataobj)` | [`img.dataobj().native()`](Dataobj::native)`?` |
//! | `img.dataobj.get_unscaled()` | [`img.dataobj().unscaled()`](Dataobj::unscaled)`?` |
//! | `img.dataobj[..., 30]` | [`img.dataobj().slice::<f32>`](Dataobj::slice)`(&"[..., 30]".parse()?)?` |
//! | `img.slicer[10:20]` | [`img.slicer`](DataobjImage::slicer)`(&"[10:20]".parse()?)?` |
//! | `nib.as_closest_canonical(img)` | [`img.as_closest_canonical()`](DataobjImage::as_closest_canonical)`?` |
//! | `img.in_memory`, `img.uncache()` | [`img.in_memory()`](DataobjImage::in_memory), [`img.uncache()`](DataobjImage::uncache) |
//! | - | `img.get_fdata_gpu::<f32>(&gpu, Caching::Fill)?` |
//!
#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]
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
pub use options::{KeepFileOpen, LoadOptions, Mmap, ParScaling};
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
