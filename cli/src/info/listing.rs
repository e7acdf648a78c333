//! `voxload info -r`: the volumes in folders, one line each.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use voxload::DataobjImage;
use voxload::format::formats;

use super::words;
use crate::loading::{Loading, message, shown};
use crate::{CommandResult, Reported};

/// Suffixes of compressed files.
const COMPRESSIONS: [&str; 3] = [".gz", ".bz2", ".zst"];

/// The volumes under these paths, sorted: the files in folders that have a format's ending, and all files that are
/// named themselves.
pub(super) fn volumes(paths: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let mut found = BTreeSet::new();
    let mut folders = Vec::new();
    for path in paths {
        match path.is_dir() {
            true => folders.push(path.clone()),
            false => {
                found.insert(path.clone());
            }
        }
    }
    while let Some(folder) = folders.pop() {
        let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if !(kind.is_symlink() && entry.path().is_dir()) {
                files.push(entry.path());
            }
        }
        let names: BTreeSet<PathBuf> = files.iter().cloned().collect();
        found.extend(files.into_iter().filter(|file| is_volume(file, &names)));
    }
    Ok(found.into_iter().collect())
}

/// Whether the file has a format's ending, and is not the voxel file of a header in the same folder.
fn is_volume(path: &Path, beside: &BTreeSet<PathBuf>) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let lower = name.to_lowercase();
    let suffix = COMPRESSIONS.iter().find(|suffix| lower.ends_with(*suffix));
    let plain = &lower[..lower.len() - suffix.map_or(0, |suffix| suffix.len())];
    let root = |ending: &&str| plain.strip_suffix(*ending).map(str::len);
    if formats().any(|format| {
        format
            .header_endings
            .iter()
            .any(|ending| root(ending).is_some())
    }) {
        return true;
    }
    let halves = formats().filter_map(|format| {
        let length = format.image_endings.iter().find_map(&root)?;
        Some((length, format.header_endings))
    });
    let mut is_image_file = false;
    for (length, headers) in halves {
        is_image_file = true;
        // Lower case can change the length of a name; then no header is found.
        let root = name.get(..length).unwrap_or_default();
        let has_header = beside.iter().any(|other| {
            let other = other.file_name().unwrap_or_default().to_string_lossy();
            let Some(rest) = other.strip_prefix(root).map(str::to_lowercase) else {
                return false;
            };
            headers.iter().any(|ending| {
                let suffix = rest.strip_prefix(*ending);
                suffix.is_some_and(|suffix| suffix.is_empty() || COMPRESSIONS.contains(&suffix))
            })
        });
        if has_header {
            return false;
        }
    }
    is_image_file
}

const TITLES: [&str; 7] = [
    "path",
    "format",
    "shape",
    "type",
    "voxel size",
    "TR",
    "problems",
];

/// Writes the list.
pub(super) fn write(out: &mut dyn Write, files: &[PathBuf], loading: &Loading) -> CommandResult {
    let mut rows = vec![TITLES.map(str::to_owned)];
    let mut failed = 0;
    for path in files {
        let loaded = loading.load(path);
        rows.push(match &loaded {
            Ok(image) => row(path, image),
            Err(error) => {
                failed += 1;
                let message = message(error, path, None);
                let name = format!("{}: ", shown(path));
                let message = message.strip_prefix(&name).unwrap_or(&message).to_owned();
                let mut row = [const { String::new() }; 7];
                row[0] = shown(path);
                row[1] = "-".to_owned();
                row[6] = message;
                row
            }
        });
    }
    for row in &mut rows {
        row.iter_mut()
            .for_each(|cell| *cell = words::printable(cell));
    }
    let widths: [usize; 7] = std::array::from_fn(|column| {
        let lengths = rows.iter().map(|row| row[column].chars().count());
        lengths.max().unwrap_or(0)
    });
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    if failed == 0 {
        return Ok(());
    }
    let all = words::counted(files.len(), "file");
    eprintln!("voxload: {failed} of {all} cannot be loaded");
    Err(Reported.into())
}

fn row(path: &Path, image: &DataobjImage) -> [String; 7] {
    let header = image.header();
    let step = header.time_axis().and_then(|axis| header.zooms.get(axis));
    let step = step.filter(|step| step.is_finite() && **step > 0.0);
    let notes: Vec<String> = image.notes().iter().map(ToString::to_string).collect();
    [
        shown(path),
        header.format.name().to_owned(),
        words::product(header.shape.iter().map(usize::to_string)),
        header.dtype.to_string(),
        words::voxel_size(header).unwrap_or_default(),
        step.map_or(String::new(), |step| words::time_step(header, *step)),
        notes.join("; "),
    ]
}
