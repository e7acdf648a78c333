//! voxload

#![deny(unsafe_code)]

mod affine;
mod array;
mod cache;
mod convert;
mod dataobj;
mod dtype;
mod error;
mod file_map;
pub mod format;
mod header;
mod image;
mod index;
mod options;
mod proxy;
mod scaling;
mod source;

pub use affine::{Affine, AxisDirection, Orientation, multiply};
pub use array::{Element, HostArray, Rgb, Rgba, StoredArray};
pub use dataobj::Dataobj;
pub use dtype::{ByteOrder, ComplexFloat, DType, Float, c64, c128};
pub use error::{Error, ErrorKind, Result};
pub use file_map::{FileHolder, FileMap, HEADER, IMAGE, MAT};
pub use header::{Header, Layout, Note};
pub use image::{Caching, DataobjImage, Extra, load};
pub use index::{Index, IndexItem};
pub use options::{KeepFileOpen, LoadOptions, Mmap, ParScaling};
pub use proxy::{ArrayProxy, ProxySpec};
pub use scaling::{Arithmetic, Factor, Scaling, Step};
pub use source::{Access, ByteSource};
