//! Where the frames of a stream are put: buffers of its own, ranges of the caller's, or the caller's texture.

use std::sync::mpsc::{self, Receiver, Sender};

use super::frame::Frame;
use super::outlet::Outlet;
use crate::convert::texel::Texels;
use crate::core::shape::voxels;
use crate::device::{DeviceArray, Gpu, whole_words};
use crate::device::{Target, binding_align};
use crate::error::{Error, Result};
use crate::float::Float;

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

/// The places of a stream, and who has them.
pub(super) struct Places {
    gpu: Gpu,
    places: Vec<At>,
    /// Voxels along each axis of the largest block.
    shape: Vec<usize>,
    own: bool,
    outlet: Option<Outlet>,
    /// Bytes of a place.
    size: u64,
    free: Vec<Returned>,
    held: usize,
    back: Sender<Returned>,
    returned: Receiver<Returned>,
}

/// A place: its number, what is written to, and the byte at which it begins.
#[derive(Clone)]
pub(super) struct At {
    pub place: usize,
    pub target: Target,
    pub offset: u64,
}

/// A block that has arrived.
pub(super) struct Arrived {
    pub block: usize,
    pub at: At,
    /// Whether its texels give back all values; told only of textures.
    pub exact: Option<bool>,
}

/// A place that is free again.
#[derive(Clone, Copy)]
pub(super) struct Returned {
    pub place: usize,
    /// Whether the caller has kept the array.
    pub kept: bool,
}

impl Places {
    /// Places for blocks of this shape.
    ///
    /// # Errors
    /// As [`DeviceArray::zeroed`]; [`crate::ErrorKind::Usage`] and [`crate::ErrorKind::Shape`] for a buffer that
    /// does not serve.
    pub fn new<T: Float>(
        gpu: &Gpu,
        target: &StreamTarget,
        outlet: Option<Outlet>,
        shape: &[usize],
        slots: usize,
    ) -> Result<Self> {
        let item = size_of::<T>() as u64;
        let size = match &outlet {
            Some(outlet) => outlet.slab_bytes(),
            None => whole_words(voxels(shape)?.saturating_mul(item)),
        };
        let (back, returned) = mpsc::channel();
        let places: Vec<At> = match target {
            // One is the frame in the texture, the other the next one, in the slab.
            StreamTarget::Texture { .. } => (outlet.iter())
                .flat_map(|outlet| (0..2).map(|place| at(place, outlet.target().clone(), 0)))
                .collect(),
            StreamTarget::NewBuffers => (0..slots)
                .map(|place| new_buffer(gpu, place, size))
                .collect::<Result<_>>()?,
            StreamTarget::BufferRange { buffer, offset } => {
                let stride = size.next_multiple_of(binding_align(gpu));
                let end = offset
                    .saturating_add(stride.saturating_mul(slots as u64 - 1))
                    .saturating_add(size);
                check_range(buffer, *offset, end, item)?;
                (0..slots)
                    .map(|place| at(place, buffer.into(), offset + place as u64 * stride))
                    .collect()
            }
        };
        Ok(Self {
            gpu: gpu.clone(),
            free: (0..places.len())
                .rev()
                .map(|place| Returned { place, kept: false })
                .collect(),
            places,
            outlet,
            shape: shape.to_vec(),
            own: matches!(target, StreamTarget::NewBuffers),
            size,
            held: 0,
            back,
            returned,
        })
    }

    /// Bytes by which every place begins behind a position where a binding may begin.
    pub fn phase(&self) -> u64 {
        let first = self.places.first().map_or(0, |at| at.offset);
        first % binding_align(&self.gpu)
    }

    /// Bytes of the buffers that the stream made.
    pub fn own_bytes(&self) -> u64 {
        match (self.own, &self.outlet) {
            (true, _) => self.size * self.places.len() as u64,
            (false, Some(_)) => self.size,
            (false, None) => 0,
        }
    }

    /// How many frames the caller may hold.
    pub fn slots(&self) -> usize {
        match self.outlet {
            Some(_) => 1,
            None => self.places.len(),
        }
    }

    /// The way to the caller's texture, where frames go to one.
    pub fn outlet(&self) -> Option<&Outlet> {
        self.outlet.as_ref()
    }

    /// Whether the last part of a block has to wait: the caller looks at the frame in the texture.
    pub fn texture_is_held(&self) -> bool {
        self.outlet.is_some() && self.held > 0
    }

    /// Whether the bytes up to a whole word behind a frame belong to its place.
    pub fn are_padded(&self) -> bool {
        self.own
    }

    /// Whether copies can be made to the places.
    pub fn can_be_copied_to(&self) -> bool {
        let usage = |at: &At| {
            at.target
                .buffer
                .usage()
                .contains(wgpu::BufferUsages::COPY_DST)
        };
        self.outlet.is_none() && self.places.iter().all(usage)
    }

    /// Takes a free place, if there is one.
    ///
    /// # Errors
    /// As [`Gpu::buffer`], where the caller has kept the buffer that was there.
    pub fn take(&mut self) -> Result<Option<At>> {
        while let Some(Returned { place, kept }) = self.free.last().copied() {
            if kept {
                let fresh = new_buffer(&self.gpu, place, self.size)?;
                if let Some(at) = self.places.get_mut(place) {
                    *at = fresh;
                }
            }
            self.free.pop();
            if let Some(at) = self.places.get(place) {
                return Ok(Some(at.clone()));
            }
        }
        Ok(None)
    }

    /// Has a place be free again.
    pub fn free(&mut self, place: usize) {
        self.free.push(Returned { place, kept: false });
    }

    /// Takes note of frames that were dropped.
    pub fn collect(&mut self) {
        while let Ok(returned) = self.returned.try_recv() {
            self.held -= 1;
            self.free.push(returned);
        }
    }

    /// Whether the caller has all places.
    pub fn all_held(&self) -> bool {
        self.held == self.slots()
    }

    /// Gives a place to the caller. `blocked` streams keep the last axis, as long as there are frames.
    pub fn frame<T: Float>(
        &mut self,
        Arrived { at, exact, .. }: Arrived,
        frames: Vec<usize>,
        blocked: bool,
    ) -> Frame<T> {
        self.held += 1;
        let mut shape = self.shape.clone();
        if let Some(last) = shape.last_mut().filter(|_| blocked) {
            *last = frames.len();
        }
        let array =
            (self.own).then(|| DeviceArray::over(&self.gpu, at.target.buffer.clone(), &shape));
        Frame {
            gpu: self.gpu.clone(),
            frames,
            shape,
            array,
            exact,
            texture: (self.outlet.as_ref()).map(|outlet| outlet.texture.clone()),
            at,
            back: self.back.clone(),
        }
    }
}

fn at(place: usize, target: Target, offset: u64) -> At {
    At {
        place,
        target,
        offset,
    }
}

fn new_buffer(gpu: &Gpu, place: usize, size: u64) -> Result<At> {
    let buffer = gpu.buffer("voxload frame", size, DeviceArray::<f32>::USAGE, false)?;
    Ok(at(place, (&buffer).into(), 0))
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
