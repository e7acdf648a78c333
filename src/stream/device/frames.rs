//! Frames on a device, and where they are written: to the stream's own buffers, ranges of a caller's buffer, or a
//! caller's texture.

use std::fmt;
use std::sync::Arc;
use std::task;

use super::texture_target::TextureTarget;
use crate::convert::texel::{Fidelity, Texels};
use crate::core::array::{Buffer, HostArray};
#[cfg(doc)]
use crate::core::error::ErrorKind;
use crate::core::error::{Error, Result};
use crate::core::float::Float;
use crate::core::shape::{elements, voxels};
use crate::device::array::whole_words;
use crate::device::context::Scope;
use crate::device::cut::binding_align;
use crate::device::gpu::Gpu;
use crate::device::load::Target;
use crate::device::{DeviceArray, download};
use crate::read::wait::Mailbox;

/// Where a stream writes its frames.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum StreamTarget {
    /// Buffers that the stream allocates, one per slot, and uses again and again.
    #[default]
    NewBuffers,
    /// A range of a buffer of the caller, with usage `STORAGE` (and `COPY_SRC` if frames are to be downloaded). The
    /// slots follow each other; [`Frame::offset_bytes`] has the position of a frame. The distance between slots is the
    /// size of a frame, rounded up to the device's `min_storage_buffer_offset_alignment`. If there is one slot, frames
    /// are at `offset` itself. Nothing else in the buffer is changed.
    BufferRange {
        /// The buffer.
        buffer: wgpu::Buffer,
        /// Byte of the buffer at which the first slot begins: a multiple of 4 and of the size of a value.
        offset: u64,
    },
    /// A 3-D texture of the caller, with the size of a frame, the format of the texels and usage `COPY_DST`. `T` of the
    /// stream is the type that is narrowed to texels: [`half::f16`], `f32`, or `f64` for unorm texels. Values are
    /// always read from the file, not from a cache.
    ///
    /// There is one frame at a time, however many slots the options ask for. The next one is prepared meanwhile. It is
    /// copied to the texture, as a whole, only after the current [`Frame`] was dropped and the stream is pumped or
    /// asked for its next item. A render loop should drop each frame at once: between two calls of the stream, the
    /// texture always has a complete frame.
    Texture {
        /// The texture.
        texture: wgpu::Texture,
        /// The texel format.
        texels: Texels,
    },
}

/// The places for a stream's frames, and which of them are free.
pub(super) struct Placements {
    gpu: Gpu,
    placements: Vec<Placement>,
    /// Voxels along each axis of the largest block.
    shape: Vec<usize>,
    is_own: bool,
    texture: Option<TextureTarget>,
    /// Bytes of a placement.
    size: u64,
    free: Vec<Free>,
    held: usize,
    dropped: Arc<Mailbox<Free>>,
}

/// Where a frame is written: the number of the placement, the buffer, and the byte at which the frame begins.
#[derive(Clone)]
pub(super) struct Placement {
    pub number: usize,
    pub target: Target,
    pub offset: u64,
}

/// A block that is complete on the device.
pub(super) struct Arrived {
    pub block: usize,
    pub placement: Placement,
    /// Whether its texels give back all values; known of textures only.
    pub fidelity: Option<Fidelity>,
}

/// A placement that has become free.
#[derive(Debug, Clone, Copy)]
struct Free {
    number: usize,
    /// Whether the caller has kept the array.
    is_kept: bool,
}

impl Placements {
    /// Makes placements for blocks of this shape.
    ///
    /// # Errors
    /// As [`DeviceArray::zeroed`] and [`TextureTarget::new`]; [`crate::ErrorKind::Usage`] and
    /// [`crate::ErrorKind::Shape`] for a buffer that is not suitable.
    pub(super) async fn new<T: Float>(
        gpu: &Gpu,
        target: &StreamTarget,
        texture: Option<TextureTarget>,
        shape: &[usize],
        slots: usize,
    ) -> Result<Self> {
        let item = size_of::<T>() as u64;
        let size = match &texture {
            Some(texture) => texture.slab_bytes(),
            None => whole_words(voxels(shape)?.saturating_mul(item)),
        };
        let mut placements = Vec::new();
        match target {
            // One is the frame in the texture, the other the next frame, in the slab.
            StreamTarget::Texture { .. } => {
                for texture in texture.iter() {
                    let at = |number| placement(number, texture.target().clone(), 0);
                    placements.extend((0..2).map(at));
                }
            }
            StreamTarget::NewBuffers => {
                for number in 0..slots {
                    let (placement, scope) = new_buffer(gpu, number, size)?;
                    if let Err(error) = scope.await {
                        return Err(gpu.context().diagnose(error).await);
                    }
                    placements.push(placement);
                }
            }
            StreamTarget::BufferRange { buffer, offset } => {
                let stride = size.next_multiple_of(binding_align(gpu.context()));
                let end = offset
                    .saturating_add(stride.saturating_mul(slots as u64 - 1))
                    .saturating_add(size);
                check_range(buffer, *offset, end, item)?;
                let at = |k| placement(k, buffer.into(), offset + k as u64 * stride);
                placements.extend((0..slots).map(at));
            }
        }
        Ok(Self {
            gpu: gpu.clone(),
            free: (0..placements.len()).rev().map(unused).collect(),
            placements,
            texture,
            shape: shape.to_vec(),
            is_own: matches!(target, StreamTarget::NewBuffers),
            size,
            held: 0,
            dropped: Arc::default(),
        })
    }

    /// Offset of all placements, in bytes, from a position at which a binding may begin.
    pub(super) fn phase(&self) -> u64 {
        let first = self.placements.first().map_or(0, |first| first.offset);
        first % binding_align(self.gpu.context())
    }

    /// Bytes of the buffers that the stream allocated.
    pub(super) fn own_bytes(&self) -> u64 {
        match (self.is_own, &self.texture) {
            (true, _) => self.size * self.placements.len() as u64,
            (false, Some(_)) => self.size,
            (false, None) => 0,
        }
    }

    /// How many frames the caller can hold.
    pub(super) fn slots(&self) -> usize {
        match self.texture {
            Some(_) => 1,
            None => self.placements.len(),
        }
    }

    /// The caller's texture, if frames go to one.
    pub(super) fn texture(&self) -> Option<&TextureTarget> {
        self.texture.as_ref()
    }

    /// Whether the last part of a block has to wait because the caller holds the frame in the texture.
    pub(super) fn texture_is_held(&self) -> bool {
        self.texture.is_some() && self.held > 0
    }

    /// Whether the bytes after a frame, up to a whole word, belong to its placement.
    pub(super) fn are_padded(&self) -> bool {
        self.is_own
    }

    /// Whether the placements can be copied to.
    pub(super) fn can_be_copied_to(&self) -> bool {
        let usage = |placement: &Placement| {
            let usage = placement.target.buffer.usage();
            usage.contains(wgpu::BufferUsages::COPY_DST)
        };
        self.texture.is_none() && self.placements.iter().all(usage)
    }

    /// Returns a free placement, if there is one. If the caller has kept the array that was there, a new buffer is
    /// allocated, and the scope has the errors of that.
    ///
    /// # Errors
    /// [`crate::ErrorKind::DeviceLost`].
    pub(super) fn take(&mut self) -> Result<Option<(Placement, Option<Scope>)>> {
        while let Some(Free { number, is_kept }) = self.free.last().copied() {
            let mut made = None;
            if is_kept {
                let (fresh, scope) = new_buffer(&self.gpu, number, self.size)?;
                made = Some(scope);
                if let Some(placement) = self.placements.get_mut(number) {
                    *placement = fresh;
                }
            }
            self.free.pop();
            if let Some(placement) = self.placements.get(number) {
                return Ok(Some((placement.clone(), made)));
            }
        }
        Ok(None)
    }

    /// Marks a placement as free.
    pub(super) fn free(&mut self, number: usize) {
        self.free.push(unused(number));
    }

    /// Collects frames that were dropped.
    pub(super) fn collect(&mut self, cx: &task::Context<'_>) {
        while let task::Poll::Ready(Some(free)) = self.dropped.poll_take(cx) {
            self.held -= 1;
            self.free.push(free);
        }
    }

    /// Whether the caller holds all placements.
    pub(super) fn all_held(&self) -> bool {
        self.held == self.slots()
    }

    /// Makes a frame from a placement, to be given to the caller. If `blocked` is set, its last axis has one entry per
    /// frame.
    pub(super) fn frame<T: Float>(
        &mut self,
        arrived: Arrived,
        frames: Vec<usize>,
        blocked: bool,
    ) -> Frame<T> {
        self.held += 1;
        let Arrived {
            placement,
            fidelity,
            ..
        } = arrived;
        let mut shape = self.shape.clone();
        if let Some(last) = shape.last_mut().filter(|_| blocked) {
            *last = frames.len();
        }
        let buffer = &placement.target.buffer;
        let array = (self.is_own).then(|| DeviceArray::over(&self.gpu, buffer.clone(), &shape));
        Frame {
            gpu: self.gpu.clone(),
            frames,
            shape,
            array,
            fidelity,
            texture: (self.texture.as_ref()).map(|target| target.texture.clone()),
            placement,
            dropped: Arc::clone(&self.dropped),
        }
    }
}

fn unused(number: usize) -> Free {
    Free {
        number,
        is_kept: false,
    }
}

fn placement(number: usize, target: Target, offset: u64) -> Placement {
    Placement {
        number,
        target,
        offset,
    }
}

fn new_buffer(gpu: &Gpu, number: usize, size: u64) -> Result<(Placement, Scope)> {
    let usage = DeviceArray::<f32>::USAGE;
    let buffer = gpu
        .context()
        .new_buffer("voxload frame", size, usage, false);
    let (buffer, scope) = buffer?;
    Ok((placement(number, (&buffer).into(), 0), scope))
}

fn check_range(buffer: &wgpu::Buffer, offset: u64, end: u64, item: u64) -> Result<()> {
    if !buffer.usage().contains(wgpu::BufferUsages::STORAGE) {
        return Err(Error::usage(
            "the buffer to stream into lacks usage STORAGE",
        ));
    }
    if !offset.is_multiple_of(item.max(4)) {
        return Err(Error::usage(format_args!(
            "a stream into a buffer begins at a multiple of {} bytes, not at {offset}",
            item.max(4)
        )));
    }
    if end > buffer.size() {
        return Err(Error::shape(
            format_args!("a buffer of {} bytes", buffer.size()),
            format_args!("at least {end} bytes"),
        ));
    }
    Ok(())
}

/// A frame (or a block of frames) in device memory. Dropping it lets the stream write there again, after everything
/// that was submitted to the queue before.
pub struct Frame<T: Float> {
    gpu: Gpu,
    frames: Vec<usize>,
    shape: Vec<usize>,
    placement: Placement,
    array: Option<DeviceArray<T>>,
    texture: Option<wgpu::Texture>,
    fidelity: Option<Fidelity>,
    dropped: Arc<Mailbox<Free>>,
}

impl<T: Float> Frame<T> {
    /// The number of its (first) frame in the image.
    pub fn index(&self) -> usize {
        self.frames.first().copied().unwrap_or_default()
    }

    /// The numbers of its frames in the image: one, unless the stream has blocks.
    pub fn frames(&self) -> &[usize] {
        &self.frames
    }

    /// Voxels along each axis, the first axis fastest. If the stream has blocks, the last axis is that of the frames.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The buffer with the frame, starting at [`Self::offset_bytes`]. The stream has one buffer per slot and uses them
    /// again, so a bind group can be kept for each. In a stream to a texture, this is the buffer through which texels
    /// pass; it already belongs to the next frame.
    pub fn buffer(&self) -> &wgpu::Buffer {
        &self.placement.target.buffer
    }

    /// Byte of the buffer at which the first voxel begins.
    pub fn offset_bytes(&self) -> u64 {
        self.placement.offset
    }

    /// The size of the values in bytes.
    pub fn size_bytes(&self) -> u64 {
        let sides = self.shape.iter().map(|&side| side as u64);
        sides.product::<u64>() * size_of::<T>() as u64
    }

    /// The frame as an array, if the stream allocates the buffers. A clone of it stays valid: the stream then allocates
    /// another buffer.
    pub fn array(&self) -> Option<&DeviceArray<T>> {
        self.array.as_ref()
    }

    /// The texture with the frame, in a stream to a texture.
    pub fn texture(&self) -> Option<&wgpu::Texture> {
        self.texture.as_ref()
    }

    /// Whether the texels give back all values, as [`Fidelity`] says; known of textures only.
    pub fn fidelity(&self) -> Option<Fidelity> {
        self.fidelity
    }

    /// Waits for the device and copies the values to the host.
    ///
    /// # Errors
    /// [`ErrorKind::DeviceLost`], [`ErrorKind::GpuOutOfMemory`], [`ErrorKind::OutOfMemory`]; [`ErrorKind::Gpu`] if a
    /// buffer of the caller lacks usage `COPY_SRC`; [`ErrorKind::Usage`] for a frame in a texture, whose values no
    /// longer exist.
    #[cfg(not(target_family = "wasm"))]
    pub fn download(&self) -> Result<HostArray<T>> {
        self.gpu.context().block_on(self.downloaded())
    }

    /// The asynchronous form of [`Self::download`].
    ///
    /// # Errors
    /// As [`Self::download`].
    pub async fn download_async(&self) -> Result<HostArray<T>> {
        self.gpu.context().drive(self.downloaded()).await
    }

    async fn downloaded(&self) -> Result<HostArray<T>> {
        if self.texture.is_some() {
            return Err(Error::usage("a frame in a texture has texels, not values"));
        }
        let mut out = Buffer::zeroed(elements::<T>(&self.shape)?)?;
        let bytes = bytemuck::cast_slice_mut(out.as_mut_slice()?);
        let Placement { target, offset, .. } = &self.placement;
        download::copy_bytes(self.gpu.context(), &target.buffer, *offset, bytes).await?;
        HostArray::from_buffer(&self.shape, out)
    }
}

impl<T: Float> Drop for Frame<T> {
    fn drop(&mut self) {
        self.dropped.put(Free {
            number: self.placement.number,
            is_kept: self.array.as_ref().is_some_and(DeviceArray::is_shared),
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
