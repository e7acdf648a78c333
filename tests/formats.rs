//! Formats other than NIfTI: the same arrays, affines and errors as nibabel's (SimpleITK's for NRRD and MetaImage).
//!
//! What has to be compared with nibabel needs the files of `tests/oracle/formats.py`, under `formats/` in the folder that
//! `VOXLOAD_ORACLE_DIR` names; without it those tests say so and pass.

mod lazy;
mod malformed;
mod manifest;
mod mutations;
mod oracle;
mod promises;
mod real;
pub mod seeds;

use half::f16;
use sha2::{Digest, Sha256};
use voxload::{DType, LoadOptions, ParScaling, StoredArray};

/// Options by their names in the manifest.
fn options(names: &str) -> LoadOptions {
    use voxload::format::Format;
    names
        .split(',')
        .fold(LoadOptions::new(), |options, name| match name {
            "" => options,
            "spm99" => options.format(Format::Spm99Analyze),
            "analyze" => options.format(Format::Analyze),
            "fp" => options.par_scaling(ParScaling::Fp),
            "permit_truncated" => options.permit_truncated(true),
            "strict_sort" => options.strict_sort(true),
            other => panic!("option {other}"),
        })
}

/// The SHA-256 of an array's bytes, little-endian, the first axis fastest, every NaN the quiet one.
fn digest(array: &StoredArray) -> String {
    let bytes = array.as_bytes();
    let mut canonical = bytes.to_vec();
    match array.dtype() {
        DType::F16 => {
            for part in canonical.chunks_exact_mut(2) {
                if f16::from_ne_bytes([part[0], part[1]]).is_nan() {
                    part.copy_from_slice(&0x7e00u16.to_ne_bytes());
                }
            }
        }
        DType::F32 | DType::C64 => {
            for part in canonical.chunks_exact_mut(4) {
                if f32::from_ne_bytes(part.try_into().unwrap()).is_nan() {
                    part.copy_from_slice(&0x7fc0_0000u32.to_ne_bytes());
                }
            }
        }
        DType::F64 | DType::C128 => {
            for part in canonical.chunks_exact_mut(8) {
                if f64::from_ne_bytes(part.try_into().unwrap()).is_nan() {
                    part.copy_from_slice(&0x7ff8_0000_0000_0000u64.to_ne_bytes());
                }
            }
        }
        _ => {}
    }
    let part = array.dtype().part_bytes();
    if cfg!(target_endian = "big") {
        canonical.chunks_exact_mut(part).for_each(<[u8]>::reverse);
    }
    let hash = Sha256::digest(&canonical);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How far apart two floats are, in units of the last place.
fn ulps(a: f64, b: f64) -> u64 {
    let ordered = |x: f64| {
        let bits = (x + 0.0).to_bits() as i64;
        if bits < 0 { i64::MIN - bits } else { bits }
    };
    if a.is_nan() && b.is_nan() {
        return 0;
    }
    ordered(a).abs_diff(ordered(b))
}
