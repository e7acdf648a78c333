//! Devices for tests.

use super::Gpu;

/// The best device. Without one: `None` and a line with the test's name, or a panic if `VOXLOAD_REQUIRE_GPU=1`.
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

/// A device as a caller would make it: wgpu's default limits with these changes, and no features.
pub(crate) fn plain_device(
    test: &str,
    change: impl FnOnce(&mut wgpu::Limits),
) -> Option<(wgpu::Device, wgpu::Queue)> {
    gpu_or_skip(test)?;
    let adapters = pollster::block_on(super::gpu::sorted_adapters());
    let adapter = adapters.into_iter().next()?;
    let mut limits = wgpu::Limits::default();
    change(&mut limits);
    let request = adapter.request_device(&wgpu::DeviceDescriptor {
        label: Some("a caller's device"),
        required_limits: limits,
        ..Default::default()
    });
    Some(pollster::block_on(request).expect("a device with default limits"))
}

/// The two ways of working with a device: blocking with mapped memory, and asynchronous as in browsers.
pub(crate) const IS_BROWSER_LIKE: [bool; 2] = [false, true];

/// The best device in both ways, if there is one ([`gpu_or_skip`]).
pub(crate) fn both_ways(test: &str) -> Vec<Gpu> {
    let open = |is_browser_like| {
        let gpu = gpu_or_skip(test)?;
        gpu.set_browser_like(is_browser_like);
        Some(gpu)
    };
    IS_BROWSER_LIKE.into_iter().filter_map(open).collect()
}

/// Waits for a future: with the blocking driver, or for browser-like devices with the asynchronous one.
pub(crate) fn wait<F: Future>(gpu: &Gpu, future: F) -> F::Output {
    let context = gpu.context();
    match context.is_browser_like() {
        true => pollster::block_on(context.drive(future)),
        false => context.block_on(future),
    }
}
