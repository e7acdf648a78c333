//! Stored bytes of a plan's boxes, for converting them elsewhere.

use std::ops::Range;
use std::sync::Arc;

use crate::array::HostArray;
use crate::error::Result;
use crate::float::Float;
use crate::plan::Plan;
use crate::read::proxy::ArrayProxy;
use crate::read::trace::{Stage, Tracer};
use crate::source::{Access, truncated};

/// Stored bytes that are read at a time where they have to be read.
const READ_BYTES: u64 = 1 << 20;

/// Where the stored bytes of a plan's boxes come from.
pub(crate) trait TileReader: Sync {
    /// Hands the gathered bytes of a box to `sink`, in order, in pieces of any size.
    ///
    /// # Errors
    /// What reading the source gives; the sink has then seen an unspecified part.
    fn read_tile(&self, tile: &Plan, sink: &mut dyn FnMut(&[u8])) -> Result<()>;

    /// Whether any part can be read at the same cost, by several threads at once.
    fn is_random(&self) -> bool {
        false
    }

    /// Hands some of the gathered bytes of a box to `sink`, counted from its first.
    ///
    /// # Errors
    /// As [`Self::read_tile`].
    fn read_part(&self, tile: &Plan, bytes: Range<u64>, sink: &mut dyn FnMut(&[u8])) -> Result<()> {
        let mut at = 0;
        self.read_tile(tile, &mut |piece| {
            let range = at..at + piece.len() as u64;
            at = range.end;
            let start = bytes.start.clamp(range.start, range.end) - range.start;
            let end = bytes.end.clamp(range.start, range.end) - range.start;
            if let Some(wanted) = piece.get(start as usize..end as usize) {
                sink(wanted);
            }
        })
    }

    /// Called after the last box.
    ///
    /// # Errors
    /// What only the end of the source can tell.
    fn finish(&self) -> Result<()> {
        Ok(())
    }

    /// What takes the times of a load's stages.
    fn tracer(&self) -> Option<&Arc<Tracer>> {
        None
    }
}

impl<R: TileReader + ?Sized> TileReader for &R {
    fn read_tile(&self, tile: &Plan, sink: &mut dyn FnMut(&[u8])) -> Result<()> {
        (**self).read_tile(tile, sink)
    }

    fn is_random(&self) -> bool {
        (**self).is_random()
    }

    fn read_part(&self, tile: &Plan, bytes: Range<u64>, sink: &mut dyn FnMut(&[u8])) -> Result<()> {
        (**self).read_part(tile, bytes, sink)
    }

    fn finish(&self) -> Result<()> {
        (**self).finish()
    }

    fn tracer(&self) -> Option<&Arc<Tracer>> {
        (**self).tracer()
    }
}

/// The bytes that hold some of a box's gathered bytes, run by run, counted from the array's first byte.
fn for_each_run(
    tile: &Plan,
    item: u64,
    bytes: Range<u64>,
    mut each: impl FnMut(Range<u64>) -> Result<()>,
) -> Result<()> {
    let gather = tile.gather(item);
    let run = gather.run * item;
    let first_run = usize::try_from(bytes.start / run).unwrap_or(usize::MAX);
    let mut skipped = bytes.start % run;
    let mut left = bytes.end - bytes.start;
    for start in gather.run_starts().skip(first_run) {
        if left == 0 {
            break;
        }
        let length = (run - skipped).min(left);
        let first = (tile.stored_first + start) * item + skipped;
        each(first..first + length)?;
        left -= length;
        skipped = 0;
    }
    Ok(())
}

/// A part of what is in memory.
fn part<'a>(memory: &'a [u8], bytes: &Range<u64>) -> Option<&'a [u8]> {
    let start = usize::try_from(bytes.start).ok()?;
    memory.get(start..usize::try_from(bytes.end).ok()?)
}

fn gathered_bytes(tile: &Plan, item: u64) -> Range<u64> {
    0..tile.gather(item).total * item
}

impl ArrayProxy {
    /// Reads boxes, each in an operation of its own on the source.
    pub(crate) fn tile_reader(&self, tracer: Option<Arc<Tracer>>) -> ProxyReader {
        ProxyReader {
            proxy: self.clone(),
            tracer,
            end: None,
        }
    }
}

/// Reads the boxes of a plan from a proxy's source.
pub(crate) struct ProxyReader {
    proxy: ArrayProxy,
    tracer: Option<Arc<Tracer>>,
    /// The end of what is read, where the end of the stream is to be checked.
    end: Option<u64>,
}

impl ProxyReader {
    /// The same, checking the end of a compressed stream behind the last box, where the plan is of all voxels.
    pub fn with_end_check(mut self, plan: &Plan) -> Self {
        let whole = self.proxy.is_whole(plan);
        self.end = whole.then(|| self.proxy.byte_range(plan).end);
        self
    }

    fn item(&self) -> u64 {
        self.proxy.spec().dtype.size_bytes() as u64
    }

    fn time<R>(&self, stage: Stage, work: impl FnOnce() -> R) -> R {
        match &self.tracer {
            Some(tracer) => tracer.time(stage, work),
            None => work(),
        }
    }
}

impl TileReader for ProxyReader {
    fn read_tile(&self, tile: &Plan, sink: &mut dyn FnMut(&[u8])) -> Result<()> {
        self.read_part(tile, gathered_bytes(tile, self.item()), sink)
    }

    fn is_random(&self) -> bool {
        self.proxy.source().access() == Access::Random
    }

    fn read_part(&self, tile: &Plan, bytes: Range<u64>, sink: &mut dyn FnMut(&[u8])) -> Result<()> {
        let source = self.proxy.source();
        // With an index a gzip file can be read anywhere; it is inflated all the same.
        let stage = match source.access() {
            Access::Random if !source.is_gzip() => Stage::Read,
            _ => Stage::Inflate,
        };
        let session = source.begin()?;
        let in_memory = session.bytes();
        let mut buffer = Vec::new();
        for_each_run(tile, self.item(), bytes, |run| {
            let (mut at, end) = (
                self.proxy.offset() + run.start,
                self.proxy.offset() + run.end,
            );
            if let Some(run) = in_memory.and_then(|memory| part(memory, &(at..end))) {
                self.time(Stage::Copy, || sink(run));
                return Ok(());
            }
            while at < end {
                buffer.resize((end - at).min(READ_BYTES) as usize, 0);
                self.time(stage, || session.read_at(at, &mut buffer))?;
                self.time(Stage::Copy, || sink(&buffer));
                at += buffer.len() as u64;
            }
            Ok(())
        })?;
        session.end()
    }

    fn finish(&self) -> Result<()> {
        match self.end {
            Some(end) => self.proxy.source().begin()?.finish(end),
            None => Ok(()),
        }
    }

    fn tracer(&self) -> Option<&Arc<Tracer>> {
        self.tracer.as_ref()
    }
}

/// Reads the boxes of a plan from an array.
pub(crate) struct ArrayReader<T>(pub HostArray<T>);

impl<T: Float> TileReader for ArrayReader<T> {
    fn read_tile(&self, tile: &Plan, sink: &mut dyn FnMut(&[u8])) -> Result<()> {
        self.read_part(tile, gathered_bytes(tile, size_of::<T>() as u64), sink)
    }

    fn is_random(&self) -> bool {
        true
    }

    fn read_part(&self, tile: &Plan, bytes: Range<u64>, sink: &mut dyn FnMut(&[u8])) -> Result<()> {
        let memory = bytemuck::cast_slice(self.0.as_slice());
        for_each_run(tile, size_of::<T>() as u64, bytes, |run| {
            let have = memory.len() as u64;
            sink(part(memory, &run).ok_or_else(|| truncated("voxel data", have, run.end))?);
            Ok(())
        })
    }
}
