//! `voxload stats`: statistics of the scaled values of a volume.

use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::{Value, json};
use voxload::{DataobjImage, Float, Histogram, Statistics, StatisticsOptions};

use crate::CommandResult;
use crate::convert::Backend;
use crate::loading::{Loading, print_notes};
use crate::part::note_dropped_part;

/// Length of the longest bar in characters.
const BAR: u64 = 50;

/// Count, extremes, mean, standard deviation and histogram of the scaled values.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Any file of the volume; - is standard input, which is copied to a temporary file first
    pub file: PathBuf,
    /// Type of the values
    #[arg(long, value_enum, default_value_t = ValueType::F32)]
    dtype: ValueType,
    /// Where the values are reduced; the results are the same everywhere
    #[arg(long, value_enum, default_value_t = Backend::Auto)]
    backend: Backend,
    /// Number of histogram bins, from the smallest to the largest value
    #[arg(long, value_name = "N")]
    bins: Option<usize>,
    /// Range of the histogram, instead of the smallest to the largest value: "-1000 400"
    #[arg(long, num_args = 2, value_names = ["LOW", "HIGH"], requires = "bins", allow_negative_numbers = true)]
    window: Option<Vec<f64>>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    loading: Loading,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ValueType {
    F32,
    F64,
}

pub(crate) fn run(args: &Args) -> CommandResult {
    let image = args.loading.load(&args.file)?;
    let mut options = StatisticsOptions::new();
    if let Some(bins) = args.bins {
        options = options.histogram(bins);
    }
    if let Some([low, high]) = args.window.as_deref() {
        options = options.window(*low, *high);
    }
    let working = crate::spinner("reducing");
    let statistics = match args.dtype {
        ValueType::F32 => statistics::<f32>(&image, args.backend, &options)?,
        ValueType::F64 => statistics::<f64>(&image, args.backend, &options)?,
    };
    working.finish_and_clear();
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{:#}", object(&statistics))?;
    } else {
        write_text(&mut out, &statistics)?;
    }
    note_dropped_part(&image, None, &args.file);
    print_notes(&image, &args.file);
    Ok(())
}

/// A file is reduced on the CPU unless a GPU is requested, because the transfer to a GPU takes longer.
fn statistics<T: Float>(
    image: &DataobjImage,
    backend: Backend,
    options: &StatisticsOptions,
) -> Result<Statistics, Box<dyn std::error::Error>> {
    match backend {
        Backend::Auto | Backend::Cpu => Ok(image.statistics::<T>(options)?),
        #[cfg(feature = "gpu")]
        Backend::Gpu => Ok(image.statistics_gpu::<T>(&voxload::Gpu::new()?, options)?),
        #[cfg(not(feature = "gpu"))]
        Backend::Gpu => Err("this build has no GPU support: use --backend cpu".into()),
    }
}

fn object(statistics: &Statistics) -> Value {
    // JSON has no NaN; missing values are null.
    let histogram = statistics.histogram.as_ref().map(|histogram| {
        json!({
            "edges": histogram.edges,
            "counts": histogram.counts,
        })
    });
    json!({
        "count": statistics.count,
        "non_finite": statistics.non_finite,
        "min": statistics.min,
        "max": statistics.max,
        "mean": statistics.mean,
        "std": statistics.std,
        "histogram": histogram,
    })
}

fn write_text(out: &mut dyn Write, statistics: &Statistics) -> std::io::Result<()> {
    writeln!(out, "count       {}", statistics.count)?;
    writeln!(out, "non-finite  {}", statistics.non_finite)?;
    writeln!(out, "min         {}", statistics.min)?;
    writeln!(out, "max         {}", statistics.max)?;
    writeln!(out, "mean        {}", statistics.mean)?;
    writeln!(out, "std         {}", statistics.std)?;
    match &statistics.histogram {
        Some(histogram) => write_histogram(out, histogram),
        None => Ok(()),
    }
}

fn write_histogram(out: &mut dyn Write, histogram: &Histogram) -> std::io::Result<()> {
    let max = histogram.counts.iter().copied().max().unwrap_or(0).max(1);
    for (edges, &count) in histogram.edges.windows(2).zip(&histogram.counts) {
        if let [from, to] = edges {
            // 128 bits, so that nothing overflows.
            let length = (u128::from(count) * u128::from(BAR)).div_ceil(u128::from(max));
            let bar = "#".repeat(length as usize);
            writeln!(out, "{from:>14.6} .. {to:<14.6} {count:>12} {bar}")?;
        }
    }
    Ok(())
}
