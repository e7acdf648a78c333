//! `voxload convert`: the scaled values of a volume to a `.npy` or `.raw` file.

use std::path::PathBuf;

use clap::ValueEnum;
use half::f16;
use voxload::{DataobjImage, Float, HostArray, Index, StoredArray};

use crate::CommandResult;
use crate::output::write_array;

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
    /// The CPU for results on the host
    Auto,
    Cpu,
    /// Any adapter, software ones too
    Gpu,
}

pub fn run(args: &Args) -> CommandResult {
    let mut image = voxload::load(&args.input)?;
    for note in image.notes() {
        eprintln!("voxload: {}: {note}", args.input.display());
    }
    let mut index = args.slice.clone().unwrap_or_default();
    if args.canonical {
        // An orientation needs an affine that follows the slice, so it is the image that is sliced.
        image = image.slicer(&index)?.as_closest_canonical()?;
        index = Index::new();
    }
    let array: StoredArray = match args.dtype {
        OutType::F16 => values::<f16>(&image, &index)?.into(),
        OutType::F32 => values::<f32>(&image, &index)?.into(),
        OutType::F64 => values::<f64>(&image, &index)?.into(),
        OutType::Native => image.dataobj().slice_native(&index)?,
    };
    write_array(&args.output, &array)
}

fn values<T: Float>(image: &DataobjImage, index: &Index) -> voxload::Result<HostArray<T>> {
    image.dataobj().slice(index)
}
