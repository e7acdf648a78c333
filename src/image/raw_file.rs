//! Raw voxels of a file that the caller describes.

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
    /// A compressed file (gzip; bzip2 and zstd in builds with these features) is recognized by its content and
    /// inflated; [`ProxySpec::offset`] counts inflated bytes. These options apply: mapping, file handles, the gzip
    /// index and cache, limits, threads and zero copy.
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
    /// [`ErrorKind::Io`]; [`ErrorKind::Integrity`] if the name indicates a compression and the content is not
    /// compressed; those of [`ArrayProxy::new`]. A file that is too short is only noticed by a read that needs the
    /// missing bytes.
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
