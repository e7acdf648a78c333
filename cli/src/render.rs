//! `voxload render`: draws orthogonal slices or a maximum intensity projection as a PNG, in canonical orientation. The
//! spatial axes are drawn.

mod picture;
mod window;

use std::path::PathBuf;

use clap::ValueEnum;
use voxload::{DType, DataobjImage, HostArray, Index};

use crate::loading::{Loading, print_notes};
use crate::output::write_whole;
use crate::part::{Part, note_dropped_part};
use crate::{CommandResult, spinner};
use picture::{Panel, Picture};
use window::Window;

/// Draws a volume as a PNG file.
#[derive(clap::Args)]
pub(crate) struct Args {
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
    /// Component of vectors, counted from 0; by default colours (three or four bytes) are drawn as such, and of others the
    /// first component
    #[arg(long)]
    component: Option<usize>,
    /// What to draw of complex voxels
    #[arg(long, value_enum)]
    part: Option<Part>,
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

/// The two axes of each panel (right, up), the axis of its slice or projection, and the letters at its edges.
const PANELS: [([usize; 2], usize, [char; 4]); 3] = [
    ([1, 2], 0, ['P', 'A', 'I', 'S']),
    ([0, 2], 1, ['L', 'R', 'I', 'S']),
    ([0, 1], 2, ['L', 'R', 'P', 'A']),
];

pub(crate) fn run(args: &Args) -> CommandResult {
    let working = spinner("drawing");
    let image = args.loading.load(&args.input)?;
    let volume = Volume::load(&image, args)?;
    let window = match args.window.as_deref() {
        None if volume.is_coloured() => Window { lo: 0.0, hi: 255.0 },
        None => Window::robust(volume.channels[0].as_slice()),
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
        if volume.is_flat && along != 2 {
            continue;
        }
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
            // A two-dimensional image is drawn as it is stored, without letters.
            labels: if volume.is_flat { [' '; 4] } else { labels },
        });
    }
    let picture = Picture::of(&panels);
    write_whole(&args.output, |writer| picture.write_png(writer))?;
    working.finish_and_clear();
    note_dropped_part(&image, args.part, &args.input);
    print_notes(&image, &args.input);
    Ok(())
}

/// One frame in canonical orientation; a two-dimensional image as it is stored.
struct Volume {
    /// One for grey, three for colours.
    channels: Vec<HostArray<f32>>,
    shape: [usize; 3],
    zooms: [f64; 3],
    is_flat: bool,
}

impl Volume {
    fn load(image: &DataobjImage, args: &Args) -> Result<Self, Box<dyn std::error::Error>> {
        let is_colour = image.dataobj().dtype().is_colour();
        let channels = is_colour.then(|| voxload::channels(image)).transpose()?;
        let image = channels.as_ref().unwrap_or(image);
        let is_flat = image.header().space_axes().len() == 2;
        let canonical = (!is_flat)
            .then(|| image.as_closest_canonical())
            .transpose()?;
        let image = canonical.as_ref().unwrap_or(image);
        let header = image.header();
        let space = header.space_axes();
        let lengths = space.iter().map(|&axis| header.shape[axis]);
        let zooms = space.iter().map(|&axis| header.zooms[axis]);
        let (mut shape, mut sizes) = ([1; 3], [1.0; 3]);
        shape
            .iter_mut()
            .zip(lengths)
            .for_each(|(place, length)| *place = length);
        sizes
            .iter_mut()
            .zip(zooms)
            .for_each(|(place, zoom)| *place = zoom);
        if shape.contains(&0) {
            return Err(format!("there are no voxels in {:?}", header.shape).into());
        }
        let components: &[usize] = match (args.component, header.component_axis()) {
            (Some(wanted), _) => &[wanted],
            (None, Some(axis))
                if matches!(header.shape[axis], 3 | 4) && header.dtype == DType::U8 =>
            {
                &[0, 1, 2]
            }
            (None, _) => &[0],
        };
        let channels = components.iter().map(|&component| {
            let index = index_of(image, args.frame, component)?;
            match args.part {
                Some(part) => part.slice::<f32>(image, &index),
                None => Ok(image.dataobj().slice::<f32>(&index)?),
            }
        });
        Ok(Self {
            channels: channels.collect::<Result<_, Box<dyn std::error::Error>>>()?,
            shape,
            zooms: sizes,
            is_flat,
        })
    }

    fn is_coloured(&self) -> bool {
        self.channels.len() > 1
    }

    /// The levels of a panel, first axis fastest: a slice at a position, or the maximum along the axis.
    fn panel(
        &self,
        [right, up]: [usize; 2],
        along: usize,
        at: Option<usize>,
        window: &Window,
    ) -> Vec<[u8; 3]> {
        let strides = [1, self.shape[0], self.shape[0] * self.shape[1]];
        let positions = at.map_or(0..self.shape[along], |at| at..at + 1);
        let level = |first: usize, channel: usize| {
            // A grey image has one channel for all three.
            let values = self.channels[channel.min(self.channels.len() - 1)].as_slice();
            let column = positions
                .clone()
                .map(|w| values[first + w * strides[along]]);
            // NaN is less than everything, as in `f32::max`.
            window.level(f64::from(column.fold(f32::NAN, f32::max)))
        };
        let mut levels = Vec::with_capacity(self.shape[right] * self.shape[up]);
        for v in 0..self.shape[up] {
            for u in 0..self.shape[right] {
                let first = u * strides[right] + v * strides[up];
                levels.push(match self.is_coloured() {
                    true => std::array::from_fn(|channel| level(first, channel)),
                    false => [level(first, 0); 3],
                });
            }
        }
        levels
    }
}

/// An index of all positions along the spatial axes, the frame and the component that are drawn, and position 0 of
/// other axes.
fn index_of(
    image: &DataobjImage,
    frame: usize,
    component: usize,
) -> Result<Index, Box<dyn std::error::Error>> {
    let header = image.header();
    let space = header.space_axes();
    let (frames, components) = (header.frame_axis(), header.component_axis());
    for (name, axis, wanted) in [
        ("--frame", frames, frame),
        ("--component", components, component),
    ] {
        let length = axis.map_or(1, |axis| header.shape[axis]);
        if wanted >= length {
            return Err(format!("{name}: {wanted} is out of range, there are {length}").into());
        }
    }
    let position = |axis| match Some(axis) {
        found if found == frames => frame as i64,
        found if found == components => component as i64,
        _ => 0,
    };
    let index = (0..image.ndim()).fold(Index::new(), |index, axis| match space.contains(&axis) {
        true => index.all(),
        false => index.at(position(axis)),
    });
    Ok(index)
}
