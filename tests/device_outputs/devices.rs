//! Devices of several strengths.

use voxload::Gpu;

use crate::support::devices::{callers_gpu, own};
pub use crate::support::readback::{buffer_of, download, download_texture};
use crate::support::ways;

/// A device, and what to call it in a message.
pub struct Device {
    pub gpu: Gpu,
    pub name: &'static str,
}

/// The crate's own device, a caller's with default limits, one with tiny limits; one whose calls are awaited, and one that
/// works as in browsers. Empty, with a line that says so, where there is no GPU; a panic where `VOXLOAD_REQUIRE_GPU=1`
/// says that there must be one.
pub fn devices(test: &str) -> Vec<Device> {
    let Some(gpu) = own(test) else {
        return Vec::new();
    };
    let tiny = |limits: &mut wgpu::Limits| {
        limits.max_storage_buffer_binding_size = 64 << 10;
        limits.max_buffer_size = 256 << 10;
        limits.max_compute_workgroups_per_dimension = 64;
        limits.max_texture_dimension_3d = 128;
    };
    vec![
        Device { gpu, name: "own" },
        Device {
            gpu: callers_gpu(|_| {}),
            name: "default limits",
        },
        Device {
            gpu: callers_gpu(tiny),
            name: "tiny limits",
        },
        Device {
            gpu: ways::awaited(callers_gpu(|_| {})),
            name: "awaited",
        },
        Device {
            gpu: ways::as_in_browsers(callers_gpu(|_| {})),
            name: "as in browsers",
        },
    ]
}
