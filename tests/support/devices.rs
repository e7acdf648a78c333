//! Devices of a test's own: as voxload opens them, and as callers make them.

use voxload::Gpu;

use super::adapter::{BEST, ready};

/// A new device as voxload opens it, or `None` where there is no GPU ([`ready`]).
pub fn own(test: &str) -> Option<Gpu> {
    ready(test).then(|| Gpu::new().expect("ready() found a GPU"))
}

/// A new device as a caller makes it: no features, and wgpu's default limits but for this change. Only where [`ready`]
/// says that there is a GPU.
pub fn callers(change: impl FnOnce(&mut wgpu::Limits)) -> (wgpu::Device, wgpu::Queue) {
    let best = BEST.as_ref().expect("ready() found a GPU").info();
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    let is_best = |adapter: &wgpu::Adapter| {
        let info = adapter.get_info();
        info.name == best.name && info.backend == best.backend
    };
    let adapter = adapters.into_iter().find(is_best);
    let mut required_limits = wgpu::Limits::default();
    change(&mut required_limits);
    let request = adapter
        .expect("the adapter of voxload's device")
        .request_device(&wgpu::DeviceDescriptor {
            label: Some("a caller's device"),
            required_limits,
            ..Default::default()
        });
    pollster::block_on(request).expect("a device with these limits")
}

/// The same as a [`Gpu`].
pub fn callers_gpu(change: impl FnOnce(&mut wgpu::Limits)) -> Gpu {
    let (device, queue) = callers(change);
    Gpu::from_device(&device, &queue)
}
