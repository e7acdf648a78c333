//! Reading the stored bytes of a plan's boxes, to convert them elsewhere.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use crate::core::array::HostArray;
use crate::core::error::Result;
use crate::core::float::Float;
use crate::core::scope;
use crate::core::threads::Threads;
use crate::plan::Plan;
use crate::plan::gather::{Bytes, StoredBytes};
use crate::read::proxy::ArrayProxy;
use crate::read::trace::{Stage, Tracer};
use crate::source::{Access, KeptPieces};

/// A source of the stored bytes of a plan's boxes.
pub(crate) trait TileReader: Sync {
    /// Passes the gathered bytes of a box to `sink`, in order, in pieces of any size.
    ///
    /// # Errors
    /// Errors of reading the source. Which part of the bytes the sink has got is then unspecified.
    fn read_tile(&self, tile: &Plan, sink: &mut dyn FnMut(&[u8])) -> Result<()>;

    /// Whether any part can be read at the same cost, by several threads at once.
    fn is_random(&self) -> bool {
        false
    }

    /// Passes a range of a box's gathered bytes to `sink`.
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
    /// Errors that are known only at the end of the source.
    fn finish(&self) -> Result<()> {
        Ok(())
    }

    /// Where the times of a load's stages are recorded.
    fn tracer(&self) -> Option<&Arc<Tracer>> {
        None
    }

    /// The pool in which the bytes are read.
    fn threads(&self) -> Threads {
        Threads::default()
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

    fn threads(&self) -> Threads {
        (**self).threads()
    }
}

impl ArrayProxy {
    /// A reader of boxes. Each box is a separate operation on the source.
    pub(crate) fn tile_reader(&self, tracer: Option<Arc<Tracer>>) -> ProxyReader {
        ProxyReader {
            proxy: self.clone(),
            tracer,
            end: None,
            kept: Mutex::new(self.source().keep_pieces()),
        }
    }
}

/// Reads the boxes of a plan from a proxy's source.
pub(crate) struct ProxyReader {
    proxy: ArrayProxy,
    tracer: Option<Arc<Tracer>>,
    /// The end of the voxels, if the end of the stream is to be checked.
    end: Option<u64>,
    /// Keeps the bytes that a source has read ahead ([`KeptPieces`]) until the last box has been read.
    kept: Mutex<KeptPieces>,
}

impl ProxyReader {
    /// Also checks the end of a compressed stream after the last box, if the plan contains all voxels.
    pub(crate) fn with_end_check(mut self, plan: &Plan) -> Self {
        let whole = self.proxy.is_whole(plan);
        if whole {
            self.proxy = self.proxy.for_one_pass();
        }
        self.end = whole.then(|| self.proxy.byte_range(plan).end);
        self
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
        self.read_part(tile, 0..u64::MAX, sink)
    }

    fn is_random(&self) -> bool {
        self.proxy.source().access() == Access::Random
    }

    fn read_part(&self, tile: &Plan, bytes: Range<u64>, sink: &mut dyn FnMut(&[u8])) -> Result<()> {
        let source = self.proxy.source();
        // With an index a gzip file can be read at any position, but that is still inflating.
        let stage = match source.access() {
            Access::Random if !source.is_gzip() => Stage::Read,
            _ => Stage::Inflate,
        };
        let session = source.begin()?;
        let read = |at: u64, buffer: &mut [u8]| {
            scope::check()?;
            self.time(stage, || session.read_at(at, buffer))
        };
        let stored = StoredBytes {
            bytes: session.bytes().map_or(Bytes::Read(&read), Bytes::Memory),
            offset: self.proxy.spec().offset,
            item: self.proxy.dtype().size_bytes() as u64,
            merge_gap: session.merge_gap(),
        };
        stored.for_each_piece(tile, bytes, &mut Vec::new(), |piece| {
            self.time(Stage::Copy, || sink(piece));
            Ok(())
        })?;
        session.end()
    }

    fn finish(&self) -> Result<()> {
        let checked = match self.end {
            Some(end) => {
                let check = || self.proxy.source().begin()?.finish(end);
                self.threads().run(check)
            }
            None => Ok(()),
        };
        // Done here and not when the reader is dropped, because a thread may drop it after the load has returned.
        let kept = &mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        drop(std::mem::take(kept));
        checked
    }

    fn tracer(&self) -> Option<&Arc<Tracer>> {
        self.tracer.as_ref()
    }

    fn threads(&self) -> Threads {
        self.proxy.threads().clone()
    }
}

/// Reads the boxes of a plan from an array.
pub(crate) struct ArrayReader<T>(pub HostArray<T>);

impl<T: Float> TileReader for ArrayReader<T> {
    fn read_tile(&self, tile: &Plan, sink: &mut dyn FnMut(&[u8])) -> Result<()> {
        self.read_part(tile, 0..u64::MAX, sink)
    }

    fn is_random(&self) -> bool {
        true
    }

    fn read_part(&self, tile: &Plan, bytes: Range<u64>, sink: &mut dyn FnMut(&[u8])) -> Result<()> {
        let stored = StoredBytes {
            bytes: Bytes::Memory(bytemuck::cast_slice(self.0.as_slice())),
            offset: 0,
            item: size_of::<T>() as u64,
            merge_gap: 0,
        };
        stored.for_each_piece(tile, bytes, &mut Vec::new(), |piece| {
            sink(piece);
            Ok(())
        })
    }
}
