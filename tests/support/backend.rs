//! The ways to values, so that each test body runs on all of them: the CPU, and GPUs of several sizes.

use voxload::{Caching, DataobjImage, Float, HostArray, Index, Result};

use super::naive::Out;

/// Where values are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Cpu,
    #[cfg(feature = "gpu")]
    Gpu(Device),
}

/// A device to compute on.
#[cfg(feature = "gpu")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// The one that voxload opens.
    Best,
    /// The same adapter, with calls that are awaited.
    Awaited,
    /// The same adapter, with calls that are awaited and work as in browsers.
    AsInBrowsers,
    /// A caller's, with bindings of 1 MiB and 64 workgroups.
    Small,
    /// A caller's, with bindings of 64 KiB and 64 workgroups.
    Tiny,
}

impl Backend {
    /// The CPU, and the best device; without a GPU the CPU alone, with a line that says so ([`ready`]). A build without
    /// the feature has no other.
    pub fn available(test: &str) -> Vec<Self> {
        #[cfg(feature = "gpu")]
        if ready(test) {
            return vec![Self::Cpu, Self::Gpu(Device::Best)];
        }
        #[cfg(not(feature = "gpu"))]
        let _ = test;
        vec![Self::Cpu]
    }

    /// The CPU, and the best device in each way to drive it.
    pub fn every_way(test: &str) -> Vec<Self> {
        let backends = Self::available(test);
        #[cfg(feature = "gpu")]
        if backends.len() > 1 {
            let others = [Device::Awaited, Device::AsInBrowsers].map(Self::Gpu);
            return [backends, others.to_vec()].concat();
        }
        backends
    }

    /// Devices with small limits, for a part of the work: none where there is no GPU.
    pub fn small_devices(test: &str) -> Vec<Self> {
        #[cfg(feature = "gpu")]
        if ready(test) {
            return vec![Self::Gpu(Device::Small), Self::Gpu(Device::Tiny)];
        }
        let _ = test;
        Vec::new()
    }

    /// All values of an image, computed afresh.
    pub fn read<T: Float>(self, image: &DataobjImage) -> Result<HostArray<T>> {
        match self {
            Self::Cpu => image.get_fdata(Caching::Unchanged),
            #[cfg(feature = "gpu")]
            Self::Gpu(device) => {
                let gpu = gpu::open(device);
                let array = ways::get_fdata_gpu::<T>(image, gpu, Caching::Unchanged)?;
                assert_eq!(array.shape(), image.shape());
                ways::download(&array)
            }
        }
    }

    /// The values that an index takes.
    pub fn slice<T: Float>(self, image: &DataobjImage, index: &Index) -> Result<HostArray<T>> {
        match self {
            Self::Cpu => image.dataobj().slice(index),
            #[cfg(feature = "gpu")]
            Self::Gpu(device) => {
                let array = ways::slice_gpu::<T>(image.dataobj(), gpu::open(device), index)?;
                ways::download(&array)
            }
        }
    }

    /// All values, written over a buffer that held these: the caller's memory, or a buffer of the device.
    pub fn read_over<T: Out>(self, image: &DataobjImage, before: Vec<T>) -> Result<Vec<T>> {
        let mut values = before;
        match self {
            Self::Cpu => image.dataobj().read_into(&mut values)?,
            #[cfg(feature = "gpu")]
            Self::Gpu(device) => gpu::slice_over(device, image, &Index::new(), &mut values)?,
        }
        Ok(values)
    }

    /// The values that an index takes, written in the same way.
    pub fn slice_over<T: Out>(
        self,
        image: &DataobjImage,
        index: &Index,
        before: Vec<T>,
    ) -> Result<Vec<T>> {
        let mut values = before;
        match self {
            Self::Cpu => image.dataobj().sliced(index)?.read_into(&mut values)?,
            #[cfg(feature = "gpu")]
            Self::Gpu(device) => gpu::slice_over(device, image, index, &mut values)?,
        }
        Ok(values)
    }
}

#[cfg(feature = "gpu")]
pub use super::adapter::ready;
#[cfg(feature = "gpu")]
use super::ways;
#[cfg(feature = "gpu")]
pub use gpu::open;

#[cfg(feature = "gpu")]
mod gpu {
    use std::sync::OnceLock;

    use voxload::{BufferTarget, DataobjImage, Gpu, Index, Result};

    use super::super::adapter::BEST;
    use super::super::devices::callers_gpu;
    use super::super::readback;
    use super::{Device, Out, ways};

    /// A device, opened once; only where [`super::ready`] said that there is one.
    pub fn open(device: Device) -> &'static Gpu {
        static AWAITED: OnceLock<Gpu> = OnceLock::new();
        static AS_IN_BROWSERS: OnceLock<Gpu> = OnceLock::new();
        static SMALL: OnceLock<Gpu> = OnceLock::new();
        static TINY: OnceLock<Gpu> = OnceLock::new();
        let another = || pollster::block_on(Gpu::request()).expect("ready() found it");
        match device {
            Device::Best => BEST.as_ref().expect("ready() found it"),
            Device::Awaited => AWAITED.get_or_init(|| ways::awaited(another())),
            Device::AsInBrowsers => AS_IN_BROWSERS.get_or_init(|| ways::as_in_browsers(another())),
            Device::Small => SMALL.get_or_init(|| with_bindings(1 << 20)),
            Device::Tiny => TINY.get_or_init(|| with_bindings(64 << 10)),
        }
    }

    fn with_bindings(bytes: u64) -> Gpu {
        callers_gpu(|limits| {
            limits.max_storage_buffer_binding_size = bytes;
            limits.max_compute_workgroups_per_dimension = 64;
        })
    }

    /// Writes the values into a buffer of the device that holds these bytes, and reads it back.
    pub fn slice_over<T: Out>(
        device: Device,
        image: &DataobjImage,
        index: &Index,
        values: &mut [T],
    ) -> Result<()> {
        let gpu = open(device);
        let bytes = bytemuck::cast_slice_mut::<T, u8>(values);
        let mut before = bytes.to_vec();
        // Buffers are not empty, and writes are of whole words.
        before.resize(bytes.len().next_multiple_of(4).max(4), 0);
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let buffer = readback::buffer_of(gpu, &before, usage);
        let target = BufferTarget::new(&buffer);
        ways::slice_into_buffer::<T>(image.dataobj(), gpu, index, &target)?;
        let after = readback::download(gpu, &buffer);
        bytes.copy_from_slice(&after[..bytes.len()]);
        Ok(())
    }
}
