//! Reads values into host memory, with a plan, a source and a kernel, on all threads.
//!
//! [`proxy`] is the public type: an immutable description of stored voxels and their source. [`host`] converts the
//! voxels of a plan, [`inflated`] those of a whole gzip file, and [`tiles`] passes on stored bytes that are converted
//! elsewhere. [`in_order`] passes values on. [`ahead`] reads ahead of a consumer; [`wait`] is about waiting for other
//! threads and for futures.

pub(crate) mod ahead;
pub(crate) mod host;
pub(crate) mod in_order;
mod inflated;
pub(crate) mod proxy;
#[cfg(feature = "gpu")]
pub(crate) mod tiles;
#[cfg(feature = "gpu")]
pub(crate) mod trace;
pub(crate) mod wait;
