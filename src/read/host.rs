//! Reads into host memory: the CPU kernel is chosen once for a [`Conversion`] and then runs over boxes of voxels on all
//! threads.

use std::ops::Range;
use std::sync::{Mutex, OnceLock, PoisonError};

use bytemuck::Pod;

use crate::convert::kernels::Kernel;
use crate::convert::{Conversion, place};
use crate::core::array::Element;
use crate::core::error::{Error, Result};
use crate::core::parallel::*;
use crate::core::{scope, threads};
use crate::plan::Plan;
use crate::plan::gather::{Bytes, READ_BYTES, StoredBytes, part};
use crate::read::inflated::{PIECE_BYTES, WholeRead};
use crate::source::{Access, Session, Source};

/// The smallest piece of the output that is worth a thread, in bytes: a thread that sleeps needs about as long to wake up
/// as another one to convert this much. The largest is [`PIECE_BYTES`].
const MIN_PIECE_BYTES: u64 = 512 << 10;

/// Pieces per thread if there are few pieces, so that no thread waits long for the last one.
const SHARES: u64 = 2;

/// The most voxels that a cancellable read converts between two checks. Pieces with unusual axis orders can be far
/// larger.
const CANCELLABLE_VOXELS: u64 = 1 << 20;

/// The least length of a piece along the axis that is stored fastest, in voxels.
const CLOSEST: u64 = 32;

/// Where a volume's stored voxels are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stored<'a> {
    pub source: &'a Source,
    /// Byte of the source at which the first voxel begins.
    pub offset: u64,
}

/// Whether a read covers the whole array, so that the end of the stream is checked as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    Whole,
    Part,
}

/// Runs `$body` with the kernel that copies voxels of the conversion's size, and with bytes as elements of that size.
macro_rules! by_size {
    ($conversion:expr, $bytes:expr, |$kernel:ident, $out:ident| $body:expr) => {
        by_size!($conversion, $bytes, |$kernel, $out| $body; 1 2 3 4 8 16)
    };
    ($conversion:expr, $bytes:expr, |$kernel:ident, $out:ident| $body:expr; $($size:literal)*) => {
        match $conversion.stored.size_bytes() {
            $($size => {
                let $kernel = &Kernel::<[u8; $size]>::copying($conversion)?;
                let $out = $bytes.as_chunks_mut().0;
                $body
            })*
            other => Err(Error::unsupported(format!("voxels of {other} bytes"))),
        }
    };
}

/// Converts the voxels of a plan into `out`, which the plan fills densely.
///
/// # Errors
/// Errors of reading the source; `out` then holds an unspecified part of the result.
pub(crate) fn convert_into<O: Element>(
    conversion: &Conversion,
    stored: Stored<'_>,
    plan: &Plan,
    extent: Extent,
    out: &mut [O],
) -> Result<()> {
    if O::COPIES_ONLY || conversion.is_copy() {
        return copy_into(
            conversion,
            stored,
            plan,
            extent,
            bytemuck::cast_slice_mut(out),
        );
    }
    run(&Kernel::new(conversion)?, stored, plan, extent, out)
}

/// The same for a conversion that is a copy, to the bytes of the result. It is the same for all types of a size, and compiled
/// once for each.
///
/// # Errors
/// As [`convert_into`], and [`crate::ErrorKind::DType`] if the conversion is none.
pub(crate) fn copy_into(
    conversion: &Conversion,
    stored: Stored<'_>,
    plan: &Plan,
    extent: Extent,
    out: &mut [u8],
) -> Result<()> {
    by_size!(conversion, out, |kernel, out| run(
        kernel, stored, plan, extent, out
    ))
}

fn run<O: Pod + Send + Sync>(
    kernel: &Kernel<O>,
    stored: Stored<'_>,
    plan: &Plan,
    extent: Extent,
    out: &mut [O],
) -> Result<()> {
    scope::check()?;
    let plan = plan.coalesced(kernel.block());
    let job = Job {
        kernel,
        item: kernel.item() as u64,
        offset: stored.offset,
    };
    if let Source::Gzip(gzip) = stored.source
        && extent == Extent::Whole
        && plan.is_in_order()
    {
        let whole = WholeRead {
            kernel,
            gzip,
            offset: stored.offset,
        };
        return whole.run(out);
    }
    let _kept = stored.source.keep_pieces();
    let session = match extent {
        Extent::Whole => stored.source.begin_whole()?,
        Extent::Part => stored.source.begin()?,
    };
    if let Some(bytes) = session.bytes() {
        job.in_memory(bytes, &plan, out)?;
    } else if stored.source.access() == Access::Random {
        job.by_position(&session, &plan, out)?;
    } else {
        job.tile_by_tile(&session, &plan, 0, out)?;
    }
    match extent {
        Extent::Whole => session.finish(job.byte_range(&plan).end),
        Extent::Part => session.end(),
    }
}

/// The same for voxels in memory, the first at the start of `bytes`.
///
/// # Errors
/// [`crate::ErrorKind::DType`] and [`crate::ErrorKind::Truncated`].
#[cfg(feature = "gpu")]
pub(crate) fn convert_bytes<O: Element>(
    conversion: &Conversion,
    bytes: &[u8],
    plan: &Plan,
    out: &mut [O],
) -> Result<()> {
    if O::COPIES_ONLY || conversion.is_copy() {
        let out = bytemuck::cast_slice_mut(out);
        return by_size!(conversion, out, |kernel, out| run_in_memory(
            kernel, bytes, plan, out
        ));
    }
    run_in_memory(&Kernel::new(conversion)?, bytes, plan, out)
}

#[cfg(feature = "gpu")]
fn run_in_memory<O: Pod + Send + Sync>(
    kernel: &Kernel<O>,
    bytes: &[u8],
    plan: &Plan,
    out: &mut [O],
) -> Result<()> {
    let job = Job {
        kernel,
        item: kernel.item() as u64,
        offset: 0,
    };
    job.in_memory(bytes, &plan.coalesced(kernel.block()), out)
}

struct Job<'a, O> {
    kernel: &'a Kernel<O>,
    /// Bytes of a stored voxel.
    item: u64,
    offset: u64,
}

impl<O: Pod + Send + Sync> Job<'_, O> {
    /// Converts bytes in memory, without a copy.
    fn in_memory(&self, bytes: &[u8], plan: &Plan, out: &mut [O]) -> Result<()> {
        let strides: Vec<u64> = plan.axes.iter().map(|axis| axis.stored).collect();
        let place = |piece: &Plan, out: &mut [O]| {
            scope::check()?;
            let bytes = part(bytes, &self.byte_range(piece))?;
            let strides = if piece.axes.len() == strides.len() {
                strides.clone()
            } else {
                piece.axes.iter().map(|axis| axis.stored).collect()
            };
            place::place(self.kernel, bytes, &strides, piece, out);
            Ok(())
        };
        for_pieces(plan, out, shared_piece_bytes::<O>(plan), |piece, out| {
            if piece.len() <= CANCELLABLE_VOXELS || !scope::is_cancellable() {
                return place(piece, out);
            }
            let mut tiles = piece.tiles(self.item, CANCELLABLE_VOXELS, u64::MAX);
            tiles.try_for_each(|tile| place(&tile, out))
        })
    }

    /// Converts bytes of positioned reads, on several threads.
    fn by_position(&self, session: &Session<'_>, plan: &Plan, out: &mut [O]) -> Result<()> {
        // Pieces of small outputs are not made smaller, because each piece is a read.
        for_pieces(plan, out, PIECE_BYTES, |piece, out| {
            let base = piece.out_range().start;
            self.tile_by_tile(session, piece, base, out)
        })
    }

    /// Reads and converts tiles in stored order. `out` begins with output element `base`.
    fn tile_by_tile(
        &self,
        session: &Session<'_>,
        plan: &Plan,
        base: u64,
        out: &mut [O],
    ) -> Result<()> {
        let read = |at: u64, buffer: &mut [u8]| {
            scope::check()?;
            session.read_at(at, buffer)
        };
        let stored = StoredBytes {
            bytes: Bytes::Read(&read),
            offset: self.offset,
            item: self.item,
            merge_gap: session.merge_gap(),
        };
        let mut buffer = Vec::new();
        for mut tile in plan.tiles(self.item, READ_BYTES / self.item, u64::MAX) {
            let gather = stored.read_into(&tile, &mut buffer)?;
            tile.out_first -= base;
            place::place(self.kernel, &buffer, &gather.strides, &tile, out);
        }
        Ok(())
    }

    /// The range of bytes from the first to the last voxel of a box.
    fn byte_range(&self, plan: &Plan) -> Range<u64> {
        let start = self.offset + plan.stored_first * self.item;
        start..start + plan.stored_span() * self.item
    }
}

/// Runs `work` on pieces of the plan and the parts of the output that belong to them, on all threads. The output
/// positions of a piece are relative to its part.
fn for_pieces<O: Pod + Send + Sync>(
    plan: &Plan,
    out: &mut [O],
    piece_bytes: u64,
    work: impl Fn(&Plan, &mut [O]) -> Result<()> + Sync,
) -> Result<()> {
    let pieces = plan.split_output(piece_elements(plan, piece_bytes / size_of::<O>() as u64));
    if let [only] = pieces.as_slice() {
        return work(only, out);
    }
    let mut rest = out;
    let mut places = Vec::with_capacity(pieces.len());
    for mut piece in pieces {
        let range = piece.out_range();
        let (place, after) = rest.split_at_mut((range.end - range.start) as usize);
        rest = after;
        piece.out_first -= range.start;
        places.push((piece, place));
    }
    let work = |(piece, place): (Plan, &mut [O])| work(&piece, place);
    // If there are many pieces, each thread gets adjacent ones. Threads that take pieces in turn would use the same
    // huge pages at the same time.
    match places.len() as u64 > SHARES * threads::count() as u64 {
        true => threads::parallel(|scope| {
            let work = |place| scope.enter(|| work(place));
            places.into_par_iter().try_for_each(work)
        }),
        false => share_out(places, work),
    }
}

/// Runs `work` on all items. This thread starts at once, and other threads take further items as they wake up.
fn share_out<I: Send>(items: Vec<I>, work: impl Fn(I) -> Result<()> + Sync) -> Result<()> {
    let helpers = threads::count().min(items.len()).saturating_sub(1);
    let left = Mutex::new(items.into_iter());
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
    let failed = OnceLock::new();
    threads::together(helpers, || {
        while failed.get().is_none()
            && let Some(item) = next()
        {
            if let Err(error) = work(item) {
                // Any error will do, so the first one is kept.
                let _ = failed.set(error);
            }
        }
    });
    failed.into_inner().map_or(Ok(()), Err)
}

/// The size of a piece in output bytes, if it only affects how the work is divided among threads.
fn shared_piece_bytes<O>(plan: &Plan) -> u64 {
    let shares = SHARES * threads::count() as u64;
    (plan.len() * size_of::<O>() as u64 / shares).clamp(MIN_PIECE_BYTES, PIECE_BYTES)
}

/// The number of output elements in a piece, usually `elements`. If the axis that is stored fastest is the slowest of
/// the output, a piece has at least a cache line along it; otherwise each cache line would be read once for each piece
/// that contains a part of it.
fn piece_elements(plan: &Plan, elements: u64) -> u64 {
    match plan.axes.as_slice() {
        [closest, others @ ..] if others.iter().all(|axis| axis.out.abs() < closest.out.abs()) => {
            elements.max(plan.len() / closest.count.max(1) * CLOSEST.min(closest.count))
        }
        _ => elements,
    }
}
