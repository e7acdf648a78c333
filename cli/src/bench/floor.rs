//! Lower bounds for a load: reading the same bytes and writing the same number of output bytes without arithmetic, on
//! the same threads and with the same kind of memory.

use std::fs::File;
use std::path::Path;

use memmap2::{Mmap, MmapMut};
use multiversion::multiversion;
use rayon::prelude::*;

/// Number of output bytes that one thread writes at a time.
const PIECE_BYTES: usize = 1 << 20;

/// Fresh output memory from the system, in huge pages if it supports them.
///
/// # Errors
/// If the system refuses.
pub(crate) fn fresh(bytes: usize) -> std::io::Result<MmapMut> {
    let pages = MmapMut::map_anon(bytes.max(1))?;
    #[cfg(target_os = "linux")]
    let _ = pages.advise(memmap2::Advice::HugePage);
    Ok(pages)
}

/// A load without arithmetic: voxels of `from` bytes become voxels of `to` bytes, on all threads.
pub(crate) fn move_voxels(stored: &[u8], from: usize, out: &mut [u8], to: usize) {
    let voxels = PIECE_BYTES / to.max(1);
    out.par_chunks_mut(voxels * to)
        .zip(stored.par_chunks(voxels * from))
        .for_each(|(out, stored)| move_row(stored, from, out, to));
}

/// The same on the calling thread.
pub(crate) fn move_row(stored: &[u8], from: usize, out: &mut [u8], to: usize) {
    match (from, to) {
        (1, 4) => each::<1, 4>(stored, out),
        (2, 4) => each::<2, 4>(stored, out),
        (8, 4) => each::<8, 4>(stored, out),
        (1, 8) => each::<1, 8>(stored, out),
        (2, 8) => each::<2, 8>(stored, out),
        (4, 8) => each::<4, 8>(stored, out),
        _ => {
            let length = out.len().min(stored.len());
            out[..length].copy_from_slice(&stored[..length]);
        }
    }
}

/// Each `FROM` bytes become `TO` bytes, truncated or padded with zeros: the memory traffic of a cast.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl",
    "x86_64+avx2+f16c",
    "aarch64+neon"
))]
fn each<const FROM: usize, const TO: usize>(stored: &[u8], out: &mut [u8]) {
    let (stored, _) = stored.as_chunks::<FROM>();
    let (out, _) = out.as_chunks_mut::<TO>();
    for (out, stored) in out.iter_mut().zip(stored) {
        let mut wide = [0; 8];
        wide[..FROM].copy_from_slice(stored);
        out.copy_from_slice(&wide[..TO]);
    }
}

/// The bytes of a file, mapped.
///
/// # Errors
/// If the file cannot be mapped.
#[expect(
    unsafe_code,
    reason = "measures a file that this run made or was given"
)]
pub(crate) fn map(path: &Path) -> std::io::Result<Mmap> {
    let file = File::open(path)?;
    // SAFETY: the mapping lives for one measurement, and every byte value is valid for widening.
    unsafe { Mmap::map(&file) }
}
