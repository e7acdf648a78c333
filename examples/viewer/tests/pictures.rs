//! Pictures of the viewer compared with a naive phantom, and the device's with the CPU's.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;
use voxload::DType;

use crate::support::adapter;
use crate::support::files::{folder, write};
use crate::support::nifti::{Nifti, gz};
use crate::support::program::{printed, text};
use crate::support::rng::Rng;

pub const SHAPE: [usize; 4] = [40, 36, 30, 5];
/// Voxel sizes, as written by the tests.
const ZOOMS: [f64; 3] = [1.25, 1.5, 1.75];
pub const SIZE: [usize; 2] = [480, 374];
/// Values are grey levels.
pub const LEVELS: [&str; 2] = ["--window", "0,255"];

/// A lopsided egg that becomes brighter from frame to frame, in stored order. `x` runs to the left, as in a NIfTI file
/// without a transformation.
fn egg([x, y, z, t]: [usize; 4]) -> u8 {
    let part = |at: usize, middle: f64, half: f64| ((at as f64 - middle) / half).powi(2);
    let distance = part(x, 15.0, 13.0) + part(y, 20.0, 14.0) + part(z, 13.0, 11.0);
    if distance >= 1.0 {
        return 0;
    }
    (30.0 + 25.0 * t as f64 + 90.0 * (1.0 - distance) + (x % 5) as f64 * 3.0) as u8
}

pub fn eggs() -> Vec<u8> {
    let [width, height, depth, frames] = SHAPE;
    let voxels = width * height * depth * frames;
    let place = |n: usize| {
        let (x, rest) = (n % width, n / width);
        [
            x,
            rest % height,
            rest / height % depth,
            rest / height / depth,
        ]
    };
    (0..voxels).map(|n| egg(place(n))).collect()
}

fn series() -> Nifti {
    Nifti::new(DType::U8, &SHAPE, eggs())
}

/// RGBA pixels of a picture of [`SIZE`].
fn picture(path: &Path) -> Vec<u8> {
    let file = std::io::BufReader::new(std::fs::File::open(path).expect("a picture"));
    let mut reader = png::Decoder::new(file).read_info().expect("a PNG");
    let size = [reader.info().width, reader.info().height].map(|side| side as usize);
    assert_eq!(size, SIZE);
    let mut pixels = vec![0; SIZE[0] * SIZE[1] * 4];
    reader.next_frame(&mut pixels).expect("pixels");
    pixels
}

pub fn viewer() -> Command {
    Command::new(env!("CARGO_BIN_EXE_viewer"))
}

fn headless(input: &Path, arguments: &[&str]) -> Command {
    let mut command = viewer();
    command.arg(input).args(["--headless", "--bare", "--size"]);
    command
        .arg(format!("{},{}", SIZE[0], SIZE[1]))
        .args(arguments);
    command
}

/// Draws a file. Returns the picture and the output.
pub fn draw(dir: &TempDir, input: &Path, arguments: &[&str]) -> (Vec<u8>, String) {
    let path = dir.path().join("picture.png");
    let mut command = headless(input, arguments);
    let output = command.args(["--frames", "2", "--png"]).arg(&path).output();
    let output_text = printed(&output.expect("the viewer runs"));
    (picture(&path), output_text)
}

/// The positions of the panels and the millimetres per pixel, computed from the viewer's documentation: four quarters
/// above a bar of 14 pixels, slices in one scale with 12 pixels around them.
fn check_slices(pixels: &[u8], frame: usize) {
    let panel = [SIZE[0] / 2, (SIZE[1] - 14) / 2].map(|side| side as f64);
    let extent: [f64; 3] = std::array::from_fn(|axis| SHAPE[axis] as f64 * ZOOMS[axis]);
    let slices = [
        ([1, 2], 0, [0.0, 0.0]),
        ([0, 2], 1, [panel[0], 0.0]),
        ([0, 1], 2, [0.0, panel[1]]),
    ];
    let fits = |[right, up]: [usize; 2]| {
        (extent[right] / (panel[0] - 24.0)).max(extent[up] / (panel[1] - 24.0))
    };
    let scale = slices
        .iter()
        .map(|(axes, ..)| fits(*axes))
        .fold(0.0, f64::max);
    let at = [20, 18, 15];
    let mut compared = 0;
    for ([right, up], across, corner) in slices {
        for v in (0..SHAPE[up]).filter(|&v| v != at[up]) {
            for u in (0..SHAPE[right]).filter(|&u| u != at[right]) {
                let place = |at: usize, axis: usize| {
                    (at as f64 + 0.5 - SHAPE[axis] as f64 / 2.0) * ZOOMS[axis] / scale
                };
                let x = corner[0] + panel[0] / 2.0 + place(u, right);
                let y = corner[1] + panel[1] / 2.0 - place(v, up);
                let mut voxel = at;
                (voxel[right], voxel[up], voxel[across]) = (u, v, at[across]);
                let stored = [SHAPE[0] - 1 - voxel[0], voxel[1], voxel[2], frame];
                let level = egg(stored);
                let pixel = &pixels[4 * (y as usize * SIZE[0] + x as usize)..][..4];
                assert_eq!(
                    pixel,
                    [level, level, level, 255],
                    "across {across}: {u}, {v}"
                );
                compared += usize::from(level > 0);
            }
        }
    }
    assert!(compared > 1000, "{compared} voxels that are not black");
}

/// Pictures drawn by two implementations: a pixel may show the next voxel, or be rounded differently.
fn check_alike(a: &[u8], b: &[u8], what: &str) {
    let far = |(a, b): (&[u8], &[u8])| a.iter().zip(b).any(|(a, b)| a.abs_diff(*b) > 3);
    let pixels = a.chunks_exact(4).zip(b.chunks_exact(4));
    let differing = pixels.filter(|pair| far(*pair)).count();
    println!(
        "{what}: {differing} of {} pixels differ by more than 3 levels",
        a.len() / 4
    );
    assert!(differing * 500 < a.len() / 4, "{what}: {differing} pixels");
    let bright = a.chunks_exact(4).filter(|pixel| pixel[0] > 40).count();
    assert!(
        bright > 10_000,
        "{what}: there is something to see: {bright}"
    );
}

#[test]
fn slices_are_the_voxels_and_both_renderers_agree() {
    let dir = folder();
    let input = write(&dir, "series.nii.gz", &gz(&series().single(), 6));
    for frame in [0, 3] {
        let number = frame.to_string();
        let arguments = [&LEVELS[..], &["--frame", &number]].concat();
        let on_cpu = [&arguments[..], &["--backend", "cpu"]].concat();
        let (drawn_by_cpu, output_text) = draw(&dir, &input, &on_cpu);
        assert!(output_text.contains("CPU PATH"), "{output_text}");
        check_slices(&drawn_by_cpu, frame);
        if !adapter::ready("the viewer on a device") {
            continue;
        }
        let (drawn, output_text) = draw(&dir, &input, &arguments);
        assert!(output_text.contains("GPU path"), "{output_text}");
        check_slices(&drawn, frame);
        check_alike(&drawn_by_cpu, &drawn, "maximum");
    }
    let transfer = [&LEVELS[..], &["--mode", "transfer"]].concat();
    let (drawn, _) = draw(&dir, &input, &transfer);
    let (by_cpu, _) = draw(
        &dir,
        &input,
        &[&transfer[..], &["--backend", "cpu"]].concat(),
    );
    check_alike(&by_cpu, &drawn, "transfer");
}

#[test]
fn a_series_plays_and_pauses() {
    let dir = folder();
    let input = write(&dir, "series.nii", &series().single());
    let output = headless(&input, &["--fps", "1000", "--frames", "12"]).output();
    let output_text = printed(&output.expect("the viewer runs"));
    let row = |what: &str| {
        output_text
            .lines()
            .find(|line| line.starts_with(what))
            .expect("a row")
            .to_owned()
    };
    let shown = |what: &str| -> u64 {
        let row = row(what);
        let number = row
            .split(' ')
            .rev()
            .nth(1)
            .and_then(|number| number.parse().ok());
        number.expect("how many were shown")
    };
    assert!(row("first frame").ends_with("ms after load"));
    assert!(shown("playing:") >= 3, "{output_text}");
    assert_eq!(shown("paused:"), 0, "{output_text}");
    println!("{output_text}");
}

/// Complex voxels whose real part is the egg. There is no kernel for them, so the CPU computes what the device draws.
#[test]
fn what_has_no_kernel_takes_the_cpu_path_and_says_so() {
    let dir = folder();
    let plain = write(&dir, "plain.nii", &series().single());
    let parts = eggs().into_iter().flat_map(|level| [f32::from(level), 9.0]);
    let bytes = parts.flat_map(f32::to_le_bytes).collect();
    let complex = Nifti::new(DType::C64, &SHAPE, bytes).single();
    let complex = write(&dir, "complex.nii", &complex);
    let (drawn, output_text) = draw(&dir, &complex, &LEVELS);
    assert!(output_text.contains("CPU PATH"), "{output_text}");
    assert!(
        !adapter::ready("the viewer's CPU path") || output_text.contains("uploaded"),
        "{output_text}"
    );
    check_slices(&drawn, 0);
    let refused = headless(&complex, &["--backend", "gpu"]).output();
    assert_eq!(refused.expect("the viewer runs").status.code(), Some(1));
    let (expected, _) = draw(&dir, &plain, &LEVELS);
    check_alike(&expected, &drawn, "complex");
}

#[cfg(target_os = "linux")]
#[test]
fn without_an_adapter_the_cpu_draws() {
    let dir = folder();
    let input = write(&dir, "series.nii", &series().single());
    let path = dir.path().join("none.png");
    let mut command = headless(&input, &LEVELS);
    // No Vulkan driver is found then.
    for variable in ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"] {
        command.env(variable, dir.path().join("none.json"));
    }
    command.args(["--frames", "1", "--png"]).arg(&path);
    let output_text = printed(&command.output().expect("the viewer runs"));
    assert!(output_text.contains("no graphics adapter"), "{output_text}");
    let (by_cpu, _) = draw(&dir, &input, &[&LEVELS[..], &["--backend", "cpu"]].concat());
    assert!(picture(&path) == by_cpu);
    let refused = command
        .args(["--backend", "gpu"])
        .output()
        .expect("the viewer runs");
    assert_eq!(refused.status.code(), Some(1));
}

/// The first frame is on show before the damage after it is found.
#[test]
fn the_first_frame_comes_before_the_rest_is_read() {
    let dir = folder();
    // Larger than what is read ahead.
    let shape = [64, 64, 32, 200];
    let voxels = shape.iter().product::<usize>();
    let mut rng = Rng::new(5);
    let mut damaged = gz(
        &Nifti::new(DType::U8, &shape, rng.bytes(voxels)).single(),
        1,
    );
    let end = damaged.len();
    damaged[end - 100_000..end - 50_000].fill(0x55);
    let input = write(&dir, "damaged.nii.gz", &damaged);
    let mut command = viewer();
    command
        .arg(&input)
        .args(["--headless", "--size", "64,64", "--fps", "1000"]);
    let output = command
        .args(["--frames", "1000"])
        .output()
        .expect("the viewer runs");
    let output_text = text(&output.stdout);
    println!("{output_text}");
    assert_eq!(output.status.code(), Some(1), "{output_text}");
    assert!(output_text.contains("first frame"), "{output_text}");
    assert!(text(&output.stderr).contains("damaged gzip"), "{output:?}");
}

#[test]
fn any_shape_and_colours() {
    let dir = folder();
    let colours = Nifti::new(DType::Rgb24, &[20, 30, 10], [90, 200, 30].repeat(6000));
    for (name, nifti, note) in [
        ("colours.nii", colours, "luminance"),
        ("flat.nii", Nifti::counting(&[30, 20]), ""),
        ("line.nii", Nifti::counting(&[30]), ""),
        ("five.nii", Nifti::counting(&[8, 7, 6, 3, 2]), ""),
    ] {
        let input = write(&dir, name, &nifti.single());
        let (drawn, output_text) = draw(&dir, &input, &[]);
        assert!(output_text.contains(note), "{name}: {output_text}");
        assert!(
            drawn.iter().any(|&level| level > 60 && level < 255),
            "{name}"
        );
    }
    let fails = |input: &Path, arguments: &[&str], why: &str| {
        let output: Output = headless(input, arguments)
            .output()
            .expect("the viewer runs");
        assert_eq!(output.status.code(), Some(1));
        let error = text(&output.stderr);
        assert!(error.contains(why), "{error}");
    };
    fails(&dir.path().join("gone.nii"), &[], "no such file");
    fails(
        &dir.path().join("five.nii"),
        &["--frame", "3"],
        "out of range, there are 3",
    );
    fails(
        &dir.path().join("flat.nii"),
        &["--window", "3,1"],
        "increasing",
    );
}
