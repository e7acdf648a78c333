//! Options of loading, from Python.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use voxload::format::{Format, formats};
use voxload::{KeepFileOpen, Limits, LoadOptions, Mmap};

use crate::errors;

/// The options of a dictionary: `mmap`, `keep_file_open`, `gzip_index`, `format`, `limits`.
///
/// # Errors
/// Values of other types, an unknown format or limit.
pub(crate) fn load_options(options: &Bound<'_, PyDict>) -> PyResult<LoadOptions> {
    let mut made = LoadOptions::new();
    if let Some(mapped) = options.get_item("mmap")?
        && !mapped.extract::<bool>()?
    {
        made = made.mmap(Mmap::Off);
    }
    if let Some(keep) = options.get_item("keep_file_open")? {
        made = made.keep_file_open(match keep.extract::<Option<bool>>()? {
            Some(true) => KeepFileOpen::Yes,
            Some(false) => KeepFileOpen::No,
            None => KeepFileOpen::Auto,
        });
    }
    if let Some(index) = options.get_item("gzip_index")?
        && let Some(index) = index.extract::<Option<PathBuf>>()?
    {
        made = made.gzip_index(index);
    }
    if let Some(name) = options.get_item("format")?
        && let Some(name) = name.extract::<Option<String>>()?
    {
        made = made.format(format_named(options.py(), &name)?);
    }
    if let Some(given) = options.get_item("limits")?
        && !given.is_none()
    {
        made = made.limits(limits(given.cast::<PyDict>()?)?);
    }
    Ok(made)
}

fn limits(given: &Bound<'_, PyDict>) -> PyResult<Limits> {
    let mut limits = Limits::new();
    for (name, value) in given {
        let name: String = name.extract()?;
        let value: u64 = value.extract()?;
        limits = match name.as_str() {
            "output" => limits.output(value),
            "header" => limits.header(value),
            "extensions" => limits.extensions(value),
            "members" => limits.members(value),
            "inflate_ratio" => limits.inflate_ratio(value),
            _ => {
                let text = format!(
                    "no limit is named {name:?}, these are: output, header, extensions, members, inflate_ratio"
                );
                return Err(errors::made(given.py(), "UsageError", text));
            }
        };
    }
    Ok(limits)
}

/// The names of the formats that this build reads.
#[pyfunction]
pub(crate) fn format_names() -> Vec<&'static str> {
    formats().map(|entry| entry.name).collect()
}

/// A format by its name, whatever the case, with or without spaces and hyphens.
fn format_named(py: Python<'_>, name: &str) -> PyResult<Format> {
    fn plain(name: &str) -> String {
        let letters = name.chars().filter(char::is_ascii_alphanumeric);
        letters.map(|c| c.to_ascii_lowercase()).collect()
    }
    let wanted = plain(name);
    let found = formats().find(|entry| plain(entry.name) == wanted);
    found.map(|entry| entry.format).ok_or_else(|| {
        let names = format_names().join(", ");
        let text = format!("no format is named {name:?}, these are: {names}");
        errors::made(py, "UsageError", text)
    })
}
