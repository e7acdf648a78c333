//! `voxload bench`: CPU against GPU, stage by stage, on this machine, with the bits compared.

#[cfg(feature = "gpu")]
mod bus;
#[cfg(feature = "gpu")]
mod device;
#[cfg(not(feature = "gpu"))]
#[path = "bench/no_device.rs"]
mod device;
mod floor;
mod measure;
mod memory;
mod phantom;
mod report;

use std::path::{Path, PathBuf};

use crate::{CommandResult, spinner};
use measure::Measurement;
use phantom::Phantom;

/// Stored bytes of the phantom, unless asked for otherwise.
const PHANTOM_BYTES: usize = 420_000_000;

/// CPU against GPU, stage by stage, on this machine; bits are compared.
#[derive(clap::Args)]
pub struct Args {
    /// Volumes to load; none: a phantom 4-D series made on the spot
    files: Vec<PathBuf>,
    /// One JSON array instead of tables
    #[arg(long)]
    json: bool,
    /// Runs of each stage; the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Size of the phantom's file in megabytes
    #[arg(long, value_name = "MB", default_value_t = PHANTOM_BYTES / 1_000_000)]
    phantom: usize,
}

pub fn run(args: &Args) -> CommandResult {
    let folder;
    let mut files = args.files.clone();
    if files.is_empty() {
        folder = tempfile::tempdir()?;
        files.push(make_phantom(folder.path(), args.phantom)?);
    }
    let mut reports = Vec::new();
    for file in &files {
        let measurement = measure_file(file, args)?;
        if !args.json {
            report::print(&measurement)?;
        }
        reports.push(measurement);
    }
    if args.json {
        report::print_json(&reports)?;
    }
    match reports.iter().find(|report| !report.bits_agree()) {
        Some(report) => Err(format!("{}: the bits differ", report.name).into()),
        None => Ok(()),
    }
}

fn make_phantom(folder: &Path, megabytes: usize) -> Result<PathBuf, Box<dyn std::error::Error>> {
    let path = folder.join("phantom.nii");
    let phantom = Phantom::of_bytes(megabytes.saturating_mul(1_000_000));
    let progress = spinner("making a phantom series");
    phantom.write(&path)?;
    progress.finish_and_clear();
    Ok(path)
}

fn measure_file(path: &Path, args: &Args) -> Result<Measurement, Box<dyn std::error::Error>> {
    let progress = spinner("");
    let measured = measure::measure(path, args.runs as usize, &|stage| {
        progress.set_message(format!("{}: {stage}", path.display()));
    });
    progress.finish_and_clear();
    measured
}
