//! Puts the voxels of a box in their places: rows through the kernel, strided ones gathered first.

use super::Kernel;
use crate::array::Element;
use crate::index::plan::{Axis, Plan};

/// Voxels of a strided row that are gathered, converted and scattered at a time.
const ROW: usize = 256;

/// The largest stored voxel.
const MOST_ITEM_BYTES: usize = 16;

/// Converts a box whose voxels stand in `bytes`, `strides[k]` voxels apart along axis `k`.
///
/// `plan.out_first` counts from the start of `out`.
pub(super) fn place<O: Element>(
    kernel: &Kernel<O>,
    bytes: &[u8],
    strides: &[u64],
    plan: &Plan,
    out: &mut [O],
) {
    if plan.empty {
        return;
    }
    // Rows run along the axis that is closest in the output, so that writes stand together.
    let along = (0..plan.axes.len()).min_by_key(|&k| plan.axes[k].out.unsigned_abs());
    let single = Axis {
        count: 1,
        stored: 1,
        out: 1,
    };
    let mut row = Row {
        axis: along.map_or(single, |k| plan.axes[k]),
        stride: along.map_or(1, |k| strides[k]) as usize,
        from: 0,
        to: plan.out_first as i64,
        stored: plan.stored_first,
    };
    let others: Vec<(Axis, u64)> = (0..plan.axes.len())
        .filter(|&k| Some(k) != along)
        .map(|k| (plan.axes[k], strides[k]))
        .collect();
    let mut index = vec![0; others.len()];
    loop {
        row.convert(kernel, bytes, out);
        let mut k = 0;
        loop {
            let Some(&(axis, stride)) = others.get(k) else {
                return;
            };
            index[k] += 1;
            if index[k] < axis.count {
                row.step(&axis, stride, 1);
                break;
            }
            row.step(&axis, stride, 1 - axis.count as i64);
            index[k] = 0;
            k += 1;
        }
    }
}

/// One row: where it is in the bytes, in the output, and in the stored volume.
struct Row {
    axis: Axis,
    /// Voxels in `bytes` from one to the next.
    stride: usize,
    from: u64,
    to: i64,
    stored: u64,
}

impl Row {
    fn step(&mut self, axis: &Axis, stride: u64, by: i64) {
        self.from = self.from.wrapping_add_signed(stride as i64 * by);
        self.to += axis.out * by;
        self.stored = self.stored.wrapping_add_signed(axis.stored as i64 * by);
    }

    fn convert<O: Element>(&self, kernel: &Kernel<O>, bytes: &[u8], out: &mut [O]) {
        let item = kernel.item();
        let count = self.axis.count as usize;
        let from = self.from as usize;
        if count > 1 && kernel.block() != 0 && self.axis.stored >= kernel.block() {
            // Each voxel of the row has its own entry of the scaling tables.
            for i in 0..count {
                let entry = self.stored + i as u64 * self.axis.stored;
                let at = (from + i * self.stride) * item;
                let to = (self.to + i as i64 * self.axis.out) as usize;
                kernel.row(&bytes[at..at + item], &mut out[to..=to], entry);
            }
            return;
        }
        if self.stride == 1 && self.axis.out == 1 {
            let to = self.to as usize;
            kernel.row(
                &bytes[from * item..(from + count) * item],
                &mut out[to..to + count],
                self.stored,
            );
            return;
        }
        self.convert_strided(kernel, bytes, out);
    }

    fn convert_strided<O: Element>(&self, kernel: &Kernel<O>, bytes: &[u8], out: &mut [O]) {
        let item = kernel.item();
        let count = self.axis.count as usize;
        let mut gathered = [0u8; ROW * MOST_ITEM_BYTES];
        let mut converted = [O::zeroed(); ROW];
        for start in (0..count).step_by(ROW) {
            let length = ROW.min(count - start);
            let gathered = &mut gathered[..length * item];
            let first = (self.from as usize + start * self.stride) * item;
            gather(bytes, first, self.stride * item, item, gathered);
            let to = self.to + start as i64 * self.axis.out;
            if self.axis.out == 1 {
                let to = to as usize;
                kernel.row(gathered, &mut out[to..to + length], self.stored);
                continue;
            }
            let converted = &mut converted[..length];
            kernel.row(gathered, converted, self.stored);
            for (i, &value) in converted.iter().enumerate() {
                out[(to + i as i64 * self.axis.out) as usize] = value;
            }
        }
    }
}

/// Copies voxels of `item` bytes that stand `stride` bytes apart.
fn gather(bytes: &[u8], first: usize, stride: usize, item: usize, gathered: &mut [u8]) {
    fn copy<const N: usize>(bytes: &[u8], first: usize, stride: usize, gathered: &mut [u8]) {
        let (voxels, _) = gathered.as_chunks_mut::<N>();
        for (i, voxel) in voxels.iter_mut().enumerate() {
            let at = first + i * stride;
            voxel.copy_from_slice(&bytes[at..at + N]);
        }
    }
    match item {
        1 => copy::<1>(bytes, first, stride, gathered),
        2 => copy::<2>(bytes, first, stride, gathered),
        3 => copy::<3>(bytes, first, stride, gathered),
        4 => copy::<4>(bytes, first, stride, gathered),
        8 => copy::<8>(bytes, first, stride, gathered),
        _ => copy::<16>(bytes, first, stride, gathered),
    }
}
