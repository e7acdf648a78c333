//! Whole reads of gzip files whose voxels are stored in the order of the output. They are converted while they are in
//! cache, or in place, so that hardly any memory is needed besides the output.

#[cfg(not(target_family = "wasm"))]
mod two_threads;

use std::mem;
use std::ops::Range;

use bytemuck::Pod;

use crate::convert::kernels::Kernel;
use crate::core::dtype::DType;
use crate::core::error::{ErrorKind, Result};
use crate::core::parallel::*;
use crate::core::scope;
use crate::core::threads;
use crate::source::gzip::{Chunks, GzipSource};

/// The most output bytes that one thread converts at a time, so that they stay in its cache.
pub(super) const PIECE_BYTES: u64 = 1 << 20;

/// The smallest number of voxels for which it is worth starting all threads.
const MIN_ROUND: usize = 16 << 10;

/// The most inflated bytes in a piece, which stay in the second-level cache.
const STREAM_BYTES: usize = 512 << 10;

/// The most bytes after the voxels with which a file is inflated in one shot.
const MAX_TAIL_BYTES: usize = 1 << 20;

/// A whole read. The output has an element for each voxel, in stored order.
pub(super) struct WholeRead<'a, O> {
    pub kernel: &'a Kernel<O>,
    pub gzip: &'a GzipSource,
    /// Inflated byte at which the first voxel begins.
    pub offset: u64,
}

impl<O: Pod + Send + Sync> WholeRead<'_, O> {
    /// Reads and checks the file to its end.
    ///
    /// # Errors
    /// As [`GzipSource::pieces`]; `out` then holds an unspecified part of the result.
    pub(super) fn run(&self, out: &mut [O]) -> Result<()> {
        if let Some(chunks) = self.gzip.chunks()?
            && self.chunk_by_chunk(&chunks, out)?
        {
            return Ok(());
        }
        #[cfg(not(target_family = "wasm"))]
        if self.in_parallel(out)? {
            return Ok(());
        }
        if self.in_place(out)? {
            return Ok(());
        }
        // There are no threads in browsers.
        #[cfg(target_family = "wasm")]
        return self.on_one_thread(out);
        #[cfg(not(target_family = "wasm"))]
        self.piece_by_piece(out)
    }

    fn item(&self) -> usize {
        self.kernel.item()
    }

    /// Inflated byte at which the voxels end.
    fn end(&self, out: &[O]) -> u64 {
        self.offset + self.stored_bytes(out.len())
    }

    /// The stored size of this many voxels. If stored voxels are larger than their values, it may exceed `usize`.
    fn stored_bytes(&self, voxels: usize) -> u64 {
        voxels as u64 * self.item() as u64
    }

    /// Converts adjacent voxels. `first` is the number of the first one in the file.
    fn convert(&self, bytes: &[u8], out: &mut [O], first: u64) {
        let block = self.kernel.block();
        if block == 0 {
            return self.kernel.row(bytes, out, first);
        }
        // Each run of voxels with the same entry of the scaling tables is converted separately.
        let (mut bytes, mut out, mut first) = (bytes, out, first);
        while !out.is_empty() {
            let run = usize::try_from(block - first % block).unwrap_or(usize::MAX);
            let run = run.min(out.len());
            let (row, rest) = out.split_at_mut(run);
            let (from, more) = bytes.split_at(run * self.item());
            self.kernel.row(from, row, first);
            (bytes, out, first) = (more, rest, first + run as u64);
        }
    }

    /// The same on all threads.
    fn convert_shared(&self, bytes: &[u8], out: &mut [O], first: u64) -> Result<()> {
        let piece = PIECE_BYTES as usize / size_of::<O>();
        if out.len() <= piece {
            // Done before another thread has woken up.
            scope::check()?;
            self.convert(bytes, out, first);
            return Ok(());
        }
        threads::parallel(|scope| {
            out.par_chunks_mut(piece)
                .zip(bytes.par_chunks(piece * self.item()))
                .enumerate()
                .try_for_each(|(i, (out, bytes))| {
                    scope.enter(scope::check)?;
                    self.convert(bytes, out, first + (i * piece) as u64);
                    Ok(())
                })
        })
    }

    /// Inflates into the end of the output and converts from its start on; `false` if this is not possible.
    fn in_place(&self, out: &mut [O]) -> Result<bool> {
        let need = self.end(out);
        let Some(start) = self.gzip.one_shot(need, bytemuck::cast_slice_mut(out))? else {
            return Ok(false);
        };
        let Some(start) = usize::try_from(self.offset)
            .ok()
            .and_then(|at| start.checked_add(at))
        else {
            return Ok(false);
        };
        let bytes_out = size_of_val(out);
        if start + out.len() * self.item() + MAX_TAIL_BYTES < bytes_out {
            return Ok(false);
        }
        self.convert_in_place(start, out)?;
        Ok(true)
    }

    /// Converts the stored voxels that are in `out` itself from byte `start` on. Each round converts the voxels whose
    /// outputs end before the first unread stored byte. If stored voxels have half the size of values, this is half of
    /// the rest.
    fn convert_in_place(&self, start: usize, out: &mut [O]) -> Result<()> {
        let item = self.item();
        if start == 0 && item == size_of::<O>() {
            return self.replace(out);
        }
        let mut done = 0;
        loop {
            let unread = start + done * item;
            let free = (unread / size_of::<O>()).min(out.len());
            if free < done + MIN_ROUND {
                break;
            }
            let (before, after) = out.split_at_mut(free);
            let after: &[u8] = bytemuck::cast_slice(after);
            let from = unread - free * size_of::<O>();
            let places = before.get_mut(done..).unwrap_or_default();
            let stored = after
                .get(from..from + places.len() * item)
                .unwrap_or_default();
            self.convert_shared(stored, places, done as u64)?;
            done = free;
        }
        let bytes: &[u8] = bytemuck::cast_slice(out);
        let end = start + out.len() * item;
        let rest = bytes
            .get(start + done * item..end)
            .unwrap_or_default()
            .to_vec();
        let places = out.get_mut(done..).unwrap_or_default();
        self.convert(&rest, places, done as u64);
        Ok(())
    }

    /// Converts stored voxels that are at the positions of their values already.
    fn replace(&self, out: &mut [O]) -> Result<()> {
        let piece = PIECE_BYTES as usize / size_of::<O>();
        threads::parallel(|scope| {
            out.par_chunks_mut(piece)
                .enumerate()
                .try_for_each_init(Vec::new, |stored, (i, out)| {
                    scope.enter(scope::check)?;
                    stored.clear();
                    stored.extend_from_slice(bytemuck::cast_slice(out));
                    self.convert(stored, out, (i * piece) as u64);
                    Ok(())
                })
        })
    }

    /// Bytes of whole voxels in a piece: 3 bytes of a colour do not divide [`STREAM_BYTES`].
    fn piece_bytes(&self) -> usize {
        STREAM_BYTES - STREAM_BYTES % self.item()
    }

    /// Inflates in order, and passes each piece of the values to `each`. `values` is memory for one.
    ///
    /// # Errors
    /// As [`Self::run`], and those of `each`.
    pub(super) fn in_pieces(
        &self,
        voxels: u64,
        values: &mut Vec<O>,
        mut each: impl FnMut(&[O]) -> Result<()>,
    ) -> Result<()> {
        let end = self
            .offset
            .saturating_add(voxels.saturating_mul(self.item() as u64));
        let mut first = 0;
        self.gzip
            .pieces(self.offset, end, self.piece_bytes(), |bytes| {
                values.resize(bytes.len() / self.item(), O::zeroed());
                self.convert(&bytes, values, first);
                first += values.len() as u64;
                each(values)?;
                Ok(bytes)
            })
    }

    /// Alternately inflates and converts.
    fn on_one_thread(&self, out: &mut [O]) -> Result<()> {
        let end = self.end(out);
        let mut rest = Unconverted::new(out);
        self.gzip
            .pieces(self.offset, end, self.piece_bytes(), |bytes| {
                rest.convert(self, &bytes);
                Ok(bytes)
            })
    }

    /// Inflates all chunks in parallel and converts each at once; `false` if they do not contain the voxels or one is
    /// damaged.
    fn chunk_by_chunk(&self, chunks: &Chunks, out: &mut [O]) -> Result<bool> {
        let need = self.end(out);
        if !chunks.hold(need) {
            return Ok(false);
        }
        let mut places = Unassigned::new(self, out);
        let places = chunks.ranges().map(|range| places.within(&range)).collect();
        let done = self.gzip.for_chunks(chunks, places, |at, bytes, place| {
            self.convert_chunk(at, bytes, place)
        });
        let edges = match done {
            Ok(edges) => edges,
            Err(error) if matches!(error.kind(), ErrorKind::Integrity { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        self.convert_partial(edges.iter().flatten(), need, out);
        Ok(true)
    }

    /// The same for a file of one member without an index; `false` if the file is not suitable or is damaged.
    #[cfg(not(target_family = "wasm"))]
    fn in_parallel(&self, out: &mut [O]) -> Result<bool> {
        let need = self.end(out);
        let mut places = Unassigned::new(self, out);
        let edges = self.gzip.parallel(
            need,
            |range| places.within(range),
            |at, bytes, place| self.convert_chunk(at, bytes, place),
        )?;
        let Some(edges) = edges else {
            return Ok(false);
        };
        self.convert_partial(edges.iter().flatten(), need, out);
        Ok(true)
    }

    /// Converts the voxels that are completely in a chunk. Returns the bytes of the voxels that it shares with its
    /// neighbours.
    fn convert_chunk(&self, at: u64, bytes: &[u8], place: (usize, &mut [O])) -> [PartialVoxel; 2] {
        let (first, out) = place;
        let length = bytes.len() as u64;
        let voxels_at = (self.offset + self.stored_bytes(first))
            .saturating_sub(at)
            .min(length);
        let voxels_end = (voxels_at + self.stored_bytes(out.len())).min(length);
        // Both are at most `length`.
        let (front, rest) = bytes.split_at(voxels_at as usize);
        let (voxels, back) = rest.split_at((voxels_end - voxels_at) as usize);
        self.convert(voxels, out, first as u64);
        let front_from = front.len().saturating_sub(DType::MAX_SIZE_BYTES);
        let edge = |at: u64, bytes: &[u8]| {
            let bytes: Vec<_> = bytes.iter().take(DType::MAX_SIZE_BYTES).copied().collect();
            (at, bytes)
        };
        [
            edge(
                at + front_from as u64,
                front.get(front_from..).unwrap_or_default(),
            ),
            edge(at + voxels_end, back),
        ]
    }

    /// Converts the voxels that lie in two or more chunks, from their bytes in ascending order.
    fn convert_partial<'e>(
        &self,
        edges: impl Iterator<Item = &'e PartialVoxel>,
        need: u64,
        out: &mut [O],
    ) {
        let item = self.item();
        let mut voxel = [0; DType::MAX_SIZE_BYTES];
        let mut have = 0;
        for (at, byte) in edges.flat_map(|(at, bytes)| (*at..).zip(bytes)) {
            if !(self.offset..need).contains(&at) {
                continue;
            }
            let within = at - self.offset;
            let (number, part) = (within / item as u64, (within % item as u64) as usize);
            // Bytes that begin inside a voxel belong to one that has been converted already.
            have = if part == have { have + 1 } else { 0 };
            if let Some(place) = voxel.get_mut(part) {
                *place = *byte;
            }
            if have == item {
                have = 0;
                let place = out
                    .get_mut(number as usize..)
                    .and_then(|out| out.get_mut(..1));
                self.convert(&voxel[..item], place.unwrap_or_default(), number);
            }
        }
    }
}

/// The part of an output that has not been converted yet. Pieces come in order.
struct Unconverted<'o, O> {
    places: &'o mut [O],
    /// The number of its first voxel.
    first: u64,
}

impl<'o, O: Pod + Send + Sync> Unconverted<'o, O> {
    fn new(out: &'o mut [O]) -> Self {
        Self {
            places: out,
            first: 0,
        }
    }

    /// Converts the next voxels.
    fn convert(&mut self, read: &WholeRead<'_, O>, bytes: &[u8]) {
        let places = mem::take(&mut self.places);
        let count = places.len().min(bytes.len() / read.item());
        let (now, later) = places.split_at_mut(count);
        read.convert(bytes, now, self.first);
        self.first += count as u64;
        self.places = later;
    }
}

/// The part of an output that has not been assigned to chunks yet.
struct Unassigned<'o, O> {
    rest: &'o mut [O],
    /// The number of its first voxel.
    at: usize,
    count: usize,
    offset: u64,
    item: u64,
}

impl<'o, O: Pod + Send + Sync> Unassigned<'o, O> {
    fn new(read: &WholeRead<'_, O>, out: &'o mut [O]) -> Self {
        Self {
            count: out.len(),
            rest: out,
            at: 0,
            offset: read.offset,
            item: read.item() as u64,
        }
    }

    /// The number of the first voxel that is completely in a chunk, and the outputs of all such voxels. Chunks come in
    /// the file's order. A voxel in two chunks is in neither result.
    fn within(&mut self, chunk: &Range<u64>) -> (usize, &'o mut [O]) {
        let (item, count) = (self.item, self.count);
        let voxel = |byte: u64| {
            usize::try_from(byte / item)
                .unwrap_or(usize::MAX)
                .min(count)
        };
        let start = chunk.start.saturating_sub(self.offset);
        let first = voxel(start.next_multiple_of(item)).max(self.at);
        let end = voxel(chunk.end.saturating_sub(self.offset)).max(first);
        let (_, from) = mem::take(&mut self.rest).split_at_mut(first - self.at);
        let (place, left) = from.split_at_mut(end - first);
        (self.rest, self.at) = (left, end);
        (first, place)
    }
}

/// The position in the inflated file, and the bytes at an end of a chunk that belong to a voxel of two or more chunks.
type PartialVoxel = (u64, Vec<u8>);

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::convert::Conversion;
    use crate::core::dtype::ByteOrder;
    use crate::core::limits::Limits;
    use crate::core::scaling::Scaling;
    use crate::source::Source;
    use crate::source::memory::MemorySource;

    const OFFSET: usize = 352;

    fn voxels() -> Vec<i16> {
        (0..900_000i64)
            .map(|n| (n * 7919 % 65_521 - 32_768) as i16)
            .collect()
    }

    fn gzipped(voxels: &[i16]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&[0; OFFSET]).unwrap();
        for voxel in voxels {
            encoder.write_all(&voxel.to_le_bytes()).unwrap();
        }
        encoder.finish().unwrap()
    }

    /// Reads a file by one of the methods.
    fn read(
        file: Vec<u8>,
        way: impl Fn(&WholeRead<'_, f32>, &mut [f32]) -> Result<()>,
    ) -> Result<Vec<f32>> {
        let source = Source::Memory(MemorySource::new(file));
        let gzip = GzipSource::new(source, None, None, Limits::default());
        let scaling = Scaling::linear(0.1, -3.0);
        let conversion =
            Conversion::new(DType::I16, ByteOrder::Little, &scaling, DType::F32).unwrap();
        let whole = WholeRead {
            kernel: &Kernel::new(&conversion).unwrap(),
            gzip: &gzip,
            offset: OFFSET as u64,
        };
        let mut out = vec![f32::NAN; voxels().len()];
        way(&whole, &mut out)?;
        Ok(out)
    }

    #[test]
    fn one_thread_reads_what_two_read() {
        let voxels = voxels();
        let file = gzipped(&voxels);
        let want: Vec<f32> = voxels
            .iter()
            .map(|&voxel| (f64::from(voxel) * 0.1 + -3.0) as f32)
            .collect();
        let one = read(file.clone(), |whole, out| whole.on_one_thread(out)).unwrap();
        let two = read(file, |whole, out| whole.piece_by_piece(out)).unwrap();
        assert!(one == want && two == want);
    }

    #[test]
    fn damage_is_found_on_one_thread_as_on_two() {
        let mut file = gzipped(&voxels());
        let crc = file.len() - 8;
        file[crc] ^= 1;
        let one = read(file.clone(), |whole, out| whole.on_one_thread(out)).unwrap_err();
        let two = read(file, |whole, out| whole.piece_by_piece(out)).unwrap_err();
        assert_eq!(one.kind(), two.kind());
        assert!(matches!(one.kind(), ErrorKind::Integrity { .. }));
    }
}
