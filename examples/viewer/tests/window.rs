//! The viewer's window on a virtual display: what it shows, and that it reacts.

use voxload::DType;

use super::display::Display;
use super::pictures::{LEVELS, SHAPE, SIZE, draw, eggs, viewer};
use crate::support::adapter;
use crate::support::files::{folder, write};
use crate::support::nifti::Nifti;
use crate::support::program::printed;

/// The virtual display shows the same picture as one drawn without a window.
#[test]
fn a_window_shows_the_same_picture() {
    let dir = folder();
    let Some(display) = Display::open(dir.path(), SIZE) else {
        return;
    };
    if !adapter::ready("a window") {
        return;
    }
    let [width, height, depth, _] = SHAPE;
    let first = eggs()[..width * height * depth].to_vec();
    let volume = Nifti::new(DType::U8, &SHAPE[..3], first).single();
    let input = write(&dir, "volume.nii", &volume);
    let (expected, _) = draw(&dir, &input, &LEVELS);
    let transfer = [&LEVELS[..], &["--mode", "transfer"]].concat();
    let (transfer, _) = draw(&dir, &input, &transfer);
    let size = format!("{},{}", SIZE[0], SIZE[1]);
    let window = |frames: &str| {
        let mut command = viewer();
        command
            .arg(&input)
            .args(LEVELS)
            .args(["--bare", "--size", &size, "--frames", frames]);
        command
            .env("DISPLAY", &display.name)
            .env_remove("WAYLAND_DISPLAY");
        command
    };
    let mut child = window("1000000").spawn().expect("the viewer runs");
    let seen = display.wait_for(|pixels| {
        let rgb = pixels.iter().zip(&expected);
        // The screen has no alpha.
        rgb.enumerate()
            .all(|(n, (a, b))| n % 4 == 3 || a.abs_diff(*b) <= 1)
    });
    let answers = seen && answers_to_input(&display, &expected, &transfer);
    child.kill().expect("our child");
    child.wait().expect("our child");
    assert!(seen, "the window never showed the picture");
    assert!(answers, "the window did not answer to a key and a drag");
    // It also ends by itself, and prints its measurements.
    let report = printed(&window("3").output().expect("the viewer runs"));
    assert!(
        report.contains("window: 3 frames") && report.contains("first frame"),
        "{report}"
    );
    println!("{report}");
}

/// Whether two pictures agree in the pixels of the selected panels: left or right, above or below.
fn alike(a: &[u8], b: &[u8], is_in_panel: impl Fn([usize; 2]) -> bool) -> bool {
    let panel = |pixel: usize| {
        [
            pixel % SIZE[0] / (SIZE[0] / 2),
            pixel / SIZE[0] / ((SIZE[1] - 14) / 2),
        ]
    };
    let mut pixels = a
        .iter()
        .zip(b)
        .enumerate()
        .filter(|(n, _)| is_in_panel(panel(n / 4)));
    pixels.all(|(_, (a, b))| a.abs_diff(*b) <= 1)
}

/// A key changes the projection; a drag rotates the ray cast and nothing else.
fn answers_to_input(display: &Display, maximum: &[u8], transfer: &[u8]) -> bool {
    let input = display.input();
    let cast = |panel: [usize; 2]| panel == [1, 1];
    input.press_key(b'm');
    if !display.wait_for(|pixels| alike(pixels, transfer, |_| true)) {
        return false;
    }
    input.press_key(b'm');
    if !display.wait_for(|pixels| alike(pixels, maximum, |_| true)) {
        return false;
    }
    input.drag([360, 240], [420, 270]);
    let slices_stay = |pixels: &[u8]| alike(pixels, maximum, |panel| !cast(panel) && panel[1] < 2);
    display.wait_for(|pixels| !alike(pixels, maximum, cast) && slices_stay(pixels))
}
