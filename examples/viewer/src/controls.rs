//! The effects of mouse and keys on the scene and the player, independent of the window system.

use super::player::Player;
use super::scene::{BAR, CAST, Mode, SLICES, Scene};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Button {
    Left,
    Right,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// Plays or pauses.
    Space,
    /// Shows the previous or the next frame.
    Previous,
    Next,
    /// Maximum intensity or transfer function.
    Mode,
    /// Resets the camera.
    Reset,
}

/// What is being dragged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drag {
    Orbit,
    Window,
    Cross(usize),
    Frames,
}

/// The state of the mouse between two events.
#[derive(Debug, Default)]
pub(crate) struct Controls {
    drag: Option<Drag>,
    at: [f32; 2],
}

impl Controls {
    pub(crate) fn press(
        &mut self,
        button: Button,
        picture: [u32; 2],
        scene: &mut Scene,
        player: &mut Player,
    ) {
        let [x, y] = self.at;
        let panel = Scene::panels(picture)
            .into_iter()
            .position(|[left, top, width, height]| {
                (left..left + width).contains(&x) && (top..top + height).contains(&y)
            });
        self.drag = match (button, panel) {
            (Button::Right, _) => Some(Drag::Window),
            (Button::Left, Some(CAST)) => Some(Drag::Orbit),
            (Button::Left, Some(panel)) => Some(Drag::Cross(panel)),
            (Button::Left, None) if y >= (picture[1] - BAR.min(picture[1])) as f32 => {
                Some(Drag::Frames)
            }
            (Button::Left, None) => None,
        };
        self.moved(self.at, picture, scene, player);
    }

    pub(crate) fn release(&mut self) {
        self.drag = None;
    }

    pub(crate) fn moved(
        &mut self,
        to: [f32; 2],
        picture: [u32; 2],
        scene: &mut Scene,
        player: &mut Player,
    ) {
        let [dx, dy] = [to[0] - self.at[0], to[1] - self.at[1]];
        self.at = to;
        match self.drag {
            None => {}
            Some(Drag::Orbit) => {
                scene.yaw -= dx * 0.01;
                scene.pitch = (scene.pitch + dy * 0.01).clamp(-1.57, 1.57);
            }
            Some(Drag::Window) => drag_window(scene, dx / 300.0, dy / 300.0),
            Some(Drag::Cross(panel)) => move_cross(scene, panel, to, picture),
            Some(Drag::Frames) => {
                let share = (to[0] - 4.0) / (picture[0] as f32 - 9.0).max(1.0);
                let frame = share.clamp(0.0, 1.0) * (player.frames() - 1) as f32;
                let frame = frame.round() as usize;
                if player.shown() != Some(frame) {
                    player.seek(frame);
                }
            }
        }
    }

    pub(crate) fn wheel(&mut self, lines: f32, scene: &mut Scene) {
        scene.zoom = (scene.zoom * 1.1f32.powf(lines)).clamp(0.2, 20.0);
    }

    pub(crate) fn key(&mut self, key: Key, scene: &mut Scene, player: &mut Player) {
        match key {
            Key::Space => player.set_playing(!player.is_playing()),
            Key::Previous => player.step(-1),
            Key::Next => player.step(1),
            Key::Mode => {
                scene.mode = match scene.mode {
                    Mode::Maximum => Mode::Transfer,
                    Mode::Transfer => Mode::Maximum,
                };
            }
            Key::Reset => {
                let fresh = Scene::new(scene.size, scene.zooms);
                (scene.yaw, scene.pitch, scene.zoom) = (fresh.yaw, fresh.pitch, fresh.zoom);
            }
        }
    }
}

/// Moving right widens the window, moving up brightens. Relative to the picture's width.
fn drag_window(scene: &mut Scene, wider: f32, darker: f32) {
    let [lo, hi] = scene.window;
    let width = hi - lo;
    let level = lo + width / 2.0 + darker * width;
    let width = (width * (1.0 + wider))
        .max(width * 0.01)
        .max(f32::MIN_POSITIVE);
    let window = [level - width / 2.0, level + width / 2.0];
    if window[0] < window[1] && (window[1] - window[0]).is_finite() {
        scene.window = window;
    }
}

fn move_cross(scene: &mut Scene, panel: usize, to: [f32; 2], picture: [u32; 2]) {
    let [left, top, width, height] = Scene::panels(picture)[panel];
    let scale = scene.slice_scale(picture);
    let centred = [to[0] - left - width / 2.0, top + height / 2.0 - to[1]];
    for (axis, pixels) in SLICES[panel].0.into_iter().zip(centred) {
        let place = pixels * scale / scene.zooms[axis] + scene.size[axis] as f32 / 2.0;
        scene.at[axis] = (place.max(0.0) as usize).min(scene.size[axis] - 1);
    }
}
