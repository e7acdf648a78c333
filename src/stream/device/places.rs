//! Where the frames of a stream are put: buffers of its own, or ranges of the caller's.

use std::sync::mpsc::{self, Receiver, Sender};

use super::frame::Frame;
use crate::convert::gpu::binding_align;
use crate::dtype::Float;
use crate::error::{Error, Result};
use crate::gpu::{DeviceArray, Gpu, whole_words};
use crate::header::voxels;

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
}

/// The places of a stream, and who has them.
pub(super) struct Places {
    gpu: Gpu,
    places: Vec<At>,
    /// Voxels along each axis of the largest block.
    shape: Vec<usize>,
    own: bool,
    /// Bytes of a place.
    size: u64,
    free: Vec<Returned>,
    held: usize,
    back: Sender<Returned>,
    returned: Receiver<Returned>,
}

/// A place: its number, its buffer, and the byte at which it begins.
#[derive(Clone)]
pub(super) struct At {
    pub place: usize,
    pub buffer: wgpu::Buffer,
    pub offset: u64,
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
        shape: &[usize],
        slots: usize,
    ) -> Result<Self> {
        let item = size_of::<T>() as u64;
        let size = whole_words(voxels(shape)?.saturating_mul(item));
        let (back, returned) = mpsc::channel();
        let places = match target {
            StreamTarget::NewBuffers => (0..slots)
                .map(|place| new_buffer(gpu, place, size))
                .collect::<Result<_>>()?,
            StreamTarget::BufferRange { buffer, offset } => {
                let stride = size.next_multiple_of(binding_align(gpu));
                let end = offset
                    .saturating_add(stride.saturating_mul(slots as u64 - 1))
                    .saturating_add(size);
                check_range(buffer, *offset, end, item)?;
                let at = |place: usize| At {
                    place,
                    buffer: buffer.clone(),
                    offset: offset + place as u64 * stride,
                };
                (0..slots).map(at).collect()
            }
        };
        Ok(Self {
            gpu: gpu.clone(),
            places,
            shape: shape.to_vec(),
            own: matches!(target, StreamTarget::NewBuffers),
            size,
            free: (0..slots)
                .rev()
                .map(|place| Returned { place, kept: false })
                .collect(),
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
        match self.own {
            true => self.size * self.places.len() as u64,
            false => 0,
        }
    }

    /// Whether copies can be made to the places.
    pub fn can_be_copied_to(&self) -> bool {
        let usage = |at: &At| at.buffer.usage().contains(wgpu::BufferUsages::COPY_DST);
        self.places.iter().all(usage)
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
        self.held == self.places.len()
    }

    /// Gives a place to the caller. `blocked` streams keep the last axis, as long as there are frames.
    pub fn frame<T: Float>(&mut self, at: At, frames: Vec<usize>, blocked: bool) -> Frame<T> {
        self.held += 1;
        let mut shape = self.shape.clone();
        if let Some(last) = shape.last_mut().filter(|_| blocked) {
            *last = frames.len();
        }
        let array = DeviceArray::over(&self.gpu, at.buffer.clone(), &shape);
        Frame {
            gpu: self.gpu.clone(),
            frames,
            shape,
            array: self.own.then_some(array),
            at,
            back: self.back.clone(),
        }
    }
}

fn new_buffer(gpu: &Gpu, place: usize, size: u64) -> Result<At> {
    Ok(At {
        place,
        buffer: gpu.buffer("voxload frame", size, DeviceArray::<f32>::USAGE, false)?,
        offset: 0,
    })
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
