//! [`FrameStream`]: a stream that ends on a device.
//!
//! A thread reads and inflates into mapped staging slots ([`stager`]); the caller's thread submits full ones
//! ([`uploads`]) for a place on the device ([`places`]), which may be on the way to a texture ([`outlet`]). A frame is given out when the slots of all its packets were
//! mapped again: only that proves that the device did the work.

mod converted;
mod frame;
mod outlet;
mod places;
mod stager;
mod uploads;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

pub use frame::Frame;
pub use places::StreamTarget;

use super::ahead::{Ahead, Event};
use super::feed::{Feed, READ_AHEAD_BYTES};
use super::host::Place;
use super::turns::FrameOptions;
use crate::device::{DeviceArray, Gpu, StagingOptions, TICK, Trace};
use crate::error::{Error, ErrorKind, Result};
use crate::float::Float;
use crate::read::trace::Tracer;
use outlet::Outlet;
use places::Places;
use stager::{Kept, Stager};
use uploads::{Complaint, Staged, Uploads};

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
/// For batch work it is an iterator of `Result<Frame<T>>` that waits. A render loop calls [`Self::pump`] and
/// [`Self::try_next`], which never wait. Both may be mixed.
///
/// Memory is fixed whatever the file's length: as many places for frames on the device as the options have slots, and
/// the staging slots. A [`Frame`] holds its place until it is dropped; with all of them held, the next item is
/// [`ErrorKind::FramesHeld`]: drop one and go on. After any other error there are no more items until a
/// [`Self::seek`], and none at all when the error is the device's. Dropping the stream ends its thread.
pub struct FrameStream<T: Float> {
    gpu: Gpu,
    ahead: Ahead<Stager>,
    uploads: Uploads,
    places: Places,
    place: Place,
    /// What comes behind the frames that are under way.
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
    /// The device failed: for good. Told to the caller already when there is no error.
    Device(Option<Complaint>),
}

impl<T: Float> FrameStream<T> {
    /// `kept` are the values of the whole image on this device, where there are any.
    pub(crate) fn new(
        gpu: &Gpu,
        feed: Feed,
        kept: Option<DeviceArray<T>>,
        options: &StreamOptions,
    ) -> Result<Self> {
        let turns = feed.turns().clone();
        let tracer = Arc::new(Tracer::default());
        let shape = match turns.block(0) {
            Some(_) => feed.selection(0)?.shape(),
            None => vec![0],
        };
        let outlet = Outlet::new::<T>(gpu, &feed, &options.target)?;
        let places = Places::new::<T>(gpu, &options.target, outlet, &shape, turns.slots())?;
        let kept = kept.as_ref().map(Kept::new);
        let stager = Stager::new(gpu, feed, kept, T::DTYPE, &places, options, &tracer)?;
        let ring = Arc::clone(stager.ring());
        let (kept, outlet) = (stager.kept(), places.outlet());
        let uploads = Uploads::new(gpu, &ring, kept, outlet, options.timestamps, &tracer)?;
        Ok(Self {
            gpu: gpu.clone(),
            host_bytes: ring.bytes() + READ_AHEAD_BYTES + stager.converted_bytes(),
            ahead: Ahead::start(stager, turns.clone(), uploads.rooms())?,
            uploads,
            places,
            place: Place::new(turns),
            ending: None,
            tracer,
            element: PhantomData,
        })
    }

    /// Brings the upload forward without ever waiting: takes note of what the device has done, and submits full
    /// staging slots, in at most one submission. Gives the bytes submitted.
    ///
    /// No bytes are copied on this thread: the slots were filled by the stream's own. At most `max_bytes` of them are
    /// submitted; what a call leaves over, because the next slot is larger, counts for the next call. Errors come as
    /// items. Callbacks of other users of the device may run on this thread.
    pub fn pump(&mut self, max_bytes: u64) -> u64 {
        self.advance(max_bytes, Duration::ZERO)
    }

    /// The next frame if it is there: never waits, and does nothing with the device.
    pub fn try_next(&mut self) -> Poll<Option<Result<Frame<T>>>> {
        self.collect(Duration::ZERO);
        self.item()
    }

    /// Goes on with the block that has this frame; what was read ahead is thrown away.
    ///
    /// # Errors
    /// [`ErrorKind::Index`] for a frame that the options leave out; the error of a device that has failed.
    pub fn seek(&mut self, frame: usize) -> Result<()> {
        let turn = self.place.turns.turn_of(frame)?;
        if let Some(Ending::Device(_)) = self.ending {
            return Err(ErrorKind::DeviceLost.into());
        }
        self.restart(turn);
        Ok(())
    }

    /// What the stages of the stream took so far.
    pub fn trace(&self) -> Trace {
        self.tracer.trace()
    }

    /// Host memory of the stream, in bytes, whatever the length of the file: mapped staging slots, and what reading
    /// takes. On adapters that share the host's memory a staging slot is the device's as well.
    pub fn host_bytes(&self) -> u64 {
        self.host_bytes
    }

    /// Device memory of the stream, in bytes, whatever the length of the file: places of frames (none where they are
    /// the caller's) and stored bytes that kernels read.
    pub fn device_bytes(&self) -> u64 {
        self.places.own_bytes() + self.uploads.raw_bytes()
    }

    /// How many frames exist at a time: one in a texture.
    pub fn slots(&self) -> usize {
        self.places.slots()
    }

    fn restart(&mut self, turn: usize) {
        self.ahead.seek(turn);
        self.uploads.abandon(&mut self.places, self.ahead.rooms());
        self.place.next = turn;
        self.place.over = false;
        self.ending = None;
    }

    /// Takes note of everything that happened, waiting up to `wait` for the thread when there is nothing; then
    /// submits what is ready. Gives the bytes submitted.
    fn advance(&mut self, max_bytes: u64, wait: Duration) -> u64 {
        if let Err(error) = self.gpu.poll() {
            self.device_failed(error);
        }
        self.collect(wait);
        if matches!(self.ending, Some(Ending::Device(_))) {
            return 0;
        }
        if self.uploads.source_was_written() {
            // The kept array is no longer as the file has it, so the file is read.
            self.restart(self.place.next);
            return 0;
        }
        let patient = self.uploads.check_patience();
        match patient.and_then(|()| self.uploads.submit(&mut self.places, max_bytes)) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.device_failed(error);
                0
            }
        }
    }

    /// Takes note of what the thread and the device have done.
    fn collect(&mut self, mut wait: Duration) {
        if matches!(self.ending, Some(Ending::Device(_))) {
            return;
        }
        self.places.collect();
        if let Err(error) = self.uploads.collect(&mut self.places, self.ahead.rooms()) {
            return self.device_failed(error);
        }
        while self.ending.is_none() {
            match self.ahead.next_event(wait) {
                Ok(Some(Event::Filled {
                    block,
                    task,
                    room,
                    last,
                })) => {
                    self.uploads.push(Staged {
                        block,
                        task,
                        room,
                        last,
                    });
                    wait = Duration::ZERO;
                }
                Ok(Some(Event::End)) => self.ending = Some(Ending::End),
                // A slot that cannot be written any more.
                Ok(Some(Event::Failed(error))) if *error.kind() == ErrorKind::DeviceLost => {
                    return self.device_failed(error);
                }
                Ok(Some(Event::Failed(error))) | Err(error) => {
                    self.uploads
                        .forsake_incomplete(&mut self.places, self.ahead.rooms());
                    self.ending = Some(Ending::Source(error));
                }
                Ok(None) => return,
            }
        }
    }

    fn device_failed(&mut self, error: Error) {
        if !matches!(self.ending, Some(Ending::Device(_))) {
            self.ending = Some(Ending::Device(Some(self.uploads.complaint(error))));
        }
    }

    /// The next item, if it is there.
    fn item(&mut self) -> Poll<Option<Result<Frame<T>>>> {
        if self.place.over {
            return Poll::Ready(None);
        }
        if let Some(Ending::Device(complaint)) = &mut self.ending {
            // Frames that have not been given out may be wrong.
            let Some(complaint) = complaint else {
                return Poll::Ready(None);
            };
            let Some(error) = complaint.settle() else {
                return Poll::Pending;
            };
            self.ending = Some(Ending::Device(None));
            return Poll::Ready(Some(Err(error)));
        }
        if let Some(arrived) = self.uploads.arrived(&mut self.places) {
            self.place.next += 1;
            let frames = self.place.turns.frames(arrived.block).collect();
            let blocked = self.place.turns.are_blocked();
            let frame = self.places.frame(arrived, frames, blocked);
            return Poll::Ready(Some(Ok(frame)));
        }
        if self.uploads.are_under_way() {
            return Poll::Pending;
        }
        match self.ending.take() {
            None => Poll::Pending,
            Some(Ending::Source(error)) => {
                self.ending = Some(Ending::End);
                Poll::Ready(Some(Err(error)))
            }
            Some(_) => {
                self.place.over = true;
                Poll::Ready(None)
            }
        }
    }
}

impl<T: Float> Iterator for FrameStream<T> {
    type Item = Result<Frame<T>>;

    /// Waits for the next frame. `Err(FramesHeld)` when the caller holds all of them. Callbacks of other users of the
    /// device may run on this thread meanwhile.
    fn next(&mut self) -> Option<Self::Item> {
        let mut wait = Duration::ZERO;
        loop {
            let submitted = self.advance(u64::MAX, wait);
            if let Poll::Ready(item) = self.item() {
                return item;
            }
            if self.place.has_next() && self.places.all_held() {
                return Some(Err(ErrorKind::FramesHeld(self.slots()).into()));
            }
            wait = if submitted > 0 { Duration::ZERO } else { TICK };
        }
    }
}

impl<T: Float> fmt::Debug for FrameStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FrameStream<{}> at turn {}", T::DTYPE, self.place.next)
    }
}
