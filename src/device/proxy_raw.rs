//! Stored voxels to device memory as they are.

use crate::convert::Conversion;
use crate::device as gpu;
use crate::device::Gpu;
use crate::device::raw::{Code, RawVolume, check_stored};
use crate::dtype::DType;
use crate::error::Result;
use crate::plan::index::Index;
use crate::read::proxy::ArrayProxy;

impl ArrayProxy {
    /// The stored voxels that an index takes, in device memory, with WGSL that makes values of them. Blocks as
    /// [`crate::DataobjImage::get_fdata_gpu`] does.
    ///
    /// # Errors
    /// As [`Self::slice_gpu`]; [`crate::ErrorKind::LimitExceeded`] for more than a shader can bind at once.
    pub fn slice_raw_on_gpu(&self, gpu: &Gpu, index: &Index) -> Result<RawVolume> {
        let narrow = self.conversion(DType::F32)?;
        check_stored(&narrow)?;
        let copy = Conversion::raw(narrow.stored);
        gpu.can_convert(&copy)?;
        let selection = self.select(index)?;
        let (shape, plan) = (selection.shape(), self.plan(&selection));
        self.check_output(&plan, self.dtype().size_bytes())?;
        let (buffer, tables) = gpu.raw_buffer(&shape, &narrow, &plan)?;
        gpu.write_tables(&buffer, tables, &narrow)?;
        self.reading(&plan, |reader, staging| {
            gpu::load_into(gpu, &copy, &plan, reader, &buffer, staging)
        })?;
        Ok(RawVolume {
            gpu: gpu.clone(),
            buffer,
            shape,
            code: Code {
                narrow,
                wide: self.conversion(DType::F64)?,
                plan,
                tables,
            },
        })
    }
}
