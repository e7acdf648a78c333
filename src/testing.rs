//! What the unit tests share, much of it with the integration tests.

#![allow(dead_code, reason = "the integration tests use the rest")]

#[cfg(feature = "gpu")]
#[allow(unreachable_pub, reason = "shared with the integration tests")]
#[path = "../tests/support/adapter.rs"]
pub(crate) mod adapter;
#[cfg(feature = "gpu")]
#[allow(unreachable_pub, reason = "shared with the integration tests")]
#[path = "../tests/support/devices.rs"]
pub(crate) mod devices;
#[allow(unreachable_pub, reason = "shared with the integration tests")]
#[path = "../tests/support/environment.rs"]
pub(crate) mod environment;
#[allow(unreachable_pub, reason = "shared with the integration tests")]
#[path = "../tests/support/floats.rs"]
pub(crate) mod floats;
#[allow(unreachable_pub, reason = "shared with the integration tests")]
#[path = "../tests/support/rng.rs"]
mod rng;

pub(crate) use rng::Rng;

/// A file that `tests/oracle/make_all.sh` wrote.
pub(crate) fn oracle_file(name: &str) -> Vec<u8> {
    let path = environment::oracle_folder().join(name);
    std::fs::read(path).expect("VOXLOAD_ORACLE_DIR has the oracle's files")
}
