//! `voxload info`: what volumes are, for people and for programs.

mod listing;
mod object;
mod schema;
mod summary;
mod text;
mod words;

use std::io::Write;
use std::path::PathBuf;

use serde_json::Value;

use crate::loading::{Loading, message, shown};
use crate::{CommandResult, Reported};
use summary::Summary;

/// Says what volumes are: size, orientation, units, faults; lists the volumes of a folder.
///
/// Headers alone are read, no voxels; but a gzipped MGH file is inflated to its end, where its repetition time is. A file that cannot be loaded is reported, the rest goes on, and the exit status is 1
/// at the end.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Any file of each volume; - is standard input, which is copied to a temporary file first
    #[arg(required_unless_present = "schema")]
    files: Vec<PathBuf>,
    /// Print a JSON array with one object per file; a file that cannot be loaded has an object with an error
    #[arg(long)]
    json: bool,
    /// The fields of the format too, as they are stored
    #[arg(long, conflicts_with = "json")]
    raw: bool,
    /// Lists the volumes in folders, one line each: those whose names have an ending of a known format. Hidden files and
    /// folders are left out; links to folders are not followed
    #[arg(short, long, conflicts_with = "raw")]
    recursive: bool,
    /// Prints the JSON schema of --json
    #[arg(long, conflicts_with_all = ["files", "json", "raw", "recursive"])]
    schema: bool,
    #[command(flatten)]
    loading: Loading,
}

pub(crate) fn run(args: &Args) -> CommandResult {
    let mut out = std::io::stdout().lock();
    if args.schema {
        writeln!(out, "{:#}", schema::schema())?;
        return Ok(());
    }
    let files = match args.recursive {
        true => listing::volumes(&args.files)?,
        false => args.files.clone(),
    };
    if args.recursive && !args.json {
        return listing::write(&mut out, &files, &args.loading);
    }
    let mut objects = Vec::new();
    let mut failed = false;
    for (k, path) in files.iter().enumerate() {
        match args.loading.load(path) {
            Ok(image) => {
                let summary = Summary::of(shown(path), &image, &args.loading.options());
                if args.json {
                    objects.push(object::of(&summary));
                } else {
                    if k > 0 {
                        writeln!(out)?;
                    }
                    text::write(&mut out, &summary, args.raw)?;
                }
            }
            Err(error) => {
                failed = true;
                let message = message(&error, path, None);
                eprintln!("voxload: {message}");
                objects.push(object::of_error(&shown(path), &error, &message));
            }
        }
    }
    if args.json {
        writeln!(out, "{:#}", Value::Array(objects))?;
    }
    match failed {
        true => Err(Reported.into()),
        false => Ok(()),
    }
}
