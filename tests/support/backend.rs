//! The two ways to values, so that each test body runs on both.

use voxload::{Caching, DataobjImage, Float, HostArray, Index, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Cpu,
    #[cfg(feature = "gpu")]
    Gpu,
}

impl Backend {
    /// The backends of this build that this machine has; says which is missing.
    pub fn available(test: &str) -> Vec<Self> {
        let mut backends = vec![Self::Cpu];
        #[cfg(feature = "gpu")]
        if gpu::ready(test) {
            backends.push(Self::Gpu);
        }
        #[cfg(not(feature = "gpu"))]
        println!("no GPU: {test} (built without the feature gpu)");
        backends
    }

    /// All values of an image, computed afresh.
    pub fn read<T: Float>(self, image: &DataobjImage) -> Result<HostArray<T>> {
        match self {
            Self::Cpu => image.get_fdata(Caching::Unchanged),
            #[cfg(feature = "gpu")]
            Self::Gpu => gpu::read(image),
        }
    }

    /// The values that an index takes.
    pub fn slice<T: Float>(self, image: &DataobjImage, index: &Index) -> Result<HostArray<T>> {
        match self {
            Self::Cpu => image.dataobj().slice(index),
            #[cfg(feature = "gpu")]
            Self::Gpu => gpu::slice(image, index),
        }
    }
}

/// The hooks of the device path: open a device in `ready`, call `get_fdata_gpu` and `slice_gpu` below, download.
#[cfg(feature = "gpu")]
mod gpu {
    use super::*;

    /// Becomes true with the device path; from then on a run that requires a GPU fails without one.
    const WIRED_IN: bool = false;

    pub fn ready(test: &str) -> bool {
        let found = false;
        if !found {
            println!("no GPU: {test}");
        }
        let required = std::env::var_os("VOXLOAD_REQUIRE_GPU").is_some_and(|value| value == "1");
        assert!(
            found || !(WIRED_IN && required),
            "VOXLOAD_REQUIRE_GPU=1, but there is no GPU: {test}"
        );
        found
    }

    pub fn read<T: Float>(_: &DataobjImage) -> Result<HostArray<T>> {
        unreachable!("ready() found no GPU")
    }

    pub fn slice<T: Float>(_: &DataobjImage, _: &Index) -> Result<HostArray<T>> {
        unreachable!("ready() found no GPU")
    }
}
