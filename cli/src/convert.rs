//! `voxload convert`: writes the scaled values of a volume to a `.npy`, `.raw` or NIfTI file.

use std::error::Error;
use std::path::PathBuf;

use clap::ValueEnum;
use half::f16;
use voxload::{DType, DataobjImage, Float, Index, SaveOptions, StoredArray};

use crate::loading::{Loading, print_notes, shown};
use crate::output::ArrayFile;
use crate::part::{Part, note_dropped_part};
use crate::{CommandResult, spinner};

/// Writes the scaled values of a volume to another file.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Any file of the volume; - is standard input, which is copied to a temporary file first
    pub input: PathBuf,
    /// Output file: `.npy` (Fortran order), `.raw` (the same bytes without a header), `.nii`, `.nii.gz`, `.hdr` or
    /// `.img`
    pub output: PathBuf,
    /// Type to write; `native` is the stored type if nothing is scaled, otherwise f64. Default: f32; for NIfTI, the
    /// stored type with its scaling
    #[arg(long, value_enum)]
    dtype: Option<OutType>,
    /// Where the values are computed; the bits are the same everywhere
    #[arg(long, value_enum, default_value_t = Backend::Auto)]
    backend: Backend,
    /// Write only what this index selects, in numpy's notation: "[..., 3]"
    #[arg(long, value_name = "INDEX", allow_hyphen_values = true)]
    slice: Option<Index>,
    /// Reorder and flip the voxel axes to be closest to right, anterior, superior (after --slice)
    #[arg(long)]
    canonical: bool,
    /// What to write of complex voxels; they stay complex in NIfTI files and with `--dtype native`, otherwise the real part is
    /// written
    #[arg(long, value_enum)]
    part: Option<Part>,
    /// Write colours (RGB, RGBA) as bytes with an axis of channels, the last one (the fifth in NIfTI files)
    #[arg(long)]
    channels: bool,
    /// Write NIfTI-2; without this, only for what is NIfTI-2 already and for sides above 32767
    #[arg(long)]
    nifti2: bool,
    /// How small gzipped NIfTI files become, 1 (fast) to 9 (small): about as gzip's files at this level. Default: 6
    #[arg(long, value_name = "1-9", value_parser = clap::value_parser!(u32).range(1..=9))]
    level: Option<u32>,
    #[command(flatten)]
    loading: Loading,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OutType {
    F16,
    F32,
    F64,
    Native,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    /// Uses the CPU: the result is needed on the host, so the transfers to a GPU and back do not pay
    Auto,
    Cpu,
    /// Uses any adapter, including software adapters
    Gpu,
}

const PART_ON_CPU: &str = "parts of complex voxels are computed on the CPU: omit --backend";

/// Endings of NIfTI files, without compression.
const NIFTI_ENDINGS: [&str; 3] = [".nii", ".hdr", ".img"];

pub(crate) fn run(args: &Args) -> CommandResult {
    let name = args.output.to_string_lossy().to_lowercase();
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    let nifti = NIFTI_ENDINGS.iter().any(|ending| plain.ends_with(ending));
    let file = if nifti {
        None
    } else {
        Some(ArrayFile::new(&args.output)?)
    };
    if args.nifti2 && !nifti {
        return Err("--nifti2 is for .nii, .nii.gz, .hdr and .img files".into());
    }
    if args.level.is_some() && !(nifti && plain != name) {
        return Err("--level is for .nii.gz, .hdr.gz and .img.gz files".into());
    }
    let mut image = args.loading.load(&args.input)?;
    if args.channels {
        image = voxload::channels(&image)?;
    }
    let mut index = args.slice.clone().unwrap_or_default();
    if args.canonical || nifti {
        // The output needs the affine of the slice, so the image is sliced, not the array.
        if args.slice.is_some() {
            image = image.slicer(&index)?;
        }
        index = Index::new();
    }
    if args.canonical {
        image = image.as_closest_canonical()?;
    }
    let working = spinner("converting");
    match file {
        Some(file) => to_array(&image, &index, args, &file)?,
        None => to_nifti(&image, args)?,
    }
    working.finish_and_clear();
    let stays_complex = match args.dtype {
        None => nifti,
        Some(dtype) => dtype == OutType::Native,
    };
    if args.part.is_some() || !stays_complex {
        note_dropped_part(&image, args.part, &args.input);
    }
    // Printed at the end, because a whole read of a gzip file may add notes.
    print_notes(&image, &args.input);
    Ok(())
}

fn to_array(image: &DataobjImage, index: &Index, args: &Args, file: &ArrayFile) -> CommandResult {
    fn values<T: Float>(
        image: &DataobjImage,
        index: &Index,
        part: Option<Part>,
        file: &ArrayFile,
    ) -> CommandResult {
        file.write_array(&match part {
            Some(part) => part.slice::<T>(image, index)?.into(),
            None => image.dataobj().slice::<T>(index)?.into(),
        })
    }
    let dtype = args.dtype.unwrap_or(OutType::F32);
    match (args.backend, dtype) {
        (Backend::Gpu, _) if args.part.is_some() => Err(PART_ON_CPU.into()),
        (Backend::Gpu, dtype) => on_gpu(image, index, dtype, file),
        (_, OutType::F16) => values::<f16>(image, index, args.part, file),
        (_, OutType::F32) => values::<f32>(image, index, args.part, file),
        (_, OutType::F64) => values::<f64>(image, index, args.part, file),
        (_, OutType::Native) => match args.part {
            None => file.write_array(&image.dataobj().sliced(index)?.native()?),
            Some(part) if image.dataobj().native_dtype() == DType::C64 => {
                values::<f32>(image, index, Some(part), file)
            }
            part => values::<f64>(image, index, part, file),
        },
    }
}

/// The image of a part of complex voxels.
fn part_of(image: &DataobjImage, part: Part, dtype: DType) -> Result<DataobjImage, Box<dyn Error>> {
    let whole = Index::new();
    let values: StoredArray = match dtype {
        DType::F64 => part.slice::<f64>(image, &whole)?.into(),
        _ => part.slice::<f32>(image, &whole)?.into(),
    };
    let mut header = image.header().clone();
    header.dtype = values.dtype();
    Ok(DataobjImage::new(
        values,
        header,
        image.extra().clone(),
        image.file_map().clone(),
    )?)
}

/// The options of all NIfTI files that are written.
fn save_options(args: &Args) -> SaveOptions {
    let mut options = SaveOptions::new();
    if args.nifti2 {
        options = options.nifti2();
    }
    match args.level {
        Some(level) => options.level(level),
        None => options,
    }
}

fn to_nifti(image: &DataobjImage, args: &Args) -> CommandResult {
    let options = save_options(args);
    let options = match args.dtype {
        None => options.keep_scaling(),
        Some(OutType::F16) => return Err("NIfTI has no f16: use f32".into()),
        Some(OutType::F32) => options.dtype(DType::F32),
        Some(OutType::F64) => options.dtype(DType::F64),
        Some(OutType::Native) => options.dtype(image.dataobj().native_dtype()),
    };
    if args.backend == Backend::Gpu {
        return Err("values for NIfTI files are computed on the CPU: omit --backend".into());
    }
    if let Some(part) = args.part {
        let dtype = match (args.dtype, image.dataobj().native_dtype()) {
            (Some(OutType::F64), _) | (None | Some(OutType::Native), DType::C128) => DType::F64,
            _ => DType::F32,
        };
        let part = part_of(image, part, dtype)?;
        return write_nifti(&part, args, &save_options(args).dtype(dtype));
    }
    write_nifti(image, args, &options)
}

fn write_nifti(image: &DataobjImage, args: &Args, options: &SaveOptions) -> CommandResult {
    let saved = match voxload::save(image, &args.output, options) {
        Err(error) if args.dtype.is_none() && is_unsupported(&error) => {
            let stored = image.dataobj().dtype();
            let values = if stored.is_complex() {
                DType::C64
            } else {
                DType::F32
            };
            eprintln!(
                "voxload: NIfTI cannot represent the scaling of these {stored} voxels: written as {values}"
            );
            voxload::save(image, &args.output, &save_options(args).dtype(values))?
        }
        saved => saved?,
    };
    for note in saved {
        eprintln!("voxload: {}: {note}", shown(&args.output));
    }
    Ok(())
}

fn is_unsupported(error: &voxload::Error) -> bool {
    matches!(error.kind(), voxload::ErrorKind::Unsupported(_))
}

#[cfg(feature = "gpu")]
fn on_gpu(image: &DataobjImage, index: &Index, dtype: OutType, file: &ArrayFile) -> CommandResult {
    match (dtype, image.dataobj().native_dtype()) {
        (OutType::F16, _) | (OutType::Native, DType::F16) => by_blocks::<f16>(image, index, file),
        (OutType::F32, _) | (OutType::Native, DType::F32) => by_blocks::<f32>(image, index, file),
        (OutType::F64, _) | (OutType::Native, DType::F64) => by_blocks::<f64>(image, index, file),
        (OutType::Native, stored) => {
            Err(format!("the GPU cannot output {stored}: use --backend cpu").into())
        }
    }
}

#[cfg(not(feature = "gpu"))]
fn on_gpu(_: &DataobjImage, _: &Index, _: OutType, _: &ArrayFile) -> CommandResult {
    Err("this build has no GPU support: use --backend cpu".into())
}

/// Converts on the device in ranges of the last axis that fit in its largest buffer, and writes each one in turn.
#[cfg(feature = "gpu")]
fn by_blocks<T: Float>(image: &DataobjImage, index: &Index, file: &ArrayFile) -> CommandResult {
    let gpu = voxload::Gpu::new()?;
    let sliced = image.dataobj().sliced(index)?;
    let shape = sliced.shape().to_vec();
    let frames = shape.last().copied().unwrap_or(1);
    let total: usize = shape.iter().product();
    let frame_bytes = (total / frames.max(1)).max(1) as u64 * size_of::<T>() as u64;
    let max_bytes = gpu.limits().max_buffer_size & !3;
    let block = usize::try_from(max_bytes / frame_bytes)?.clamp(1, frames.max(1));
    file.write(T::DTYPE, &shape, |writer| {
        let mut load = |part: &Index| -> CommandResult {
            let array = sliced.sliced(part)?.read_gpu::<T>(&gpu)?.download()?;
            Ok(writer.write_all(bytemuck::cast_slice(array.as_slice()))?)
        };
        if frames <= block {
            return load(&Index::new());
        }
        for start in (0..frames).step_by(block) {
            let stop = frames.min(start + block);
            load(&Index::new().ellipsis().range(start as i64..stop as i64))?;
        }
        // A whole read checks the end of a compressed stream; one by blocks has to ask for that.
        Ok(image.dataobj().check_to_end()?)
    })
}
