//! [`Frames`]: a stream to the host.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
#[cfg(not(target_family = "wasm"))]
use std::time::Duration;

use ndarray::{ArrayViewD, IxDyn, ShapeBuilder};

use super::frame_reader::FrameReader;
use super::order::FrameOrder;
use crate::convert::Conversion;
use crate::core::array::Buffer;
use crate::core::error::{Error, ErrorKind, Result};
use crate::core::float::Float;
#[cfg(not(target_family = "wasm"))]
use crate::core::scope;
use crate::core::shape::elements;
use crate::plan::selection::Selection;
use crate::read::ahead::{Ahead, Epoch, Event, Filled, Pool, Producer};
#[cfg(not(target_family = "wasm"))]
use crate::read::wait;
use crate::read::wait::RunOn;

/// The interval at which a blocking call checks for a frame.
#[cfg(not(target_family = "wasm"))]
const TICK: Duration = Duration::from_millis(100);

/// Frames of an image in host memory, computed ahead by a thread. Made by [`crate::DataobjImage::frames`].
///
/// An iterator of `Result<HostFrame<T>>`. The amount of memory is fixed: one buffer per slot, each with one frame (or
/// block), which is used again when its frame is dropped. If all are held, the next item is [`ErrorKind::FramesHeld`]:
/// drop one and continue. After any other error there are no more items until [`Self::seek`] is called. Frames have the
/// file's values, even if the image's array was edited. Dropping the stream ends its thread.
pub struct Frames<T: Float> {
    ahead: Ahead<Converter<T>>,
    position: Position,
    held: Arc<AtomicUsize>,
    host_bytes: u64,
}

/// The position of the caller in a stream.
pub(super) struct Position {
    pub order: FrameOrder,
    /// The turn of the next item.
    pub next: usize,
    /// Whether there are no more items.
    pub over: bool,
}

impl Position {
    pub(super) fn new(order: FrameOrder) -> Self {
        Self {
            order,
            next: 0,
            over: false,
        }
    }

    /// Whether there is another frame.
    pub(super) fn has_next(&self) -> bool {
        !self.over && self.order.block(self.next).is_some()
    }
}

impl<T: Float> Frames<T> {
    pub(crate) fn new(reader: FrameReader) -> Result<Self> {
        let conversion = reader.proxy().conversion(T::DTYPE)?;
        let order = reader.order().clone();
        let read_ahead = reader.read_ahead_bytes();
        // The first block is the largest.
        let len = match order.block(0) {
            Some(_) => elements::<T>(&reader.selection(0)?.shape())?,
            None => 0,
        };
        let memory = (0..order.slots())
            .map(|_| Buffer::zeroed(len))
            .collect::<Result<Vec<_>>>()?;
        let converter = Converter {
            reader,
            conversion,
            element: PhantomData,
        };
        let host_bytes = (len * size_of::<T>() * order.slots()) as u64 + read_ahead;
        Ok(Self {
            ahead: Ahead::start(RunOn::BACKGROUND, converter, memory)?.joined(),
            position: Position::new(order),
            held: Arc::default(),
            host_bytes,
        })
    }

    /// The next frame, if it is ready. Never waits.
    pub fn try_next(&mut self) -> Poll<Option<Result<HostFrame<T>>>> {
        self.poll_next(&Context::from_waker(Waker::noop()))
    }

    /// Continues with the block that contains this frame. Frames that were computed ahead are discarded.
    ///
    /// # Errors
    /// [`ErrorKind::Index`] if the options exclude the frame.
    pub fn seek(&mut self, frame: usize) -> Result<()> {
        let turn = self.position.order.turn_of(frame)?;
        self.ahead.seek(turn);
        self.position.next = turn;
        self.position.over = false;
        Ok(())
    }

    /// Host memory of the stream in bytes, which does not depend on the length of the file: its frames, and buffers for
    /// reading.
    pub fn host_bytes(&self) -> u64 {
        self.host_bytes
    }

    fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Option<Result<HostFrame<T>>>> {
        if self.position.over {
            return Poll::Ready(None);
        }
        match self.ahead.poll_event(cx) {
            Poll::Ready(Ok(Event::Filled(Filled {
                block,
                task,
                memory,
                last,
            }))) => {
                self.position.next += usize::from(last);
                self.held.fetch_add(1, Ordering::AcqRel);
                Poll::Ready(Some(Ok(HostFrame {
                    frames: self.position.order.frames(block).collect(),
                    shape: task.shape(),
                    buffer: Some(memory),
                    pool: self.ahead.pool().clone(),
                    held: Arc::clone(&self.held),
                })))
            }
            Poll::Ready(Ok(Event::End)) => {
                self.position.over = true;
                Poll::Ready(None)
            }
            Poll::Ready(Ok(Event::Failed(error)) | Err(error)) => {
                self.position.over = true;
                Poll::Ready(Some(Err(error)))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    /// The next item, or the error that the caller holds all frames.
    fn poll_or_held(&mut self, cx: &Context<'_>) -> Poll<Option<Result<HostFrame<T>>>> {
        let polled = self.poll_next(cx);
        let slots = self.position.order.slots();
        let all_held = self.held.load(Ordering::Acquire) >= slots;
        if polled.is_pending() && self.position.has_next() && all_held {
            return Poll::Ready(Some(Err(ErrorKind::FramesHeld(slots).into())));
        }
        polled
    }

    /// Without threads, frames are computed when they are requested, so the next one is missing only if the caller
    /// holds all of them.
    #[cfg(target_family = "wasm")]
    fn wait_for_next(&mut self) -> Option<Result<HostFrame<T>>> {
        match self.poll_or_held(&Context::from_waker(Waker::noop())) {
            Poll::Ready(item) => item,
            Poll::Pending => {
                let slots = self.position.order.slots();
                Some(Err(ErrorKind::FramesHeld(slots).into()))
            }
        }
    }

    #[cfg(not(target_family = "wasm"))]
    fn wait_for_next(&mut self) -> Option<Result<HostFrame<T>>> {
        let next = std::future::poll_fn(|cx| match scope::check() {
            Ok(()) => self.poll_or_held(cx),
            // The stream is unchanged, so the call can be repeated.
            Err(error) => Poll::Ready(Some(Err(error))),
        });
        wait::block_on(next, TICK, || {})
    }
}

impl<T: Float> Iterator for Frames<T> {
    type Item = Result<HostFrame<T>>;

    /// Waits for the next frame. `Err(FramesHeld)` if the caller holds all of them.
    fn next(&mut self) -> Option<Self::Item> {
        self.wait_for_next()
    }
}

impl<T: Float> fmt::Debug for Frames<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frames<{}> at turn {}", T::DTYPE, self.position.next)
    }
}

/// A frame (or a block of frames) in host memory. Dropping it returns its buffer to the stream.
pub struct HostFrame<T: Float> {
    frames: Vec<usize>,
    shape: Vec<usize>,
    buffer: Option<Buffer<T>>,
    pool: Pool<Buffer<T>>,
    held: Arc<AtomicUsize>,
}

impl<T: Float> HostFrame<T> {
    /// The number of its (first) frame in the image.
    pub fn index(&self) -> usize {
        self.frames.first().copied().unwrap_or_default()
    }

    /// The numbers of its frames in the image: one, unless the stream has blocks.
    pub fn frames(&self) -> &[usize] {
        &self.frames
    }

    /// Voxels along each axis. If the stream has blocks, the last axis is that of the frames.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The values, first axis fastest, with the same bits as [`crate::DataobjImage::get_fdata`].
    pub fn as_slice(&self) -> &[T] {
        let len = self.shape.iter().product::<usize>();
        let all = self.buffer.as_ref().map_or(&[][..], Buffer::as_slice);
        all.get(..len).unwrap_or_default()
    }

    /// The values as an ndarray view (in Fortran order).
    pub fn view(&self) -> ArrayViewD<'_, T> {
        ArrayViewD::from_shape(IxDyn(&self.shape).f(), self.as_slice())
            .unwrap_or_else(|_| unreachable!("the buffer was made for the largest block"))
    }
}

impl<T: Float> Drop for HostFrame<T> {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            self.pool.give(buffer);
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
    reader: FrameReader,
    conversion: Conversion,
    element: PhantomData<T>,
}

impl<T: Float> Producer for Converter<T> {
    type Memory = Buffer<T>;
    type Task = Selection;
    type Tasks = std::option::IntoIter<Selection>;

    fn begin(&mut self, turn: usize) -> Result<Option<(usize, Self::Tasks)>> {
        if self.reader.order().begins_pass(turn) {
            self.reader.finish_pass()?;
        }
        let Some(block) = self.reader.order().block(turn) else {
            return Ok(None);
        };
        let selection = self.reader.selection(block)?;
        Ok(Some((block, Some(selection).into_iter())))
    }

    fn fill(&mut self, task: &Selection, memory: &mut Buffer<T>, epoch: &Epoch) -> Result<()> {
        let plan = self.reader.proxy().plan(task);
        self.reader.skip_to(&plan, epoch)?;
        let len = elements::<T>(&task.shape())?;
        let out = memory.as_mut_slice()?;
        let max = out.len();
        let out = out
            .get_mut(..len)
            .ok_or_else(|| Error::shape(len, format_args!("at most {max} elements")))?;
        self.reader.proxy().fetch_into(&self.conversion, task, out)
    }
}
