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

/// Both ways of the tests to work with a device: blocking through mapped memory, and awaited as in browsers.
pub(crate) const IS_BROWSER_LIKE: [bool; 2] = [false, true];

/// The best device in both ways, as far as there is one ([`gpu_or_skip`]).
pub(crate) fn both_ways(test: &str) -> Vec<Gpu> {
    let open = |is_browser_like| {
        let gpu = gpu_or_skip(test)?;
        gpu.set_browser_like(is_browser_like);
        Some(gpu)
    };
    IS_BROWSER_LIKE.into_iter().filter_map(open).collect()
}

/// Waits for a future: by the blocking driver, or for browser-like devices by the asynchronous one in an executor.
pub(crate) fn wait<F: Future>(gpu: &Gpu, future: F) -> F::Output {
    let context = gpu.context();
    match context.is_browser_like() {
        true => pollster::block_on(context.drive(future)),
        false => context.block_on(future),
    }
}
