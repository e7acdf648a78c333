//! The engine of every upload: it submits filled slots, returns them when the device has finished, and finds errors. It
//! is polled and never waits. Three drivers use it: blocking calls ([`Context::block_on`]), futures
//! ([`Context::drive`]), and `pump` of streams.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{self, Poll};

use web_time::Instant;

use super::context::{Context, Scope, TIMEOUT, outcome, timed_out};
use super::staging::{BusyRing, Ring, Slot, SlotMemory, SpareRings};
use super::timer::Timer;
use crate::core::error::{ErrorKind, Result};
use crate::core::scope;
use crate::read::ahead::{Ahead, Event, Filled, Producer};
use crate::read::trace::Tracer;
use crate::read::wait::{Mailbox, MaybeSend};

/// Submits work to the device and tracks its completion. A key of type `K` is attached to each piece of work.
pub(crate) struct Engine<K> {
    context: Context,
    ring: Ring,
    timer: Option<Timer>,
    tracer: Option<Arc<Tracer>>,
    completed: Arc<Mailbox<Completed<K>>>,
    /// Number of pieces of work that the device has not finished.
    on_device: usize,
    /// Error scopes of earlier calls whose results are not known yet.
    scopes: Vec<Scope>,
    last_sign: Instant,
}

/// A piece of work that the device has finished or lost.
pub(crate) struct Completed<K> {
    pub key: K,
    /// The slot's memory, to be filled again.
    pub memory: Option<SlotMemory>,
    /// The word that was requested, if any.
    pub word: Option<u32>,
    is_mapped: bool,
}

impl<K: MaybeSend + 'static> Engine<K> {
    /// If `timed` is set and the device supports it, timestamps are recorded for the tracer.
    ///
    /// # Errors
    /// As [`Timer::new`].
    pub(crate) async fn new(
        context: &Context,
        ring: Ring,
        tracer: Option<Arc<Tracer>>,
        timed: bool,
    ) -> Result<Self> {
        let timer = match &tracer {
            Some(tracer) if timed => Timer::new(context, ring.slots().len(), tracer).await?,
            _ => None,
        };
        Ok(Self {
            context: context.clone(),
            ring,
            timer,
            tracer,
            completed: Arc::default(),
            on_device: 0,
            scopes: Vec::new(),
            last_sign: Instant::now(),
        })
    }

    pub(crate) fn ring(&self) -> &Ring {
        &self.ring
    }

    /// Submits the commands that `record` records, which use `bytes` staged bytes.
    ///
    /// # Errors
    /// Errors of the device that are known at once; errors of `record`.
    pub(crate) fn submit(
        &mut self,
        bytes: u64,
        record: impl FnOnce(&mut Recorder<'_, K>) -> Result<()>,
    ) -> Result<()> {
        let (context, tracer) = (self.context.clone(), self.tracer.clone());
        let send = || {
            context.scope(bytes, || {
                let encoder = context.device().create_command_encoder(&Default::default());
                let mut recorder = Recorder {
                    engine: self,
                    encoder,
                    proofs: Vec::new(),
                };
                record(&mut recorder)?;
                let Recorder {
                    encoder, proofs, ..
                } = recorder;
                context.queue().submit([encoder.finish()]);
                self.on_device += proofs.len();
                for proof in proofs {
                    self.ask(proof);
                }
                Ok(())
            })
        };
        let (recorded, scope) = match tracer {
            Some(tracer) => tracer.submission(bytes, send),
            None => send(),
        };
        self.last_sign = Instant::now();
        self.watch(scope)?;
        recorded
    }

    /// Requests the map that proves that a piece of work is finished.
    fn ask(&self, proof: Proof<K>) {
        let Proof {
            buffer,
            mode,
            mut completed,
            has_word,
            timed,
        } = proof;
        if let (Some(slot), Some(timer)) = (timed, &self.timer) {
            timer.read(slot);
        }
        let mailbox = Arc::clone(&self.completed);
        let Some(buffer) = buffer else {
            // There was no work.
            completed.is_mapped = true;
            return mailbox.put(completed);
        };
        let with_word = has_word.then(|| buffer.clone());
        buffer.map_async(mode, .., move |result| {
            completed.is_mapped = result.is_ok();
            if let Some(buffer) = with_word.filter(|_| completed.is_mapped) {
                completed.word = word(&buffer);
                completed.is_mapped = completed.word.is_some();
            }
            mailbox.put(completed);
        });
    }

    /// Checks the result of a scope now, and then at each poll of the engine.
    ///
    /// # Errors
    /// The scope's error.
    pub(crate) fn watch(&mut self, scope: Scope) -> Result<()> {
        self.scopes.push(scope);
        self.check_scopes(&mut task::Context::from_waker(task::Waker::noop()))
    }

    fn check_scopes(&mut self, cx: &mut task::Context<'_>) -> Result<()> {
        let mut result = Ok(());
        self.scopes.retain_mut(|scope| match outcome(scope, cx) {
            Some(outcome) => {
                if result.is_ok() {
                    result = outcome;
                }
                false
            }
            None => true,
        });
        result
    }

    /// The next piece of work that the device has finished.
    ///
    /// # Errors
    /// [`ErrorKind::DeviceLost`]; errors of earlier submissions.
    pub(crate) fn poll_completed(
        &mut self,
        cx: &mut task::Context<'_>,
    ) -> Poll<Result<Completed<K>>> {
        self.check_scopes(cx)?;
        self.context.check_lost()?;
        match self.completed.poll_take(cx) {
            Poll::Ready(Some(completed)) if completed.is_mapped => {
                self.last_sign = Instant::now();
                self.on_device -= 1;
                Poll::Ready(Ok(completed))
            }
            Poll::Ready(_) => Poll::Ready(Err(ErrorKind::DeviceLost.into())),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Whether the device has finished everything without errors.
    pub(crate) fn is_idle(&self) -> bool {
        self.on_device == 0 && self.scopes.is_empty()
    }

    /// An error if the device has had work for a minute without finishing any. To be called when
    /// [`Self::poll_completed`] has nothing more to return.
    ///
    /// # Errors
    /// [`ErrorKind::Gpu`], [`ErrorKind::DeviceLost`].
    pub(crate) fn check_timeout(&mut self) -> Result<()> {
        if self.on_device > 0 && self.last_sign.elapsed() > TIMEOUT {
            // If this process was stopped or the caller was busy for a long time, the answer may only need a poll.
            self.context.poll()?;
            if self.completed.is_empty() {
                return Err(timed_out());
            }
            self.last_sign = Instant::now();
        }
        Ok(())
    }
}

/// A ring with slots that the device has not finished.
struct Busy<K> {
    ring: Option<Ring>,
    completed: Arc<Mailbox<Completed<K>>>,
    on_device: usize,
}

impl<K: MaybeSend + 'static> Engine<K> {
    /// What is left of an engine that submits nothing more.
    fn into_busy(self) -> Box<dyn BusyRing> {
        Box::new(Busy {
            ring: Some(self.ring),
            completed: self.completed,
            on_device: self.on_device,
        })
    }
}

impl<K: MaybeSend> BusyRing for Busy<K> {
    fn poll(&mut self) -> Poll<Option<Ring>> {
        while let Some(completed) = self.completed.try_take() {
            if !completed.is_mapped {
                return Poll::Ready(None);
            }
            self.on_device -= 1;
        }
        match self.on_device {
            0 => Poll::Ready(self.ring.take()),
            _ => Poll::Pending,
        }
    }
}

/// The word in a mapped buffer.
fn word(buffer: &wgpu::Buffer) -> Option<u32> {
    let view = buffer.get_mapped_range(..).ok()?;
    Some(u32::from_le_bytes(view.get(..4)?.try_into().ok()?))
}

/// Records the work of one submission.
pub(crate) struct Recorder<'a, K> {
    engine: &'a Engine<K>,
    encoder: wgpu::CommandEncoder,
    proofs: Vec<Proof<K>>,
}

/// A map that proves that a piece of work is finished.
struct Proof<K> {
    buffer: Option<wgpu::Buffer>,
    mode: wgpu::MapMode,
    completed: Completed<K>,
    has_word: bool,
    /// The slot whose timestamps are to be read.
    timed: Option<usize>,
}

impl<K> Recorder<'_, K> {
    /// Records the work on a filled slot.
    ///
    /// # Errors
    /// Errors of `work`.
    pub(crate) fn slot(
        &mut self,
        memory: SlotMemory,
        key: K,
        work: impl FnOnce(&Slot, u64, &mut wgpu::CommandEncoder) -> Result<()>,
    ) -> Result<()> {
        let engine = self.engine;
        let Some(slot) = engine.ring.slots().get(memory.slot) else {
            return Ok(());
        };
        slot.send(&memory, &engine.context);
        let used = memory.used;
        let timed = self.timed(memory.slot, |encoder| work(slot, used, encoder))?;
        if slot.is_written() {
            slot.record_probe(slot.bytes()?, &mut self.encoder);
        }
        self.prove(slot.proof(), Some(memory), key, timed);
        Ok(())
    }

    /// Records work on the device that includes a copy from the buffer `from`; no work if it is `None`. The slot's
    /// memory is not changed.
    ///
    /// # Errors
    /// Errors of `work`.
    pub(crate) fn copies(
        &mut self,
        memory: SlotMemory,
        key: K,
        from: Option<&wgpu::Buffer>,
        work: impl FnOnce(&mut wgpu::CommandEncoder) -> Result<()>,
    ) -> Result<()> {
        let engine = self.engine;
        let slot = engine.ring.slots().get(memory.slot);
        let Some((slot, from)) = slot.zip(from) else {
            self.prove(None, Some(memory), key, None);
            return Ok(());
        };
        let timed = self.timed(memory.slot, work)?;
        slot.record_probe(from, &mut self.encoder);
        self.prove(slot.probe_proof(), Some(memory), key, timed);
        Ok(())
    }

    /// Requests the word in a probe, to which something was copied.
    pub(crate) fn word(&mut self, probe: &wgpu::Buffer, key: K) {
        self.prove(Some((probe, wgpu::MapMode::Read)), None, key, None);
        if let Some(proof) = self.proofs.last_mut() {
            proof.has_word = true;
        }
    }

    fn timed(
        &mut self,
        slot: usize,
        work: impl FnOnce(&mut wgpu::CommandEncoder) -> Result<()>,
    ) -> Result<Option<usize>> {
        match &self.engine.timer {
            Some(timer) => {
                let mut recorded = Ok(());
                let record = |encoder: &mut wgpu::CommandEncoder| recorded = work(encoder);
                let timed = timer.around(slot, &mut self.encoder, record);
                recorded.map(|()| timed.then_some(slot))
            }
            None => work(&mut self.encoder).map(|()| None),
        }
    }

    fn prove(
        &mut self,
        proof: Option<(&wgpu::Buffer, wgpu::MapMode)>,
        memory: Option<SlotMemory>,
        key: K,
        timed: Option<usize>,
    ) {
        self.proofs.push(Proof {
            buffer: proof.map(|(buffer, _)| buffer.clone()),
            mode: proof.map_or(wgpu::MapMode::Read, |(_, mode)| mode),
            completed: Completed {
                key,
                memory,
                word: None,
                is_mapped: false,
            },
            has_word: false,
            timed,
        });
    }
}

/// A part of a block whose bytes are in a slot.
pub(crate) struct Part<'a, T> {
    pub block: usize,
    pub task: &'a T,
    /// Whether it is the last part of its block.
    pub is_last: bool,
}

/// Uploads everything that a producer has. Each filled slot is one submission, in which `record` records the work on
/// the slot. Returns when the device has finished the last one. The ring is then kept for the next upload; that of a
/// cancelled upload is kept once the device has finished what was submitted.
///
/// # Errors
/// The first error of the producer, of `record` or of the device; [`ErrorKind::Gpu`] if the device does not finish its
/// work within a minute.
pub(crate) async fn upload<P: Producer<Memory = SlotMemory>>(
    mut engine: Engine<()>,
    mut ahead: Ahead<P>,
    spare: &SpareRings,
    mut record: impl FnMut(&Part<'_, P::Task>, &Slot, u64, &mut wgpu::CommandEncoder) -> Result<()>,
) -> Result<()> {
    let mut is_ended = false;
    loop {
        let filled = poll_fn(|cx| next_filled(&mut engine, &mut ahead, &mut is_ended, cx)).await;
        let submitted = match filled {
            Ok(None) => {
                spare.keep(engine.ring);
                return Ok(());
            }
            Ok(Some(Filled {
                block,
                task,
                memory,
                last,
            })) => {
                let part = Part {
                    block,
                    task: &task,
                    is_last: last,
                };
                engine.submit(memory.used, |recorder| {
                    let work =
                        |slot: &Slot, used, encoder: &mut _| record(&part, slot, used, encoder);
                    recorder.slot(memory, (), work)
                })
            }
            Err(error) => Err(error),
        };
        if let Err(error) = submitted {
            if error.is_cancelled() {
                // No thread may read on, and none write to the ring's memory.
                ahead.stop().await;
                spare.keep_when_free(engine.into_busy());
                return Err(error);
            }
            return Err(engine.context.diagnose(error).await);
        }
        // Between two submissions the device is polled and the executor can run other tasks.
        yield_once().await;
    }
}

/// The next filled slot; `None` when there are no more and the device has finished all of them.
fn next_filled<P: Producer<Memory = SlotMemory>>(
    engine: &mut Engine<()>,
    ahead: &mut Ahead<P>,
    is_ended: &mut bool,
    cx: &mut task::Context<'_>,
) -> Poll<Result<Option<Filled<P>>>> {
    scope::check()?;
    while let Poll::Ready(completed) = engine.poll_completed(cx)? {
        if let Some(memory) = completed.memory {
            ahead.pool().give(memory);
        }
    }
    if !*is_ended {
        match ahead.poll_event(cx)? {
            Poll::Ready(Event::Filled(filled)) => return Poll::Ready(Ok(Some(filled))),
            Poll::Ready(Event::Failed(error)) => return Poll::Ready(Err(error)),
            Poll::Ready(Event::End) => *is_ended = true,
            Poll::Pending => {}
        }
    }
    if *is_ended && engine.is_idle() {
        return Poll::Ready(Ok(None));
    }
    engine.check_timeout()?;
    Poll::Pending
}

/// Returns to the driver once.
async fn yield_once() {
    let mut is_first = true;
    poll_fn(|cx| match std::mem::replace(&mut is_first, false) {
        true => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        false => Poll::Ready(()),
    })
    .await;
}
