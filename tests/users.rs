//! Promise: what people build upon voxload works: the examples, run as programs of their own, and the pictures of
//! `voxload render`, against nibabel and numpy.

#[cfg(target_os = "linux")]
mod display;
mod parts;
mod pictures;
mod preprocess;
mod viewer;
#[cfg(target_os = "linux")]
mod window;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// An example, which `cargo test` builds.
///
/// # Panics
/// When it is not there: `cargo test --test voxload` alone does not build it.
fn example(name: &str) -> Command {
    let this = std::env::current_exe().expect("the test binary's path");
    let target = this.parent().and_then(Path::parent).expect("target/debug");
    let path = target.join("examples").join(name);
    let path = path.with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        path.exists(),
        "{}: build it with `cargo build --example {name}`, or run all of `cargo test`",
        path.display()
    );
    Command::new(path)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What it printed; it must have succeeded.
fn printed(output: &Output) -> String {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    out
}

/// What a script of `tests/oracle` says, where there is a Python with nibabel; else says what is skipped.
fn oracle(script: &str, skipped: &str, arguments: &[String]) -> Option<String> {
    let Some(python) = std::env::var_os("VOXLOAD_ORACLE_PYTHON") else {
        println!("skipped: {skipped} (VOXLOAD_ORACLE_PYTHON is not set; tests/run.sh sets it)");
        return None;
    };
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/oracle");
    let mut command = Command::new(python);
    let output = command.arg(folder.join(script)).args(arguments).output();
    Some(printed(&output.expect("python runs")))
}
