//! The `voxload` command: look at volumes, convert them, measure.

#[cfg(feature = "gpu")]
mod adapters;
mod bench;
mod convert;
mod index;
mod info;
mod loading;
mod output;
mod render;
mod stats;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

/// Loads medical and scientific volumes the way nibabel does, on the CPU or the GPU, with the same bits.
#[derive(Parser)]
#[command(name = "voxload", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Lists graphics adapters and the kernel that each would take.
    #[cfg(feature = "gpu")]
    Adapters(adapters::Args),
    /// CPU against GPU, stage by stage, on this machine; bits are compared.
    Bench(bench::Args),
    /// Shows headers.
    Info(info::Args),
    /// Writes the scaled values of a volume to another file.
    Convert(convert::Args),
    /// Writes the seek index of a gzip file, for fast slices later.
    Index(index::Args),
    /// Draws a volume as a PNG.
    Render(render::Args),
    /// Count, extremes, mean, standard deviation and histogram of the scaled values.
    Stats(stats::Args),
}

/// What a subcommand can fail with: a message for one line.
type CommandResult = Result<(), Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    // clap itself ends with status 2 for wrong usage and 0 for --help.
    let result = match Cli::parse().command {
        #[cfg(feature = "gpu")]
        Command::Adapters(args) => adapters::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Info(args) => info::run(&args),
        Command::Convert(args) => convert::run(&args),
        Command::Index(args) => index::run(&args),
        Command::Render(args) => render::run(&args),
        Command::Stats(args) => stats::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(error.as_ref()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("voxload: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the reader of our output has gone, as `voxload info | head` makes it.
fn is_broken_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// A line that shows what is being done, on a terminal only.
pub fn spinner(message: &str) -> ProgressBar {
    let progress = ProgressBar::new_spinner().with_message(message.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
        progress.set_style(style);
    }
    progress.enable_steady_tick(std::time::Duration::from_millis(120));
    progress
}
