//! The text over a picture: directions, the window, speed, and what the stream has done.

use std::time::Duration;

use crate::player::Player;
use crate::scene::{BAR, CAST, Mode, SLICES, Scene};
use crate::text::{Ink, LINE};

/// Times of the screen frames.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pace {
    pub last: Duration,
    pub worst: Duration,
}

impl Pace {
    pub(crate) fn take(&mut self, frame: Duration) {
        self.last = frame;
        self.worst = self.worst.max(frame);
    }
}

/// The letters of the directions around each panel.
pub(crate) fn directions(ink: &mut Ink, scene: &Scene) {
    let panels = Scene::panels(ink.size);
    let scale = scene.slice_scale(ink.size);
    let extent = scene.extent();
    for (([right, up], _, letters), panel) in SLICES.into_iter().zip(panels) {
        let [left, top, width, height] = panel;
        let (x, y) = (left + width / 2.0, top + height / 2.0);
        let across = (extent[right] / scale / 2.0 + 6.0).min(width / 2.0 - 5.0);
        let along = (extent[up] / scale / 2.0 + 6.0).min(height / 2.0 - 5.0);
        let places = [
            [x - across, y],
            [x + across, y],
            [x, y + along],
            [x, y - along],
        ];
        for (place, letter) in places.into_iter().zip(letters) {
            ink.letter(place, letter);
        }
    }
    let [left, top, width, height] = panels[CAST];
    let scale = scene.cast_scale(ink.size);
    let [to_right, to_up, _] = scene.axes();
    for (axis, ends) in [['L', 'R'], ['P', 'A'], ['I', 'S']].into_iter().enumerate() {
        for (letter, sign) in ends.into_iter().zip([-1.0, 1.0]) {
            let far = sign * (extent[axis] / 2.0 / scale + 8.0);
            let x = left + width / 2.0 + far * to_right[axis];
            let y = top + height / 2.0 - far * to_up[axis];
            let inside = (left + 3.0..left + width - 3.0).contains(&x)
                && (top + 4.0..top + height - 4.0).contains(&y);
            if inside {
                ink.letter([x, y], letter);
            }
        }
    }
}

/// The counters, and the bar of frames.
pub(crate) fn counters(
    ink: &mut Ink,
    scene: &Scene,
    player: &Player,
    pace: Pace,
    notes: &[String],
) {
    let counted = player.feed.counters();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let mode = match scene.mode {
        Mode::Maximum => "MIP",
        Mode::Transfer => "TRANSFER",
    };
    let state = match (player.shown(), player.is_playing()) {
        (None, _) => "loading",
        (_, true) => "playing",
        (_, false) => "paused",
    };
    let exact = match counted.exact {
        Some(false) => ", rounded",
        _ => "",
    };
    let [lo, hi] = scene.window;
    let frame = player.shown().map_or(0, |frame| frame + 1);
    let mut lines = vec![
        format!("{}{exact}", player.feed.path()),
        format!(
            "{mode}  {state} {frame}/{}  window {lo:.4} to {hi:.4}",
            player.frames()
        ),
        format!(
            "frame {:.1} ms, worst {:.1}, {} shown",
            milliseconds(pace.last),
            milliseconds(pace.worst),
            player.count()
        ),
        format!(
            "stream {:.1} MiB in {} parts, holds {:.1} MiB host, {:.1} device",
            mebibytes(counted.bytes),
            counted.submissions,
            mebibytes(counted.host_bytes),
            mebibytes(counted.device_bytes)
        ),
    ];
    lines.extend(notes.iter().cloned());
    lines.extend(player.error().map(|error| format!("stopped: {error}")));
    let columns = (ink.size[0] as usize / crate::text::ADVANCE).saturating_sub(1);
    for (row, line) in lines.iter().enumerate() {
        let line: String = line.chars().take(columns).collect();
        ink.write([3, 3 + (row * LINE) as i32], &line);
    }
    bar(ink, player);
}

fn bar(ink: &mut Ink, player: &Player) {
    let [width, height] = ink.size.map(|side| side as i32);
    if player.frames() < 2 {
        return;
    }
    let middle = height - BAR as i32 / 2;
    ink.fill([4, middle], [width - 8, 1], 255);
    if let Some(shown) = player.shown() {
        let share = shown as f32 / (player.frames() - 1) as f32;
        let x = 4 + (share * (width - 9) as f32) as i32;
        ink.fill([x - 1, middle - 4], [3, 9], 255);
    }
}
