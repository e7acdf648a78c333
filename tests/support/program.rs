//! Programs that tests run: the command, the examples, and the Python scripts of `tests/oracle`.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What it printed; it must have succeeded.
pub fn printed(output: &Output) -> String {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    out
}

/// What a script of `tests/oracle` prints; it must succeed.
pub fn script<I: AsRef<OsStr>>(
    python: &OsStr,
    name: &str,
    arguments: impl IntoIterator<Item = I>,
) -> String {
    // Packages below the repository's root share this file.
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("tests/oracle"))
        .find(|folder| folder.is_dir())
        .expect("the repository's scripts");
    let mut command = Command::new(python);
    let output = command.arg(scripts.join(name)).args(arguments).output();
    printed(&output.expect("python runs"))
}
