//! Values piece by piece in the order of the array, for callers whose array is not in this memory: that of a browser's
//! page, for instance, which WebAssembly cannot write to.

use std::ops::Range;

use crate::convert::kernels::Kernel;
use crate::core::array::Element;
use crate::core::error::Result;
use crate::core::float::Value;
use crate::plan::Plan;
use crate::read::host::{Extent, Stored, convert_into};
use crate::read::inflated::WholeRead;
use crate::read::proxy::ArrayProxy;
use crate::source::Source;

/// Values in a piece. With their stored bytes they stay in the second-level cache.
const PIECE: u64 = 64 << 10;

impl ArrayProxy {
    /// Passes all values, scaled, to `each`, the first axis fastest, in pieces that follow each other. A compressed stream of
    /// which all voxels are read is checked to its end, after the last piece.
    ///
    /// Returns `false`, without having called `each`, if the voxels are stored in another order: [`Self::read_into`] then
    /// puts each in its place.
    ///
    /// # Errors
    /// As [`Self::read`], and those of `each`. What `each` was given may then be wrong.
    #[doc(hidden)]
    pub fn for_each_piece<T: Value>(&self, each: impl FnMut(&[T]) -> Result<()>) -> Result<bool> {
        let plan = self.plan(&self.whole());
        if self.rounds_once(T::DTYPE) || !is_in_order(&plan) {
            return Ok(false);
        }
        self.check_length(&plan)?;
        self.threads().run(|| self.pieces(&plan, each))?;
        Ok(true)
    }

    /// A reader of the stored bytes of all voxels of a compressed file, step by step; `None` for other sources, and if the
    /// voxels are stored in another order.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Limit`] if the file cannot inflate to so much, and errors of asking for its length.
    #[doc(hidden)]
    pub fn stored_reader(&self) -> Result<Option<StoredReader>> {
        let plan = self.plan(&self.whole());
        if !matches!(self.source(), Source::Gzip(_)) || !self.is_whole(&plan) || !is_in_order(&plan)
        {
            return Ok(None);
        }
        self.check_length(&plan)?;
        let Range { start, end } = self.byte_range(&plan);
        Ok(Some(StoredReader {
            source: self.source().with_own_cursor(),
            at: start,
            end,
        }))
    }

    fn pieces<T: Element>(
        &self,
        plan: &Plan,
        mut each: impl FnMut(&[T]) -> Result<()>,
    ) -> Result<()> {
        let conversion = self.conversion(T::DTYPE)?;
        let (source, offset) = (self.source(), self.spec().offset);
        let plan = plan.coalesced(conversion.block);
        let mut values = Vec::new();
        if let Source::Gzip(gzip) = source
            && self.is_whole(&plan)
        {
            let whole = WholeRead {
                kernel: &Kernel::new(&conversion)?,
                gzip,
                offset,
            };
            return whole.in_pieces(plan.len(), &mut values, each);
        }
        let _one_read = source.hold();
        let item = conversion.stored.size_bytes() as u64;
        for mut piece in plan.tiles(item, PIECE, PIECE) {
            piece.out_first = 0;
            // At most PIECE.
            values.resize(piece.len() as usize, T::zeroed());
            let stored = Stored { source, offset };
            convert_into(&conversion, stored, &piece, Extent::Part, &mut values)?;
            each(&values)?;
        }
        self.check_end_if_whole()
    }
}

/// Reads stored bytes in order, as [`ArrayProxy::stored_reader`] makes it.
#[doc(hidden)]
#[derive(Debug)]
pub struct StoredReader {
    source: Source,
    at: u64,
    end: u64,
}

impl StoredReader {
    /// Reads the next bytes, as many as there are and fit; 0 at the end, when the file has been checked to its own end.
    ///
    /// # Errors
    /// As [`ArrayProxy::read`]. What was read before may then be wrong.
    pub fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        let left = self.end - self.at;
        let count = left.min(out.len() as u64) as usize;
        let session = self.source.begin()?;
        if left == 0 {
            session.finish(self.end)?;
            return Ok(0);
        }
        session.read_at(self.at, out.get_mut(..count).unwrap_or_default())?;
        session.end()?;
        self.at += count as u64;
        Ok(count)
    }
}

/// Whether voxels go to the output in stored order.
fn is_in_order(plan: &Plan) -> bool {
    plan.out_first == 0 && plan.in_stored_order().axes == plan.axes
}
