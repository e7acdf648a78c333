//! The program's results compared with numpy's, and its memory with its limit.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use voxload::{Caching, DType};

use crate::support::adapter;
use crate::support::environment::{oracle_python, skipped};
use crate::support::files::{folder, write};
use crate::support::nifti::{Nifti, gz};
use crate::support::program::{printed, script, text};
use crate::support::rng::Rng;

const KINDS: [&str; 5] = ["mean", "std", "tsnr", "zscore", "percent"];

/// The backends to test, as named on the command line.
fn backends(test: &str) -> &'static [&'static str] {
    match adapter::ready(test) {
        false => &["auto"],
        true => &["cpu", "gpu"],
    }
}

fn preprocess() -> Command {
    Command::new(env!("CARGO_BIN_EXE_preprocess"))
}

/// Runs the example for all outputs. Returns their paths and its output.
fn run(dir: &TempDir, input: &Path, arguments: &[&str], ending: &str) -> (Vec<PathBuf>, String) {
    let mut command = preprocess();
    command.arg(input).args(arguments);
    let mut paths = Vec::new();
    for kind in KINDS {
        let path = dir.path().join(format!("{kind}{ending}"));
        command.arg(format!("--{kind}")).arg(&path);
        paths.push(path);
    }
    let output_text = printed(&command.output().expect("the example runs"));
    (paths, output_text)
}

/// Integers around a level per voxel. Some levels are zero, and some voxels never change.
fn levels(shape: [usize; 4], seed: u64) -> Vec<i16> {
    let mut rng = Rng::new(seed);
    let [x, y, z, frames] = shape;
    let voxels = x * y * z;
    let levels: Vec<i64> = (0..voxels).map(|_| rng.between(100, 4000)).collect();
    let mut values = Vec::with_capacity(voxels * frames);
    for t in 0..frames {
        for (voxel, level) in levels.iter().enumerate() {
            values.push(match voxel % 11 {
                0 => *level,
                // A mean of zero.
                1 => [-7, 7][t % 2],
                _ => level + rng.between(-90, 90),
            } as i16);
        }
    }
    values
}

fn bytes(values: &[i16]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

/// What numpy finds: the kind, the number of different values, and the largest difference relative to the tolerance.
fn compare(input: &Path, paths: &[PathBuf]) -> Option<Vec<(String, u64, f64)>> {
    let Some(python) = oracle_python() else {
        skipped("numpy's results", "VOXLOAD_ORACLE_PYTHON is not set");
        return None;
    };
    let pairs = KINDS.iter().zip(paths);
    let pairs = pairs.map(|(kind, path)| format!("{kind}={}", path.display()));
    let arguments: Vec<String> = std::iter::once(input.display().to_string())
        .chain(pairs)
        .collect();
    let output_text = script(&python, "preprocess.py", &arguments);
    let row = |line: &str| {
        let mut parts = line.split(' ').map(str::to_owned);
        let mut next = || parts.next().expect("three columns");
        let kind = next();
        (
            kind,
            next().parse().expect("a count"),
            next().parse().expect("a share"),
        )
    };
    let rows: Vec<_> = output_text.lines().map(row).collect();
    assert_eq!(rows.len(), KINDS.len(), "{output_text}");
    Some(rows)
}

/// Integers and a power of two as the number of frames: every step of the arithmetic is exact, so the results are too.
#[test]
fn exact_where_the_arithmetic_is() {
    let shape = [13, 9, 7, 64];
    let values = levels(shape, 7);
    let dir = folder();
    let file = Nifti::new(DType::I16, &shape, bytes(&values)).single();
    let input = write(&dir, "series.nii", &file);
    for backend in backends("preprocess") {
        let (paths, _) = run(&dir, &input, &["--backend", backend], ".nii");
        let frame = values.len() / 64;
        let mean = |voxel: usize| {
            let sum: i64 = (0..64).map(|t| i64::from(values[t * frame + voxel])).sum();
            sum as f64 / 64.0
        };
        let image = voxload::load(&paths[0]).expect("the mean");
        let found = image.get_fdata::<f32>(Caching::Unchanged).expect("values");
        assert_eq!(found.shape(), &shape[..3]);
        for (voxel, &found) in found.as_slice().iter().enumerate() {
            assert_eq!(found, mean(voxel) as f32, "{backend}: voxel {voxel}");
        }
        for (kind, differing, share) in compare(&input, &paths).into_iter().flatten() {
            let map = KINDS[..3].contains(&kind.as_str());
            if *backend != "gpu" || map {
                assert_eq!(differing, 0, "{backend}: {kind}");
            }
            assert!(share <= 1.0, "{backend}: {kind}: {share}");
            println!("{backend}: {kind}: {differing} values differ, {share:.3} of the tolerance");
        }
    }
}

#[test]
fn within_the_tolerance_elsewhere() {
    let dir = folder();
    let shape = [17, 11, 5, 37];
    let scaled = Nifti::new(DType::I16, &shape, bytes(&levels(shape, 8))).scl(0.37, -3.25);
    let mut rng = Rng::new(9);
    let floats = levels(shape, 10)
        .into_iter()
        .map(|level| match rng.below(97) {
            0 => [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][rng.below(3)],
            _ => f32::from(level) * 1e-3 + rng.unit() as f32,
        });
    let floats: Vec<u8> = floats.flat_map(f32::to_le_bytes).collect();
    let floats = Nifti::new(DType::F32, &shape, floats).version(2);
    for (name, file) in [
        ("scaled.nii.gz", gz(&scaled.single(), 6)),
        ("floats.nii", floats.single()),
    ] {
        let input = write(&dir, name, &file);
        for backend in backends("preprocess") {
            let (paths, _) = run(&dir, &input, &["--backend", backend], ".nii.gz");
            for (kind, differing, share) in compare(&input, &paths).into_iter().flatten() {
                let map = KINDS[..3].contains(&kind.as_str());
                // One rounding to f32 of values that agree to about 1e-15.
                let allowed = if *backend == "gpu" && !map { 1.0 } else { 0.26 };
                assert!(share <= allowed, "{name}: {backend}: {kind}: {share}");
                println!("{name}: {backend}: {kind}: {differing} differ, {share:.3}");
            }
        }
    }
}

fn peak(said: &str) -> f64 {
    let after = said.split("peak memory ").nth(1);
    let number = after.and_then(|text| text.split(' ').next());
    number
        .and_then(|text| text.parse().ok())
        .expect("a peak in MiB")
}

/// A file of 144 MiB with a limit of 48 MiB, with several bands and with one. On a software device the driver's memory
/// is not counted.
#[cfg(target_os = "linux")]
#[test]
fn memory_stays_within_its_limit() {
    let dir = folder();
    let shape = [96, 80, 24, 410];
    let frame = levels([96, 80, 24, 2], 11);
    let one = bytes(&frame);
    let file = Nifti::new(DType::I16, &shape, one.repeat(205)).single();
    assert!(file.len() > 144 << 20);
    let input = write(&dir, "large.nii", &file);
    drop(file);
    let small = Nifti::new(DType::I16, &[4, 4, 4, 3], vec![1; 384]).single();
    let small = write(&dir, "small.nii", &small);
    for backend in backends("preprocess in little memory") {
        let driver = match *backend {
            "gpu" => peak(&run(&dir, &small, &["--backend", "gpu"], ".nii").1),
            _ => 0.0,
        };
        for (memory, passes) in [(40.0, "3 passes"), (48.0, "2 passes")] {
            let limit = format!("{memory}MiB");
            let arguments = ["--backend", backend, "--memory", &limit];
            let (_, output_text) = run(&dir, &input, &arguments, ".nii");
            println!("{backend}: {limit}: {}", output_text.trim_end());
            let allowed = memory + driver;
            assert!(
                peak(&output_text) <= allowed,
                "{backend}: {output_text} of {allowed}"
            );
            assert!(
                *backend == "gpu" || output_text.contains(passes),
                "{output_text}"
            );
        }
    }
    let refused = preprocess()
        .arg(&input)
        .args(["--memory", "30MiB", "--zscore"])
        .arg(dir.path().join("refused.nii"))
        .output()
        .expect("the example runs");
    assert_eq!(refused.status.code(), Some(1));
    let error = text(&refused.stderr);
    assert!(
        error.contains("need at least") && error.lines().count() == 1,
        "{error}"
    );
    assert!(!dir.path().join("refused.nii").exists());
}
