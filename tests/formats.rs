//! Formats other than NIfTI: the same arrays, affines and errors as nibabel's (SimpleITK's for NRRD and MetaImage).
//!
//! What has to be compared with nibabel needs the files of `tests/oracle/formats.py`, under `formats/` in the folder that
//! `VOXLOAD_ORACLE_DIR` names.

mod lazy;
mod malformed;
mod manifest;
mod oracle;
mod promises;
mod real;
pub mod seeds;

pub use manifest::LEFT_OUT;

use voxload::{LoadOptions, ParScaling};

/// Options by their names in the manifest.
fn options(names: &str) -> LoadOptions {
    use voxload::format::Format;
    names
        .split(',')
        .fold(LoadOptions::new(), |options, name| match name {
            "" => options,
            "spm99" => options.format(Format::Spm99Analyze),
            "analyze" => options.format(Format::Analyze),
            "fp" => options.par_scaling(ParScaling::Fp),
            "permit_truncated" => options.permit_truncated(true),
            "strict_sort" => options.strict_sort(true),
            other => panic!("option {other}"),
        })
}
