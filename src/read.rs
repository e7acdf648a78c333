//! Reading: a plan, a source and a kernel make values in host memory, on all threads.
//!
//! [`proxy`] is what callers hold: a frozen description of stored voxels and where they are. [`host`] converts a plan's
//! voxels, [`inflated`] whole gzip files, [`tiles`] hands stored bytes to whoever converts them elsewhere.

pub(crate) mod host;
mod inflated;
pub(crate) mod proxy;
#[cfg(feature = "gpu")]
pub(crate) mod tiles;
#[cfg(feature = "gpu")]
pub(crate) mod trace;
