//! Stored bytes of a plan's boxes, for those who convert them elsewhere.

use std::sync::Arc;

use crate::error::Result;
use crate::plan::Plan;
use crate::read::proxy::ArrayProxy;
use crate::read::trace::{Stage, Tracer};
use crate::source::{Access, Session};

/// Stored bytes that are read at a time where they have to be read.
const READ_BYTES: u64 = 1 << 20;

/// Where the stored bytes of a plan's boxes come from.
pub(crate) trait TileReader: Sync {
    /// Hands the gathered bytes of a box to `sink`, in order, in pieces of any size.
    ///
    /// # Errors
    /// What reading the source gives; the sink has then seen an unspecified part.
    fn read_tile(&self, tile: &Plan, sink: &mut dyn FnMut(&[u8])) -> crate::error::Result<()>;

    /// Whom to tell what a load's stages took.
    fn tracer(&self) -> Option<&std::sync::Arc<crate::read::trace::Tracer>> {
        None
    }
}

impl ArrayProxy {
    /// Reads boxes in an operation on the source.
    pub(crate) fn tile_reader<'a>(
        &self,
        session: &'a Session<'a>,
        tracer: Option<&'a Arc<Tracer>>,
    ) -> Reader<'a> {
        Reader {
            session,
            offset: self.spec().offset,
            item: self.spec().dtype.size_bytes() as u64,
            tracer,
            stage: match self.source().access() {
                // With an index a gzip file can be read anywhere; it is inflated all the same.
                Access::Random if !self.source().is_gzip() => Stage::Read,
                _ => Stage::Inflate,
            },
        }
    }
}

/// Reads the boxes of a plan from an open source.
pub(crate) struct Reader<'a> {
    session: &'a Session<'a>,
    offset: u64,
    item: u64,
    tracer: Option<&'a Arc<Tracer>>,
    /// What reading counts as.
    stage: Stage,
}

impl Reader<'_> {
    fn time<R>(&self, stage: Stage, work: impl FnOnce() -> R) -> R {
        match self.tracer {
            Some(tracer) => tracer.time(stage, work),
            None => work(),
        }
    }
}

impl TileReader for Reader<'_> {
    fn read_tile(&self, tile: &Plan, sink: &mut dyn FnMut(&[u8])) -> Result<()> {
        let gather = tile.gather(self.item);
        let run_bytes = gather.run * self.item;
        let first = self.offset + tile.stored_first * self.item;
        let in_memory = self.session.bytes();
        let mut buffer = Vec::new();
        for start in gather.run_starts() {
            let mut at = first + start * self.item;
            let end = at + run_bytes;
            if let Some(run) = in_memory.and_then(|bytes| bytes.get(at as usize..end as usize)) {
                self.time(Stage::Copy, || sink(run));
                continue;
            }
            while at < end {
                buffer.resize((end - at).min(READ_BYTES) as usize, 0);
                self.time(self.stage, || self.session.read_at(at, &mut buffer))?;
                self.time(Stage::Copy, || sink(&buffer));
                at += buffer.len() as u64;
            }
        }
        Ok(())
    }
    fn tracer(&self) -> Option<&Arc<Tracer>> {
        self.tracer
    }
}
