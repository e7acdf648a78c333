//! All values of a proxy, a slab at a time, in the order in which they are stored.

use super::ArrayProxy;
use crate::array::Element;
use crate::convert::cpu::{Extent, Stored, convert_into};
use crate::error::Result;
use crate::index::Index;
use crate::index::plan::Plan;

/// Voxels of a slab.
const SLAB: u64 = 1 << 20;

impl ArrayProxy {
    /// All voxels in stored order, in parts of at most `voxels`: each part's places in the output go on from those of
    /// the one before, without gaps.
    ///
    /// # Errors
    /// As [`Self::check_length`].
    pub(crate) fn in_stored_order(
        &self,
        voxels: u64,
    ) -> Result<impl Iterator<Item = Plan> + use<>> {
        let plan = self.plan(&self.select(&Index::new())?);
        self.check_length(&plan)?;
        let item = self.spec.dtype.size_bytes() as u64;
        Ok(plan.in_stored_order().tiles(item, voxels, voxels))
    }

    /// Hands the values of one such part to `each`, slab by slab, in their order.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) fn for_each_slab<T: Element>(
        &self,
        part: &Plan,
        mut each: impl FnMut(&[T]),
    ) -> Result<()> {
        let conversion = self.conversion(T::DTYPE)?;
        let stored = Stored {
            source: &self.source,
            offset: self.spec.offset,
        };
        let mut values = Vec::new();
        for mut slab in part.tiles(conversion.stored.size_bytes() as u64, SLAB, SLAB) {
            slab.out_first = 0;
            values.resize(slab.len() as usize, T::zeroed());
            convert_into(&conversion, stored, &slab, Extent::Part, &mut values)?;
            each(&values);
        }
        Ok(())
    }

    /// Does what a whole read does at its end, when this proxy shows all stored voxels.
    ///
    /// # Errors
    /// As [`Self::check_to_end`].
    pub(crate) fn check_end_if_whole(&self) -> Result<()> {
        match self.is_whole(&self.plan(&self.select(&Index::new())?)) {
            true => self.check_to_end(),
            false => Ok(()),
        }
    }
}
