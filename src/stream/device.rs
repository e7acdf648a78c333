//! [`FrameStream`]: a stream to a device.
//!
//! A thread reads and inflates into staging slots ([`producer`]). The caller's thread submits full slots
//! ([`transfers`]) to a placement in device memory ([`frames`]), from which frames may be copied to a texture
//! ([`texture_target`]). A frame is returned to the caller when all its slots are free again, because only that proves
//! that the device did the work.

mod frames;
mod producer;
mod texture_target;
mod transfers;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{self, Poll, Waker};

pub use frames::{Frame, StreamTarget};

use super::frame_reader::FrameReader;
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
use producer::{CachedArray, FrameProducer, Prepared};
use texture_target::TextureTarget;
use transfers::Transfers;

/// What a stream to a device returns, where it puts the frames, and how much staging memory it uses.
///
/// ```
/// use voxload::{FrameOptions, StreamOptions};
/// let options = StreamOptions::new().frames(FrameOptions::new().looping().slots(4)).timestamps();
/// # let _ = options;
/// ```
#[derive(Debug, Clone)]
#[must_use]
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

    /// Sets which frames come, in which order, and how many at a time.
    pub fn frames(mut self, frames: FrameOptions) -> Self {
        self.frames = frames;
        self
    }

    /// Sets where frames are written.
    pub fn target(mut self, target: StreamTarget) -> Self {
        self.target = target;
        self
    }

    /// Sets the staging memory. [`FrameStream::pump`] submits at least one slot at a time. One thread fills the slots.
    pub fn staging(mut self, staging: StagingOptions) -> Self {
        self.staging = staging;
        self
    }

    /// Records timestamps on the device for [`FrameStream::trace`], if the device supports them.
    pub fn timestamps(mut self) -> Self {
        self.timestamps = true;
        self
    }

    pub(crate) fn frame_options(&self) -> &FrameOptions {
        &self.frames
    }

    /// Whether the values are narrowed to texels, so that a cached array cannot be used.
    pub(crate) fn makes_texels(&self) -> bool {
        matches!(self.target, StreamTarget::Texture { .. })
    }
}

/// Frames of an image in device memory, read ahead by a thread. Prepared by [`crate::DataobjImage::stream`].
///
/// For batch work it is an iterator of `Result<Frame<T>>` that waits; [`Self::next_async`] is the asynchronous form. A
/// render loop calls [`Self::pump`] and [`Self::try_next`], which never wait. All of them may be mixed.
///
/// The amount of memory is fixed, however long the file: one frame per slot in device memory, plus the staging slots. A
/// [`Frame`] holds its memory until it is dropped. If all are held, the next item is [`ErrorKind::FramesHeld`]: drop
/// one and continue. After any other error there are no more items until [`Self::seek`] is called; after an error of
/// the device there are none at all. Dropping the stream ends its thread, after the step that it is in.
pub struct FrameStream<T: Float> {
    gpu: Gpu,
    ahead: Ahead<FrameProducer>,
    transfers: Transfers,
    placements: Placements,
    position: Position,
    /// What follows the frames that are being processed.
    ending: Option<Ending>,
    host_bytes: u64,
    tracer: Arc<Tracer>,
    element: PhantomData<T>,
}

/// Why there are no more frames.
enum Ending {
    /// All frames were returned.
    End,
    /// The source failed. A seek may still succeed.
    Source(Error),
    /// The device failed permanently. The real reason is being determined.
    Device(DeviceFuture<Error>),
    /// The device failed permanently, and the caller has got the error.
    DeviceReported,
}

impl Ending {
    fn is_device(&self) -> bool {
        matches!(self, Self::Device(_) | Self::DeviceReported)
    }
}

impl<T: Float> FrameStream<T> {
    /// `cached` has the values of the whole image on this device, if they exist. The future must be driven by the
    /// caller.
    pub(crate) async fn new(
        gpu: &Gpu,
        reader: FrameReader,
        cached: Option<DeviceArray<T>>,
        options: &StreamOptions,
    ) -> Result<Self> {
        let context = gpu.context();
        let order = reader.order().clone();
        let read_ahead = reader.read_ahead_bytes();
        let tracer = Arc::new(Tracer::default());
        let shape = match order.block(0) {
            Some(_) => reader.selection(0)?.shape(),
            None => vec![0],
        };
        let (target, slots) = (&options.target, order.slots());
        let texture = match target {
            StreamTarget::Texture { texture, texels } => {
                Some(TextureTarget::new::<T>(context, &reader, texture, *texels).await?)
            }
            _ => None,
        };
        let placements = Placements::new::<T>(gpu, target, texture, &shape, slots).await?;
        let cached = cached.as_ref().map(CachedArray::new);
        let producer =
            FrameProducer::prepare(gpu, reader, cached, T::DTYPE, &placements, options, &tracer);
        let Prepared {
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

    /// Advances the upload without waiting: checks what the device has finished, and submits full staging slots, in at
    /// most one submission. Returns the number of bytes submitted.
    ///
    /// This copies no bytes on the calling thread, because the slots are filled by the stream's thread. (Browsers have
    /// no threads: there, a call also reads what fills one slot.) At most `max_bytes` are submitted. If the next slot
    /// is larger than what is left of them, the rest is added to the allowance of the next call. Errors are returned as
    /// items. Other users' callbacks for this device may run on this thread.
    pub fn pump(&mut self, max_bytes: u64) -> u64 {
        self.poll_device();
        self.advance(&mut noop_context(), max_bytes).bytes
    }

    /// The next frame, if it is ready. Never waits, and does not use the device.
    pub fn try_next(&mut self) -> Poll<Option<Result<Frame<T>>>> {
        if !self.ahead.is_in_caller() {
            self.collect(&mut noop_context());
        }
        self.item(&mut noop_context())
    }

    /// The next frame; `None` when there are no more, `Err(FramesHeld)` if the caller holds all of them. If the future
    /// is dropped, no frame is lost. Other users' callbacks for this device may run while it is polled.
    pub async fn next_async(&mut self) -> Option<Result<Frame<T>>> {
        let context = self.gpu.context().clone();
        let next = std::future::poll_fn(|cx| self.poll_next(cx));
        context.drive(next).await
    }

    /// Continues with the block that contains this frame. Frames that were read ahead are discarded.
    ///
    /// # Errors
    /// [`ErrorKind::Index`] if the options exclude the frame; the device's error, if it has failed.
    pub fn seek(&mut self, frame: usize) -> Result<()> {
        let turn = self.position.order.turn_of(frame)?;
        if self.device_has_failed() {
            return Err(ErrorKind::DeviceLost.into());
        }
        self.restart(turn);
        Ok(())
    }

    /// The time that each stage of the stream has taken so far.
    pub fn trace(&self) -> Trace {
        self.tracer.trace()
    }

    /// Host memory of the stream in bytes, which does not depend on the length of the file: staging slots, and buffers
    /// for reading. On adapters that share the host's memory, the staging slots are device memory too.
    pub fn host_bytes(&self) -> u64 {
        self.host_bytes
    }

    /// Device memory of the stream in bytes, which does not depend on the length of the file: the frames (unless they
    /// are in a buffer of the caller), and the stored bytes that kernels read.
    pub fn device_bytes(&self) -> u64 {
        self.placements.own_bytes() + self.transfers.raw_bytes()
    }

    /// How many frames exist at a time; one in a texture.
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
        // A loss is recorded, and found when the stream advances.
        let _ = self.gpu.context().poll();
    }

    fn device_has_failed(&self) -> bool {
        self.ending.as_ref().is_some_and(Ending::is_device)
    }

    /// The next item. If it is not ready, the stream is advanced, and the task will be woken when there is more to do.
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

    /// Collects everything that has happened, then submits what is ready.
    fn advance(&mut self, cx: &mut task::Context<'_>, max_bytes: u64) -> Progress {
        let mut progress = Progress {
            is_staged: self.collect(cx),
            bytes: 0,
        };
        if self.device_has_failed() {
            return progress;
        }
        if self.transfers.source_is_modified() {
            // The cached array was modified, so the file is read instead.
            self.restart(self.position.next);
            progress.is_staged = true;
            return progress;
        }
        let in_time = self.transfers.check_timeout();
        let submit = |()| self.transfers.submit(&mut self.placements, max_bytes);
        match in_time.and_then(submit) {
            Ok(bytes) => progress.bytes = bytes,
            Err(error) => self.device_failed(error),
        }
        progress
    }

    /// Collects what the device and the producer have done. Returns whether a slot was filled. A producer that runs in
    /// the caller fills one now.
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
                // A slot that can no longer be written.
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

    /// The next item, if it is ready.
    fn item(&mut self, cx: &mut task::Context<'_>) -> Poll<Option<Result<Frame<T>>>> {
        if self.position.over {
            return Poll::Ready(None);
        }
        // Frames that were not returned yet may be wrong.
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

/// What was done by advancing a stream.
struct Progress {
    /// Whether slots were filled.
    is_staged: bool,
    /// Bytes submitted.
    bytes: u64,
}

/// A context for calls that need not wake a task.
fn noop_context() -> task::Context<'static> {
    task::Context::from_waker(Waker::noop())
}

#[cfg(not(target_family = "wasm"))]
impl<T: Float> Iterator for FrameStream<T> {
    type Item = Result<Frame<T>>;

    /// Waits for the next frame. `Err(FramesHeld)` if the caller holds all of them. Other users' callbacks for this
    /// device may run on this thread.
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
