//! `get_fdata_gpu`: scaled values in device memory, and the device side of the caches.

use super::{Caching, DataobjImage};
use crate::core::array::HostArray;
#[cfg(target_family = "wasm")]
use crate::core::error::Error;
use crate::core::error::Result;
use crate::core::float::{Float, Value};
use crate::device::{DeviceArray, Gpu};
use crate::image::fdata::ValuesIn;
use crate::read::wait::RunOn;

impl DataobjImage {
    /// The scaled values as an array in device memory, the first axis fastest: bit for bit those of
    /// [`DataobjImage::get_fdata`], computed on the device from the stored bytes.
    ///
    /// Returns the cached array if it is of this type and on this device; otherwise a cached host array of this type
    /// (with its edits) is uploaded; otherwise the file is read. Blocks until the values are there; callbacks of other
    /// users of the device may run on this thread meanwhile. If the device cannot run the kernel, the CPU computes the
    /// values.
    ///
    /// # Errors
    /// As [`crate::ArrayProxy::read`]; [`crate::ErrorKind::DType`] for complex numbers and colours, which have no
    /// kernel; [`crate::ErrorKind::GpuLimit`], [`crate::ErrorKind::GpuOutOfMemory`],
    /// [`crate::ErrorKind::DeviceLost`], [`crate::ErrorKind::Gpu`].
    #[cfg(not(target_family = "wasm"))]
    pub fn get_fdata_gpu<T: Float>(&self, gpu: &Gpu, caching: Caching) -> Result<DeviceArray<T>> {
        let values = self.fdata_on(gpu, caching, RunOn::Caller);
        gpu.context().block_on(values)
    }

    /// The asynchronous form of [`Self::get_fdata_gpu`]. The file is read and inflated on another thread, so that the
    /// executor is not blocked (except on wasm32, where there are no threads).
    ///
    /// # Errors
    /// As [`Self::get_fdata_gpu`].
    pub async fn get_fdata_gpu_async<T: Float>(
        &self,
        gpu: &Gpu,
        caching: Caching,
    ) -> Result<DeviceArray<T>> {
        let values = self.fdata_on(gpu, caching, gpu.context().background());
        gpu.context().drive(values).await
    }

    async fn fdata_on<T: Float>(
        &self,
        gpu: &Gpu,
        caching: Caching,
        run_on: RunOn,
    ) -> Result<DeviceArray<T>> {
        // The cache is looked up in separate statements, so that its lock is not held while the device works.
        let kept = self.cache().device::<T>(gpu);
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let host = match self.newer_on_device::<T>(caching).await? {
            Some(edited) => Some(edited),
            None => self.cache().host::<T>(),
        };
        let array = match host {
            Some(host) => {
                let upload = DeviceArray::uploaded(gpu, host.shape(), host.as_slice());
                self.threads().run_async(upload).await?
            }
            None => {
                self.cache().budget().miss();
                self.dataobj.read_on(gpu, run_on).await?
            }
        };
        if caching == Caching::Fill {
            self.cache().fill_device(&array);
        }
        Ok(array)
    }

    /// The asynchronous form of [`Self::get_fdata`]. The file is read on another thread (except on wasm32, where there
    /// are no threads); an edit that was made on a device is downloaded.
    ///
    /// # Errors
    /// As [`Self::get_fdata`].
    pub async fn get_fdata_async<T: Value>(&self, caching: Caching) -> Result<HostArray<T>> {
        let newer = self.cache().newer_on_device::<T>();
        if let Some(device) = newer {
            let download = self.downloaded(&device, caching);
            return device.gpu().context().drive(download).await;
        }
        if let Some(there) = self.array_in_memory() {
            return Ok(there);
        }
        self.cache().budget().miss();
        let dataobj = self.dataobj.clone();
        let computed = RunOn::BACKGROUND.run(move || dataobj.read::<T>()).await??;
        Ok(self.keep_host(caching, computed))
    }

    /// Whether values are cached in device memory.
    pub fn on_device(&self) -> bool {
        self.cache().has_device()
    }

    /// Downloads the cached device array of this type, if it is newer than the values on the host.
    #[cfg(not(target_family = "wasm"))]
    pub(super) fn download_newer<T: Value>(
        &self,
        caching: Caching,
    ) -> Result<Option<HostArray<T>>> {
        let newer = self.cache().newer_on_device::<T>();
        let Some(device) = newer else {
            return Ok(None);
        };
        let download = self.downloaded(&device, caching);
        device.gpu().context().block_on(download).map(Some)
    }

    /// The same on wasm32, where a call cannot wait for the device.
    #[cfg(target_family = "wasm")]
    pub(super) fn download_newer<T: Value>(&self, _: Caching) -> Result<Option<HostArray<T>>> {
        match self.cache().newer_on_device::<T>() {
            Some(_) => Err(Error::usage(
                "the values were edited on a device: await `get_fdata_async`",
            )),
            None => Ok(None),
        }
    }

    /// The asynchronous form of [`Self::download_newer`].
    async fn newer_on_device<T: Value>(&self, caching: Caching) -> Result<Option<HostArray<T>>> {
        let newer = self.cache().newer_on_device::<T>();
        match newer {
            Some(device) => self.downloaded(&device, caching).await.map(Some),
            None => Ok(None),
        }
    }

    async fn downloaded<T: Value>(
        &self,
        device: &DeviceArray<T>,
        caching: Caching,
    ) -> Result<HostArray<T>> {
        let host = device.downloaded().await?;
        if caching == Caching::Fill {
            // Host and device now both have the edit.
            device.clear_modified();
            self.cache().fill_downloaded(host.clone());
        }
        Ok(host)
    }

    /// The asynchronous form of [`Self::find_values`].
    pub(super) async fn find_values_for_device<T: Float>(
        &self,
        run_on: RunOn,
    ) -> Result<ValuesIn<T>> {
        if let Some(newer) = self.newer_on_device(Caching::Unchanged).await? {
            return Ok(ValuesIn::Memory(newer));
        }
        if let Some(there) = self.array_in_memory() {
            return Ok(ValuesIn::Memory(there));
        }
        let dataobj = self.dataobj.clone();
        if dataobj.as_array().is_none() {
            return Ok(ValuesIn::File(dataobj));
        }
        self.cache().budget().miss();
        let values = run_on.run(move || dataobj.read::<T>()).await??;
        Ok(ValuesIn::Memory(values))
    }
}
