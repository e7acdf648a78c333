//! The floor of a load: the same bytes read and the same number of output bytes written, with the arithmetic
//! left out, on the same threads and with the same kind of memory.

use std::fs::File;
use std::path::Path;

use memmap2::{Mmap, MmapMut};
use rayon::prelude::*;

/// Stored bytes that one thread takes at a time.
const PIECE_BYTES: usize = 512 << 10;

/// Fresh output memory: from the system, in huge pages where it has them.
///
/// # Errors
/// When the system does not give it.
pub fn fresh(bytes: usize) -> std::io::Result<MmapMut> {
    let pages = MmapMut::map_anon(bytes.max(1))?;
    #[cfg(target_os = "linux")]
    let _ = pages.advise(memmap2::Advice::HugePage);
    Ok(pages)
}

/// Reads `stored` and writes each byte `out.len() / stored.len()` times over: a load without the arithmetic.
pub fn widen(stored: &[u8], out: &mut [u8]) {
    let ratio = (out.len() / stored.len().max(1)).max(1);
    out.par_chunks_mut(PIECE_BYTES * ratio)
        .zip(stored.par_chunks(PIECE_BYTES))
        .for_each(|(out, stored)| match ratio {
            2 => widen_by::<2, 4>(stored, out),
            4 => widen_by::<2, 8>(stored, out),
            _ => {
                let length = out.len().min(stored.len());
                out[..length].copy_from_slice(&stored[..length]);
            }
        });
}

/// Each `FROM` bytes become `TO` bytes, the rest zero: what a cast moves.
fn widen_by<const FROM: usize, const TO: usize>(stored: &[u8], out: &mut [u8]) {
    let (stored, _) = stored.as_chunks::<FROM>();
    let (out, _) = out.as_chunks_mut::<TO>();
    for (out, stored) in out.iter_mut().zip(stored) {
        let mut wide = [0; TO];
        wide[..FROM].copy_from_slice(stored);
        *out = wide;
    }
}

/// The bytes of a file, mapped.
///
/// # Errors
/// When the file cannot be mapped.
#[expect(
    unsafe_code,
    reason = "a measuring instrument over a file that this run made or was given"
)]
pub fn map(path: &Path) -> std::io::Result<Mmap> {
    let file = File::open(path)?;
    // SAFETY: the mapping lives for one measurement; any byte is a valid value to widen.
    unsafe { Mmap::map(&file) }
}
