//! Streams: one frame of a series after the other, made ahead of the caller in a fixed number of bytes.
//!
//! [`turns`] says which frames come in which order, [`ahead`] is the thread that works ahead, [`feed`] is what it
//! reads. [`Frames`] are on the host; those of a `FrameStream` are on a device.

mod ahead;
pub(crate) mod feed;
mod host;
pub(crate) mod turns;

pub use host::{Frames, HostFrame};
pub use turns::FrameOptions;
