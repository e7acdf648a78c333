//! `voxload bench`: compares CPU and GPU on this machine, stage by stage, and checks that their bits agree.

#[cfg(feature = "gpu")]
mod bus;
mod cold;
#[cfg(feature = "gpu")]
mod device;
#[cfg(not(feature = "gpu"))]
#[path = "bench/no_device.rs"]
mod device;
mod floor;
mod measure;
mod memory;
mod phantom;
mod phantoms;
mod plot;
mod report;
mod verdict;

use std::path::{Path, PathBuf};

use crate::{CommandResult, output, spinner};
use measure::{Measurement, Runs};

/// Stored bytes of the largest phantom by default.
const PHANTOM_BYTES: usize = 420_000_000;

/// Compares CPU and GPU on this machine, stage by stage, and checks that their bits agree.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Volumes to load; without any, phantoms of several sizes and types are generated
    files: Vec<PathBuf>,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
    /// Also write a chart of the rates of all files to this SVG file
    #[arg(long, value_name = "SVG")]
    plot: Option<PathBuf>,
    /// Runs of each stage, of which the median is reported; slow stages run less often, but at least 3 times
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Size of the largest phantom file in megabytes
    #[arg(long, value_name = "MB", default_value_t = PHANTOM_BYTES / 1_000_000)]
    phantom: usize,
}

pub(crate) fn run(args: &Args) -> CommandResult {
    let folder;
    let mut files = args.files.clone();
    if files.is_empty() {
        folder = tempfile::tempdir()?;
        let progress = spinner("making phantoms");
        files = phantoms::write(folder.path(), args.phantom.saturating_mul(1_000_000))?;
        progress.finish_and_clear();
    }
    let mut measurements = Vec::new();
    for file in &files {
        let measurement = measure_file(file, args)?;
        if !args.json {
            report::print(&measurement)?;
        }
        measurements.push(measurement);
    }
    let crossings = verdict::crossings(&measurements);
    if args.json {
        report::print_json(&measurements, &crossings)?;
    } else {
        report::print_crossings(&crossings)?;
    }
    if let Some(path) = &args.plot {
        output::write_whole(path, |file| plot::draw(&measurements, file))?;
    }
    bits(&measurements)
}

/// An error if any comparison found a difference.
fn bits(measurements: &[Measurement]) -> CommandResult {
    match measurements.iter().find(|one| !one.bits_agree()) {
        Some(one) => Err(format!("{}: the bits differ", one.name).into()),
        None => Ok(()),
    }
}

fn measure_file(path: &Path, args: &Args) -> Result<Measurement, Box<dyn std::error::Error>> {
    let progress = spinner("");
    let runs = Runs(args.runs as usize);
    let measured = measure::measure(path, runs, &|stage| {
        progress.set_message(format!("{}: {stage}", path.display()));
    });
    progress.finish_and_clear();
    measured
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(differing_on_cpu: usize, differing: Option<usize>) -> Measurement {
        let array = voxload::HostArray::from_vec(&[1], vec![0f32]).expect("an array");
        let image = voxload::DataobjImage::from_array(array, None).expect("an image");
        let measurement = Measurement::new(Path::new("it"), &image, false);
        Measurement {
            differing_on_cpu,
            differing,
            ..measurement.expect("a volume")
        }
    }

    #[test]
    fn other_bits_are_a_failure() {
        assert!(bits(&[measured(0, None), measured(0, Some(0))]).is_ok());
        for wrong in [
            measured(1, None),
            measured(1, Some(0)),
            measured(0, Some(1)),
        ] {
            let error = bits(&[measured(0, None), wrong]).expect_err("a failure");
            assert_eq!(error.to_string(), "it: the bits differ");
        }
    }
}
