//! [`FrameStream`]: a stream that ends on a device.
//!
//! A thread reads and inflates into staging slots ([`producer`]); the caller's thread submits full ones ([`transfers`]) for
//! a placement on the device ([`frames`]), which may be on the way to a texture ([`texture_target`]). A frame is given
//! out when the device has given all its slots back: only that proves that it did the work.

mod frames;
mod producer;
mod texture_target;
mod transfers;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{self, Poll, Waker};

pub use frames::{Frame, StreamTarget};

use super::feed::Feed;
use super::host::Position;
use super::order::FrameOptions;
use crate::core::error::{Error, ErrorKind, Result};
use crate::core::float::Float;
use crate::core::scope;
use crate::device::context::DeviceFuture;
use crate::device::engine::Engine;
use crate::device::gpu::Gpu;
use crate::device::{DeviceArray, StagingOptions, Trace};
use crate::read::ahead::{Ahead, Event};
use crate::read::trace::Tracer;
use frames::Placements;
use producer::{CachedArray, FrameProducer, Made};
use texture_target::TextureTarget;
use transfers::Transfers;

/// What a stream to a device gives, where, and with how much memory on the way.
///
/// ```
/// use voxload::{FrameOptions, StreamOptions};
/// let options = StreamOptions::new().frames(FrameOptions::new().looping().slots(4)).timestamps();
/// # let _ = options;
/// ```
#[derive(Debug, Clone)]
pub struct StreamOptions {
    frames: FrameOptions,
    target: StreamTarget,
    staging: StagingOptions,
    timestamps: bool,
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self {
            frames: FrameOptions::default(),
            target: StreamTarget::NewBuffers,
            staging: StagingOptions {
                slots: 4,
                slot_bytes: 4 << 20,
                workers: 1,
            },
            timestamps: false,
        }
    }
}

impl StreamOptions {
    /// Every frame once, in order, in three new buffers, through four staging slots of 4 MiB.
    pub fn new() -> Self {
        Self::default()
    }

    /// Which frames, in which order, and how many at a time.
    pub fn frames(mut self, frames: FrameOptions) -> Self {
        self.frames = frames;
        self
    }

    /// Where frames are put.
    pub fn target(mut self, target: StreamTarget) -> Self {
        self.target = target;
        self
    }

    /// The staging memory. A slot is the least that [`FrameStream::pump`] submits; one thread fills them.
    pub fn staging(mut self, staging: StagingOptions) -> Self {
        self.staging = staging;
        self
    }

    /// Has the device take timestamps for [`FrameStream::trace`], where it can.
    pub fn timestamps(mut self) -> Self {
        self.timestamps = true;
        self
    }

    pub(crate) fn frame_options(&self) -> &FrameOptions {
        &self.frames
    }

    /// Whether the values are narrowed on the way, so that kept ones do not serve.
    pub(crate) fn makes_texels(&self) -> bool {
        matches!(self.target, StreamTarget::Texture { .. })
    }
}

/// Frames of an image in device memory, read ahead on a thread; made by [`crate::DataobjImage::stream`].
///
/// For batch work it is an iterator of `Result<Frame<T>>` that waits; [`Self::next_async`] is awaited instead. A render
/// loop calls [`Self::pump`] and [`Self::try_next`], which never wait. All may be mixed.
///
/// Memory is fixed whatever the file's length: as many frames on the device as the options have slots, and the staging
/// slots. A [`Frame`] holds its memory until it is dropped; with all of them held, the next item is
/// [`ErrorKind::FramesHeld`]: drop one and go on. After any other error there are no more items until a
/// [`Self::seek`], and none at all when the error is the device's. Dropping the stream ends its thread: it waits for the
/// step that the thread is in.
pub struct FrameStream<T: Float> {
    gpu: Gpu,
    ahead: Ahead<FrameProducer>,
    transfers: Transfers,
    placements: Placements,
    position: Position,
    /// What comes after the frames that are under way.
    ending: Option<Ending>,
    host_bytes: u64,
    tracer: Arc<Tracer>,
    element: PhantomData<T>,
}

/// Why no more frames come.
enum Ending {
    /// There are no more.
    End,
    /// The source failed; it may be read again elsewhere.
    Source(Error),
    /// The device failed, for good, with an error that is being looked into.
    Device(DeviceFuture<Error>),
    /// The same, and the caller has the error.
    DeviceReported,
}

impl Ending {
    fn is_device(&self) -> bool {
        matches!(self, Self::Device(_) | Self::DeviceReported)
    }
}

impl<T: Float> FrameStream<T> {
    /// `cached` are the values of the whole image on this device, where there are any. For a future that is driven.
    pub(crate) async fn new(
        gpu: &Gpu,
        feed: Feed,
        cached: Option<DeviceArray<T>>,
        options: &StreamOptions,
    ) -> Result<Self> {
        let context = gpu.context();
        let order = feed.order().clone();
        let read_ahead = feed.read_ahead_bytes();
        let tracer = Arc::new(Tracer::default());
        let shape = match order.block(0) {
            Some(_) => feed.selection(0)?.shape(),
            None => vec![0],
        };
        let (target, slots) = (&options.target, order.slots());
        let texture = match target {
            StreamTarget::Texture { texture, texels } => {
                Some(TextureTarget::new::<T>(context, &feed, texture, *texels).await?)
            }
            _ => None,
        };
        let placements = Placements::new::<T>(gpu, target, texture, &shape, slots).await?;
        let cached = cached.as_ref().map(CachedArray::new);
        let producer =
            FrameProducer::prepare(gpu, feed, cached, T::DTYPE, &placements, options, &tracer);
        let Made {
            producer,
            ring,
            cached,
            converted_bytes,
        } = producer.await?;
        let host_bytes = ring.bytes() + read_ahead + converted_bytes;
        let memory = ring.memory()?;
        let timed = options.timestamps;
        let engine = Engine::new(context, ring, Some(Arc::clone(&tracer)), timed).await?;
        let texture = placements.texture().cloned();
        Ok(Self {
            gpu: gpu.clone(),
            host_bytes,
            ahead: Ahead::start(context.background(), producer, memory)?.joined(),
            transfers: Transfers::new(context, engine, cached, texture),
            placements,
            position: Position::new(order),
            ending: None,
            tracer,
            element: PhantomData,
        })
    }

    /// Brings the upload forward without ever waiting: takes note of what the device has done, and submits full
    /// staging slots, in at most one submission. Gives the bytes submitted.
    ///
    /// No bytes are copied on this thread: the slots were filled by the stream's own. (In browsers, where there is none,
    /// a call also reads what fills one slot.) At most `max_bytes` of them are submitted; what a call leaves over,
    /// because the next slot is larger, counts for the next call. Errors come as items. Callbacks of other users of the
    /// device may run on this thread.
    pub fn pump(&mut self, max_bytes: u64) -> u64 {
        self.poll_device();
        self.advance(&mut unwoken(), max_bytes).bytes
    }

    /// The next frame if it is there: never waits, and does nothing with the device.
    pub fn try_next(&mut self) -> Poll<Option<Result<Frame<T>>>> {
        if !self.ahead.is_in_caller() {
            self.collect(&mut unwoken());
        }
        self.item(&mut unwoken())
    }

    /// The next frame, awaited; `None` when there are no more. `Err(FramesHeld)` when the caller holds all of them. When
    /// the future is dropped, nothing is lost. Callbacks of other users of the device may run in its polls.
    pub async fn next_async(&mut self) -> Option<Result<Frame<T>>> {
        let context = self.gpu.context().clone();
        let next = std::future::poll_fn(|cx| self.poll_next(cx));
        context.drive(next).await
    }

    /// Goes on with the block that has this frame; what was read ahead is thrown away.
    ///
    /// # Errors
    /// [`ErrorKind::Index`] for a frame that the options leave out; the error of a device that has failed.
    pub fn seek(&mut self, frame: usize) -> Result<()> {
        let turn = self.position.order.turn_of(frame)?;
        if self.device_has_failed() {
            return Err(ErrorKind::DeviceLost.into());
        }
        self.restart(turn);
        Ok(())
    }

    /// What the stages of the stream took so far.
    pub fn trace(&self) -> Trace {
        self.tracer.trace()
    }

    /// Host memory of the stream, in bytes, whatever the length of the file: staging slots, and what reading takes. On
    /// adapters that share the host's memory a staging slot is the device's as well.
    pub fn host_bytes(&self) -> u64 {
        self.host_bytes
    }

    /// Device memory of the stream, in bytes, whatever the length of the file: places of frames (none where they are
    /// the caller's) and stored bytes that kernels read.
    pub fn device_bytes(&self) -> u64 {
        self.placements.own_bytes() + self.transfers.raw_bytes()
    }

    /// How many frames exist at a time: one in a texture.
    pub fn slots(&self) -> usize {
        self.placements.slots()
    }

    fn restart(&mut self, turn: usize) {
        self.ahead.seek(turn);
        let pool = self.ahead.pool();
        self.transfers.abandon(&mut self.placements, pool);
        self.position.next = turn;
        self.position.over = false;
        self.ending = None;
    }

    fn poll_device(&self) {
        // A loss is remembered, and found when the stream advances.
        let _ = self.gpu.context().poll();
    }

    fn device_has_failed(&self) -> bool {
        self.ending.as_ref().is_some_and(Ending::is_device)
    }

    /// The next item, or what brings it nearer; then the task is woken, at once or when there is more to do.
    fn poll_next(&mut self, cx: &mut task::Context<'_>) -> Poll<Option<Result<Frame<T>>>> {
        if let Err(error) = scope::check() {
            // The stream is as it was.
            return Poll::Ready(Some(Err(error)));
        }
        let progress = self.advance(cx, u64::MAX);
        if let Poll::Ready(item) = self.item(cx) {
            return Poll::Ready(item);
        }
        if self.position.has_next() && self.placements.all_held() {
            return Poll::Ready(Some(Err(ErrorKind::FramesHeld(self.slots()).into())));
        }
        if progress.bytes > 0 || progress.is_staged {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Takes note of everything that happened, then submits what is ready.
    fn advance(&mut self, cx: &mut task::Context<'_>, max_bytes: u64) -> Progress {
        let mut progress = Progress {
            is_staged: self.collect(cx),
            bytes: 0,
        };
        if self.device_has_failed() {
            return progress;
        }
        if self.transfers.source_was_written() {
            // The cached array is no longer as the file has it, so the file is read.
            self.restart(self.position.next);
            progress.is_staged = true;
            return progress;
        }
        let patient = self.transfers.check_patience();
        let submit = |()| self.transfers.submit(&mut self.placements, max_bytes);
        match patient.and_then(submit) {
            Ok(bytes) => progress.bytes = bytes,
            Err(error) => self.device_failed(error),
        }
        progress
    }

    /// Takes note of what the device and the producer have done; says whether a slot was filled. A producer in the caller
    /// fills one.
    fn collect(&mut self, cx: &mut task::Context<'_>) -> bool {
        let mut is_staged = false;
        if self.device_has_failed() {
            return is_staged;
        }
        self.placements.collect(cx);
        let pool = self.ahead.pool();
        if let Err(error) = self.transfers.collect(&mut self.placements, pool, cx) {
            self.device_failed(error);
            return is_staged;
        }
        while self.ending.is_none() {
            let event = match self.ahead.poll_event(cx) {
                Poll::Ready(event) => event,
                Poll::Pending => return is_staged,
            };
            match event {
                Ok(Event::Filled(filled)) => {
                    self.transfers.push(filled);
                    is_staged = true;
                    if self.ahead.is_in_caller() {
                        return is_staged;
                    }
                }
                Ok(Event::End) => self.ending = Some(Ending::End),
                // A slot that cannot be written any more.
                Ok(Event::Failed(error)) if *error.kind() == ErrorKind::DeviceLost => {
                    self.device_failed(error);
                }
                Ok(Event::Failed(error)) | Err(error) => {
                    let pool = self.ahead.pool();
                    self.transfers
                        .abandon_incomplete(&mut self.placements, pool);
                    self.ending = Some(Ending::Source(error));
                }
            }
        }
        is_staged
    }

    fn device_failed(&mut self, error: Error) {
        if !self.device_has_failed() {
            let error = self.gpu.context().diagnose(error);
            self.ending = Some(Ending::Device(error));
        }
    }

    /// The next item, if it is there.
    fn item(&mut self, cx: &mut task::Context<'_>) -> Poll<Option<Result<Frame<T>>>> {
        if self.position.over {
            return Poll::Ready(None);
        }
        // Frames that have not been given out may be wrong.
        match &mut self.ending {
            Some(Ending::Device(error)) => {
                let Poll::Ready(error) = error.as_mut().poll(cx) else {
                    return Poll::Pending;
                };
                self.ending = Some(Ending::DeviceReported);
                return Poll::Ready(Some(Err(error)));
            }
            Some(Ending::DeviceReported) => return Poll::Ready(None),
            _ => {}
        }
        if let Some(arrived) = self.transfers.arrived(&mut self.placements) {
            self.position.next += 1;
            let frames = self.position.order.frames(arrived.block).collect();
            let blocked = self.position.order.are_blocked();
            let frame = self.placements.frame(arrived, frames, blocked);
            return Poll::Ready(Some(Ok(frame)));
        }
        if self.transfers.are_under_way() {
            return Poll::Pending;
        }
        match self.ending.take() {
            None => Poll::Pending,
            Some(Ending::Source(error)) => {
                self.ending = Some(Ending::End);
                Poll::Ready(Some(Err(error)))
            }
            Some(_) => {
                self.position.over = true;
                Poll::Ready(None)
            }
        }
    }
}

/// What advancing a stream has done.
struct Progress {
    /// Whether slots were filled.
    is_staged: bool,
    /// Bytes submitted.
    bytes: u64,
}

/// For calls that wake no task.
fn unwoken() -> task::Context<'static> {
    task::Context::from_waker(Waker::noop())
}

#[cfg(not(target_family = "wasm"))]
impl<T: Float> Iterator for FrameStream<T> {
    type Item = Result<Frame<T>>;

    /// Waits for the next frame. `Err(FramesHeld)` when the caller holds all of them. Callbacks of other users of the
    /// device may run on this thread meanwhile.
    fn next(&mut self) -> Option<Self::Item> {
        self.poll_device();
        let context = self.gpu.context().clone();
        context.block_on(std::future::poll_fn(|cx| self.poll_next(cx)))
    }
}

impl<T: Float> fmt::Debug for FrameStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "FrameStream<{}> at turn {}",
            T::DTYPE,
            self.position.next
        )
    }
}
