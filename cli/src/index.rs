//! `voxload index`: writes the seek index of a gzip file, which makes later slices fast.

use std::path::PathBuf;

use crate::CommandResult;

/// Writes the seek index of a gzip file, and verifies the file.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Any gzip file
    file: PathBuf,
    /// Index file (default: the file's name plus `.voxgzi`); if the name ends in `.gzidx`, it is written in
    /// indexed_gzip's format
    #[arg(short, long, value_name = "INDEX")]
    output: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> CommandResult {
    let output = args.output.clone().unwrap_or_else(|| {
        let mut name = args.file.clone().into_os_string();
        name.push(".voxgzi");
        name.into()
    });
    voxload::write_gzip_index(&args.file, &output)?;
    Ok(())
}
