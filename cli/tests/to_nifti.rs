//! `voxload convert` from any format to NIfTI: nibabel reads the same from the result as from the source.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use voxload::{DataobjImage, LoadOptions};

use crate::support::environment::{oracle_folder, oracle_python};
use crate::support::files::folder;
use crate::support::manifest::{Case, FORMATS, LEFT_OUT};
use crate::support::program;

/// Number of files of each format.
const EACH: usize = 36;

/// The command-line flags for the options of a case.
fn flags(options: &str) -> Vec<&str> {
    let flag = |option| match option {
        "spm99" => ["--format", "spm99"].as_slice(),
        "analyze" => &["--format", "analyze"],
        "fp" => &["--par-scaling", "fp"],
        "permit_truncated" => &["--permit-truncated"],
        "strict_sort" => &["--strict-sort"],
        other => panic!("option {other}"),
    };
    let named = options.split(',').filter(|option| !option.is_empty());
    named.flat_map(flag).copied().collect()
}

/// The kinds of a file's axes, a letter each.
fn kinds(path: &Path, options: &str) -> String {
    let mut load = LoadOptions::new();
    for option in options.split(',') {
        load = match option {
            "permit_truncated" => load.permit_truncated(true),
            _ => load,
        };
    }
    let image = DataobjImage::from_filename(path, &load).expect("it was converted");
    let axes = image.header().axes.iter();
    axes.map(|kind| &kind.name()[..1]).collect()
}

#[test]
#[ignore = "needs nibabel's results (tests/run.sh)"]
fn nibabel_reads_the_source_from_what_is_converted() {
    let oracle = oracle_folder().join("formats");
    let python = oracle_python().expect("VOXLOAD_ORACLE_PYTHON is set by tests/run.sh");
    let manifest = std::fs::read_to_string(oracle.join("manifest.txt")).unwrap();
    let folder = folder();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut list = String::new();
    for case in manifest.lines().map(Case::new) {
        // For nibabel, compressed CIFTI-2 is NIfTI-2.
        if !FORMATS.contains(&case.format) || LEFT_OUT.contains(&case.format) {
            continue;
        }
        let count = counts.entry(case.format).or_default();
        if *count == EACH {
            continue;
        }
        *count += 1;
        let ending = ["nii", "nii.gz"][*count % 2];
        let name = format!("{}_{count}.{ending}", case.format.replace(['/', ' '], "_"));
        let written = folder.path().join(name);
        let output = Command::new(env!("CARGO_BIN_EXE_voxload"))
            .arg("convert")
            .args([&oracle.join(case.path), &written])
            .args(flags(case.options))
            .output()
            .expect("the command runs");
        let report = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {report}", case.path);
        // If NIfTI cannot represent the values by slope and intercept, they are written as floats.
        let (kind, hash) = match (report.contains("written as "), case.floats) {
            (_, ["-", ..]) => ("stored", case.native),
            (true, [_, narrow, _]) => ("f4", narrow),
            (false, [.., wide]) => ("f8", wide),
        };
        writeln!(
            list,
            "{}|{kind}|{}|{hash}|{}|{}",
            written.display(),
            case.shape,
            case.affine,
            kinds(&oracle.join(case.path), case.options),
        )
        .unwrap();
    }
    let total = list.lines().count();
    assert_eq!(total, EACH * (FORMATS.len() - LEFT_OUT.len()), "{counts:?}");
    let list_file = folder.path().join("list.txt");
    std::fs::write(&list_file, list).unwrap();
    let report = program::script(&python, "check_converted.py", [list_file]);
    assert!(report.contains(&format!("compared {total}")), "{report}");
}
