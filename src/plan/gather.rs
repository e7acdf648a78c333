//! Gathering: finding and reading the byte runs that hold a box of voxels.

use std::iter::Peekable;
use std::ops::Range;

use crate::core::error::Result;
use crate::plan::Plan;
use crate::source::{resize, truncated};

/// Gaps up to this many bytes are read and discarded, because skipping them is slower.
const GAP_BYTES: u64 = 256;

/// Bytes per read.
pub(crate) const READ_BYTES: u64 = 1 << 20;

/// The runs that hold a box, in ascending order, and the layout of the box when they are put end to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gather {
    /// Stored voxels in one run, including the gaps inside it.
    pub run: u64,
    /// The axes along which runs repeat, fastest first: the count, and the stride in stored voxels.
    pub outer: Vec<(u64, u64)>,
    /// For each axis of the plan, the stride in gathered voxels.
    pub strides: Vec<u64>,
    /// Number of gathered voxels.
    pub total: u64,
}

impl Plan {
    /// The runs to read for this box, if a voxel has `item` bytes.
    pub(crate) fn gather(&self, item: u64) -> Gather {
        let mut run = 1;
        let mut strides = Vec::with_capacity(self.axes.len());
        let mut outer = Vec::new();
        let mut total = 1;
        for axis in &self.axes {
            if outer.is_empty() && (axis.stored - run) * item <= GAP_BYTES {
                run += (axis.count - 1) * axis.stored;
                strides.push(axis.stored);
                total = run;
            } else {
                strides.push(total);
                total *= axis.count;
                outer.push((axis.count, axis.stored));
            }
        }
        Gather {
            run,
            outer,
            strides,
            total: if self.empty { 0 } else { total },
        }
    }
}

impl Gather {
    /// Stored positions at which the runs begin, in voxels relative to the first voxel of the box, in ascending order.
    pub(crate) fn run_starts(&self) -> impl Iterator<Item = u64> + '_ {
        let mut index = vec![0; self.outer.len()];
        let mut next = (self.total > 0).then_some(0);
        std::iter::from_fn(move || {
            let current = next?;
            let mut position = current;
            next = None;
            for (i, &(count, stride)) in index.iter_mut().zip(&self.outer) {
                *i += 1;
                if *i < count {
                    next = Some(position + stride);
                    break;
                }
                position -= (count - 1) * stride;
                *i = 0;
            }
            Some(current)
        })
    }
}

/// Bytes in memory, or a session from which to read bytes by position.
#[derive(Clone, Copy)]
pub(crate) enum Bytes<'a> {
    #[cfg(feature = "gpu")]
    Memory(&'a [u8]),
    Read(&'a dyn Fn(u64, &mut [u8]) -> Result<()>),
}

/// Where the stored voxels are.
#[derive(Clone, Copy)]
pub(crate) struct StoredBytes<'a> {
    pub bytes: Bytes<'a>,
    /// The byte at which the first voxel begins.
    pub offset: u64,
    /// Bytes of a voxel.
    pub item: u64,
    /// Runs that are at most so many bytes apart are read together; 0 for none.
    pub merge_gap: u64,
}

/// Bytes that runs which are read together span at most.
const MERGED_BYTES: u64 = 8 << 20;

/// Runs that are read together at most.
const MERGED_RUNS: usize = 1 << 16;

/// The runs to read together: `first` and those after it that are close enough.
fn merged(
    first: Range<u64>,
    runs: &mut Peekable<impl Iterator<Item = Range<u64>>>,
    merge_gap: u64,
) -> Vec<Range<u64>> {
    let (start, mut end) = (first.start, first.end);
    let mut together = vec![first];
    while merge_gap > 0
        && together.len() < MERGED_RUNS
        && let Some(run) = runs.next_if(|run| {
            run.start.saturating_sub(end) <= merge_gap && run.end - start <= MERGED_BYTES
        })
    {
        end = run.end;
        together.push(run);
    }
    together
}

/// Reads runs by one request, and hands each to `each`.
fn read_together(
    runs: &[Range<u64>],
    read: &dyn Fn(u64, &mut [u8]) -> Result<()>,
    buffer: &mut Vec<u8>,
    mut each: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let (Some(first), Some(last)) = (runs.first(), runs.last()) else {
        return Ok(());
    };
    resize(buffer, last.end - first.start)?;
    read(first.start, buffer)?;
    for run in runs {
        each(part(
            buffer,
            &(run.start - first.start..run.end - first.start),
        )?)?;
    }
    Ok(())
}

impl StoredBytes<'_> {
    /// The byte ranges of the runs that hold a box.
    fn runs<'g>(&self, tile: &Plan, gather: &'g Gather) -> impl Iterator<Item = Range<u64>> + 'g {
        let (first, item) = (self.offset + tile.stored_first * self.item, self.item);
        let length = gather.run * item;
        gather.run_starts().map(move |start| {
            let at = first + start * item;
            at..at + length
        })
    }

    /// Passes the gathered bytes of a box to `each`, in order; only those in the range `wanted`. Runs in memory are
    /// passed whole, others in pieces of at most [`READ_BYTES`], which are read into `buffer`.
    ///
    /// # Errors
    /// Errors of reading and of `each`; [`crate::ErrorKind::Truncated`] if the memory ends before a run does.
    #[cfg(feature = "gpu")]
    pub(crate) fn for_each_piece(
        &self,
        tile: &Plan,
        wanted: Range<u64>,
        buffer: &mut Vec<u8>,
        mut each: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let gather = tile.gather(self.item);
        let length = gather.run * self.item;
        let first = wanted.start / length;
        // The distance from the start of the first run with wanted bytes, and the number of wanted bytes.
        let (mut skipped, mut left) = (wanted.start % length, wanted.end - first * length);
        let runs = self.runs(tile, &gather);
        let runs = runs.skip(usize::try_from(first).unwrap_or(usize::MAX));
        let wanted = |run: Range<u64>| {
            let run = run.start + skipped..run.start + length.min(left);
            (skipped, left) = (0, left.saturating_sub(length));
            (!run.is_empty()).then_some(run)
        };
        let mut runs = runs.map_while(wanted).peekable();
        while let Some(run) = runs.next() {
            match self.bytes {
                Bytes::Memory(bytes) => each(part(bytes, &run)?)?,
                Bytes::Read(read) => {
                    let together = merged(run.clone(), &mut runs, self.merge_gap);
                    if together.len() > 1 {
                        read_together(&together, read, buffer, &mut each)?;
                        continue;
                    }
                    let mut at = run.start;
                    while at < run.end {
                        resize(buffer, (run.end - at).min(READ_BYTES))?;
                        read(at, buffer)?;
                        each(buffer)?;
                        at += buffer.len() as u64;
                    }
                }
            }
        }
        Ok(())
    }

    /// Replaces the contents of `buffer` by the gathered bytes of a box, and returns their layout.
    ///
    /// # Errors
    /// As [`Self::for_each_piece`], and [`crate::ErrorKind::OutOfMemory`] if the box does not fit in memory.
    pub(crate) fn read_into(&self, tile: &Plan, buffer: &mut Vec<u8>) -> Result<Gather> {
        let gather = tile.gather(self.item);
        resize(buffer, gather.total.saturating_mul(self.item))?;
        let mut rest = buffer.as_mut_slice();
        let mut runs = self.runs(tile, &gather).peekable();
        let mut scratch = Vec::new();
        while let Some(run) = runs.next() {
            let together = merged(run.clone(), &mut runs, self.merge_gap);
            if let Bytes::Read(read) = self.bytes
                && together.len() > 1
            {
                read_together(&together, read, &mut scratch, |bytes| {
                    let (place, after) = std::mem::take(&mut rest).split_at_mut(bytes.len());
                    place.copy_from_slice(bytes);
                    rest = after;
                    Ok(())
                })?;
                continue;
            }
            // The buffer holds all runs, so their lengths fit in a usize.
            let length = (run.end - run.start) as usize;
            let (place, after) = std::mem::take(&mut rest).split_at_mut(length);
            match self.bytes {
                #[cfg(feature = "gpu")]
                Bytes::Memory(bytes) => place.copy_from_slice(part(bytes, &run)?),
                Bytes::Read(read) => read(run.start, place)?,
            }
            rest = after;
        }
        drop(runs);
        Ok(gather)
    }
}

/// A range of bytes in memory.
///
/// # Errors
/// [`crate::ErrorKind::Truncated`] if `bytes` ends before the range does.
pub(crate) fn part<'b>(bytes: &'b [u8], range: &Range<u64>) -> Result<&'b [u8]> {
    let in_memory = |at: u64| usize::try_from(at).ok();
    in_memory(range.start)
        .zip(in_memory(range.end))
        .and_then(|(start, end)| bytes.get(start..end))
        .ok_or_else(|| truncated("voxel data", bytes.len() as u64, range.end))
}

#[cfg(all(test, feature = "gpu"))]
mod tests {
    use super::*;
    use crate::core::error::ErrorKind;
    use crate::plan::Axis;

    const ITEM: u64 = 2;
    const OFFSET: u64 = 3;
    const ALL: Range<u64> = 0..u64::MAX;

    /// Every third of eight voxels, in four rows that are 1000 apart: runs with gaps inside.
    fn rows() -> Plan {
        let axis = |count, stored| Axis {
            count,
            stored,
            out: stored as i64,
        };
        Plan::new(vec![axis(8, 3), axis(4, 1000)], 5, 0)
    }

    fn file(bytes: u64) -> Vec<u8> {
        (0..bytes).map(|at| (at * 31 % 251) as u8).collect()
    }

    /// The bytes of the voxels of [`rows`], one by one.
    fn wanted(file: &[u8]) -> Vec<u8> {
        let voxel = |i: u64, j: u64| OFFSET + ITEM * (5 + 3 * i + 1000 * j);
        let bytes = |at: u64| file[at as usize..(at + ITEM) as usize].to_vec();
        (0..4)
            .flat_map(|j| (0..8).flat_map(move |i| bytes(voxel(i, j))))
            .collect()
    }

    /// The voxels of a box, taken from its gathered bytes one by one.
    fn picked(plan: &Plan, gather: &Gather, bytes: &[u8]) -> Vec<u8> {
        let [inner, outer] = plan.axes[..] else {
            panic!("two axes")
        };
        let voxel = |at: u64| bytes[(ITEM * at) as usize..(ITEM * (at + 1)) as usize].to_vec();
        (0..outer.count)
            .flat_map(|j| {
                (0..inner.count)
                    .flat_map(move |i| voxel(i * gather.strides[0] + j * gather.strides[1]))
            })
            .collect()
    }

    #[test]
    fn memory_and_reads_give_the_same_bytes() {
        let (plan, file) = (rows(), file(7000));
        let read = |at: u64, buffer: &mut [u8]| {
            let end = at + buffer.len() as u64;
            buffer.copy_from_slice(part(&file, &(at..end))?);
            Ok(())
        };
        for bytes in [Bytes::Memory(&file), Bytes::Read(&read)] {
            let stored = StoredBytes {
                bytes,
                offset: OFFSET,
                item: ITEM,
                merge_gap: 0,
            };
            let (mut whole, mut pieces) = (vec![7; 3], Vec::new());
            let gather = stored.read_into(&plan, &mut whole).unwrap();
            let mut buffer = Vec::new();
            let mut count = 0;
            let take = |piece: &[u8]| {
                pieces.extend_from_slice(piece);
                count += 1;
                Ok(())
            };
            stored
                .for_each_piece(&plan, ALL, &mut buffer, take)
                .unwrap();
            assert_eq!(pieces, whole);
            assert_eq!(count, 4, "one piece a run");
            assert_eq!(picked(&plan, &gather, &whole), wanted(&file));
        }
    }

    #[test]
    fn long_runs_are_read_in_pieces_and_given_whole_from_memory() {
        let axis = Axis {
            count: READ_BYTES,
            stored: 1,
            out: 1,
        };
        let plan = Plan::new(vec![axis], 0, 0);
        let file = vec![9; (ITEM * READ_BYTES + OFFSET) as usize];
        let read = |_, buffer: &mut [u8]| {
            buffer.fill(9);
            Ok(())
        };
        for (bytes, want) in [
            (Bytes::Memory(&file), vec![2 * READ_BYTES]),
            (Bytes::Read(&read), vec![READ_BYTES; 2]),
        ] {
            let stored = StoredBytes {
                bytes,
                offset: OFFSET,
                item: ITEM,
                merge_gap: 0,
            };
            let mut lengths = Vec::new();
            let take = |piece: &[u8]| {
                lengths.push(piece.len() as u64);
                Ok(())
            };
            stored
                .for_each_piece(&plan, ALL, &mut Vec::new(), take)
                .unwrap();
            assert_eq!(lengths, want);
        }
    }

    #[test]
    fn any_part_of_the_bytes_can_be_had() {
        let (plan, file) = (rows(), file(7000));
        let stored = StoredBytes {
            bytes: Bytes::Memory(&file),
            offset: OFFSET,
            item: ITEM,
            merge_gap: 0,
        };
        let mut whole = Vec::new();
        stored.read_into(&plan, &mut whole).unwrap();
        let length = whole.len() as u64;
        for start in (0..length).step_by(7) {
            for end in (start..length + 20).step_by(5) {
                let mut some = Vec::new();
                let take = |piece: &[u8]| {
                    some.extend_from_slice(piece);
                    Ok(())
                };
                let mut buffer = Vec::new();
                let outcome = stored.for_each_piece(&plan, start..end, &mut buffer, take);
                outcome.unwrap();
                let end = end.min(length);
                assert_eq!(some, whole[start as usize..end as usize], "{start}..{end}");
            }
        }
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        let file = file(6000);
        let stored = StoredBytes {
            bytes: Bytes::Memory(&file),
            offset: OFFSET,
            item: ITEM,
            merge_gap: 0,
        };
        let outcomes = [
            stored.for_each_piece(&rows(), ALL, &mut Vec::new(), |_| Ok(())),
            stored.read_into(&rows(), &mut Vec::new()).map(drop),
        ];
        for outcome in outcomes {
            let error = outcome.unwrap_err();
            let kind = ErrorKind::Truncated {
                what: "voxel data",
                have: 6000,
                need: OFFSET + ITEM * (5 + 3000 + 22),
            };
            assert_eq!(*error.kind(), kind);
        }
        let last = part(&file, &(u64::MAX - 1..u64::MAX)).unwrap_err();
        assert!(matches!(last.kind(), ErrorKind::Truncated { .. }));
    }

    #[test]
    fn a_box_without_voxels_has_no_bytes() {
        let plan = Plan {
            axes: Vec::new(),
            stored_first: 0,
            out_first: 0,
            empty: true,
        };
        let stored = StoredBytes {
            bytes: Bytes::Memory(&[]),
            offset: 0,
            item: ITEM,
            merge_gap: 0,
        };
        let mut buffer = vec![1];
        stored.read_into(&plan, &mut buffer).unwrap();
        assert_eq!(buffer, [0; 0]);
    }
}
