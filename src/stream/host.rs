//! [`Frames`]: a stream that ends on the host.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use ndarray::{ArrayViewD, IxDyn, ShapeBuilder};

use super::ahead::{Ahead, Event, Producer, Rooms, Wanted};
use super::feed::{Feed, READ_AHEAD_BYTES};
use super::turns::Turns;
use crate::array::Buffer;
use crate::convert::Conversion;
use crate::core::shape::voxels;
use crate::error::{Error, ErrorKind, Result};
use crate::float::Float;
use crate::plan::selection::Selection;

/// How long a blocking call waits before it looks again.
const TICK: Duration = Duration::from_millis(100);

/// Frames of an image in host memory, computed ahead on a thread; made by [`crate::DataobjImage::frames`].
///
/// An iterator of `Result<HostFrame<T>>`. Memory is fixed: as many buffers as the options have slots, each of one
/// frame (or block), used again when the frame that was in it is dropped. With all of them held, the next item is
/// [`ErrorKind::FramesHeld`]; drop one and go on. After any other error there are no more items until a
/// [`Self::seek`]. Frames show the file, never an edited copy. Dropping the stream ends its thread.
pub struct Frames<T: Float> {
    ahead: Ahead<Converter<T>>,
    place: Place,
    held: Arc<AtomicUsize>,
    host_bytes: u64,
}

/// Where the caller is in a stream.
pub(super) struct Place {
    pub turns: Turns,
    /// The turn of the next item.
    pub next: usize,
    /// Whether there are no more items.
    pub over: bool,
}

impl Place {
    pub fn new(turns: Turns) -> Self {
        Self {
            turns,
            next: 0,
            over: false,
        }
    }

    /// Whether another frame is to come, as far as the order of frames says.
    pub fn has_next(&self) -> bool {
        !self.over && self.turns.block(self.next).is_some()
    }
}

impl<T: Float> Frames<T> {
    pub(crate) fn new(feed: Feed) -> Result<Self> {
        let conversion = feed.proxy().conversion(T::DTYPE)?;
        let turns = feed.turns().clone();
        // The first block is the largest.
        let len = match turns.block(0) {
            Some(_) => voxels(&feed.selection(0)?.shape())? as usize,
            None => 0,
        };
        let rooms = (0..turns.slots())
            .map(|_| Buffer::zeroed(len))
            .collect::<Result<Vec<_>>>()?;
        let converter = Converter {
            feed,
            conversion,
            element: PhantomData,
        };
        let host_bytes = (len * size_of::<T>() * turns.slots()) as u64 + READ_AHEAD_BYTES;
        Ok(Self {
            ahead: Ahead::start(converter, turns.clone(), rooms)?,
            place: Place::new(turns),
            held: Arc::default(),
            host_bytes,
        })
    }

    /// The next frame, if it is there already: never waits.
    pub fn try_next(&mut self) -> Poll<Option<Result<HostFrame<T>>>> {
        self.poll(Duration::ZERO)
    }

    /// Goes on with the block that has this frame; what was computed ahead is thrown away.
    ///
    /// # Errors
    /// [`ErrorKind::Index`] for a frame that the options leave out.
    pub fn seek(&mut self, frame: usize) -> Result<()> {
        let turn = self.place.turns.turn_of(frame)?;
        self.ahead.seek(turn);
        self.place.next = turn;
        self.place.over = false;
        Ok(())
    }

    /// Host memory of the stream, in bytes, whatever the length of the file: its frames, and what reading takes.
    pub fn host_bytes(&self) -> u64 {
        self.host_bytes
    }

    fn poll(&mut self, wait: Duration) -> Poll<Option<Result<HostFrame<T>>>> {
        if self.place.over {
            return Poll::Ready(None);
        }
        match self.ahead.next_event(wait) {
            Ok(Some(Event::Filled {
                block,
                task,
                room,
                last,
            })) => {
                self.place.next += usize::from(last);
                self.held.fetch_add(1, Ordering::AcqRel);
                Poll::Ready(Some(Ok(HostFrame {
                    frames: self.place.turns.frames(block).collect(),
                    shape: task.shape(),
                    buffer: Some(room),
                    rooms: self.ahead.rooms().clone(),
                    held: Arc::clone(&self.held),
                })))
            }
            Ok(Some(Event::End)) => {
                self.place.over = true;
                Poll::Ready(None)
            }
            Ok(Some(Event::Failed(error))) | Err(error) => {
                self.place.over = true;
                Poll::Ready(Some(Err(error)))
            }
            Ok(None) => Poll::Pending,
        }
    }
}

impl<T: Float> Iterator for Frames<T> {
    type Item = Result<HostFrame<T>>;

    /// Waits for the next frame. `Err(FramesHeld)` when the caller holds all of them.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Poll::Ready(item) = self.poll(Duration::ZERO) {
                return item;
            }
            let slots = self.place.turns.slots();
            if self.place.has_next() && self.held.load(Ordering::Acquire) >= slots {
                return Some(Err(ErrorKind::FramesHeld(slots).into()));
            }
            if let Poll::Ready(item) = self.poll(TICK) {
                return item;
            }
        }
    }
}

impl<T: Float> fmt::Debug for Frames<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frames<{}> at turn {}", T::DTYPE, self.place.next)
    }
}

/// A frame (or a block of frames) in host memory. Dropping it gives its buffer back to the stream.
pub struct HostFrame<T: Float> {
    frames: Vec<usize>,
    shape: Vec<usize>,
    buffer: Option<Buffer<T>>,
    rooms: Rooms<Buffer<T>>,
    held: Arc<AtomicUsize>,
}

impl<T: Float> HostFrame<T> {
    /// The number of its (first) frame in the image.
    pub fn index(&self) -> usize {
        self.frames.first().copied().unwrap_or_default()
    }

    /// The numbers of its frames in the image: one, unless the stream is in blocks.
    pub fn frames(&self) -> &[usize] {
        &self.frames
    }

    /// Voxels along each axis; a stream in blocks keeps the last axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The values, the first axis fastest: the bits of [`crate::DataobjImage::get_fdata`].
    pub fn as_slice(&self) -> &[T] {
        let len = self.shape.iter().product::<usize>();
        let all = self.buffer.as_ref().map_or(&[][..], Buffer::as_slice);
        all.get(..len).unwrap_or_default()
    }

    /// The values as an ndarray view (of Fortran layout).
    pub fn view(&self) -> ArrayViewD<'_, T> {
        ArrayViewD::from_shape(IxDyn(&self.shape).f(), self.as_slice())
            .unwrap_or_else(|_| unreachable!("the buffer was made for the largest block"))
    }
}

impl<T: Float> Drop for HostFrame<T> {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            self.rooms.give(buffer);
            self.held.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl<T: Float> fmt::Debug for HostFrame<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostFrame {:?} {:?}", self.frames, self.view())
    }
}

/// Converts blocks into buffers.
struct Converter<T> {
    feed: Feed,
    conversion: Conversion,
    element: PhantomData<T>,
}

impl<T: Float> Producer for Converter<T> {
    type Room = Buffer<T>;
    type Task = Selection;

    fn tasks(&mut self, block: usize) -> Result<Vec<Self::Task>> {
        Ok(vec![self.feed.selection(block)?])
    }

    fn fill(&mut self, task: &Self::Task, room: &mut Buffer<T>, wanted: &Wanted) -> Result<()> {
        let plan = self.feed.proxy().plan(task);
        self.feed.skip_to(&plan, wanted)?;
        let len = voxels(&task.shape())? as usize;
        let out = room.as_mut_slice()?;
        let room_for = out.len();
        let out = out
            .get_mut(..len)
            .ok_or_else(|| Error::shape(len, format_args!("at most {room_for} elements")))?;
        self.feed.proxy().fetch_into(&self.conversion, task, out)
    }

    fn end_of_pass(&mut self) -> Result<()> {
        self.feed.end_of_pass()
    }
}
