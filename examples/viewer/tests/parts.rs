//! Parts of the viewer that need neither a window nor a device: the effects of input, and when frames are shown.

#![allow(dead_code, reason = "the viewer uses the rest")]

#[path = "../src/controls.rs"]
mod controls;
#[path = "../src/feed.rs"]
mod feed;
#[path = "../src/player.rs"]
mod player;
#[path = "../src/scene.rs"]
mod scene;
#[path = "../src/volume.rs"]
mod volume;

use std::cell::RefCell;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use voxload::DType;

use crate::support::files::{folder, write};
use crate::support::nifti::Nifti;
use controls::{Button, Controls, Key};
use feed::{Counters, Feed, Shown};
use player::Player;
use scene::{Mode, Scene};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const SIZE: [u32; 2] = [400, 314];

/// A source that has its next frame at the `late`-th request.
#[derive(Default)]
struct Log {
    next: usize,
    late: usize,
    asked: usize,
    steps: usize,
    seeks: Vec<usize>,
    fails: bool,
}

struct Fake(Rc<RefCell<Log>>);

impl Feed for Fake {
    fn step(&mut self, wanted: bool) -> Poll<voxload::Result<usize>> {
        let mut log = self.0.borrow_mut();
        log.steps += 1;
        if !wanted {
            return Poll::Pending;
        }
        if log.fails {
            return Poll::Ready(Err(voxload::ErrorKind::DeviceLost.into()));
        }
        log.asked += 1;
        if log.asked <= log.late {
            return Poll::Pending;
        }
        log.asked = 0;
        let frame = log.next;
        log.next += 1;
        Poll::Ready(Ok(frame))
    }

    fn seek(&mut self, frame: usize) -> voxload::Result<()> {
        let mut log = self.0.borrow_mut();
        log.seeks.push(frame);
        log.next = frame;
        Ok(())
    }

    fn shown(&self) -> Shown<'_> {
        Shown::Values(&[])
    }

    fn counters(&self) -> Counters {
        Counters::default()
    }

    fn path(&self) -> &str {
        "a fake"
    }
}

/// Ten frames per second.
fn player(frames: usize) -> (Player, Rc<RefCell<Log>>) {
    let log = Rc::new(RefCell::new(Log::default()));
    (
        Player::new(Box::new(Fake(Rc::clone(&log))), frames, 10.0),
        log,
    )
}

#[test]
fn frames_are_shown_when_they_are_due() {
    let (mut player, log) = player(100);
    let start = Instant::now();
    let at = |milliseconds| start + Duration::from_millis(milliseconds);
    let shown: Vec<bool> = (0..=10).map(|n| player.tick(at(30 * n))).collect();
    let due = [
        true, false, false, false, true, false, false, true, false, false, true,
    ];
    assert_eq!(shown, due, "at 0, 120, 210 and 300 ms");
    assert_eq!(log.borrow().steps, 11, "loading goes on between frames");
    // If one is late, the next ones do not catch up.
    log.borrow_mut().late = 2;
    assert!(!player.tick(at(5000)) && !player.tick(at(5010)) && player.tick(at(5020)));
    log.borrow_mut().late = 0;
    assert!(player.tick(at(5021)), "the next was due long ago");
    assert!(!player.tick(at(5022)));
}

#[test]
fn paused_it_asks_for_nothing_and_scrubs() {
    let (mut player, log) = player(20);
    let now = Instant::now() + Duration::from_secs(1);
    assert!(player.tick(now));
    player.set_playing(false);
    let steps = log.borrow().steps;
    assert!(!player.tick(now) && !player.is_busy());
    assert_eq!(log.borrow().steps, steps);
    player.seek(500);
    assert!(player.is_busy() && player.tick(now) && !player.is_busy());
    assert_eq!(player.shown(), Some(19), "the last one");
    player.step(1);
    assert!(player.tick(now));
    assert_eq!((player.shown(), player.is_playing()), (Some(0), false));
    player.step(-1);
    assert_eq!(log.borrow().seeks, [19, 0, 19]);
    log.borrow_mut().fails = true;
    assert!(!player.tick(now) && !player.is_busy());
    assert!(player.error().is_some());
    // It continues from elsewhere.
    log.borrow_mut().fails = false;
    player.seek(3);
    assert!(player.tick(now) && player.error().is_none());
}

/// A stream's texture may already have another frame: the number that is shown must be that of the frame in it.
#[test]
fn a_frame_that_was_asked_for_comes_when_paused() {
    let (mut player, log) = player(20);
    let now = Instant::now() + Duration::from_secs(1);
    assert!(player.tick(now));
    log.borrow_mut().late = 2;
    let due = now + Duration::from_secs(1);
    assert!(!player.tick(due));
    player.set_playing(false);
    assert!(player.is_busy() && !player.tick(due));
    assert_eq!(player.shown(), Some(0));
    assert!(player.tick(due) && !player.is_busy());
    assert_eq!(player.shown(), Some(1));
}

#[test]
fn one_volume_does_not_play() {
    let (mut player, log) = player(1);
    assert!(player.tick(Instant::now()) && !player.is_busy());
    player.set_playing(true);
    assert!(!player.is_playing());
    assert_eq!(log.borrow().steps, 1);
}

#[test]
fn drags_do_what_is_under_the_mouse() {
    let (mut player, log) = player(11);
    let mut scene = Scene::new([50, 60, 40], [1.0, 1.0, 2.0]);
    scene.window = [100.0, 300.0];
    let mut controls = Controls::default();
    let mut drag = |from: [f32; 2], to: [f32; 2], button, scene: &mut Scene| {
        controls.moved(from, SIZE, scene, &mut player);
        controls.press(button, SIZE, scene, &mut player);
        controls.moved(to, SIZE, scene, &mut player);
        controls.release();
        controls.moved([0.0, 0.0], SIZE, scene, &mut player);
    };
    // The ray cast is at the bottom right.
    let before = scene;
    drag([300.0, 200.0], [320.0, 210.0], Button::Left, &mut scene);
    assert!(scene.yaw < before.yaw && scene.pitch > before.pitch);
    assert_eq!((scene.at, scene.window), (before.at, before.window));
    // Right is wider, down is darker: the level rises.
    drag([300.0, 200.0], [330.0, 200.0], Button::Right, &mut scene);
    let [lo, hi] = scene.window;
    assert!((hi - lo - 220.0).abs() < 0.01 && (hi + lo - 400.0).abs() < 0.01);
    drag([300.0, 200.0], [300.0, 230.0], Button::Right, &mut scene);
    assert!(scene.window[0] > lo && scene.window[1] > hi);
    // The middle of the axial panel is the middle voxel; its top right is anterior and right.
    drag([100.0, 225.0], [100.0, 225.0], Button::Left, &mut scene);
    assert_eq!(scene.at, [25, 30, 20]);
    drag([100.0, 225.0], [199.0, 151.0], Button::Left, &mut scene);
    assert_eq!(scene.at, [49, 59, 20], "kept inside");
    drag([100.0, 75.0], [100.0, 40.0], Button::Left, &mut scene);
    assert_eq!(
        (scene.at[1], scene.at[0]),
        (30, 49),
        "sagittal: anterior and up"
    );
    assert!(scene.at[2] > 20);
    // The bar at the bottom.
    drag([4.0, 310.0], [200.0, 310.0], Button::Left, &mut scene);
    assert_eq!(log.borrow().seeks, [0, 5]);
}

/// Of a volume that is too large for a texture, some voxels are shown, the right way up; its window excludes background
/// and outliers.
#[test]
fn large_volumes_are_thinned() {
    let shape = [30, 21, 8, 2];
    let voxels: usize = shape.iter().product();
    let values = (0..voxels).map(|n| match n % 3 {
        _ if n == 5 * 30 * 21 + 14 => 30_000i16,
        0 => 1000 + (n % 200) as i16,
        _ => 0,
    });
    let bytes = values.flat_map(i16::to_le_bytes).collect();
    let dir = folder();
    let path = write(
        &dir,
        "large.nii",
        &Nifti::new(DType::I16, &shape, bytes).single(),
    );
    let volume = volume::open(&path, 10).expect("it opens");
    assert_eq!((volume.size, volume.frames), ([10, 7, 8], 2));
    assert_eq!(volume.zooms, [1.25 * 3.0, 1.5 * 3.0, 1.75]);
    assert!(
        volume
            .notes
            .iter()
            .any(|remark| remark.contains("every [3, 3, 1]th"))
    );
    let whole = volume::open(&path, 30).expect("it opens");
    assert_eq!((whole.size, whole.notes.len()), ([30, 21, 8], 0));
    // The file's first axis runs to the left, so it is flipped.
    let [a, b] = [&volume, &whole].map(|volume| {
        let frame = volume.image.dataobj().slice::<f32>("[..., 1]");
        frame.expect("values")
    });
    assert_eq!(a.view()[[9, 6, 3]], b.view()[[27, 18, 3]]);
    let [lo, hi] = volume::robust_window(&whole.image).expect("a window");
    assert_eq!(lo, 0.0);
    assert!((1150.0..1300.0).contains(&hi), "{hi}");
}

#[test]
fn keys() {
    let (mut player, log) = player(5);
    let mut scene = Scene::new([50, 60, 40], [1.0; 3]);
    let mut controls = Controls::default();
    assert!(player.is_playing());
    controls.key(Key::Space, &mut scene, &mut player);
    assert!(!player.is_playing());
    controls.key(Key::Previous, &mut scene, &mut player);
    assert_eq!(log.borrow().seeks, [4]);
    controls.key(Key::Mode, &mut scene, &mut player);
    assert_eq!(scene.mode, Mode::Transfer);
    controls.wheel(2.0, &mut scene);
    assert!(scene.zoom > 1.2);
    scene.yaw = 3.0;
    controls.key(Key::Reset, &mut scene, &mut player);
    assert_eq!(
        (scene.yaw, scene.zoom, scene.mode),
        (0.6, 1.0, Mode::Transfer)
    );
}
