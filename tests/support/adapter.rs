//! Whether tests have a GPU.

use std::sync::LazyLock;

use voxload::Gpu;

use super::environment::skipped;

/// The device that voxload opens, or why it opens none.
pub static BEST: LazyLock<Result<Gpu, String>> =
    LazyLock::new(|| Gpu::new().map_err(|error| error.to_string()));

/// Whether there is a GPU; says what is skipped when there is none.
///
/// # Panics
/// When there is none and `VOXLOAD_REQUIRE_GPU=1`.
pub fn ready(test: &str) -> bool {
    let Err(error) = &*BEST else {
        return true;
    };
    let required = std::env::var_os("VOXLOAD_REQUIRE_GPU").is_some_and(|value| value == "1");
    assert!(!required, "VOXLOAD_REQUIRE_GPU=1: {test}: {error}");
    skipped(test, format_args!("no GPU: {error}"));
    false
}
