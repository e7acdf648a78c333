//! Streams: the frames of a series, one after the other, prepared ahead of the caller in a fixed amount of memory.
//!
//! [`order`] decides which frames come in which order, [`frame_reader`] is where they are read from. [`Frames`] is a stream to
//! the host, `FrameStream` one to a device.

#[cfg(feature = "gpu")]
mod device;
pub(crate) mod frame_reader;
mod host;
pub(crate) mod order;

#[cfg(feature = "gpu")]
pub use device::{Frame, FrameStream, StreamOptions, StreamTarget};
pub use host::{Frames, HostFrame};
pub use order::FrameOptions;
