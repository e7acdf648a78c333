//! `voxload convert`: the scaled values of a volume to a `.npy` or `.raw` file.

use std::path::PathBuf;

use clap::ValueEnum;
use half::f16;
use indicatif::ProgressBar;
use voxload::{DType, DataobjImage, Float, Index};

use crate::CommandResult;
use crate::output::ArrayFile;

/// Writes the scaled values of a volume to another file.
#[derive(clap::Args)]
pub struct Args {
    /// Any file of the volume
    input: PathBuf,
    /// `.npy` (Fortran order) or `.raw` (the same bytes bare)
    output: PathBuf,
    /// The type to write; `native` is as stored where nothing is scaled, else f64
    #[arg(long, value_enum, default_value_t = OutType::F32)]
    dtype: OutType,
    /// Where the values are computed: the same bits everywhere
    #[arg(long, value_enum, default_value_t = Backend::Auto)]
    backend: Backend,
    /// Only what this index takes, in numpy's notation: "[..., 3]"
    #[arg(long, value_name = "INDEX", allow_hyphen_values = true)]
    slice: Option<Index>,
    /// With the voxel axes in the order and direction closest to right, anterior, superior (after --slice)
    #[arg(long)]
    canonical: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OutType {
    F16,
    F32,
    F64,
    Native,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Backend {
    /// The CPU: the result is on the host, and a trip over the bus and back never wins
    Auto,
    Cpu,
    /// Any adapter, software ones too
    Gpu,
}

pub fn run(args: &Args) -> CommandResult {
    let file = ArrayFile::new(&args.output)?;
    let mut image = voxload::load(&args.input)?;
    let mut index = args.slice.clone().unwrap_or_default();
    if args.canonical {
        // An orientation needs an affine that follows the slice, so it is the image that is sliced.
        image = image.slicer(&index)?.as_closest_canonical()?;
        index = Index::new();
    }
    match (args.backend, args.dtype) {
        (Backend::Gpu, dtype) => on_gpu(&image, &index, dtype, &file)?,
        (_, OutType::F16) => on_cpu::<f16>(&image, &index, &file)?,
        (_, OutType::F32) => on_cpu::<f32>(&image, &index, &file)?,
        (_, OutType::F64) => on_cpu::<f64>(&image, &index, &file)?,
        (_, OutType::Native) => file.write_array(&image.dataobj().slice_native(&index)?)?,
    }
    // At the end: a whole read of a gzip stream may add to them.
    for note in image.notes() {
        eprintln!("voxload: {}: {note}", args.input.display());
    }
    Ok(())
}

fn on_cpu<T: Float>(image: &DataobjImage, index: &Index, file: &ArrayFile) -> CommandResult {
    let working = crate::spinner("converting");
    let array = image.dataobj().slice::<T>(index)?;
    working.set_message("writing");
    file.write_array(&array.into())?;
    working.finish_and_clear();
    Ok(())
}

#[cfg(feature = "gpu")]
fn on_gpu(image: &DataobjImage, index: &Index, dtype: OutType, file: &ArrayFile) -> CommandResult {
    let native = image
        .proxy()
        .map_or(image.dataobj().dtype(), voxload::ArrayProxy::native_dtype);
    match (dtype, native) {
        (OutType::F16, _) | (OutType::Native, DType::F16) => by_blocks::<f16>(image, index, file),
        (OutType::F32, _) | (OutType::Native, DType::F32) => by_blocks::<f32>(image, index, file),
        (OutType::F64, _) | (OutType::Native, DType::F64) => by_blocks::<f64>(image, index, file),
        (OutType::Native, stored) => {
            Err(format!("the GPU has no kernel that gives {stored}: use --backend cpu").into())
        }
    }
}

#[cfg(not(feature = "gpu"))]
fn on_gpu(_: &DataobjImage, _: &Index, _: OutType, _: &ArrayFile) -> CommandResult {
    Err("this build has no GPU support: use --backend cpu".into())
}

/// Computes on the device by ranges of the last axis that fit its largest buffer, writing each as it comes back.
#[cfg(feature = "gpu")]
fn by_blocks<T: Float>(image: &DataobjImage, index: &Index, file: &ArrayFile) -> CommandResult {
    let gpu = voxload::Gpu::new()?;
    let sliced = image.dataobj().sliced(index)?;
    let shape = sliced.shape().to_vec();
    let frames = shape.last().copied().unwrap_or(1);
    let total: usize = shape.iter().product();
    let frame_bytes = (total / frames.max(1)).max(1) as u64 * size_of::<T>() as u64;
    let most_bytes = gpu.limits().max_buffer_size & !3;
    let block = usize::try_from(most_bytes / frame_bytes)?.clamp(1, frames.max(1));
    let progress = progress(frames.div_ceil(block.max(1)) as u64);
    file.write(T::DTYPE, &shape, |writer| {
        if frames <= block {
            let array = sliced.slice_gpu::<T>(&gpu, &Index::new())?;
            return Ok(writer.write_all(bytemuck::cast_slice(array.download()?.as_slice()))?);
        }
        for start in (0..frames).step_by(block) {
            let stop = frames.min(start + block);
            let part = Index::new().ellipsis().range(start as i64..stop as i64);
            let array = sliced.slice_gpu::<T>(&gpu, &part)?;
            writer.write_all(bytemuck::cast_slice(array.download()?.as_slice()))?;
            progress.inc(1);
        }
        // A whole read checks the end of a compressed stream; one by blocks has to ask for that.
        if let Some(proxy) = image.proxy() {
            proxy.check_to_end()?;
        }
        Ok(())
    })?;
    progress.finish_and_clear();
    Ok(())
}

/// A progress bar over the blocks: on a terminal, and when there is more than one.
#[cfg(feature = "gpu")]
fn progress(blocks: u64) -> ProgressBar {
    match blocks {
        0 | 1 => ProgressBar::hidden(),
        _ => ProgressBar::new(blocks),
    }
}
