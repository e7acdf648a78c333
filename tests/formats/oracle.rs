//! Random files, against what nibabel or SimpleITK made of them.

use std::collections::BTreeMap;
use std::path::Path;

use half::f16;
use voxload::{DataobjImage, Index, StoredArray};

use crate::support::backend::Backend;

use super::manifest::{Case, FORMATS, LEFT_OUT};
use super::options;
use crate::support::environment::oracle_folder;
use crate::support::floats::ulps;
use crate::support::oracle::digest;

impl Case<'_> {
    /// What differs.
    fn compare(
        &self,
        folder: &Path,
        backends: &[Backend],
        counts: &mut Counts,
    ) -> voxload::Result<Vec<String>> {
        let mut differ = Vec::new();
        let mut same = |what: &str, found: &str, expected: &str| {
            if found != expected {
                differ.push(format!("{what}: {found} instead of {expected}"));
            }
        };
        let image = DataobjImage::from_filename(folder.join(self.path), &options(self.options))?;
        let header = image.header();
        same("format", header.format.name(), self.format);
        let shape: Vec<String> = image.shape().iter().map(usize::to_string).collect();
        same("shape", &shape.join(" "), self.shape);
        match image.affine() {
            None => same("affine", "-", self.affine),
            Some(affine) => {
                let bits = self
                    .affine
                    .split(' ')
                    .map(|bits| u64::from_str_radix(bits, 16));
                let expected: Vec<f64> =
                    bits.map(|bits| f64::from_bits(bits.unwrap_or(0))).collect();
                let same_affine = match self.format {
                    "PAR/REC" => is_same_product(affine, &expected, image.shape()),
                    _ => {
                        let mut pairs = affine.as_flattened().iter().zip(&expected);
                        pairs.all(|(&found, &expected)| ulps(found, expected) <= 1)
                    }
                };
                if !same_affine {
                    let texts: Vec<String> = affine
                        .as_flattened()
                        .iter()
                        .map(|value| format!("{:016x}", value.to_bits()))
                        .collect();
                    same("affine", &texts.join(" "), self.affine);
                }
            }
        }
        if self.zooms != "-" {
            let bits: Vec<String> = header
                .zooms
                .iter()
                .map(|zoom| format!("{:016x}", zoom.to_bits()))
                .collect();
            same("zooms", &bits.join(" "), self.zooms);
        }
        let dataobj = image.dataobj();
        let native = dataobj.native()?;
        same("dtype", native.dtype().name(), self.dtype);
        same("native", &digest(&native), self.native);
        let serves = |backend| match backend {
            Backend::Cpu => self.floats[0] != "-",
            #[cfg(feature = "gpu")]
            // Complex numbers and colours have no kernel.
            Backend::Gpu(_) => !native.dtype().is_complex() && !native.dtype().is_colour(),
        };
        for &backend in backends.iter().filter(|&&backend| serves(backend)) {
            for (n, name) in ["f2", "f4", "f8"].into_iter().enumerate() {
                // A device makes one type of each file, in turns.
                if backend != Backend::Cpu && n != counts.files % 3 {
                    continue;
                }
                let array: StoredArray = match n {
                    0 => backend.read::<f16>(&image)?.into(),
                    1 => backend.read::<f32>(&image)?.into(),
                    _ => backend.read::<f64>(&image)?.into(),
                };
                same(
                    &format!("{name} on {backend:?}"),
                    &digest(&array),
                    self.floats[n],
                );
            }
        }
        for slice in self.slices.split(';') {
            let (index, expected) = slice.split_once('=').unwrap();
            let (natives, floats) = expected.split_once(':').unwrap();
            let parsed: Index = index.parse()?;
            let taken = dataobj.sliced(&parsed)?.native()?;
            same(index, &digest(&taken), natives);
            counts.native_slices += 1;
            for &backend in backends.iter().filter(|&&backend| serves(backend)) {
                let taken: StoredArray = backend.slice::<f32>(&image, &parsed)?.into();
                same(&format!("{index} on {backend:?}"), &digest(&taken), floats);
                *counts.slices.entry(format!("{backend:?}")).or_default() += 1;
            }
        }
        Ok(differ)
    }
}

/// Whether the affine is nibabel's but for the last bits of a product of matrices.
///
/// nibabel multiplies a PAR/REC file's rotations, voxel sizes and offsets by OpenBLAS, whose kernels for processors with
/// and without fused multiply-add round differently, after sines and cosines that differ between them too. Terms may
/// cancel, so what counts is the last place of the terms: of a column's length for its entries, and for the last column
/// of the way from the corner to the middle and what is added to it.
fn is_same_product(found: &voxload::Affine, expected: &[f64], shape: &[usize]) -> bool {
    let near = |found: f64, expected: f64, size: f64| {
        let last_place = size.next_up() - size;
        (found - expected).abs() <= last_place
    };
    let lengths: [f64; 3] = std::array::from_fn(|column| {
        let squares = found.iter().take(3).map(|row| row[column] * row[column]);
        squares.sum::<f64>().sqrt()
    });
    found.iter().zip(expected.chunks(4)).all(|(row, expected)| {
        let half = row.iter().zip(shape).take(3);
        let way: f64 = half.map(|(entry, &n)| entry.abs() * n as f64 / 2.0).sum();
        let sizes = [lengths[0], lengths[1], lengths[2], row[3].abs() + 2.0 * way];
        let mut entries = row.iter().zip(expected).zip(sizes);
        entries.all(|((&found, &expected), size)| near(found, expected, size))
    })
}

/// What was compared of a format.
#[derive(Debug, Default)]
struct Counts {
    files: usize,
    native_slices: usize,
    /// Slices of f32, by backend.
    slices: BTreeMap<String, usize>,
}

#[test]
#[ignore = "needs nibabel's results (tests/run.sh)"]
fn random_files_have_the_oracles_bits() {
    let folder = oracle_folder().join("formats");
    let manifest = std::fs::read_to_string(folder.join("manifest.txt")).unwrap();
    let backends = Backend::available("random files of all formats");
    let mut counts: BTreeMap<&str, Counts> = BTreeMap::new();
    let mut failures = Vec::new();
    for case in manifest.lines().map(Case::new) {
        if LEFT_OUT.contains(&case.format) {
            continue;
        }
        let counts = counts.entry(case.format).or_default();
        counts.files += 1;
        match case.compare(&folder, &backends, counts) {
            Ok(differ) if differ.is_empty() => {}
            Ok(differ) => failures.push(format!("{}: {}", case.path, differ.join("\n    "))),
            Err(error) => failures.push(format!("{}: {error}", case.path)),
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {} differ:\n{}",
        failures.len(),
        manifest.lines().count(),
        failures[..failures.len().min(12)].join("\n")
    );
    for format in FORMATS.iter().filter(|format| !LEFT_OUT.contains(format)) {
        let counts = &counts[format];
        println!("{format}: {counts:?}");
        assert!(counts.files >= 200, "{format}: {counts:?}");
        for backend in &backends {
            let slices = counts.slices[&format!("{backend:?}")];
            assert!(slices >= 1000, "{format}: {slices} slices on {backend:?}");
        }
    }
}
