//! The folder that the Python scripts of `tests/oracle` fill, named by `VOXLOAD_ORACLE_DIR`.

use std::path::PathBuf;

use sha2::{Digest, Sha256};
use voxload::{HostArray, c64, c128};

use super::naive::Out;

/// The folder, or a message that the test is skipped.
pub fn folder(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("VOXLOAD_ORACLE_DIR").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: {test}: VOXLOAD_ORACLE_DIR is not set (tests/run.sh sets it)");
    }
    folder
}

/// The lines of a manifest, taken apart at tabs.
///
/// # Panics
/// When the folder is set but the manifest is not there or is empty.
pub fn manifest(test: &str, name: &str) -> Option<(PathBuf, Vec<Vec<String>>)> {
    let folder = folder(test)?;
    let path = folder.join(name);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("VOXLOAD_ORACLE_DIR is set: {}: {error}", path.display()));
    let lines: Vec<Vec<String>> = text
        .lines()
        .map(|line| line.split('\t').map(str::to_owned).collect())
        .collect();
    assert!(!lines.is_empty(), "{} is empty", path.display());
    Some((folder, lines))
}

/// A shape written as `3,4,5`.
pub fn shape(text: &str) -> Vec<usize> {
    text.split(',')
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().expect("a length"))
        .collect()
}

/// SHA-256 of values in column-major order, little-endian, all NaN made alike.
pub fn hash<T: Out>(array: &HostArray<T>) -> String {
    let size = size_of::<T>();
    let nan = T::narrowed(f64::from_bits(0x7ff8 << 48)).bits();
    let mut bytes = Vec::with_capacity(array.len() * size);
    for &value in array.as_slice() {
        let bits = if value.is_not_a_number() {
            nan
        } else {
            value.bits()
        };
        bytes.extend(&bits.to_le_bytes()[..size]);
    }
    hex(&Sha256::digest(&bytes))
}

pub fn hash_c64(array: &HostArray<c64>) -> String {
    let parts: Vec<f32> = array.as_slice().iter().flat_map(|v| [v.re, v.im]).collect();
    hash(&HostArray::from_vec(&[parts.len()], parts).expect("a vector"))
}

pub fn hash_c128(array: &HostArray<c128>) -> String {
    let parts: Vec<f64> = array.as_slice().iter().flat_map(|v| [v.re, v.im]).collect();
    hash(&HostArray::from_vec(&[parts.len()], parts).expect("a vector"))
}

pub fn hash_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
