//! What the Python scripts of `tests/oracle` wrote, and hashes as they make them.

use std::path::PathBuf;

use half::f16;
use sha2::{Digest, Sha256};
use voxload::{DType, Element, HostArray, StoredArray};

use super::environment::oracle_folder;

/// The lines of a manifest in the oracle's folder, taken apart at tabs.
///
/// # Panics
/// When there is no folder or no manifest, or nothing in it.
pub fn manifest(name: &str) -> (PathBuf, Vec<Vec<String>>) {
    let folder = oracle_folder();
    let path = folder.join(name);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines: Vec<Vec<String>> = text
        .lines()
        .map(|line| line.split('\t').map(str::to_owned).collect())
        .collect();
    assert!(!lines.is_empty(), "{} is empty", path.display());
    (folder, lines)
}

/// A shape written as `3,4,5`.
pub fn shape(text: &str) -> Vec<usize> {
    text.split(',')
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().expect("a length"))
        .collect()
}

/// The SHA-256 of an array's bytes: little-endian, the first axis fastest, every NaN the same quiet one.
pub fn digest(array: &StoredArray) -> String {
    let mut bytes = array.as_bytes().to_vec();
    let part = array.dtype().part_bytes();
    let is_float = matches!(
        array.dtype(),
        DType::F16 | DType::F32 | DType::F64 | DType::C64 | DType::C128
    );
    for part in bytes.chunks_exact_mut(part).filter(|_| is_float) {
        match *part {
            [a, b] if f16::from_ne_bytes([a, b]).is_nan() => {
                part.copy_from_slice(&0x7e00u16.to_ne_bytes());
            }
            [a, b, c, d] if f32::from_ne_bytes([a, b, c, d]).is_nan() => {
                part.copy_from_slice(&0x7fc0_0000u32.to_ne_bytes());
            }
            [a, b, c, d, e, f, g, h] if f64::from_ne_bytes([a, b, c, d, e, f, g, h]).is_nan() => {
                part.copy_from_slice(&0x7ff8_0000_0000_0000u64.to_ne_bytes());
            }
            _ => {}
        }
    }
    if cfg!(target_endian = "big") {
        bytes.chunks_exact_mut(part).for_each(<[u8]>::reverse);
    }
    hash_bytes(&bytes)
}

/// [`digest`] of an array whose type is known.
pub fn hash<T: Element>(array: &HostArray<T>) -> String {
    digest(&array.clone().into())
}

pub fn hash_bytes(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
