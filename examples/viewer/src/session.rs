//! The volume that is shown: the scene, the player and the text over them, with and without a window.

use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::time::{Duration, Instant};

use crate::feed::Feed;
use crate::hud::{self, Pace};
use crate::player::Player;
use crate::scene::{Mode, Scene, Uniforms};
use crate::text::Ink;
use crate::volume::{Volume, robust_window};
use crate::{Args, Cast, Outcome};

pub(crate) struct Session {
    pub scene: Scene,
    pub player: Player,
    pub ink: Ink,
    pace: Pace,
    notes: Vec<String>,
    bare: bool,
    /// The window of the first frame, computed by a thread.
    finding: Option<Receiver<Result<[f32; 2], String>>>,
    start: Instant,
    first: Option<Duration>,
}

impl Session {
    /// `start` is when loading began.
    pub(crate) fn new(
        volume: Volume,
        feed: Box<dyn Feed>,
        args: &Args,
        size: [u32; 2],
        start: Instant,
    ) -> Outcome<Self> {
        let mut scene = Scene::new(volume.size, volume.zooms);
        if args.mode == Cast::Transfer {
            scene.mode = Mode::Transfer;
        }
        let finding = match args.window.as_deref() {
            None => Some(find_window(volume.image)),
            Some(&[lo, hi]) if lo < hi => {
                scene.window = [lo, hi];
                None
            }
            Some(_) => return Err("--window takes two increasing numbers: LO,HI".into()),
        };
        let mut player = Player::new(feed, volume.frames, args.fps);
        if args.frame >= volume.frames {
            let message = format!("--frame: {} is out of range", args.frame);
            return Err(format!("{message}, there are {}", volume.frames).into());
        }
        if args.frame > 0 {
            player.seek(args.frame);
        }
        Ok(Self {
            scene,
            player,
            ink: Ink::new(size),
            pace: Pace::default(),
            notes: volume.notes,
            bare: args.bare,
            finding,
            start,
            first: None,
        })
    }

    /// To be called before each screen frame: advances loading and writes the text. Never waits.
    pub(crate) fn turn(&mut self) {
        self.player.tick(Instant::now());
        if let Some(finding) = &self.finding {
            match finding.try_recv() {
                Err(TryRecvError::Empty) => {}
                Ok(Ok(window)) => (self.scene.window, self.finding) = (window, None),
                Ok(Err(error)) => {
                    self.notes.push(format!("no window: {error}"));
                    self.finding = None;
                }
                Err(TryRecvError::Disconnected) => self.finding = None,
            }
        }
        self.ink.clear();
        hud::directions(&mut self.ink, &self.scene);
        if !self.bare {
            let Self {
                ink,
                scene,
                player,
                pace,
                notes,
                ..
            } = self;
            hud::counters(ink, scene, player, *pace, notes);
        }
    }

    /// To be called after each screen frame, with the time that it elapsed.
    pub(crate) fn drawn(&mut self, elapsed: Duration) {
        self.pace.take(elapsed);
        if self.first.is_none() && self.is_complete() {
            self.first = Some(self.start.elapsed());
        }
    }

    /// Whether a frame of the file is shown, in its window.
    pub(crate) fn is_complete(&self) -> bool {
        self.player.shown().is_some() && self.finding.is_none()
    }

    /// The scene to draw. Until there is something to see it has only text, so that drawing it is fast.
    pub(crate) fn uniforms(&self) -> Uniforms {
        let mut uniforms = self.scene.uniforms(self.ink.size);
        if !self.is_complete() {
            uniforms.panels = [[0.0; 4]; 4];
        }
        uniforms
    }

    /// Whether the next picture would differ.
    pub(crate) fn is_busy(&self) -> bool {
        self.player.is_busy() || self.finding.is_some()
    }

    /// The time from the start of loading to the first frame of the file on the screen.
    pub(crate) fn first(&self) -> Option<Duration> {
        self.first
    }

    /// The longest time of a screen frame.
    pub(crate) fn worst(&self) -> Duration {
        self.pace.worst
    }

    pub(crate) fn resize(&mut self, size: [u32; 2]) {
        self.ink = Ink::new(size);
    }

    /// A description of the sources of what is shown, and of what was found.
    pub(crate) fn describe(&self) {
        println!("{}", self.player.feed.path());
        for remark in &self.notes {
            println!("note: {remark}");
        }
    }
}

fn find_window(image: voxload::DataobjImage) -> Receiver<Result<[f32; 2], String>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let found = robust_window(&image).map_err(|error| error.to_string());
        // The viewer may have ended.
        let _ = sender.send(found);
    });
    receiver
}
