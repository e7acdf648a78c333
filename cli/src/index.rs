//! `voxload index`: the seek index of a gzip file, for fast slices later.

use std::path::PathBuf;

use crate::CommandResult;

/// Writes the seek index of a gzip file, checking the file on the way.
#[derive(clap::Args)]
pub struct Args {
    /// A gzip file of any content
    file: PathBuf,
    /// Where to write it (default: the file's name and `.voxgzi`); a name that ends in `.gzidx` is written in
    /// indexed_gzip's format
    #[arg(short, long, value_name = "INDEX")]
    output: Option<PathBuf>,
}

pub fn run(args: &Args) -> CommandResult {
    let output = args.output.clone().unwrap_or_else(|| {
        let mut name = args.file.clone().into_os_string();
        name.push(".voxgzi");
        name.into()
    });
    voxload::write_gzip_index(&args.file, &output)?;
    Ok(())
}
