//! The files that are measured if none are named: several sizes of one type, to show from which size on the GPU is
//! faster, and other types.

use std::path::{Path, PathBuf};

use libdeflater::{CompressionLvl, Compressor};
use voxload::DType;

use super::measure::Failure;
use super::phantom::Phantom;

/// The name, the stored type, and the size as a fraction of the largest one (1 over this number).
const PHANTOMS: [(&str, DType, usize); 7] = [
    ("int16-tiny.nii", DType::I16, 200),
    ("int16-small.nii", DType::I16, 20),
    ("int16-medium.nii", DType::I16, 4),
    ("int16.nii", DType::I16, 1),
    ("uint8.nii", DType::U8, 8),
    ("float32.nii", DType::F32, 8),
    ("int16.nii.gz", DType::I16, 20),
];

/// Writes all of them; the largest has `largest` stored bytes.
///
/// # Errors
/// If the files cannot be written.
pub(super) fn write(folder: &Path, bytes: usize) -> Result<Vec<PathBuf>, Failure> {
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

/// Replaces the file by a gzip file of one member.
fn compress(path: &Path) -> Result<(), Failure> {
    let bytes = std::fs::read(path)?;
    let mut compressor = Compressor::new(CompressionLvl::default());
    let mut packed = vec![0; compressor.gzip_compress_bound(bytes.len())];
    let length = compressor.gzip_compress(&bytes, &mut packed)?;
    Ok(std::fs::write(path, &packed[..length])?)
}
