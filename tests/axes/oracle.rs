//! Random files with components, without a space, in pieces: the values and places of `tests/oracle/axes.py`.

use std::collections::BTreeMap;
use std::path::Path;

use voxload::{AxisKind, HostArray};

use crate::formats::LEFT_OUT;
use crate::support::backend::Backend;
use crate::support::environment::oracle_folder;

/// Kinds of files in the manifest.
const KINDS: [&str; 9] = [
    "MINC2",
    "MetaImage",
    "MetaImage pieces",
    "NIfTI vectors",
    "NRRD",
    "NRRD components between",
    "NRRD components first",
    "NRRD components last",
    "NRRD pieces",
];

fn bits(text: &str) -> f64 {
    f64::from_bits(u64::from_str_radix(text, 16).unwrap())
}

/// What differs between an image and a line of the manifest.
fn compare(folder: &Path, line: &str, backends: &[Backend]) -> voxload::Result<Vec<String>> {
    let parts: Vec<&str> = line.split('|').collect();
    let [_, path, shape, letters, component, samples] = parts[..] else {
        panic!("{line}");
    };
    let mut differ = Vec::new();
    let image = voxload::load(folder.join(path))?;
    let header = image.header();
    let found: Vec<String> = image.shape().iter().map(usize::to_string).collect();
    if found.join(" ") != shape {
        differ.push(format!("shape {found:?} instead of {shape}"));
        return Ok(differ);
    }
    let found: String = header.axes.iter().map(|kind| &kind.name()[..1]).collect();
    if found != letters {
        differ.push(format!("axes {found} instead of {letters}"));
    }
    let component: Option<usize> = component.parse().ok();
    if letters.contains('c') && header.component_axis() != component {
        differ.push(format!("components on axis {:?}", header.component_axis()));
    }
    let affine = image.affine().expect("files with an affine");
    let arrays: Vec<(Backend, HostArray<f64>)> = backends
        .iter()
        .map(|&backend| Ok((backend, backend.read::<f64>(&image)?)))
        .collect::<voxload::Result<_>>()?;
    for sample in samples.split(',') {
        let parts: Vec<&str> = sample.split(';').collect();
        let [index, part, value, place] = parts[..] else {
            panic!("{sample}");
        };
        let others: Vec<usize> = index.split(' ').map(|n| n.parse().unwrap()).collect();
        let mut index = others;
        if let Some(axis) = component {
            index.insert(axis, part.parse().unwrap());
        }
        for (backend, array) in &arrays {
            let found = array.view()[index.as_slice()];
            if found.to_bits() != bits(value).to_bits() && !(found.is_nan() && bits(value).is_nan())
            {
                differ.push(format!("{found} at {index:?} on {backend:?}"));
            }
        }
        let along: Vec<usize> = header
            .space_axes()
            .iter()
            .map(|&axis| index[axis])
            .collect();
        let place: Vec<f64> = place.split(' ').map(bits).collect();
        for (row, place) in affine.iter().zip(place) {
            let columns = row.iter().zip(&along);
            let found: f64 = columns.map(|(entry, &n)| entry * n as f64).sum::<f64>() + row[3];
            // NIfTI's affine is of f32.
            let precision = match path.contains(".nii") {
                true => 1e-4,
                false => 1e-9,
            };
            if (found - place).abs() > precision * place.abs().max(1.0) {
                differ.push(format!("{index:?} at {found} instead of {place}"));
            }
        }
    }
    Ok(differ)
}

#[test]
#[ignore = "needs SimpleITK's results (tests/run.sh)"]
fn values_and_places_of_random_voxels_are_simpleitks() {
    let folder = oracle_folder().join("axes");
    let manifest = std::fs::read_to_string(folder.join("manifest.txt")).unwrap();
    let backends = Backend::available("values and places of random voxels");
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut failures = Vec::new();
    for line in manifest.lines() {
        let kind = line.split('|').next().unwrap();
        if LEFT_OUT.contains(&kind) {
            continue;
        }
        *counts.entry(kind).or_default() += 1;
        match compare(&folder, line, &backends) {
            Ok(differ) if differ.is_empty() => {}
            Ok(differ) => failures.push(format!("{line:.60}: {}", differ.join("\n    "))),
            Err(error) => failures.push(format!("{line:.60}: {error}")),
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {} differ:\n{}",
        failures.len(),
        manifest.lines().count(),
        failures[..failures.len().min(20)].join("\n")
    );
    for kind in KINDS.iter().filter(|kind| !LEFT_OUT.contains(kind)) {
        println!("{kind}: {:?} files", counts.get(*kind));
        assert!(counts.get(*kind) >= Some(&200), "{kind}: {counts:?}");
    }
}

/// The comparison finds what is wrong: a wrong value, place, kind and order of components.
#[test]
fn the_comparison_can_fail() {
    let folder = crate::support::folder();
    let bytes: Vec<u8> = (0..24).collect();
    let header = "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 2 3 4\nencoding: raw\n\
                  kinds: vector domain domain\nspacings: nan 2 3\n\n";
    std::fs::write(
        folder.path().join("a.nrrd"),
        [header.as_bytes(), &bytes].concat(),
    )
    .unwrap();
    let hexadecimal = |value: f64| format!("{:016x}", value.to_bits());
    let line = |letters: &str, axis: usize, value: f64, x: f64| {
        let place = [hexadecimal(x), hexadecimal(-9.0), hexadecimal(0.0)].join(" ");
        let value = hexadecimal(value);
        format!("NRRD|a.nrrd|2 3 4|{letters}|{axis}|2 3;1;{value};{place}")
    };
    let differ = |line: &str| compare(folder.path(), line, &[Backend::Cpu]).unwrap().len();
    // Component 1 at (2, 3): 1 + 2 * 2 + 3 * 6.
    assert_eq!(differ(&line("css", 0, 23.0, -4.0)), 0);
    assert_eq!(differ(&line("css", 0, 22.0, -4.0)), 1);
    assert_eq!(differ(&line("css", 0, 23.0, -4.1)), 1);
    assert_eq!(differ(&line("oss", 0, 23.0, -4.0)), 1);
    assert_eq!(AxisKind::Component.name(), "component");
}
