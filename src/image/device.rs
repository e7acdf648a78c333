//! `get_fdata_gpu`: scaled values in device memory, and the device side of the caches.

use super::{Caching, DataobjImage};
use crate::array::HostArray;
use crate::convert::Conversion;
use crate::device as gpu;
use crate::device::{BufferTarget, DeviceArray, Gpu, RawVolume, StagingOptions};
use crate::dtype::ByteOrder;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::header::Layout;
use crate::image::dataobj::Dataobj;
use crate::plan::Plan;
use crate::plan::index::Index;
use crate::plan::selection::Selection;
#[cfg(doc)]
use crate::read::proxy::ArrayProxy;
use crate::read::tiles::TileReader;
use crate::scaling::Scaling;
use crate::source::truncated;

impl DataobjImage {
    /// The scaled values as an array in device memory, the first axis fastest: the bits of
    /// [`DataobjImage::get_fdata`], computed on the device from the stored bytes.
    ///
    /// The kept array when there is one of this type on this device; else a host array of this type that is kept
    /// (with its edits) is uploaded; else the file is read. Blocks until the values have arrived; callbacks of other
    /// users of the device may run on this thread meanwhile. A device that cannot run the kernel is given values
    /// computed on the CPU.
    ///
    /// # Errors
    /// As [`crate::ArrayProxy::read`]; [`crate::ErrorKind::DType`] for complex numbers and colours, which have no
    /// kernel; [`crate::ErrorKind::LimitExceeded`], [`crate::ErrorKind::GpuOutOfMemory`],
    /// [`crate::ErrorKind::DeviceLost`], [`crate::ErrorKind::Gpu`].
    pub fn get_fdata_gpu<T: Float>(&self, gpu: &Gpu, caching: Caching) -> Result<DeviceArray<T>> {
        // Each look at the cache is a statement of its own: none may hold the lock while the device works.
        let kept = self.cache().device::<T>(gpu);
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let host = match self.download_newer::<T>(caching)? {
            Some(edited) => Some(edited),
            None => self.cache().host::<T>(),
        };
        let array = match host {
            Some(host) => DeviceArray::from_slice(gpu, host.shape(), host.as_slice())?,
            None => {
                self.cache().budget().miss();
                self.dataobj.slice_gpu(gpu, &Index::new())?
            }
        };
        if caching == Caching::Fill {
            self.cache().fill_device(&array);
        }
        Ok(array)
    }

    /// The stored voxels of the file in device memory, a half or a quarter of the size of their values, with WGSL that
    /// makes values of them. Blocks as [`Self::get_fdata_gpu`] does.
    ///
    /// # Errors
    /// As [`Self::get_fdata_gpu`]; [`crate::ErrorKind::LimitExceeded`] for more than a shader can bind at once,
    /// [`crate::ErrorKind::Usage`] for an image of an array, which has no stored voxels.
    pub fn raw_on_gpu(&self, gpu: &Gpu) -> Result<RawVolume> {
        let proxy = self
            .proxy()
            .ok_or_else(|| Error::usage("an image of an array has no stored voxels"))?;
        proxy.slice_raw_on_gpu(gpu, &Index::new())
    }

    /// Whether values are kept in device memory.
    pub fn on_device(&self) -> bool {
        self.cache().has_device()
    }

    /// What a device array of this type holds, when that is newer than anything on the host.
    pub(super) fn download_newer<T: Float>(
        &self,
        caching: Caching,
    ) -> Result<Option<HostArray<T>>> {
        let newer = self.cache().newer_on_device::<T>();
        let Some(device) = newer else {
            return Ok(None);
        };
        let host = device.download()?;
        if caching == Caching::Fill {
            // From here on both sides hold the edit.
            device.clear_modified();
            self.cache().fill_downloaded(host.clone());
        }
        Ok(Some(host))
    }
}

impl Dataobj {
    /// The values that an index takes, in device memory, reading only their bytes.
    ///
    /// # Errors
    /// As [`DataobjImage::get_fdata_gpu`], and [`crate::ErrorKind::Index`] when the index does not fit the shape.
    pub fn slice_gpu<T: Float>(&self, gpu: &Gpu, index: &Index) -> Result<DeviceArray<T>> {
        match self {
            Self::Proxy(proxy) => proxy.slice_gpu(gpu, index),
            Self::Array(_) => {
                let values = self.slice::<T>(index)?;
                DeviceArray::from_slice(gpu, values.shape(), values.as_slice())
            }
        }
    }

    /// The values that an index takes, in a place of a buffer of the caller's: [`ArrayProxy::slice_into_buffer`].
    ///
    /// # Errors
    /// As [`ArrayProxy::slice_into_buffer`].
    pub fn slice_into_buffer<T: Float>(
        &self,
        gpu: &Gpu,
        index: &Index,
        target: &BufferTarget<'_>,
    ) -> Result<()> {
        match self {
            Self::Proxy(proxy) => proxy.slice_into_buffer::<T>(gpu, index, target),
            Self::Array(_) => array_into_buffer(gpu, &self.slice::<T>(index)?, target),
        }
    }
}

/// Copies an array to a place of a buffer of the caller's, by the kernel that also places voxels of files there.
fn array_into_buffer<T: Float>(
    gpu: &Gpu,
    values: &HostArray<T>,
    target: &BufferTarget<'_>,
) -> Result<()> {
    let shape = values.shape();
    let copy = Conversion::new(T::DTYPE, ByteOrder::NATIVE, &Scaling::none(), T::DTYPE)?;
    let strides = target.checked_strides(shape, size_of::<T>() as u64)?;
    if values.is_empty() {
        return gpu.check_lost();
    }
    let layout = Layout::FirstFastest;
    let plan = Selection::whole(shape).plan_into(shape, layout, target.offset, &strides);
    let reader = ArrayReader {
        bytes: bytemuck::cast_slice(values.as_slice()),
        item: size_of::<T>(),
    };
    let staging = StagingOptions::default();
    gpu::load_into(gpu, &copy, &plan, &reader, target.buffer, &staging)
}

/// Reads the boxes of a plan from an array.
pub(super) struct ArrayReader<'a> {
    pub bytes: &'a [u8],
    pub item: usize,
}

impl TileReader for ArrayReader<'_> {
    fn read_tile(&self, tile: &Plan, sink: &mut dyn FnMut(&[u8])) -> Result<()> {
        let gather = tile.gather(self.item as u64);
        for start in gather.run_starts() {
            let first = (tile.stored_first + start) as usize * self.item;
            let end = first + gather.run as usize * self.item;
            let have = self.bytes.len() as u64;
            let run = self.bytes.get(first..end);
            sink(run.ok_or_else(|| truncated("voxel data", have, end as u64))?);
        }
        Ok(())
    }
}
