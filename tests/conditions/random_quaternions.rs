//! Random qforms whose quaternions are about as long as 1: accepted and refused as by nibabel, with its affines
//! (`tests/oracle/quaternions.py`).

use voxload::{Affine, DataobjImage, LoadOptions, Result};

use super::field;
use crate::support::oracle::manifest;

fn bits(text: &str) -> f64 {
    f64::from_bits(u64::from_str_radix(text, 16).unwrap())
}

/// What differs between what was loaded and nibabel's affine, or its refusal.
fn differs(found: Result<DataobjImage>, expected: &str) -> Option<String> {
    if expected == "refused" {
        return match found {
            Ok(image) => Some(format!("accepted: {:?}", image.affine())),
            Err(error) => {
                let (of, message) = field::<DataobjImage>(Err(error));
                let helps = of == "quatern_b" && message.contains("quaternion_threshold");
                (!helps).then_some(message)
            }
        };
    }
    let affine: Affine = match found {
        Ok(image) => *image.affine().unwrap(),
        Err(error) => return Some(format!("refused: {error}")),
    };
    let right: Vec<f64> = expected.split(' ').map(bits).collect();
    let pairs = affine.as_flattened().iter().zip(&right);
    let near = pairs
        .into_iter()
        .all(|(found, right)| (found - right).abs() <= 1e-6 * right.abs().max(1.0));
    (!near).then(|| format!("{affine:?} instead of {right:?}"))
}

#[test]
#[ignore = "needs nibabel's results (tests/run.sh)"]
fn long_quaternions_are_accepted_as_by_nibabel() {
    let (folder, lines) = manifest("quaternions.txt");
    let mut failures = Vec::new();
    let mut files = std::collections::BTreeSet::new();
    let [mut accepted, mut refused, mut by_default] = [0; 3];
    for line in &lines {
        let [name, threshold, expected] = &line[..] else {
            panic!("{line:?}");
        };
        let options = match threshold.as_str() {
            "-" => LoadOptions::new(),
            stated => LoadOptions::new().quaternion_threshold(bits(stated)),
        };
        let found = DataobjImage::from_filename(folder.join(name), &options);
        if let Some(differs) = differs(found, expected) {
            failures.push(format!("{name} with {threshold}: {differs}"));
        }
        let is_refused = expected == "refused";
        refused += usize::from(is_refused);
        accepted += usize::from(!is_refused);
        by_default += usize::from(is_refused && threshold == "-");
        files.insert(name);
    }
    let first = failures[..failures.len().min(12)].join("\n");
    assert!(failures.is_empty(), "{} differ:\n{first}", failures.len());
    println!(
        "{} files: {accepted} loads accepted, {refused} refused, {by_default} of them by default",
        files.len()
    );
    assert!(files.len() >= 200 && accepted >= 200 && refused >= 200 && by_default >= 100);
}

/// The comparison finds an affine that is a little wrong, and refusals and acceptances that nibabel does not share.
#[test]
#[ignore = "needs nibabel's results (tests/run.sh)"]
fn the_comparison_of_quaternions_can_fail() {
    let (folder, lines) = manifest("quaternions.txt");
    for line in lines.iter().filter(|line| line[1] == "-") {
        let load = || voxload::load(folder.join(&line[0]));
        assert_eq!(differs(load(), &line[2]), None);
        if line[2] == "refused" {
            let any = ["3ff0000000000000"; 16].join(" ");
            assert!(differs(load(), &any).is_some());
            continue;
        }
        assert!(differs(load(), "refused").is_some());
        for entry in 0..12 {
            let mut right: Vec<f64> = line[2].split(' ').map(bits).collect();
            right[entry] += 1e-5 * right[entry].abs().max(1.0);
            let texts: Vec<String> = right
                .iter()
                .map(|value| format!("{:016x}", value.to_bits()))
                .collect();
            assert!(
                differs(load(), &texts.join(" ")).is_some(),
                "{} {entry}",
                line[0]
            );
        }
    }
}
