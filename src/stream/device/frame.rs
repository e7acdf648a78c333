//! A frame on the device.

use std::fmt;
use std::sync::mpsc::Sender;

use super::places::{At, Returned};
use crate::array::{Buffer, HostArray};
use crate::device::{DeviceArray, Gpu, download};
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::{Error, Result};
use crate::float::Float;

/// A frame (or a block of frames) in device memory. It holds its place: dropping it lets the stream write there again,
/// behind everything that was submitted to the queue before.
pub struct Frame<T: Float> {
    pub(super) gpu: Gpu,
    pub(super) frames: Vec<usize>,
    pub(super) shape: Vec<usize>,
    pub(super) at: At,
    pub(super) array: Option<DeviceArray<T>>,
    pub(super) texture: Option<wgpu::Texture>,
    pub(super) exact: Option<bool>,
    pub(super) back: Sender<Returned>,
}

impl<T: Float> Frame<T> {
    /// The number of its (first) frame in the image.
    pub fn index(&self) -> usize {
        self.frames.first().copied().unwrap_or_default()
    }

    /// The numbers of its frames in the image: one, unless the stream is in blocks.
    pub fn frames(&self) -> &[usize] {
        &self.frames
    }

    /// Voxels along each axis, the first axis fastest; a stream in blocks keeps the last axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The buffer that the frame is in, from [`Self::offset_bytes`] on. The stream has one for each slot and uses them
    /// again: a bind group may be kept for each. Of a stream to a texture it is the one that texels pass through, which
    /// belongs to the next frame already.
    pub fn buffer(&self) -> &wgpu::Buffer {
        &self.at.target.buffer
    }

    /// Byte of the buffer at which the first voxel begins.
    pub fn offset_bytes(&self) -> u64 {
        self.at.offset
    }

    /// Bytes of the values.
    pub fn size_bytes(&self) -> u64 {
        self.shape.iter().product::<usize>() as u64 * size_of::<T>() as u64
    }

    /// The frame as an array, where the stream makes the buffers. A clone of it stays valid: the stream then makes
    /// another buffer for its place.
    pub fn array(&self) -> Option<&DeviceArray<T>> {
        self.array.as_ref()
    }

    /// The texture that the frame is in, of a stream to one.
    pub fn texture(&self) -> Option<&wgpu::Texture> {
        self.texture.as_ref()
    }

    /// Whether the texels give back all values, as [`crate::Texture3d::exact`] says; told only of textures.
    pub fn exact(&self) -> Option<bool> {
        self.exact
    }

    /// Waits for the device and copies the values to the host.
    ///
    /// # Errors
    /// [`ErrorKind::DeviceLost`], [`ErrorKind::GpuOutOfMemory`], [`ErrorKind::OutOfMemory`]; [`ErrorKind::Gpu`] for
    /// a buffer of the caller's without usage `COPY_SRC`; [`ErrorKind::Usage`] for a frame in a texture, which has no
    /// values any more.
    pub fn download(&self) -> Result<HostArray<T>> {
        if self.texture.is_some() {
            return Err(Error::usage("a frame in a texture has texels, not values"));
        }
        let mut out = Buffer::zeroed(self.shape.iter().product())?;
        let bytes = bytemuck::cast_slice_mut(out.as_mut_slice()?);
        download::copy_bytes(&self.gpu, &self.at.target.buffer, self.at.offset, bytes)?;
        HostArray::from_buffer(&self.shape, out)
    }
}

impl<T: Float> Drop for Frame<T> {
    fn drop(&mut self) {
        let kept = self.array.as_ref().is_some_and(DeviceArray::is_shared);
        // The stream may be gone.
        let _ = self.back.send(Returned {
            place: self.at.place,
            kept,
        });
    }
}

impl<T: Float> fmt::Debug for Frame<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Frame<{}> {:?} of {:?}",
            T::DTYPE,
            self.frames,
            self.shape
        )
    }
}
