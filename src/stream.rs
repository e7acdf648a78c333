//! Streams: one frame of a series after the other, made ahead of the caller in a fixed number of bytes.
//!
//! [`turns`] says which frames come in which order, [`ahead`] is the thread that works ahead, [`feed`] is what it
//! reads. [`Frames`] are on the host; those of a `FrameStream` are on a device.

mod ahead;
#[cfg(feature = "gpu")]
mod device;
pub(crate) mod feed;
mod host;
pub(crate) mod turns;

#[cfg(feature = "gpu")]
pub use device::{Frame, FrameStream, StreamOptions, StreamTarget};
pub use host::{Frames, HostFrame};
pub use turns::FrameOptions;
