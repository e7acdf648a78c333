//! `voxload stats`.

use std::process::{Command, Output};

/// A NIfTI-1 file of int16 voxels 0, 1, .. with slope 2 and inter 1, and one frame.
fn file(directory: &std::path::Path, voxels: i16) -> std::path::PathBuf {
    let mut bytes = vec![0u8; 352];
    bytes[..4].copy_from_slice(&348i32.to_le_bytes());
    for (k, n) in [1, voxels, 1, 1, 1, 1, 1, 1].iter().enumerate() {
        bytes[40 + 2 * k..42 + 2 * k].copy_from_slice(&n.to_le_bytes());
    }
    bytes[70..72].copy_from_slice(&4i16.to_le_bytes());
    bytes[72..74].copy_from_slice(&16i16.to_le_bytes());
    for (at, number) in [
        (76, 1.0f32),
        (80, 1.0),
        (108, 352.0),
        (112, 2.0),
        (116, 1.0),
    ] {
        bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }
    bytes[344..348].copy_from_slice(b"n+1\0");
    bytes.extend((0..voxels).flat_map(i16::to_le_bytes));
    let path = directory.join("ramp.nii");
    std::fs::write(&path, bytes).unwrap();
    path
}

fn stats(arguments: &[&str], path: &std::path::Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_voxload"))
        .arg("stats")
        .args(arguments)
        .arg("--")
        .arg(path)
        .output()
        .unwrap()
}

fn json(arguments: &[&str], path: &std::path::Path) -> serde_json::Value {
    let output = stats(arguments, path);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_command_says_what_the_values_are_like() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(directory.path(), 1000);
    let found = json(&["--json", "--bins", "10"], &path);
    // The odd numbers from 1 to 1999.
    assert_eq!(found["count"], 1000);
    assert_eq!(
        (found["min"].as_f64(), found["max"].as_f64()),
        (Some(1.0), Some(1999.0))
    );
    assert_eq!(found["mean"].as_f64(), Some(1000.0));
    let std = (4.0 * (1000.0f64 * 1000.0 - 1.0) / 12.0).sqrt();
    assert!((found["std"].as_f64().unwrap() - std).abs() < 1e-9);
    assert_eq!(
        found["histogram"]["counts"],
        serde_json::json!(vec![100; 10])
    );
    let window = [
        "--json", "--bins", "2", "--window", "-10", "10", "--dtype", "f64",
    ];
    assert_eq!(
        json(&window, &path)["histogram"]["counts"],
        serde_json::json!([0, 5])
    );
    let text = stats(&["--bins", "4"], &path);
    assert_eq!(
        String::from_utf8(text.stdout).unwrap().lines().count(),
        6 + 4
    );
    #[cfg(feature = "gpu")]
    if voxload::Gpu::new().is_ok() {
        let on_gpu = json(&["--json", "--bins", "10", "--backend", "gpu"], &path);
        assert_eq!(on_gpu, found);
    }
}

#[test]
fn wrong_usage_and_wrong_files_have_their_own_exit_status() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(directory.path(), 10);
    assert_eq!(stats(&["--window", "0", "1"], &path).status.code(), Some(2));
    assert_eq!(stats(&["--bins", "0"], &path).status.code(), Some(1));
    let missing = directory.path().join("missing.nii");
    assert_eq!(stats(&[], &missing).status.code(), Some(1));
}
