//! What the fuzz targets do with their bytes. Each compares what it gets with a naive way to the same values, so
//! that a wrong value is found as well as a panic.

mod end_to_end;
mod gzip;
mod gzip_index;
mod headers;
mod large_gzip;
mod pairs;
mod pieces;
mod slices;

// Seeds and the naive model are those of the tests, which use more of them.
#[path = "../../tests/support/nifti.rs"]
pub mod nifti;
#[allow(dead_code)]
#[path = "../../tests/support/rng.rs"]
mod rng;
#[path = "../../tests/formats/seeds.rs"]
pub mod seeds;
#[allow(dead_code)]
#[path = "../../tests/support/slicing.rs"]
mod slicing;

pub use end_to_end::end_to_end;
pub use gzip::gzip;
pub use gzip_index::gzip_index;
pub use headers::{headers_binary, headers_container, headers_text};
pub use large_gzip::{gzip_parallel, gzip_table};
pub use pairs::pairs;
pub use pieces::pieces;
pub use slices::slices;

use std::sync::Arc;

use voxload::{ByteSource, DataobjImage, Error, ErrorKind, FileHolder, Float, HostArray};

/// Volumes with more voxels are not read: their time is not what is looked for.
const MOST_VOXELS: usize = 1 << 18;

/// A byte from the front, 0 when there is none left.
fn take(data: &mut &[u8]) -> u8 {
    let (first, rest) = data.split_first().unwrap_or((&0, &[]));
    *data = rest;
    *first
}

/// As many bytes from the front as the next one or two say.
fn take_part<'a>(data: &mut &'a [u8], counter_bytes: usize) -> &'a [u8] {
    let mut length = 0;
    for _ in 0..counter_bytes {
        length = length << 8 | usize::from(take(data));
    }
    let (part, rest) = data.split_at(length.min(data.len()));
    *data = rest;
    part
}

/// Bytes as a file of an image.
#[derive(Debug)]
struct Bytes(Vec<u8>);

impl ByteSource for Bytes {
    fn len(&self) -> Result<Option<u64>, Error> {
        Ok(Some(self.0.len() as u64))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Error> {
        let end = offset.saturating_add(buffer.len() as u64);
        let part = usize::try_from(offset)
            .ok()
            .and_then(|start| self.0.get(start..start.checked_add(buffer.len())?));
        let part = part.ok_or(ErrorKind::Truncated {
            what: "voxel data",
            have: self.0.len() as u64,
            need: end,
        })?;
        buffer.copy_from_slice(part);
        Ok(())
    }
}

fn holder(bytes: &[u8]) -> FileHolder {
    FileHolder::from_source(Arc::new(Bytes(bytes.to_vec())))
}

/// An error is one line that says something.
fn check_error(error: &Error) {
    let line = error.to_string();
    assert!(!line.trim().is_empty() && !line.contains('\n'), "{line:?}");
}

/// The result, its error checked.
fn checked<T>(result: Result<T, Error>) -> Option<T> {
    result.inspect_err(check_error).ok()
}

/// Voxels of an image that is small enough to be read.
fn small(image: &DataobjImage) -> Option<usize> {
    // The naive model lists positions axis by axis, and an axis of none may be the last.
    let axes = image.shape().iter().map(|&length| length.max(1));
    let listed = axes.into_iter().try_fold(1usize, usize::checked_mul)?;
    (listed <= MOST_VOXELS).then(|| image.shape().iter().product())
}

/// Everything but the voxels.
fn look_at(image: &DataobjImage) {
    for (name, value) in image.header().fields.list() {
        std::hint::black_box((name, value));
    }
    image.notes();
    std::hint::black_box(image.affine());
    let _ = image.header().data_end().inspect_err(check_error);
}

/// Values are equal, any NaN to any NaN.
fn same<T: Float + PartialEq>(one: &HostArray<T>, other: impl IntoIterator<Item = T>) -> bool {
    let mut other = other.into_iter();
    let equal = one.as_slice().iter().all(|&a| {
        let b = other.next();
        b.is_some_and(|b| a == b || (a != a && b != b))
    });
    equal && other.next().is_none()
}
