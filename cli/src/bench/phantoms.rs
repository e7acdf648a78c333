//! The files that are measured when none are named: sizes of one type, so that it shows where the GPU begins to win, and
//! other types.

use std::path::{Path, PathBuf};

use libdeflater::{CompressionLvl, Compressor};
use voxload::DType;

use super::measure::Failure;
use super::phantom::Phantom;

/// Name, stored type, and which part of the largest one's size: 1 over this.
const PHANTOMS: [(&str, DType, usize); 7] = [
    ("int16-tiny.nii", DType::I16, 200),
    ("int16-small.nii", DType::I16, 20),
    ("int16-medium.nii", DType::I16, 4),
    ("int16.nii", DType::I16, 1),
    ("uint8.nii", DType::U8, 8),
    ("float32.nii", DType::F32, 8),
    ("int16.nii.gz", DType::I16, 20),
];

/// Writes them all, the largest with so many stored bytes.
///
/// # Errors
/// When there is no room.
pub fn write(folder: &Path, bytes: usize) -> Result<Vec<PathBuf>, Failure> {
    let write = |(name, dtype, part): (&str, DType, usize)| {
        let path = folder.join(name);
        Phantom::of_bytes(bytes / part, dtype).write(&path)?;
        if name.ends_with(".gz") {
            compress(&path)?;
        }
        Ok(path)
    };
    PHANTOMS.into_iter().map(write).collect()
}

/// Puts what the file holds in its place, as gzip of one member.
fn compress(path: &Path) -> Result<(), Failure> {
    let bytes = std::fs::read(path)?;
    let mut compressor = Compressor::new(CompressionLvl::default());
    let mut packed = vec![0; compressor.gzip_compress_bound(bytes.len())];
    let length = compressor.gzip_compress(&bytes, &mut packed)?;
    Ok(std::fs::write(path, &packed[..length])?)
}
