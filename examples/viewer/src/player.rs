//! Play, pause and scrub: which frame is to be shown when.

use std::task::Poll;
use std::time::{Duration, Instant};

use super::feed::Feed;

/// A series that plays.
pub struct Player {
    pub feed: Box<dyn Feed>,
    frames: usize,
    period: Duration,
    playing: bool,
    /// A frame was asked for and is not shown yet: the source may have let go of the one before, so it is waited for even
    /// when paused.
    asked: bool,
    due: Instant,
    shown: Option<usize>,
    /// How many frames were shown.
    count: u64,
    error: Option<String>,
}

impl Player {
    pub fn new(feed: Box<dyn Feed>, frames: usize, per_second: f64) -> Self {
        Self {
            feed,
            frames,
            period: Duration::from_secs_f64(1.0 / per_second),
            playing: frames > 1,
            asked: true,
            due: Instant::now(),
            shown: None,
            count: 0,
            error: None,
        }
    }

    /// One turn of a render loop: never waits. Whether another frame is on show now.
    pub fn tick(&mut self, now: Instant) -> bool {
        if self.error.is_some() {
            return false;
        }
        self.asked |= self.playing && now >= self.due;
        if !self.asked && !self.playing {
            return false;
        }
        match self.feed.step(self.asked) {
            Poll::Pending => false,
            Poll::Ready(Ok(frame)) => {
                self.shown = Some(frame);
                self.asked = false;
                self.count += 1;
                // A frame that comes late does not hurry those behind it.
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
    pub fn is_busy(&self) -> bool {
        self.error.is_none() && (self.playing || self.asked)
    }

    pub fn set_playing(&mut self, playing: bool) {
        self.playing = playing && self.frames > 1;
        self.due = Instant::now();
    }

    pub fn is_playing(&self) -> bool {
        self.playing
    }

    /// Shows this frame next, and goes on from there.
    pub fn seek(&mut self, frame: usize) {
        let frame = frame.min(self.frames - 1);
        match self.feed.seek(frame) {
            Ok(()) => (self.asked, self.error) = (true, None),
            Err(error) => self.error = Some(error.to_string()),
        }
    }

    /// Seeks so many frames on from the one that is shown, pausing.
    pub fn step(&mut self, by: isize) {
        self.playing = false;
        let shown = self.shown.unwrap_or_default() as isize;
        self.seek((shown + by).rem_euclid(self.frames as isize) as usize);
    }

    pub fn shown(&self) -> Option<usize> {
        self.shown
    }

    pub fn frames(&self) -> usize {
        self.frames
    }

    /// How many frames were shown so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}
