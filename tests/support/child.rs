//! Tests that need a process of their own: for its memory.

use std::process::Command;

/// Runs one `#[ignore]`d test of this binary in a new process, which must pass, and gives what it printed.
pub fn run_test(name: &str) -> String {
    run_test_as(name, &mut process())
}

/// The same by a command of [`process`] or [`process_within`].
pub fn run_test_as(name: &str, command: &mut Command) -> String {
    let output = command.args(arguments(name)).output();
    let output = output.expect("the test binary runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {text}\n{errors}");
    assert!(text.contains("1 passed"), "{name} exists: {text}");
    text
}

/// This test binary.
pub fn process() -> Command {
    Command::new(std::env::current_exe().expect("the test binary's path"))
}

/// This test binary with so much address space, in KiB.
#[cfg(target_os = "linux")]
pub fn process_within(kib: u64) -> Command {
    let mut shell = Command::new("sh");
    let this = std::env::current_exe().expect("the test binary's path");
    shell
        .args(["-c", &format!("ulimit -v {kib}; exec \"$0\" \"$@\"")])
        .arg(this);
    shell
}

/// What makes the binary run one `#[ignore]`d test.
pub fn arguments(name: &str) -> [&str; 5] {
    [
        name,
        "--exact",
        "--ignored",
        "--nocapture",
        "--test-threads=1",
    ]
}

/// A figure of this process in bytes: `VmPeak`, `VmHWM`, `RssAnon`.
#[cfg(target_os = "linux")]
pub fn status_bytes(figure: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("procfs");
    let line = status.lines().find(|line| line.starts_with(figure));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.expect("the figure in kB") * 1024
}
