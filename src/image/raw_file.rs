//! Raw voxels of a file, by what the caller knows of them.

use std::path::Path;

use super::content::open_raw;
use crate::core::error::{ErrorKind, Result};
use crate::core::options::LoadOptions;
use crate::core::shape::voxels;
use crate::read::proxy::{ArrayProxy, ProxySpec};
use crate::source::Source;
use crate::source::memory::MemorySource;

impl ArrayProxy {
    /// A proxy of the raw voxels in a file, as nibabel's `ArrayProxy(file_like, spec)`: no header is read.
    ///
    /// A file that is compressed by its content (gzip; bzip2 and zstd in builds with them) is inflated, and
    /// [`ProxySpec::offset`] counts inflated bytes. Of the options mapping, file handles, the gzip index and cache, limits,
    /// threads and zero copy apply.
    ///
    /// ```no_run
    /// # fn main() -> voxload::Result<()> {
    /// use voxload::{ArrayProxy, ByteOrder, DType, LoadOptions, ProxySpec, Scaling};
    /// let spec = ProxySpec::new(&[512, 512, 300], DType::I16)
    ///     .byte_order(ByteOrder::Little)
    ///     .scaling(Scaling::linear(1.0, -1024.0));
    /// let ct = ArrayProxy::open("ct.raw", spec, &LoadOptions::new())?;
    /// let hounsfield = ct.read::<f32>()?;
    /// # let _ = hounsfield;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::NotAFile`], [`ErrorKind::Empty`] (unless there are no voxels),
    /// [`ErrorKind::Io`]; [`ErrorKind::Integrity`] for a name of a compression and a content of none; those of
    /// [`ArrayProxy::new`]. A file that is too short is found by the first read that needs more.
    pub fn open(path: impl AsRef<Path>, spec: ProxySpec, options: &LoadOptions) -> Result<Self> {
        let path = path.as_ref();
        let source = match open_raw(path, options) {
            Err(error) if *error.kind() == ErrorKind::Empty && voxels(&spec.shape)? == 0 => {
                Source::Memory(MemorySource::new([]))
            }
            opened => opened?,
        };
        source.release();
        let proxy = Self::from_source(source, spec).map_err(|error| error.at(path))?;
        Ok(proxy
            .with_limits(options.limits)
            .with_threads(options.threads.clone()))
    }
}
