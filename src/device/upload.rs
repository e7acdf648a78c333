//! The way up: a ring of mapped staging slots that worker threads fill while earlier ones are on the device.
//!
//! One slot is one small submission. A slot comes back when it is mapped again, which is also the only proof that the
//! device did the work: a lost one "completes" everything else.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

pub(crate) use super::slot::{Slot, Writer};

use super::timer::Timer;
use super::{Gpu, PATIENCE, TICK};
use crate::error::{Error, ErrorKind, Result};
use crate::read::trace::Tracer;

/// How much host memory an upload may use, and how many threads. A stream that is inflated as it comes is filled by one
/// thread, and in the same memory takes up to eight slots of at most 1 MiB, so that the device begins early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagingOptions {
    /// Slots of the ring; at least 1.
    pub slots: usize,
    /// Bytes of a slot, at least 4096; fewer where the device's limits or the volume are smaller.
    pub slot_bytes: u64,
    /// Threads that fill slots; never more than there are slots.
    pub workers: usize,
}

impl Default for StagingOptions {
    /// Four slots of 16 MiB, a thread for each processor up to four.
    fn default() -> Self {
        Self {
            slots: 4,
            slot_bytes: 16 << 20,
            workers: thread::available_parallelism().map_or(1, |n| n.get().min(4)),
        }
    }
}

/// What slots are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be copied from.
    Copy,
    /// To be read by a kernel.
    Bind,
}

/// The slots of an upload.
pub(crate) struct Ring {
    slots: Vec<Slot>,
    slot_bytes: u64,
    purpose: Purpose,
}

/// Rings that have done their work, one for each purpose: making one costs more than filling it.
#[derive(Default)]
pub(crate) struct SpareRings(Mutex<Vec<Ring>>);

impl SpareRings {
    /// A spare ring with so much room, if there is one.
    fn take(&self, purpose: Purpose, slot_bytes: u64, count: usize) -> Option<Ring> {
        let mut rings = locked(&self.0);
        let fits = |ring: &Ring| {
            ring.purpose == purpose && ring.slot_bytes >= slot_bytes && ring.slots.len() >= count
        };
        let found = rings.iter().position(fits)?;
        Some(rings.swap_remove(found))
    }

    /// Keeps a ring whose slots are all mapped, unless there is a larger one.
    fn keep(&self, ring: Ring) {
        let mut rings = locked(&self.0);
        match rings.iter_mut().find(|kept| kept.purpose == ring.purpose) {
            Some(kept) if kept.bytes() >= ring.bytes() => {}
            Some(kept) => *kept = ring,
            None => rings.push(ring),
        }
    }

    /// Gives their memory back.
    pub fn clear(&self) {
        locked(&self.0).clear();
    }
}

/// The size of a slot for this many bytes in all: what the options say, unless limits or the upload are smaller.
pub(crate) fn slot_bytes(gpu: &Gpu, purpose: Purpose, options: &StagingOptions, bytes: u64) -> u64 {
    let limits = gpu.limits();
    let allowed = match purpose {
        Purpose::Copy => limits.max_buffer_size,
        Purpose::Bind => limits
            .max_buffer_size
            .min(limits.max_storage_buffer_binding_size),
    };
    let wanted = bytes.saturating_add(3) & !3;
    // Whole words; and positions in a slot are u32 in the kernels.
    options
        .slot_bytes
        .min(wanted)
        .min(allowed)
        .clamp(4, 1 << 31)
        & !3
}

impl Ring {
    /// Slots of at least `slot_bytes`, as many as an upload of `bytes` has a use for; kept from an earlier upload
    /// where possible.
    ///
    /// # Errors
    /// [`ErrorKind::GpuOutOfMemory`], [`ErrorKind::DeviceLost`].
    pub fn take(
        gpu: &Gpu,
        purpose: Purpose,
        options: &StagingOptions,
        slot_bytes: u64,
        bytes: u64,
    ) -> Result<Self> {
        let useful = usize::try_from(bytes.div_ceil(slot_bytes)).unwrap_or(usize::MAX);
        let count = options.slots.min(useful).max(1);
        match gpu.spare_rings().take(purpose, slot_bytes, count) {
            Some(ring) => Ok(ring),
            None => Self::new(gpu, purpose, slot_bytes, count),
        }
    }

    /// # Errors
    /// As [`Self::take`].
    pub fn new(gpu: &Gpu, purpose: Purpose, slot_bytes: u64, count: usize) -> Result<Self> {
        let direct = purpose == Purpose::Bind && gpu.maps_primary();
        let mut staging = wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC;
        if direct {
            staging |= wgpu::BufferUsages::STORAGE;
        }
        let raw = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST;
        let slot = || {
            Ok(Slot {
                staging: gpu.buffer("voxload staging", slot_bytes, staging, true)?,
                raw: match purpose {
                    Purpose::Bind if !direct => {
                        Some(gpu.buffer("voxload stored bytes", slot_bytes, raw, false)?)
                    }
                    _ => None,
                },
            })
        };
        Ok(Self {
            slots: (0..count).map(|_| slot()).collect::<Result<_>>()?,
            slot_bytes,
            purpose,
        })
    }

    /// Mapped memory of all slots.
    pub fn bytes(&self) -> u64 {
        self.slot_bytes * self.slots.len() as u64
    }

    /// Memory beside it that kernels read from, where they cannot read the mapped one.
    pub fn raw_bytes(&self) -> u64 {
        let raw = self.slots.iter().filter_map(|slot| slot.raw.as_ref());
        raw.map(wgpu::Buffer::size).sum()
    }

    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Does all tasks, each in a slot: `fill` writes it on a worker thread, `record` says on this one what the device
    /// does with it. Tasks are begun in their order, by at most `workers` threads. Returns when the device has done
    /// the last of them; the ring is then kept for the next upload. Submissions are told to `tracer`, and timed on
    /// the device where it can.
    ///
    /// # Errors
    /// The first error of `fill` or `record`, [`ErrorKind::DeviceLost`], [`ErrorKind::Gpu`] when the device does not
    /// finish its work within a minute.
    pub fn run<T: Send + 'static>(
        self,
        gpu: &Gpu,
        workers: usize,
        tasks: impl Iterator<Item = T> + Send,
        fill: impl Fn(&T, &mut Writer) -> Result<()> + Sync,
        mut record: impl FnMut(&T, &Slot, u64, &mut wgpu::CommandEncoder),
        tracer: Option<&Arc<Tracer>>,
    ) -> Result<()> {
        let timer = match tracer {
            Some(tracer) => Timer::new(gpu, self.slots.len(), tracer)?,
            None => None,
        };
        let (events, inbox) = mpsc::channel();
        let (free, free_slots) = mpsc::channel();
        for index in 0..self.slots.len() {
            // The receiver is alive: it is ours.
            let _ = free.send(index);
        }
        let work = Work {
            tasks: Mutex::new(tasks),
            free_slots: Mutex::new(free_slots),
            fill,
        };
        let workers = workers.clamp(1, self.slots.len());
        thread::scope(|scope| {
            for _ in 0..workers {
                let last_words = LastWords(events.clone());
                let (ring, work) = (&self, &work);
                scope.spawn(move || ring.work(work, &last_words.0));
            }
            let submit = |slot: usize, task: T, used: u64| {
                let mut send = || {
                    self.submit(gpu, slot, used, events.clone(), timer.as_ref(), |encoder| {
                        record(&task, &self.slots[slot], used, encoder);
                    })
                };
                match tracer {
                    Some(tracer) => tracer.submission(used, send),
                    None => send(),
                }
            };
            // Dropping `free`, on success or not, lets the workers go.
            supervise(gpu, &inbox, free, workers, submit)
        })?;
        gpu.spare_rings().keep(self);
        Ok(())
    }

    /// Fills slots until there are no more tasks, or nobody wants them.
    fn work<T, I: Iterator<Item = T>, F: Fn(&T, &mut Writer) -> Result<()>>(
        &self,
        work: &Work<I, F>,
        events: &Sender<Event<T>>,
    ) {
        loop {
            // A slot first: tasks are then begun in their order, and none waits for memory.
            let Ok(slot) = locked(&work.free_slots).recv() else {
                return;
            };
            let Some(task) = locked(&work.tasks).next() else {
                return;
            };
            let event = match self.fill(slot, &task, &work.fill) {
                Ok(used) => Event::Filled { slot, task, used },
                Err(error) => Event::Failed(error),
            };
            if events.send(event).is_err() {
                return;
            }
        }
    }

    /// Has `fill` write a slot that is mapped; gives the bytes written, in whole words.
    pub fn fill<T>(
        &self,
        slot: usize,
        task: &T,
        fill: impl Fn(&T, &mut Writer) -> Result<()>,
    ) -> Result<u64> {
        // The buffer was mapped; that it is no more can only mean that the device is gone.
        let view = self.slots[slot].staging.get_mapped_range_mut(..);
        let mut writer = Writer {
            view: view.map_err(|_| ErrorKind::DeviceLost)?,
            used: 0,
        };
        fill(task, &mut writer)?;
        Ok((writer.used as u64).next_multiple_of(4))
    }

    /// Sends a filled slot to the device, and has it come back as an event.
    fn submit<T: Send + 'static>(
        &self,
        gpu: &Gpu,
        slot: usize,
        used: u64,
        events: Sender<Event<T>>,
        timer: Option<&Timer>,
        record: impl FnOnce(&mut wgpu::CommandEncoder),
    ) -> Result<()> {
        let staging = &self.slots[slot].staging;
        gpu.guarded(used, || {
            staging.unmap();
            let mut encoder = gpu.device().create_command_encoder(&Default::default());
            let timer = match timer {
                Some(timer) => timer.around(slot, &mut encoder, record).then_some(timer),
                None => {
                    record(&mut encoder);
                    None
                }
            };
            gpu.queue().submit([encoder.finish()]);
            if let Some(timer) = timer {
                timer.read(slot);
            }
        })?;
        // Outside of the scopes above, since the callback may come at once and ends with the error anyway.
        gpu.guarded(used, || {
            staging.map_async(wgpu::MapMode::Write, .., move |result| {
                let mapped = result.is_ok();
                // Nobody listens any more when the upload has failed otherwise.
                let _ = events.send(Event::Back { slot, mapped });
            });
        })
    }
}

/// Brings filled slots to the device and empty ones to the workers, until all is done.
fn supervise<T>(
    gpu: &Gpu,
    inbox: &Receiver<Event<T>>,
    free: Sender<usize>,
    mut working: usize,
    mut submit: impl FnMut(usize, T, u64) -> Result<()>,
) -> Result<()> {
    let mut on_device = 0;
    let mut last_sign = Instant::now();
    while working > 0 || on_device > 0 {
        match inbox.recv_timeout(TICK) {
            Ok(Event::Filled { slot, task, used }) => {
                submit(slot, task, used)?;
                on_device += 1;
                last_sign = Instant::now();
            }
            Ok(Event::Back { slot, mapped: true }) => {
                last_sign = Instant::now();
                on_device -= 1;
                // No worker takes it when all tasks are done.
                let _ = free.send(slot);
            }
            Ok(Event::Back { mapped: false, .. }) => {
                return Err(ErrorKind::DeviceLost.into());
            }
            Ok(Event::Failed(error)) => return Err(error),
            Ok(Event::Finished) => working -= 1,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        gpu.poll()?;
        if on_device > 0 && last_sign.elapsed() > PATIENCE {
            return Err(ErrorKind::Gpu("no answer within a minute".to_owned()).into());
        }
    }
    Ok(())
}

/// What the workers share.
struct Work<I, F> {
    tasks: Mutex<I>,
    free_slots: Mutex<Receiver<usize>>,
    fill: F,
}

enum Event<T> {
    /// A worker has filled a slot.
    Filled { slot: usize, task: T, used: u64 },
    /// The device has done with a slot, or is lost.
    Back { slot: usize, mapped: bool },
    /// A worker could not fill a slot.
    Failed(Error),
    /// A worker has gone.
    Finished,
}

/// Says that a worker has gone, even when it goes by a panic, so that nobody waits for it.
struct LastWords<T>(Sender<Event<T>>);

impl<T> Drop for LastWords<T> {
    fn drop(&mut self) {
        let _ = self.0.send(Event::Finished);
    }
}

/// The inside of a mutex, also after another worker's panic: the scope will pass that on.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Copies `bytes` to the start of a buffer of at least that size in whole words.
///
/// # Errors
/// Those of [`Ring::run`].
pub(crate) fn copy_bytes(
    gpu: &Gpu,
    bytes: &[u8],
    target: &wgpu::Buffer,
    options: &StagingOptions,
) -> Result<()> {
    if bytes.is_empty() {
        return gpu.check_lost();
    }
    let total = bytes.len() as u64;
    let slot_bytes = slot_bytes(gpu, Purpose::Copy, options, total);
    let ring = Ring::take(gpu, Purpose::Copy, options, slot_bytes, total)?;
    let chunk = slot_bytes as usize;
    let starts = (0..bytes.len()).step_by(chunk);
    ring.run(
        gpu,
        options.workers,
        starts,
        |&start, writer| {
            let piece = &bytes[start..bytes.len().min(start + chunk)];
            writer.push(piece)?;
            // Copies are of whole words: the padding is zero.
            writer.push(&[0; 3][..piece.len().next_multiple_of(4) - piece.len()])
        },
        |&start, slot, used, encoder| {
            encoder.copy_buffer_to_buffer(slot.staging(), 0, target, start as u64, used);
        },
        None,
    )
}
