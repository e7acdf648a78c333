//! Play, pause and scrub: which frame to show when.

use std::task::Poll;
use std::time::{Duration, Instant};

use super::feed::Feed;

/// A series that can be played.
pub(crate) struct Player {
    pub feed: Box<dyn Feed>,
    frames: usize,
    period: Duration,
    playing: bool,
    /// A frame was requested and is not shown yet. The source may no longer have the one before, so this one is shown
    /// even when paused.
    requested: bool,
    due: Instant,
    shown: Option<usize>,
    /// Number of frames shown.
    count: u64,
    error: Option<String>,
}

impl Player {
    pub(crate) fn new(feed: Box<dyn Feed>, frames: usize, per_second: f64) -> Self {
        Self {
            feed,
            frames,
            period: Duration::from_secs_f64(1.0 / per_second),
            playing: frames > 1,
            requested: true,
            due: Instant::now(),
            shown: None,
            count: 0,
            error: None,
        }
    }

    /// One turn of a render loop, which never waits. Returns whether another frame is shown now.
    pub(crate) fn tick(&mut self, now: Instant) -> bool {
        if self.error.is_some() {
            return false;
        }
        self.requested |= self.playing && now >= self.due;
        if !self.requested && !self.playing {
            return false;
        }
        match self.feed.step(self.requested) {
            Poll::Pending => false,
            Poll::Ready(Ok(frame)) => {
                self.shown = Some(frame);
                self.requested = false;
                self.count += 1;
                // If a frame is late, the following frames keep their distance.
                self.due = (self.due + self.period).max(now);
                true
            }
            Poll::Ready(Err(error)) => {
                self.error = Some(error.to_string());
                false
            }
        }
    }

    /// Whether there is something to do at the next turn.
    pub(crate) fn is_busy(&self) -> bool {
        self.error.is_none() && (self.playing || self.requested)
    }

    pub(crate) fn set_playing(&mut self, playing: bool) {
        self.playing = playing && self.frames > 1;
        self.due = Instant::now();
    }

    pub(crate) fn is_playing(&self) -> bool {
        self.playing
    }

    /// Shows this frame next, and continues from there.
    pub(crate) fn seek(&mut self, frame: usize) {
        let frame = frame.min(self.frames - 1);
        match self.feed.seek(frame) {
            Ok(()) => (self.requested, self.error) = (true, None),
            Err(error) => self.error = Some(error.to_string()),
        }
    }

    /// Seeks by this many frames from the one that is shown, and pauses.
    pub(crate) fn step(&mut self, by: isize) {
        self.playing = false;
        let shown = self.shown.unwrap_or_default() as isize;
        self.seek((shown + by).rem_euclid(self.frames as isize) as usize);
    }

    pub(crate) fn shown(&self) -> Option<usize> {
        self.shown
    }

    pub(crate) fn frames(&self) -> usize {
        self.frames
    }

    /// Number of frames shown so far.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}
