//! voxload

mod affine;
mod array;
mod convert;
mod dataobj;
mod dtype;
mod error;
mod file_map;
pub mod format;
mod header;
mod index;
mod options;
mod proxy;
mod scaling;
mod source;
pub use error::{Error, ErrorKind, Result};
pub use index::Index;
pub use options::{KeepFileOpen, LoadOptions, Mmap};
