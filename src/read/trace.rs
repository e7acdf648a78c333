//! The time of each stage of loads and streams.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use web_time::Instant;

/// How long each stage of a load or stream was busy. The stages overlap, so the whole takes at least as long as the
/// slowest one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Trace {
    /// Reading by position, summed over the worker threads. A mapped file is read in the stage `stage`.
    pub read: Duration,
    /// Inflating a gzip file, including the reading of its compressed bytes.
    pub inflate: Duration,
    /// Copying stored bytes into mapped memory.
    pub stage: Duration,
    /// Recording and submitting commands, on the caller's thread.
    pub submit: Duration,
    /// The device's work, measured by its own clock. `None` if timestamps are not supported or were not requested.
    pub device: Option<Duration>,
    /// From the beginning until now, or until the end of the load.
    pub wall: Duration,
    /// Bytes submitted: stored bytes and the packets' heads.
    pub bytes: u64,
    /// Number of submissions.
    pub submissions: u64,
}

/// A stage of a load or a stream, and the time that it was busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StageTime {
    /// `read`, `inflate`, `stage`, `submit` or `device`: the fields of [`Trace`].
    pub name: &'static str,
    /// How long it was busy.
    pub busy: Duration,
}

impl Trace {
    /// The busiest stage.
    #[must_use]
    pub fn slowest(&self) -> StageTime {
        let stages = [
            ("read", self.read),
            ("inflate", self.inflate),
            ("stage", self.stage),
            ("submit", self.submit),
            ("device", self.device.unwrap_or_default()),
        ];
        let stages = stages.map(|(name, busy)| StageTime { name, busy });
        let slowest = stages.into_iter().max_by_key(|stage| stage.busy);
        slowest.unwrap_or_default()
    }
}

/// A stage on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Read,
    Inflate,
    Copy,
    Submit,
}

/// Sums the times of several threads.
#[derive(Debug)]
pub(crate) struct Tracer {
    start: Instant,
    /// Nanoseconds of each [`Stage`].
    busy: [AtomicU64; 4],
    device: AtomicU64,
    timed: AtomicBool,
    bytes: AtomicU64,
    submissions: AtomicU64,
}

impl Default for Tracer {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            busy: Default::default(),
            device: AtomicU64::new(0),
            timed: AtomicBool::new(false),
            bytes: AtomicU64::new(0),
            submissions: AtomicU64::new(0),
        }
    }
}

impl Tracer {
    /// Runs `work` and adds its time to a stage.
    pub(crate) fn time<R>(&self, stage: Stage, work: impl FnOnce() -> R) -> R {
        let start = Instant::now();
        let result = work();
        self.busy[stage as usize].fetch_add(nanos(start.elapsed()), Ordering::Relaxed);
        result
    }

    /// Runs `submit` and counts it as a submission of `bytes` staged bytes.
    pub(crate) fn submission<R>(&self, bytes: u64, submit: impl FnOnce() -> R) -> R {
        self.submissions.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.time(Stage::Submit, submit)
    }

    /// To be called if the device records timestamps.
    pub(crate) fn device_is_timed(&self) {
        self.timed.store(true, Ordering::Relaxed);
    }

    /// Adds the time of some of the device's work.
    pub(crate) fn device(&self, nanos: u64) {
        self.device.fetch_add(nanos, Ordering::Relaxed);
    }

    /// The times so far.
    pub(crate) fn trace(&self) -> Trace {
        let busy =
            |stage: Stage| Duration::from_nanos(self.busy[stage as usize].load(Ordering::Relaxed));
        let timed = self.timed.load(Ordering::Relaxed);
        Trace {
            read: busy(Stage::Read),
            inflate: busy(Stage::Inflate),
            stage: busy(Stage::Copy),
            submit: busy(Stage::Submit),
            device: timed.then(|| Duration::from_nanos(self.device.load(Ordering::Relaxed))),
            wall: self.start.elapsed(),
            bytes: self.bytes.load(Ordering::Relaxed),
            submissions: self.submissions.load(Ordering::Relaxed),
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
