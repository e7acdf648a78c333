//! Files as users of other readers have reported them: each condition as a small file, with the right values.

mod footers;
mod geometry;
mod messages;
mod pieces;
mod random_cifti;
mod random_footers;
mod random_quaternions;
mod texts;

use std::path::{Path, PathBuf};

use voxload::{DataobjImage, ErrorKind, Result};

/// Writes a file and loads it.
pub fn loaded(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> Result<DataobjImage> {
    voxload::load(written(folder, name, bytes))
}

pub fn written(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// The field of an error in the header, and its message.
pub fn field<T: std::fmt::Debug>(result: Result<T>) -> (&'static str, String) {
    let error = result.unwrap_err();
    match error.kind() {
        ErrorKind::Header { field, .. } => (field, error.to_string()),
        other => panic!("{other:?}"),
    }
}

/// All values, the first axis fastest.
pub fn values(image: &DataobjImage) -> Vec<f64> {
    image.dataobj().read::<f64>().unwrap().as_slice().to_vec()
}

pub fn gzipped(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn zlibbed(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
