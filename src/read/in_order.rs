//! Values piece by piece in the order of the array, for callers whose array is not in this memory: that of a browser's
//! page, for instance, which WebAssembly cannot write to.

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

    /// Passes the stored bytes of all voxels of a gzip file to `each`, in pieces of `length` bytes (the last one may be shorter),
    /// and then checks the file to its end. A piece may be changed.
    ///
    /// Returns `false`, without having called `each`, for other sources, and as [`Self::for_each_piece`].
    ///
    /// # Errors
    /// As [`Self::for_each_piece`].
    #[doc(hidden)]
    pub fn for_each_stored_piece(
        &self,
        length: usize,
        mut each: impl FnMut(&mut Vec<u8>) -> Result<()>,
    ) -> Result<bool> {
        let plan = self.plan(&self.whole());
        let Source::Gzip(gzip) = self.source() else {
            return Ok(false);
        };
        if !self.is_whole(&plan) || !is_in_order(&plan) {
            return Ok(false);
        }
        self.check_length(&plan)?;
        let range = self.byte_range(&plan);
        let pieces = || {
            gzip.pieces(range.start, range.end, length.max(1), |mut bytes| {
                each(&mut bytes)?;
                Ok(bytes)
            })
        };
        self.threads().run(pieces)?;
        Ok(true)
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

/// Whether voxels go to the output in stored order.
fn is_in_order(plan: &Plan) -> bool {
    plan.out_first == 0 && plan.in_stored_order().axes == plan.axes
}
