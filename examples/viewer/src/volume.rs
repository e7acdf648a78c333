//! Opening: any supported file becomes a volume or a series of volumes in canonical orientation.

use std::path::Path;

use voxload::{
    Affine, DataobjImage, Histogram, HostArray, Index, LoadOptions, StatisticsOptions, StoredArray,
};

use super::Outcome;

/// The volume that is shown. Only its header has been read.
pub(crate) struct Volume {
    /// Three axes, or four if the last one is that of the frames.
    pub image: DataobjImage,
    /// Number of voxels to the right, anterior, superior.
    pub size: [usize; 3],
    /// Voxel sizes in millimetres.
    pub zooms: [f32; 3],
    pub frames: usize,
    /// Notes about differences from the file.
    pub notes: Vec<String>,
}

/// Opens a file. Sides that are longer than `max` are subsampled.
pub(crate) fn open(path: &Path, max: usize) -> Outcome<Volume> {
    let image = DataobjImage::from_filename(path, &LoadOptions::new())?;
    let mut notes: Vec<String> = image.notes().iter().map(ToString::to_string).collect();
    let image = with_three_axes(luminance(image, &mut notes)?)?;
    let image = match image.as_closest_canonical() {
        Ok(image) => image,
        Err(error) => {
            notes.push(format!("no orientation: {error}"));
            image
        }
    };
    let image = thinned(image, max, &mut notes)?;
    let [x, y, z, ref rest @ ..] = *image.shape() else {
        return Err(format!(
            "the volume needs three axes, its shape is {:?}",
            image.shape()
        )
        .into());
    };
    let frames = rest.first().copied().unwrap_or(1);
    if x * y * z * frames == 0 {
        return Err(format!("there are no voxels in {:?}", image.shape()).into());
    }
    let zoom = |axis: usize| match image.header().zooms.get(axis) {
        Some(&zoom) if zoom.is_finite() && zoom > 0.0 => zoom as f32,
        _ => 1.0,
    };
    Ok(Volume {
        size: [x, y, z],
        zooms: [zoom(0), zoom(1), zoom(2)],
        frames,
        image,
        notes,
    })
}

/// Colours become their luminance; everything else is unchanged.
fn luminance(image: DataobjImage, notes: &mut Vec<String>) -> Outcome<DataobjImage> {
    let grey = |red: u8, green: u8, blue: u8| {
        0.2126 * f32::from(red) + 0.7152 * f32::from(green) + 0.0722 * f32::from(blue)
    };
    if !image.header().dtype.is_colour() {
        return Ok(image);
    }
    let values: Vec<f32> = match image.dataobj().unscaled()? {
        StoredArray::Rgb24(array) => {
            let colours = array.as_slice().iter();
            colours.map(|&[r, g, b]| grey(r, g, b)).collect()
        }
        StoredArray::Rgba32(array) => {
            let colours = array.as_slice().iter();
            colours.map(|&[r, g, b, _]| grey(r, g, b)).collect()
        }
        _ => return Ok(image),
    };
    notes.push("colours are shown as their luminance".to_owned());
    let affine: Option<Affine> = image.affine().copied();
    let array = HostArray::from_vec(image.shape(), values)?;
    Ok(DataobjImage::from_array(array, affine)?)
}

/// Missing axes get length 1. Along axes after the fourth, the first position is used.
fn with_three_axes(mut image: DataobjImage) -> Outcome<DataobjImage> {
    while image.ndim() < 3 {
        image = image.slicer(Index::new().ellipsis().new_axis())?;
    }
    if image.ndim() > 4 {
        let frames = Index::new().all().all().all().all();
        let first = (4..image.ndim()).fold(frames, |index, _| index.at(0));
        image = image.slicer(&first)?;
    }
    Ok(image)
}

/// Every n-th voxel of axes that are too long.
fn thinned(image: DataobjImage, max: usize, notes: &mut Vec<String>) -> Outcome<DataobjImage> {
    let steps: Vec<usize> = spatial(&image)
        .map(|side| side.div_ceil(max.max(1)))
        .collect();
    if steps.iter().all(|&step| step <= 1) {
        return Ok(image);
    }
    notes.push(format!(
        "sides above {max} voxels: every {steps:?}th is shown"
    ));
    Ok(image.slicer(every(&steps))?)
}

fn spatial(image: &DataobjImage) -> impl Iterator<Item = usize> + '_ {
    image.shape().iter().take(3).copied()
}

fn every(steps: &[usize]) -> Index {
    steps.iter().fold(Index::new(), |index, &step| {
        index.slice(None, None, Some(step.max(1) as i64))
    })
}

/// A robust window of the first frame: from the 1st to the 99th percentile of some of its voxels, without the
/// background if that is most of them.
pub(crate) fn robust_window(image: &DataobjImage) -> Outcome<[f32; 2]> {
    let steps: Vec<usize> = spatial(image).map(|side| side / 64).collect();
    let part = (3..image.ndim()).fold(every(&steps), |index, _| index.at(0));
    let options = StatisticsOptions::new().histogram(2048);
    let statistics = image.slicer(&part)?.statistics::<f32>(&options)?;
    let window = statistics.histogram.as_ref().and_then(window_of);
    Ok(window.unwrap_or([0.0, 1.0]))
}

fn window_of(histogram: &Histogram) -> Option<[f32; 2]> {
    let Histogram { edges, counts, .. } = histogram;
    let all: u64 = counts.iter().sum();
    let background = counts.first().copied()?;
    let foreground = all - background;
    let masked = background > all / 2 && foreground > 0;
    let (skipped, drawn) = if masked {
        (background, foreground)
    } else {
        (0, all)
    };
    let edge = |percent: u64, above: usize| {
        let wanted = skipped + drawn * percent / 100;
        let mut seen = 0;
        let bin = counts.iter().position(|count| {
            seen += count;
            seen > wanted
        });
        edges.get(bin.unwrap_or(counts.len() - 1) + above).copied()
    };
    let lo = if masked {
        edges.first().copied()?
    } else {
        edge(1, 0)?
    };
    let hi = edge(99, 1)?;
    Some(if hi > lo {
        [lo as f32, hi as f32]
    } else {
        [lo as f32, lo as f32 + 1.0]
    })
}
