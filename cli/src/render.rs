//! `voxload render`: draws orthogonal slices or a maximum intensity projection as a PNG, in canonical orientation.

mod picture;
mod window;

use std::path::PathBuf;

use clap::ValueEnum;
use voxload::{DataobjImage, HostArray, Index};

use crate::loading::{Loading, note_real_part, print_notes};
use crate::output::write_whole;
use crate::{CommandResult, spinner};
use picture::{Panel, Picture};
use window::Window;

/// Draws a volume as a PNG file.
#[derive(clap::Args)]
pub struct Args {
    /// Any file of the volume; - is standard input, which is copied to a temporary file first
    pub input: PathBuf,
    /// PNG file to write
    #[arg(short, long, value_name = "PNG")]
    pub output: PathBuf,
    /// What to draw
    #[arg(long, value_enum, default_value_t = Mode::Slices)]
    mode: Mode,
    /// Frame of a series, counted from 0
    #[arg(long, default_value_t = 0)]
    frame: usize,
    /// Voxel through which the slices pass, in canonical (RAS) order; by default the middle
    #[arg(long, value_name = "I,J,K", value_delimiter = ',')]
    at: Option<Vec<usize>>,
    /// Values drawn black and white; by default the 1st and 99th percentiles
    #[arg(
        long,
        value_name = "LO,HI",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    window: Option<Vec<f64>>,
    #[command(flatten)]
    loading: Loading,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// A sagittal, a coronal and an axial slice
    Slices,
    /// The maximum along each axis
    Mip,
}

/// The two axes of each panel (right, up), and the axis along which it is a slice or projection.
const PANELS: [([usize; 2], usize, [char; 4]); 3] = [
    ([1, 2], 0, ['P', 'A', 'I', 'S']),
    ([0, 2], 1, ['L', 'R', 'I', 'S']),
    ([0, 1], 2, ['L', 'R', 'P', 'A']),
];

pub fn run(args: &Args) -> CommandResult {
    let working = spinner("drawing");
    let image = args.loading.load(&args.input)?;
    let volume = Volume::load(&image, args.frame)?;
    let window = match args.window.as_deref() {
        None => Window::robust(volume.values.as_slice()),
        Some([lo, hi]) => Window { lo: *lo, hi: *hi },
        Some(_) => return Err("--window takes two numbers: LO,HI".into()),
    };
    let at = match args.at.as_deref() {
        None => volume.shape.map(|length| length / 2),
        Some([i, j, k]) => [*i, *j, *k],
        Some(_) => return Err("--at takes three numbers: I,J,K".into()),
    };
    if let Some(axis) = (0..3).find(|&axis| at[axis] >= volume.shape[axis]) {
        let length = volume.shape[axis];
        return Err(format!("--at: {} is out of range for an axis of {length}", at[axis]).into());
    }
    let mut panels = Vec::new();
    for ([right, up], along, labels) in PANELS {
        let levels = volume.panel(
            [right, up],
            along,
            (args.mode == Mode::Slices).then_some(at[along]),
            &window,
        );
        panels.push(Panel {
            size: [volume.shape[right], volume.shape[up]],
            zooms: [volume.zooms[right], volume.zooms[up]],
            levels,
            labels,
        });
    }
    let picture = Picture::of(&panels);
    write_whole(&args.output, |writer| picture.write_png(writer))?;
    working.finish_and_clear();
    note_real_part(&image, &args.input);
    print_notes(&image, &args.input);
    Ok(())
}

/// One frame in canonical orientation.
struct Volume {
    values: HostArray<f32>,
    shape: [usize; 3],
    zooms: [f64; 3],
}

impl Volume {
    fn load(image: &DataobjImage, frame: usize) -> Result<Self, Box<dyn std::error::Error>> {
        if image.ndim() < 3 {
            return Err(format!(
                "the volume needs three axes, its shape is {:?}",
                image.shape()
            )
            .into());
        }
        let canonical = image.as_closest_canonical()?;
        let mut index = Index::new().all().all().all();
        for (axis, &length) in canonical.shape().iter().enumerate().skip(3) {
            // Frames are counted along the fourth axis; along further axes the first position is used.
            let wanted = if axis == 3 { frame } else { 0 };
            if wanted >= length {
                return Err(
                    format!("--frame: {wanted} is out of range, there are {length}").into(),
                );
            }
            index = index.at(wanted as i64);
        }
        let values = canonical.dataobj().slice::<f32>(&index)?;
        let [i, j, k, ..] = *canonical.shape() else {
            return Err("the volume needs three axes".into());
        };
        if values.is_empty() {
            return Err(format!("there are no voxels in {:?}", canonical.shape()).into());
        }
        let zoom = |axis: usize| canonical.header().zooms.get(axis).copied().unwrap_or(1.0);
        Ok(Self {
            values,
            shape: [i, j, k],
            zooms: [zoom(0), zoom(1), zoom(2)],
        })
    }

    /// The grey levels of a panel, first axis fastest: a slice at a position, or the maximum along the axis.
    fn panel(
        &self,
        [right, up]: [usize; 2],
        along: usize,
        at: Option<usize>,
        window: &Window,
    ) -> Vec<u8> {
        let strides = [1, self.shape[0], self.shape[0] * self.shape[1]];
        let values = self.values.as_slice();
        let positions = at.map_or(0..self.shape[along], |at| at..at + 1);
        let mut levels = Vec::with_capacity(self.shape[right] * self.shape[up]);
        for v in 0..self.shape[up] {
            for u in 0..self.shape[right] {
                let first = u * strides[right] + v * strides[up];
                let column = positions
                    .clone()
                    .map(|w| values[first + w * strides[along]]);
                // NaN is less than everything, as in `f32::max`.
                let brightest = column.fold(f32::NAN, f32::max);
                levels.push(window.level(f64::from(brightest)));
            }
        }
        levels
    }
}
