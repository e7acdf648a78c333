//! Frames on a device, and where they are put: buffers of the stream's own, ranges of the caller's, or the caller's
//! texture.

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

/// Where a stream puts its frames.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum StreamTarget {
    /// Buffers that the stream makes, one for each slot, used again and again.
    #[default]
    NewBuffers,
    /// A range of a buffer of the caller's, of usage `STORAGE` (and `COPY_SRC` where frames are to be downloaded). The
    /// slots follow each other there: [`Frame::offset_bytes`] says where a frame is. From one to the next it is the
    /// size of a frame rounded up to the device's `min_storage_buffer_offset_alignment`; with one slot frames are at
    /// `offset` itself. Nothing else in the buffer is changed.
    BufferRange {
        /// The buffer.
        buffer: wgpu::Buffer,
        /// Byte of the buffer at which the first slot begins: a multiple of 4, and of the size of a voxel.
        offset: u64,
    },
    /// A 3-D texture of the caller's, of the size of a frame, the format of the texels and usage `COPY_DST`; `T` of the
    /// stream is the type that is narrowed to texels: [`half::f16`], `f32`, or `f64` for unorm texels. The file is read,
    /// never a kept copy.
    ///
    /// There is one frame at a time, whatever slots the options ask for: the next one is made ready meanwhile, and
    /// copied to the texture, whole, only when the [`Frame`] that was given out has been dropped and the stream is
    /// pumped or asked for its next item. A render loop drops each frame at once: what is drawn between two calls of
    /// the stream is always a whole frame.
    Texture {
        /// The texture.
        texture: wgpu::Texture,
        /// What its texels are.
        texels: Texels,
    },
}

/// The placements of a stream, and which of them are free.
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

/// Where a frame is put: the number of the placement, what is written to, and the byte at which it begins.
#[derive(Clone)]
pub(super) struct Placement {
    pub number: usize,
    pub target: Target,
    pub offset: u64,
}

/// A block that is on the device.
pub(super) struct Arrived {
    pub block: usize,
    pub placement: Placement,
    /// Whether its texels give back all values; known of textures only.
    pub fidelity: Option<Fidelity>,
}

/// A placement that is free again.
#[derive(Debug, Clone, Copy)]
struct Free {
    number: usize,
    /// Whether the caller has kept the array.
    is_kept: bool,
}

impl Placements {
    /// Placements for blocks of this shape.
    ///
    /// # Errors
    /// As [`DeviceArray::zeroed`] and [`TextureTarget::new`]; [`crate::ErrorKind::Usage`] and
    /// [`crate::ErrorKind::Shape`] for a buffer that does not serve.
    pub async fn new<T: Float>(
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
            // One is the frame in the texture, the other the next one, in the slab.
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

    /// Bytes by which every placement begins after a position where a binding may begin.
    pub fn phase(&self) -> u64 {
        let first = self.placements.first().map_or(0, |first| first.offset);
        first % binding_align(self.gpu.context())
    }

    /// Bytes of the buffers that the stream made.
    pub fn own_bytes(&self) -> u64 {
        match (self.is_own, &self.texture) {
            (true, _) => self.size * self.placements.len() as u64,
            (false, Some(_)) => self.size,
            (false, None) => 0,
        }
    }

    /// How many frames the caller may hold.
    pub fn slots(&self) -> usize {
        match self.texture {
            Some(_) => 1,
            None => self.placements.len(),
        }
    }

    /// The caller's texture, where frames go to one.
    pub fn texture(&self) -> Option<&TextureTarget> {
        self.texture.as_ref()
    }

    /// Whether the last part of a block has to wait: the caller looks at the frame in the texture.
    pub fn texture_is_held(&self) -> bool {
        self.texture.is_some() && self.held > 0
    }

    /// Whether the bytes up to a whole word after a frame belong to its placement.
    pub fn are_padded(&self) -> bool {
        self.is_own
    }

    /// Whether copies can be made to the placements.
    pub fn can_be_copied_to(&self) -> bool {
        let usage = |placement: &Placement| {
            let usage = placement.target.buffer.usage();
            usage.contains(wgpu::BufferUsages::COPY_DST)
        };
        self.texture.is_none() && self.placements.iter().all(usage)
    }

    /// Takes a free placement, if there is one. Where the caller has kept the buffer that was there, another one is made;
    /// what the device has against that is in the scope.
    ///
    /// # Errors
    /// [`crate::ErrorKind::DeviceLost`].
    pub fn take(&mut self) -> Result<Option<(Placement, Option<Scope>)>> {
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

    /// Has a placement be free again.
    pub fn free(&mut self, number: usize) {
        self.free.push(unused(number));
    }

    /// Takes note of frames that were dropped.
    pub fn collect(&mut self, cx: &task::Context<'_>) {
        while let task::Poll::Ready(Some(free)) = self.dropped.poll_take(cx) {
            self.held -= 1;
            self.free.push(free);
        }
    }

    /// Whether the caller has all placements.
    pub fn all_held(&self) -> bool {
        self.held == self.slots()
    }

    /// Gives a placement to the caller. `blocked` streams keep the last axis, as long as there are frames.
    pub fn frame<T: Float>(
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

/// A frame (or a block of frames) in device memory. It holds its place: dropping it lets the stream write there again,
/// after everything that was submitted to the queue before.
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
        &self.placement.target.buffer
    }

    /// Byte of the buffer at which the first voxel begins.
    pub fn offset_bytes(&self) -> u64 {
        self.placement.offset
    }

    /// Bytes of the values.
    pub fn size_bytes(&self) -> u64 {
        let sides = self.shape.iter().map(|&side| side as u64);
        sides.product::<u64>() * size_of::<T>() as u64
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

    /// Whether the texels give back all values, as [`Fidelity`] says; known of textures only.
    pub fn fidelity(&self) -> Option<Fidelity> {
        self.fidelity
    }

    /// Waits for the device and copies the values to the host.
    ///
    /// # Errors
    /// [`ErrorKind::DeviceLost`], [`ErrorKind::GpuOutOfMemory`], [`ErrorKind::OutOfMemory`]; [`ErrorKind::Gpu`] for
    /// a buffer of the caller's without usage `COPY_SRC`; [`ErrorKind::Usage`] for a frame in a texture, which has no
    /// values any more.
    #[cfg(not(target_family = "wasm"))]
    pub fn download(&self) -> Result<HostArray<T>> {
        self.gpu.context().block_on(self.downloaded())
    }

    /// [`Self::download`], awaited.
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
