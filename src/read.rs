//! Reading: a plan, a source and a kernel make values in host memory, on all threads.
//!
//! [`proxy`] is what callers hold: a frozen description of stored voxels and where they are. [`host`] converts a plan's
//! voxels, [`inflated`] whole gzip files, [`tiles`] hands out stored bytes to be converted elsewhere. [`ahead`] reads
//! ahead of a consumer, [`wait`] is how one waits for the other.

pub(crate) mod ahead;
pub(crate) mod host;
mod inflated;
pub(crate) mod proxy;
#[cfg(feature = "gpu")]
pub(crate) mod tiles;
#[cfg(feature = "gpu")]
pub(crate) mod trace;
pub(crate) mod wait;
