//! The ways to values, so that each test body runs on all of them: the CPU, and GPUs of several sizes.

use voxload::{Caching, DataobjImage, Float, HostArray, Index, Result};

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
    /// The CPU, and the best device where there is one; says when there is none.
    pub fn available(test: &str) -> Vec<Self> {
        #[cfg(feature = "gpu")]
        if ready(test) {
            return vec![Self::Cpu, Self::Gpu(Device::Best)];
        }
        #[cfg(not(feature = "gpu"))]
        println!("no GPU: {test} (built without the feature gpu)");
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

    use voxload::Gpu;

    use super::super::adapter::BEST;
    use super::{Device, ways};

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
            Device::Small => SMALL.get_or_init(|| callers_device(1 << 20)),
            Device::Tiny => TINY.get_or_init(|| callers_device(64 << 10)),
        }
    }

    /// A device as a caller makes it: wgpu's default limits but for these, no features.
    fn callers_device(binding_bytes: u64) -> Gpu {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let adapter = instance.request_adapter(&wgpu::RequestAdapterOptions::default());
        let adapter = pollster::block_on(adapter).expect("there is an adapter");
        let limits = wgpu::Limits {
            max_storage_buffer_binding_size: binding_bytes,
            max_compute_workgroups_per_dimension: 64,
            ..wgpu::Limits::default()
        };
        let request = adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("a caller's device"),
            required_limits: limits,
            ..Default::default()
        });
        let (device, queue) = pollster::block_on(request).expect("a device with small limits");
        Gpu::from_device(&device, &queue)
    }
}
