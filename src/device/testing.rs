//! Devices of the unit tests, in both ways to work with one.

use super::Gpu;
use crate::testing::adapter::ready;
use crate::testing::devices::callers;
pub(crate) use crate::testing::devices::own as gpu_or_skip;

/// A device as a caller would make it: wgpu's default limits with these changes, and no features.
pub(crate) fn plain_device(
    test: &str,
    change: impl FnOnce(&mut wgpu::Limits),
) -> Option<(wgpu::Device, wgpu::Queue)> {
    ready(test).then(|| callers(change))
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
