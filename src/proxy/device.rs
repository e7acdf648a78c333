//! Stored voxels to device memory.

use std::ops::Range;

use super::ArrayProxy;
use crate::convert::{Conversion, gpu};
use crate::dtype::Float;
use crate::error::{ErrorKind, Result};
use crate::gpu::{DeviceArray, Gpu, StagingOptions};
use crate::index::Index;
use crate::index::plan::{Plan, TileReader};
use crate::source::{Access, Session};

/// Stored bytes that are read at a time where they have to be read.
const READ_BYTES: u64 = 1 << 20;

impl ArrayProxy {
    /// The values that an index takes, in device memory, reading only their bytes: the bits of [`Self::slice`].
    ///
    /// # Errors
    /// As [`crate::DataobjImage::get_fdata_gpu`], and [`ErrorKind::Index`] when the index does not fit the shape.
    pub fn slice_gpu<T: Float>(&self, gpu: &Gpu, index: &Index) -> Result<DeviceArray<T>> {
        let conversion = self.conversion(T::DTYPE)?;
        match gpu.can_convert(&conversion) {
            Err(error) if matches!(error.kind(), ErrorKind::GpuUnsupported(_)) => {
                let values = self.slice::<T>(index)?;
                return DeviceArray::from_slice(gpu, values.shape(), values.as_slice());
            }
            able => able?,
        }
        let selection = self.select(index)?;
        let plan = self.plan(&selection);
        self.check_length(&plan)?;
        let session = self.source.begin()?;
        let mut staging = StagingOptions::default();
        if self.source.access() == Access::Sequential {
            // Several workers would read a stream out of order, and each step back starts it again.
            staging.workers = 1;
        }
        let reader = Reader {
            session: &session,
            offset: self.spec.offset,
            item: self.spec.dtype.size_bytes() as u64,
        };
        let shape = selection.shape();
        let array = gpu::load(gpu, &conversion, &plan, &reader, &shape, &staging)?;
        if self.is_whole(&plan) {
            session.finish()?;
        } else {
            session.end()?;
        }
        Ok(array)
    }
}

impl ArrayProxy {
    /// Converts plans over the stored voxels part by part, as [`gpu::for_each_part`] does.
    ///
    /// # Errors
    /// Those of [`Self::slice_gpu`].
    pub(crate) fn for_each_part(
        &self,
        gpu: &Gpu,
        conversion: &Conversion,
        plans: &[Plan],
        most: u64,
        scratch: &wgpu::Buffer,
        then: impl FnMut(usize, Range<u64>, &mut wgpu::CommandEncoder),
    ) -> Result<()> {
        let session = self.source.begin()?;
        let reader = Reader {
            session: &session,
            offset: self.spec.offset,
            item: self.spec.dtype.size_bytes() as u64,
        };
        gpu::for_each_part(gpu, conversion, plans, most, &reader, scratch, then)?;
        session.end()
    }
}

/// Reads the boxes of a plan from an open source.
struct Reader<'a> {
    session: &'a Session<'a>,
    offset: u64,
    item: u64,
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
                sink(run);
                continue;
            }
            while at < end {
                buffer.resize((end - at).min(READ_BYTES) as usize, 0);
                self.session.read_at(at, &mut buffer)?;
                sink(&buffer);
                at += buffer.len() as u64;
            }
        }
        Ok(())
    }
}
