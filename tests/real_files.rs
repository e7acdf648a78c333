//! Promise: the volumes that people have. Every NIfTI file in the data folders of the nibabel and nilearn wheels,
//! listed by `tests/oracle/real_files.py`, and the hashes of spec 5.3 beside it.

use voxload::DataobjImage;

use crate::support::errors::outcome;
use crate::support::{backend::Backend, oracle};

/// Name, hash of the f32 values, hash of the f64 values: the NIfTI rows of spec 5.3.
const SPEC: [(&str, &str, &str); 7] = [
    (
        "anatomical.nii",
        "a30adcd615b9289f8b101b2c59c29e891540bfb5ee23c2270aba9c39481f102f",
        "ea4d957803aa68ef9ecba80026c8c03747c5eff9a644983d5405b5bace6dd014",
    ),
    (
        "functional.nii",
        "0464ab605a2a3e72cefa2f43448927662e573cab8aeaa9f2abc1a954ce88fa5e",
        "a501e99699a9a95f57cc11d8c81460aee3d37fb8bbb6367b18533c3faf687afa",
    ),
    (
        "example4d.nii.gz",
        "80fa66eb36babd728c4d6c4b3356952c77fe3b4e775f666374f40911215254ee",
        "1271c717c47a53b35967fba5c9f80c7e9bc93455586f138464020291b8c78943",
    ),
    (
        "standard.nii.gz",
        "63c5454014c0c724e2167b9eb98d4954d322bd5fbde1412cae82e9b2a9a49199",
        "2b373a582e55ecc52f3bce49f810b64662f0d23dd290f105a62421039402067e",
    ),
    (
        "reoriented_anat_moved.nii",
        "eb44bfa9c00d851f37b52fc4d3219776b451c2fb5e7f3139f926ddc94bc4a054",
        "c5a027b78fc15af1e24462edf9fc0a718f397587b1ace5d6107df716f0965868",
    ),
    (
        "resampled_anat_moved.nii",
        "6fbc2d03c21dfd61973d558a387bbb54907b04beeb6062ba24bac67601e0eb87",
        "9bc9c5b6394f58c0aabe3056210f7877c0289eb1f362b74a661c685aac57e40d",
    ),
    (
        "example_nifti2.nii.gz",
        "7f1cb099ce2873e6d038bafa6360dc782f42f736daaf02e132c909f1a7e2d84d",
        "b7ea11150141e5f1324ca21a3255dd2e492e5a08dfc44ea5a3cfcb9d989a821d",
    ),
];

/// Sum of the f64 values (spec 5.3), exact for integers.
const SUMS: [(&str, f64); 4] = [
    ("anatomical.nii", 284_166_082.0),
    ("example4d.nii.gz", 101_985_356.0),
    ("example_nifti2.nii.gz", 6_926_802.0),
    ("standard.nii.gz", 7650.0),
];

/// Python's `float.hex`: `-0x1.8p+3`.
pub fn from_hex(text: &str) -> f64 {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text),
    };
    if text == "nan" || text == "inf" {
        return sign * text.parse::<f64>().expect("nan or inf");
    }
    let digits = text.strip_prefix("0x").expect("a hexadecimal float");
    let (digits, exponent) = digits.split_once('p').expect("an exponent");
    let exponent: i32 = exponent.parse().expect("an exponent");
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let significand = u64::from_str_radix(&format!("{whole}{fraction}"), 16).expect("digits");
    sign * significand as f64 * 2f64.powi(exponent - 4 * fraction.len() as i32)
}

/// Numbers between two doubles, counted along the line of all doubles.
fn ulps(a: f64, b: f64) -> u64 {
    let place = |value: f64| match value.to_bits() as i64 {
        negative if negative < 0 => i64::MIN - negative,
        positive => positive,
    };
    place(a).abs_diff(place(b))
}

fn check_affine(name: &str, image: &DataobjImage, expected: &str) {
    let expected: Vec<f64> = expected.split(' ').map(from_hex).collect();
    let affine = image.affine().expect("NIfTI always has an affine");
    assert_eq!(expected.len(), 16);
    for (&found, &expected) in affine.as_flattened().iter().zip(&expected) {
        assert!(
            ulps(found, expected) <= 1,
            "{name}: {found:e}, not {expected:e}"
        );
    }
}

fn check(row: &[String], backends: &[Backend]) -> (String, bool) {
    let [path, shape, dtype, affine, f4, f8] = row else {
        panic!("six columns: {row:?}");
    };
    let image = voxload::load(path).unwrap_or_else(|error| panic!("{error}"));
    let name = path.rsplit('/').next().expect("a name").to_owned();
    assert_eq!(image.shape(), oracle::shape(shape), "{name}");
    assert_eq!(image.header().dtype.name(), dtype, "{name}");
    check_affine(&name, &image, affine);
    if f4 == "missing" {
        assert_eq!(
            outcome(&image.dataobj().read::<f32>()),
            "NotFound",
            "{name}"
        );
        return (name, false);
    }
    for &backend in backends {
        let wide = backend.read::<f64>(&image).expect("it can be read");
        let narrow = backend.read::<f32>(&image).expect("it can be read");
        assert_eq!(oracle::hash(&narrow), *f4, "{backend:?}: {name} as f32");
        assert_eq!(oracle::hash(&wide), *f8, "{backend:?}: {name} as f64");
        for (_, sum) in SUMS.iter().filter(|(of, _)| *of == name) {
            assert_eq!(wide.as_slice().iter().sum::<f64>(), *sum, "{name}");
        }
    }
    for (_, in_spec4, in_spec8) in SPEC.iter().filter(|(of, ..)| *of == name) {
        assert_eq!((f4.as_str(), f8.as_str()), (*in_spec4, *in_spec8), "{name}");
    }
    (name, true)
}

#[test]
fn every_nifti_file_of_the_wheels() {
    let test = "files of the nibabel and nilearn wheels";
    let Some((_, rows)) = oracle::manifest(test, "real_files.txt") else {
        return;
    };
    let backends = Backend::available(test);
    let checked: Vec<_> = rows.iter().map(|row| check(row, &backends)).collect();
    let whole = checked.iter().filter(|(_, read)| *read).count();
    assert!(whole >= 11, "{checked:?}");
    for (name, ..) in SPEC {
        assert!(
            checked.contains(&(name.to_owned(), true)),
            "{name} was not there"
        );
    }
    assert!(
        rows.iter().any(|row| row[0].contains("nilearn")),
        "nilearn's files"
    );
}

#[test]
fn hexadecimal_floats() {
    assert_eq!(from_hex("-0x1.8000000000000p+3"), -12.0);
    assert_eq!(from_hex("0x0.0p+0"), 0.0);
    assert!(from_hex("nan").is_nan());
    assert_eq!(ulps(1.0, 1.0 + f64::EPSILON), 1);
    assert_eq!(ulps(-0.0, 5e-324), 1);
}
