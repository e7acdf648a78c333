//! What some tests need beside the code: nibabel's results, and the Python that has nibabel. `tests/run.sh` makes both.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;

/// Says that a test, or a part of one, was skipped. Written to the terminal directly, for the test runner shows what
/// `println!` prints only when a test fails; and to the file that `VOXLOAD_SKIPPED` names.
pub fn skipped(what: &str, why: impl Display) {
    let line = format!("skipped: {what}: {why}\n");
    // Nothing depends on the lines.
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(path) = std::env::var_os("VOXLOAD_SKIPPED") {
        let file = std::fs::File::options().append(true).open(path);
        let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}

/// The folder that the scripts of `tests/oracle` fill.
///
/// # Panics
/// Without `VOXLOAD_ORACLE_DIR`: tests that need it are ignored unless asked for.
pub fn oracle_folder() -> PathBuf {
    let folder = std::env::var_os("VOXLOAD_ORACLE_DIR");
    PathBuf::from(folder.expect("VOXLOAD_ORACLE_DIR is set by tests/run.sh"))
}

/// The Python that has nibabel, if `VOXLOAD_ORACLE_PYTHON` names one.
pub fn oracle_python() -> Option<OsString> {
    std::env::var_os("VOXLOAD_ORACLE_PYTHON")
}

/// Whether the tests run at their full volume, each in a process of its own (`tests/long.sh`).
pub fn is_long_run() -> bool {
    std::env::var_os("VOXLOAD_LONG").is_some()
}

/// A number of cases: that of every run, or that of the long one.
pub fn volume(every_run: usize, long: usize) -> usize {
    match is_long_run() {
        true => long,
        false => every_run,
    }
}
