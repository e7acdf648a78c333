//! A device for tests, or a line that says which test went without.

use super::Gpu;

/// The best device, or `None` with a notice; a panic where `VOXLOAD_REQUIRE_GPU=1` says that there must be one.
pub(crate) fn gpu_or_skip(test: &str) -> Option<Gpu> {
    match Gpu::new() {
        Ok(gpu) => Some(gpu),
        Err(error) => {
            let required = std::env::var("VOXLOAD_REQUIRE_GPU").is_ok_and(|value| value == "1");
            assert!(!required, "{test}: {error}");
            println!("skipped without a GPU: {test} ({error})");
            None
        }
    }
}

/// A device as a caller would make it, with these limits changed from wgpu's defaults and no features.
pub(crate) fn plain_device(
    test: &str,
    change: impl FnOnce(&mut wgpu::Limits),
) -> Option<(wgpu::Device, wgpu::Queue)> {
    gpu_or_skip(test)?;
    let adapter = super::gpu::sorted_adapters().into_iter().next()?;
    let mut limits = wgpu::Limits::default();
    change(&mut limits);
    let request = adapter.request_device(&wgpu::DeviceDescriptor {
        label: Some("a caller's device"),
        required_limits: limits,
        ..Default::default()
    });
    Some(pollster::block_on(request).expect("a device with default limits"))
}
