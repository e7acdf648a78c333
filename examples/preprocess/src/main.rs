//! Preprocessing of a 4-D series in bounded memory: mean, standard deviation and temporal signal-to-noise ratio of each
//! voxel, and frames as z-scores or percent signal change, written as NIfTI. It uses only voxload's public API.
//!
//! ```text
//! cargo run --release -p preprocess -- bold.nii.gz --tsnr tsnr.nii.gz --zscore z.nii --memory 256MiB
//! ```

mod device;
mod frames;
mod maps;
mod memory;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use voxload::{DType, DataobjImage, Gpu, Header, LoadOptions, Mmap, NiftiWriter, SaveOptions};

use frames::Kind;
use maps::Maps;
use memory::{Bytes, Plan};

/// Statistics over time, and normalised frames, of a series that need not fit in memory.
#[derive(Parser)]
#[command(max_term_width = 100)]
struct Args {
    /// Any file of the series
    input: PathBuf,
    /// Mean of each voxel over time (.nii or .nii.gz, as all outputs; float32)
    #[arg(long, value_name = "FILE")]
    mean: Option<PathBuf>,
    /// Standard deviation of each voxel over time (of the population)
    #[arg(long, value_name = "FILE")]
    std: Option<PathBuf>,
    /// Mean divided by standard deviation; 0 where the standard deviation is 0
    #[arg(long, value_name = "FILE")]
    tsnr: Option<PathBuf>,
    /// Frames as (value - mean) / std; 0 where std is 0
    #[arg(long, value_name = "FILE")]
    zscore: Option<PathBuf>,
    /// Frames as (value - mean) / mean * 100; 0 where the mean is 0
    #[arg(long, value_name = "FILE")]
    percent: Option<PathBuf>,
    /// Memory limit for host and device together, without the memory of the GPU driver
    #[arg(long, value_name = "SIZE", default_value = "256MiB")]
    memory: Bytes,
    /// Backend that computes the values
    #[arg(long, value_enum, default_value_t = Backend::Auto)]
    backend: Backend,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Backend {
    /// The CPU: the results go to files, so transfers to a GPU and back do not pay
    Auto,
    /// In f64, rounded to f32 once: numpy's results
    Cpu,
    /// Maps with the CPU's bits; frames in f32, where each of three operations is rounded
    Gpu,
}

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("preprocess: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Outcome {
    let start = Instant::now();
    // Mapped pages may count towards the memory limit, so the file is read by position.
    let options = LoadOptions::new().mmap(Mmap::Off);
    let image = DataobjImage::from_filename(&args.input, &options)?;
    if image.ndim() < 4 {
        return Err(format!("a series has four axes, this one is {:?}", image.shape()).into());
    }
    let gpu = match args.backend {
        Backend::Gpu => Some(Gpu::new()?),
        Backend::Auto | Backend::Cpu => None,
    };
    let jobs = jobs(args);
    let frames = !jobs.is_empty();
    let plan = Plan::new(
        image.shape(),
        args.memory,
        frames,
        gzipped(args),
        gpu.is_some(),
    )?;
    let maps = Maps::compute(&image, gpu.as_ref(), &plan)?;
    let header = map_header(image.header());
    write_map(&args.mean, &header, maps.mean.iter().copied())?;
    write_map(&args.std, &header, maps.std.iter().copied())?;
    write_map(&args.tsnr, &header, maps.tsnr())?;
    if frames {
        normalise(&image, gpu.as_ref(), maps, &plan, &jobs)?;
    }
    for note in image.notes() {
        eprintln!("preprocess: {}: {note}", args.input.display());
    }
    let seconds = start.elapsed().as_secs_f64();
    let peak = match memory::peak() {
        Some(bytes) => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
        None => "unknown".to_owned(),
    };
    let passes = plan.passes + usize::from(frames);
    println!("{passes} passes in {seconds:.2} s, peak memory {peak}");
    Ok(())
}

/// Number of gzipped files that are written at a time: maps one after the other, files of frames together.
fn gzipped(args: &Args) -> usize {
    let count = |paths: &[&Option<PathBuf>]| {
        let paths = paths.iter().filter_map(|path| path.as_deref());
        paths
            .filter(|path| path.extension().is_some_and(|ending| ending == "gz"))
            .count()
    };
    let maps = count(&[&args.mean, &args.std, &args.tsnr]).min(1);
    maps.max(count(&[&args.zscore, &args.percent]))
}

/// Which frames are to be written to which files.
fn jobs(args: &Args) -> Vec<(Kind, &Path)> {
    let jobs = [(Kind::ZScore, &args.zscore), (Kind::Percent, &args.percent)];
    jobs.into_iter()
        .filter_map(|(kind, path)| Some((kind, path.as_deref()?)))
        .collect()
}

fn normalise(
    image: &DataobjImage,
    gpu: Option<&Gpu>,
    maps: Maps,
    plan: &Plan,
    jobs: &[(Kind, &Path)],
) -> Outcome {
    let float = SaveOptions::new().dtype(DType::F32);
    let mut writers = Vec::new();
    for &(kind, path) in jobs {
        writers.push((kind, NiftiWriter::create(path, image.header(), &float)?));
    }
    match gpu {
        None => frames::write(image, &maps, plan, &mut writers)?,
        Some(gpu) => device::write(image, gpu, maps, plan, &mut writers)?,
    }
    for (_, writer) in writers {
        writer.finish()?;
    }
    Ok(())
}

/// The header of a map: the series' header without the last axis.
fn map_header(series: &Header) -> Header {
    let mut header = series.clone();
    header.shape.pop();
    header.zooms.truncate(header.shape.len());
    header.axes.truncate(header.shape.len());
    header
}

/// Writes a map, if it was requested, piece by piece, so that it is not held twice.
fn write_map(
    path: &Option<PathBuf>,
    header: &Header,
    values: impl Iterator<Item = f64>,
) -> Outcome {
    let Some(path) = path else {
        return Ok(());
    };
    let float = SaveOptions::new().dtype(DType::F32);
    let mut writer = NiftiWriter::create(path, header, &float)?;
    let mut piece = Vec::with_capacity(1 << 16);
    for value in values {
        piece.push(value as f32);
        if piece.len() == piece.capacity() {
            writer.write_values(&piece)?;
            piece.clear();
        }
    }
    writer.write_values(&piece)?;
    Ok(writer.finish()?)
}

/// A progress bar on a terminal; nothing elsewhere.
fn progress(what: &'static str, steps: usize) -> ProgressBar {
    let bar = ProgressBar::new(steps as u64).with_message(what);
    let style = "{msg:10} {wide_bar} {pos}/{len} frames, {elapsed}, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    // On a device, a band of all frames is one call.
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
