//! `get_fdata_gpu`: scaled values in device memory, and the device side of the caches.

use super::{Caching, DataobjImage};
use crate::dataobj::Dataobj;
use crate::dtype::Float;
use crate::error::Result;
use crate::gpu::{DeviceArray, Gpu};
use crate::index::Index;

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

    /// Whether values are kept in device memory.
    pub fn on_device(&self) -> bool {
        self.cache().has_device()
    }

    /// What a device array of this type holds, when that is newer than anything on the host.
    pub(super) fn download_newer<T: Float>(
        &self,
        caching: Caching,
    ) -> Result<Option<crate::array::HostArray<T>>> {
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
}
