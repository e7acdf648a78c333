//! Lower bounds for reads: the same bytes moved without arithmetic, and plain copies.

use std::path::Path;

use rayon::prelude::*;

use crate::Result;
use crate::floor;
use crate::serve::{Answer, seconds};

/// The offset of the voxels in compare.py's files.
const OFFSET: usize = 352;

/// A file's voxels, and how many bytes they have, stored and converted.
pub struct Floor<'a> {
    path: &'a str,
    stored: usize,
    made: usize,
}

impl<'a> Floor<'a> {
    pub fn new(path: &'a str, stored: &str, made: &str) -> Result<Self> {
        Ok(Self {
            path,
            stored: stored.parse()?,
            made: made.parse()?,
        })
    }

    /// Seconds to map the file and move its voxels to new memory.
    pub fn fresh(&self) -> Answer {
        seconds(|| {
            let map = floor::map(Path::new(self.path))?;
            let voxels = &map[OFFSET..];
            let mut out = floor::fresh(voxels.len() / self.stored * self.made)?;
            floor::move_voxels(voxels, self.stored, &mut out, self.made);
            Ok(out)
        })
    }

    /// The same with memory that was written before.
    pub fn warm(&self, spare: &mut Vec<u8>) -> Answer {
        let bytes = std::fs::metadata(self.path)?.len() as usize - OFFSET;
        let out = sized(spare, bytes / self.stored * self.made);
        seconds(|| {
            let map = floor::map(Path::new(self.path))?;
            floor::move_voxels(&map[OFFSET..], self.stored, out, self.made);
            Ok(())
        })
    }

    /// Seconds for one of `count` frames of this many voxels at scattered positions, from a file that stays mapped: the
    /// faster of one thread and all threads.
    pub fn frames(&self, voxels: &str, count: &str) -> Answer {
        let (voxels, count): (usize, usize) = (voxels.parse()?, count.parse()?);
        let bytes = voxels * self.stored;
        let run = |work: fn(&[u8], usize, &mut [u8], usize)| -> Result<f64> {
            // A separate mapping, as an image has that was just opened.
            let map = floor::map(Path::new(self.path))?;
            let frames = (map.len() - OFFSET) / bytes;
            let elapsed = seconds(|| {
                for i in 0..count {
                    let start = OFFSET + i * 37 % frames * bytes;
                    let mut out = vec![0; voxels * self.made];
                    let stored = &map[start..start + bytes];
                    work(stored, self.stored, &mut out, self.made);
                    std::hint::black_box(&out);
                }
                Ok(())
            });
            Ok(elapsed? / count as f64)
        };
        Ok(run(floor::move_row)?.min(run(floor::move_voxels)?))
    }
}

/// Seconds to map a file and copy it to memory of this kind, with one `memcpy` of a part by each thread.
pub fn copy(kind: &str, path: &str, spare: &mut Vec<u8>) -> Answer {
    let copy = |out: &mut [u8]| -> Result<()> {
        let map = floor::map(Path::new(path))?;
        let voxels = &map[OFFSET..];
        let part = voxels.len().div_ceil(rayon::current_num_threads());
        out.par_chunks_mut(part)
            .zip(voxels.par_chunks(part))
            .for_each(|(to, from)| to.copy_from_slice(from));
        Ok(())
    };
    let bytes = std::fs::metadata(path)?.len() as usize - OFFSET;
    match kind {
        "warm" => {
            let out = sized(spare, bytes);
            seconds(|| copy(out))
        }
        _ => seconds(|| {
            let mut out = floor::fresh(bytes)?;
            copy(&mut out)?;
            Ok(out)
        }),
    }
}

/// Seconds to write to this many bytes of new memory, which are then freed.
pub fn touch(bytes: &str) -> Answer {
    let bytes = bytes.parse()?;
    seconds(|| {
        let mut out = floor::fresh(bytes)?;
        out.par_chunks_mut(1 << 20).for_each(|part| part.fill(1));
        Ok(out)
    })
}

/// Memory of this size that was written before.
fn sized(spare: &mut Vec<u8>, bytes: usize) -> &mut [u8] {
    if spare.len() != bytes {
        *spare = Vec::new();
        spare.resize(bytes, 1);
    }
    spare
}
