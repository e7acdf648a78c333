//! Puts the voxels of a box in their places in the output, row by row. Rows that are not contiguous are gathered first.

use bytemuck::Pod;

use crate::convert::kernels::Kernel;
use crate::core::dtype::DType;
use crate::plan::{Axis, Plan};

/// Number of voxels that are gathered, converted and scattered at a time.
const TILE: usize = 8192;

/// Rows per tile if rows cross the stored order: as many as a cache line has bytes.
const ROWS: usize = 32;

/// An axis, and its stride in the bytes, in voxels.
#[derive(Clone, Copy)]
struct Side {
    axis: Axis,
    stride: usize,
}

/// An axis of one voxel.
const SINGLE: Side = Side {
    axis: Axis {
        count: 1,
        stored: 1,
        out: 1,
    },
    stride: 1,
};

/// The position of a voxel: in the bytes, in the output, and in the stored volume.
#[derive(Clone, Copy)]
struct Position {
    from: u64,
    to: i64,
    stored: u64,
}

impl Position {
    fn moved(self, side: &Side, by: i64) -> Self {
        Self {
            from: self.from.wrapping_add_signed(side.stride as i64 * by),
            to: self.to + side.axis.out * by,
            stored: self
                .stored
                .wrapping_add_signed(side.axis.stored as i64 * by),
        }
    }
}

/// Converts a box of voxels in `bytes`, where the stride along axis `k` is `strides[k]` voxels.
///
/// `plan.out_first` is relative to the start of `out`. All positions are within `bytes` or `out`, so they fit in a
/// `usize`.
pub(crate) fn place<O: Pod>(
    kernel: &Kernel<O>,
    bytes: &[u8],
    strides: &[u64],
    plan: &Plan,
    out: &mut [O],
) {
    if plan.empty {
        return;
    }
    let mut others: Vec<Side> = plan
        .axes
        .iter()
        .zip(strides)
        .map(|(&axis, &stride)| Side {
            axis,
            stride: stride as usize,
        })
        .collect();
    // Rows run along the axis with the smallest output stride, so that writes are adjacent. If another axis has the
    // smallest stride in the bytes, many rows are converted at a time, so that reads are adjacent too.
    let closest = (0..others.len()).min_by_key(|&k| others[k].axis.out.unsigned_abs());
    let along = closest.map_or(SINGLE, |k| others.remove(k));
    let across = match closest {
        Some(k) if k > 0 => others.remove(0),
        _ => SINGLE,
    };
    let rows = RowSet {
        kernel,
        bytes,
        along,
        across,
    };
    let mut scratch = Scratch::new();
    let mut place = Position {
        from: 0,
        to: plan.out_first as i64,
        stored: plan.stored_first,
    };
    let mut index = vec![0; others.len()];
    loop {
        rows.convert(place, out, &mut scratch);
        let mut k = 0;
        loop {
            let Some(side) = others.get(k) else {
                return;
            };
            index[k] += 1;
            if index[k] < side.axis.count {
                place = place.moved(side, 1);
                break;
            }
            place = place.moved(side, 1 - side.axis.count as i64);
            index[k] = 0;
            k += 1;
        }
    }
}

/// Memory for the voxels of a tile, gathered and converted.
struct Scratch<O> {
    gathered: Vec<u8>,
    converted: Vec<O>,
}

impl<O: Pod> Scratch<O> {
    fn new() -> Self {
        Self {
            gathered: Vec::new(),
            converted: Vec::new(),
        }
    }

    /// Allocates the memory; not done for dense rows, which do not need it.
    fn make(&mut self) {
        self.gathered.resize(TILE * DType::MAX_SIZE_BYTES, 0);
        self.converted.resize(TILE, O::zeroed());
    }
}

/// All rows along one axis, one for each index of a second axis.
struct RowSet<'a, O> {
    kernel: &'a Kernel<O>,
    bytes: &'a [u8],
    along: Side,
    across: Side,
}

impl<O: Pod> RowSet<'_, O> {
    fn convert(&self, first: Position, out: &mut [O], scratch: &mut Scratch<O>) {
        if self.along.stride == 1 && self.along.axis.out == 1 {
            for j in 0..self.across.axis.count as i64 {
                self.dense_row(first.moved(&self.across, j), out);
            }
            return;
        }
        scratch.make();
        let (length, rows) = (self.along.axis.count, self.across.axis.count);
        let high = rows.min(ROWS as u64);
        let wide = length.min(TILE as u64 / high);
        for j in (0..rows).step_by(high as usize) {
            let start = first.moved(&self.across, j as i64);
            for i in (0..length).step_by(wide as usize) {
                let start = start.moved(&self.along, i as i64);
                let size = [(length - i).min(wide), (rows - j).min(high)];
                self.convert_tile(start, size.map(|n| n as usize), out, scratch);
            }
        }
    }

    /// Converts a row that is contiguous in the bytes and in the output.
    fn dense_row(&self, first: Position, out: &mut [O]) {
        let (count, item) = (self.along.axis.count as usize, self.kernel.item());
        let (from, to) = (first.from as usize, first.to as usize);
        let row = &self.bytes[from * item..(from + count) * item];
        self.convert_row(row, &mut out[to..to + count], first.stored);
    }

    /// Converts a tile of rows that are not contiguous: `wide` voxels along the rows, `high` rows.
    fn convert_tile(
        &self,
        first: Position,
        [wide, high]: [usize; 2],
        out: &mut [O],
        scratch: &mut Scratch<O>,
    ) {
        let item = self.kernel.item();
        let gathered = &mut scratch.gathered[..wide * high * item];
        let bytes = &self.bytes[first.from as usize * item..];
        let strides = [self.along.stride, self.across.stride].map(|stride| stride * item);
        gather(bytes, strides, [wide, high], item, gathered);
        for (j, row) in gathered.chunks_exact(wide * item).enumerate() {
            let place = first.moved(&self.across, j as i64);
            if self.along.axis.out == 1 {
                let to = place.to as usize;
                self.convert_row(row, &mut out[to..to + wide], place.stored);
                continue;
            }
            let converted = &mut scratch.converted[..wide];
            self.convert_row(row, converted, place.stored);
            for (i, &value) in converted.iter().enumerate() {
                out[(place.to + i as i64 * self.along.axis.out) as usize] = value;
            }
        }
    }

    /// Converts the gathered voxels of a row, the first of which has stored position `stored`. Voxels with the same
    /// entry of the scaling tables are converted together.
    fn convert_row(&self, row: &[u8], out: &mut [O], stored: u64) {
        let (block, step, item) = (
            self.kernel.block(),
            self.along.axis.stored,
            self.kernel.item(),
        );
        let (mut start, mut stored) = (0, stored);
        while start < out.len() {
            let mut end = out.len();
            if block != 0 {
                let same = (block - stored % block).div_ceil(step.max(1));
                end = start + (end - start).min(usize::try_from(same).unwrap_or(usize::MAX));
            }
            let bytes = &row[start * item..end * item];
            self.kernel.row(bytes, &mut out[start..end], stored);
            stored += (end - start) as u64 * step;
            start = end;
        }
    }
}

/// Copies `high` rows of `wide` voxels of `item` bytes to contiguous rows. `strides` are the distances, in bytes,
/// between voxels of a row and between rows.
fn gather(bytes: &[u8], strides: [usize; 2], size: [usize; 2], item: usize, gathered: &mut [u8]) {
    fn copy<const N: usize>(
        bytes: &[u8],
        [along, across]: [usize; 2],
        [wide, high]: [usize; 2],
        gathered: &mut [u8],
    ) {
        let (voxels, _) = gathered.as_chunks_mut::<N>();
        if high == 1 {
            for (i, voxel) in voxels.iter_mut().enumerate() {
                voxel.copy_from_slice(&bytes[i * along..i * along + N]);
            }
            return;
        }
        // The inner loop runs across the rows, so that adjacent bytes are read once, while they are in the cache.
        for i in 0..wide {
            let start = &bytes[i * along..];
            for j in 0..high {
                let at = j * across;
                voxels[j * wide + i].copy_from_slice(&start[at..at + N]);
            }
        }
    }
    match item {
        1 => copy::<1>(bytes, strides, size, gathered),
        2 => copy::<2>(bytes, strides, size, gathered),
        3 => copy::<3>(bytes, strides, size, gathered),
        4 => copy::<4>(bytes, strides, size, gathered),
        8 => copy::<8>(bytes, strides, size, gathered),
        _ => copy::<16>(bytes, strides, size, gathered),
    }
}
