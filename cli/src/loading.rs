//! How files are loaded: options that several subcommands have.

use std::path::Path;

use clap::ValueEnum;
use voxload::format::Format;
use voxload::{DataobjImage, LoadOptions};

#[derive(clap::Args)]
pub struct Loading {
    /// Reads the file as this format: Analyze files of all three kinds look like SPM2's
    #[arg(long, value_enum)]
    format: Option<FormatName>,
    /// PAR/REC: the value on the console, or the floating point value
    #[arg(long, value_enum, default_value_t = ParScaling::Dv)]
    par_scaling: ParScaling,
    /// PAR/REC: loads a recording that was cut short, without its incomplete volumes
    #[arg(long)]
    permit_truncated: bool,
    /// PAR/REC: sorts slices by all the keys there are
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
