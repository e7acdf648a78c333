//! A renderer as a user of voxload would write it: with its own wgpu device and window, into whose 3-D texture voxload
//! streams frames. It draws three slices and a ray cast of any supported file, and uses only voxload's public API.
//!
//! ```text
//! cargo run --release -p viewer -- bold.nii.gz
//! cargo run --release -p viewer -- t1.nii.gz --headless --mode transfer --png t1.png
//! ```
//!
//! Left button: rotate the ray cast, move the slices, scrub the bar. Right button: window and level. Wheel: zoom.
//! Space: play or pause. Arrows: next or previous frame. M: maximum or transfer function. R: reset the camera. Escape:
//! exit.

mod controls;
mod device;
mod feed;
mod headless;
mod hud;
mod player;
mod scene;
mod session;
mod software;
mod text;
mod volume;
mod window;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use feed::Backend;

/// Shows a volume, or a series while it is being read.
#[derive(Parser)]
#[command(max_term_width = 100)]
struct Args {
    /// Any file of the volume
    input: PathBuf,
    /// Draw without a window: measure, and write --png
    #[arg(long)]
    headless: bool,
    /// Exit after this many screen frames; without a window: this many for each measurement (60)
    #[arg(long, value_name = "N")]
    frames: Option<u64>,
    /// Write the picture to this file
    #[arg(long, value_name = "FILE", requires = "headless")]
    png: Option<PathBuf>,
    /// Width and height of the picture
    #[arg(long, value_name = "W,H", default_value = "960,734", value_parser = size)]
    size: [u32; 2],
    /// How the volume is projected
    #[arg(long, value_enum, default_value_t = Cast::Mip)]
    mode: Cast,
    /// First frame of a series to show, counted from 0
    #[arg(long, value_name = "T", default_value_t = 0)]
    frame: usize,
    /// Values drawn black and white; by default a robust window of the first frame
    #[arg(
        long,
        value_name = "LO,HI",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    window: Option<Vec<f32>>,
    /// Frames per second of a playing series
    #[arg(long, value_name = "N", default_value_t = 10.0, value_parser = pace)]
    fps: f64,
    /// Backend that computes the values; without a window, `cpu` also draws
    #[arg(long, value_enum, default_value_t = Backend::Auto)]
    backend: Backend,
    /// Show only the directions, without counters
    #[arg(long)]
    bare: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Cast {
    /// The maximum along each ray
    Mip,
    /// Opacity by the window, with lighting
    Transfer,
}

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn size(text: &str) -> Result<[u32; 2], String> {
    let sides = text.split_once(',');
    let side = |text: &str| text.parse().ok().filter(|side| (64..=8192).contains(side));
    let sides = sides.and_then(|(width, height)| Some([side(width)?, side(height)?]));
    sides.ok_or_else(|| "two numbers from 64 to 8192: W,H".to_owned())
}

fn pace(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(pace) if (0.01..=1000.0).contains(&pace) => Ok(pace),
        _ => Err("from 0.01 to 1000 frames a second".to_owned()),
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = if args.headless {
        headless::run(&args)
    } else {
        window::run(&args)
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("viewer: {error}");
            ExitCode::FAILURE
        }
    }
}
