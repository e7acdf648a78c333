//! The `voxload` command: shows volumes, converts them and measures loading.

#[cfg(feature = "gpu")]
mod adapters;
mod bench;
mod convert;
mod index;
mod info;
mod loading;
mod output;
mod part;
mod render;
mod stats;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

/// Loads medical and scientific volumes as nibabel does, on the CPU or GPU, with the same bits.
#[derive(Parser)]
#[command(name = "voxload", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Lists graphics adapters and the kernels that would be used on each.
    #[cfg(feature = "gpu")]
    Adapters(adapters::Args),
    /// Compares CPU and GPU on this machine, stage by stage, and checks that their bits agree.
    Bench(bench::Args),
    /// Says what volumes are: size, orientation, units, faults; lists the volumes of a folder.
    Info(info::Args),
    /// Writes the scaled values of a volume to another file.
    Convert(convert::Args),
    /// Writes the seek index of a gzip file, which makes later slices fast.
    Index(index::Args),
    /// Draws a volume as a PNG.
    Render(render::Args),
    /// Count, extremes, mean, standard deviation and histogram of the scaled values.
    Stats(stats::Args),
}

/// The result of a subcommand. The error is printed as one line.
type CommandResult = Result<(), Box<dyn std::error::Error>>;

/// An error of which all was said when it was found.
#[derive(Debug)]
pub struct Reported;

impl std::fmt::Display for Reported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("some files could not be loaded")
    }
}

impl std::error::Error for Reported {}

fn main() -> ExitCode {
    // clap itself exits with status 2 for wrong usage and 0 for --help.
    let result = match Cli::parse().command {
        #[cfg(feature = "gpu")]
        Command::Adapters(args) => adapters::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Info(args) => info::run(&args),
        Command::Convert(args) => {
            loading::explained(convert::run(&args), &args.input, Some(&args.output))
        }
        Command::Index(args) => index::run(&args),
        Command::Render(args) => {
            loading::explained(render::run(&args), &args.input, Some(&args.output))
        }
        Command::Stats(args) => loading::explained(stats::run(&args), &args.file, None),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(error.as_ref()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Reported>() => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("voxload: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the reader of the output has closed it, as in `voxload info | head`.
fn is_broken_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// A progress line, shown only on a terminal.
pub fn spinner(message: &str) -> ProgressBar {
    let progress = ProgressBar::new_spinner().with_message(message.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
        progress.set_style(style);
    }
    progress.enable_steady_tick(std::time::Duration::from_millis(120));
    progress
}
