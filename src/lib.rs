// The example in the README uses the GPU, so it is compiled only with that feature.
#![cfg_attr(
    any(feature = "gpu", not(doctest)),
    doc = include_str!("../README.md")
)]
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

// Unit tests share files with the integration tests, which refer to the crate by its name.
#[cfg(test)]
extern crate self as voxload;

/// Calculations with affines.
pub mod affine {
    pub use crate::core::affine::{multiply, obliquity};
}

/// The steps that a [`Scaling`] is made of.
pub mod scaling {
    pub use crate::core::scaling::{Arithmetic, Factor, Step};
}

// Crates whose types are in public signatures.
#[cfg(feature = "gpu")]
pub use wgpu;
pub use {half, ndarray, num_complex};

pub use crate::core::affine::{Affine, AxisDirection, Orientation};
pub use crate::core::array::{Element, HostArray, Rgb, Rgba, StoredArray};
pub use crate::core::cancel::Cancel;
pub use crate::core::dtype::{ByteOrder, DType, c64, c128};
pub use crate::core::error::{Error, ErrorKind, Result};
pub use crate::core::float::{Float, Value};
pub use crate::core::options::{KeepFileOpen, Limits, LoadOptions, Mmap, ParScaling};
pub use crate::core::scaling::Scaling;
pub use crate::core::threads::Threads;
#[cfg(feature = "gpu")]
pub use convert::texel::{Fidelity, Texels, Window};
#[cfg(feature = "gpu")]
pub use device::{
    AdapterDescription, BufferTarget, DeviceArray, Gpu, HostTexels, KernelChoice, KernelMethod,
    KernelRate, KernelReport, RawVolume, ShaderNames, StageTime, StagingOptions, Texture3d,
    TextureOptions, Trace, TracedLoad,
};
pub use format::file_map::{FileHolder, FileMap, FileRole};
pub use header::{AxisKind, Header, Layout, Note, SpaceUnit, TimeUnit};
pub use image::axes::channels;
pub use image::cache::budget::{Budget, BudgetUsage};
#[cfg(not(target_family = "wasm"))]
pub use image::many::{FileRequest, Many, Volume, Volumes, load_many};
pub use image::nifti_writer::{NiftiWriter, SaveOptions};
pub use image::read_footer;
pub use image::save::save;
pub use image::statistics::{
    Histogram, Statistics, StatisticsOptions, TemporalAccumulator, TemporalStatistics,
};
pub use image::{Caching, DataobjImage, Extra, load};
pub use plan::index::{Index, IndexItem};
#[doc(hidden)]
pub use read::in_order::StoredReader;
pub use read::proxy::{ArrayProxy, ProxySpec};
pub use source::gzip::write_gzip_index;
pub use source::{Access, ByteSource, ReadHint};
#[cfg(feature = "gpu")]
pub use stream::{Frame, FrameStream, StreamOptions, StreamTarget};
pub use stream::{FrameOptions, Frames, HostFrame};
