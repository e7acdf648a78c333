//! Streams: one frame of a series after the other, made ahead of the caller in a fixed number of bytes.
//!
//! [`order`] says which frames come in which order, [`feed`] is what they are read from. [`Frames`] are on the host; those
//! of a `FrameStream` are on a device.

#[cfg(feature = "gpu")]
mod device;
pub(crate) mod feed;
mod host;
pub(crate) mod order;

#[cfg(feature = "gpu")]
pub use device::{Frame, FrameStream, StreamOptions, StreamTarget};
pub use host::{Frames, HostFrame};
pub use order::FrameOptions;
