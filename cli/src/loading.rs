//! Options for loading files, shared by several subcommands.

use std::path::Path;

use clap::ValueEnum;
use voxload::format::Format;
use voxload::{DataobjImage, LoadOptions};

#[derive(clap::Args)]
pub struct Loading {
    /// Read the file as this format; Analyze files are read as SPM2 by default
    #[arg(long, value_enum)]
    format: Option<FormatName>,
    /// PAR/REC: scale to the values displayed on the console (dv) or to floating point values (fp)
    #[arg(long, value_enum, default_value_t = ParScaling::Dv)]
    par_scaling: ParScaling,
    /// PAR/REC: load an incomplete recording, without its incomplete volumes
    #[arg(long)]
    permit_truncated: bool,
    /// PAR/REC: sort slices by all their keys
    #[arg(long)]
    strict_sort: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatName {
    Analyze,
    Spm99,
    Spm2,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ParScaling {
    Dv,
    Fp,
}

impl Loading {
    /// Loads a file with these options.
    ///
    /// # Errors
    /// As [`DataobjImage::from_filename`].
    pub fn load(&self, path: &Path) -> voxload::Result<DataobjImage> {
        let mut options = LoadOptions::new()
            .permit_truncated(self.permit_truncated)
            .strict_sort(self.strict_sort)
            .par_scaling(match self.par_scaling {
                ParScaling::Dv => voxload::ParScaling::Dv,
                ParScaling::Fp => voxload::ParScaling::Fp,
            });
        if let Some(format) = self.format {
            options = options.format(match format {
                FormatName::Analyze => Format::Analyze,
                FormatName::Spm99 => Format::Spm99Analyze,
                FormatName::Spm2 => Format::Spm2Analyze,
            });
        }
        DataobjImage::from_filename(path, &options)
    }
}
