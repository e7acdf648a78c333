//! `get_fdata_gpu`: scaled values in device memory, and the device side of the caches.

use super::{Caching, DataobjImage};
use crate::convert::Conversion;
use crate::core::array::HostArray;
use crate::core::dtype::ByteOrder;
use crate::core::error::{Error, Result};
use crate::core::float::Float;
use crate::core::scaling::Scaling;
use crate::device::load::{Feeder, Load};
use crate::device::{BufferTarget, DeviceArray, Gpu, RawVolume, StagingOptions};
use crate::header::Layout;
use crate::image::dataobj::Dataobj;
use crate::image::fdata::AtHand;
use crate::plan::index::Index;
use crate::plan::selection::Selection;
use crate::read::proxy::ArrayProxy;
use crate::read::tiles::ArrayReader;
use crate::read::wait::Site;

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
    #[cfg(not(target_family = "wasm"))]
    pub fn get_fdata_gpu<T: Float>(&self, gpu: &Gpu, caching: Caching) -> Result<DeviceArray<T>> {
        let values = self.fdata_on(gpu, caching, Site::Caller);
        gpu.context().block_on(values)
    }

    /// [`Self::get_fdata_gpu`], awaited: nothing blocks the executor, and the file is read and inflated on a thread
    /// where there are threads.
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
        site: Site,
    ) -> Result<DeviceArray<T>> {
        // Each look at the cache is a statement of its own: none may hold the lock while the device works.
        let kept = self.cache().device::<T>(gpu);
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let host = match self.newer_on_device::<T>(caching).await? {
            Some(edited) => Some(edited),
            None => self.cache().host::<T>(),
        };
        let array = match host {
            Some(host) => DeviceArray::uploaded(gpu, host.shape(), host.as_slice()).await?,
            None => {
                self.cache().budget().miss();
                self.dataobj.slice_on(gpu, &Index::new(), site).await?
            }
        };
        if caching == Caching::Fill {
            self.cache().fill_device(&array);
        }
        Ok(array)
    }

    /// [`Self::get_fdata`], awaited: nothing blocks the executor. What is read is read on a thread where there are
    /// threads, and an edit that was made on a device is downloaded.
    ///
    /// # Errors
    /// As [`Self::get_fdata`].
    pub async fn get_fdata_async<T: Float>(&self, caching: Caching) -> Result<HostArray<T>> {
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
        let computed = Site::BACKGROUND.run(move || dataobj.read::<T>()).await??;
        Ok(self.keep_host(caching, computed))
    }

    /// The stored voxels of the file in device memory, a half or a quarter of the size of their values, with WGSL that
    /// makes values of them. Blocks as [`Self::get_fdata_gpu`] does.
    ///
    /// # Errors
    /// As [`Self::get_fdata_gpu`]; [`crate::ErrorKind::LimitExceeded`] for more than a shader can bind at once,
    /// [`crate::ErrorKind::Usage`] for an image of an array, which has no stored voxels.
    #[cfg(not(target_family = "wasm"))]
    pub fn raw_on_gpu(&self, gpu: &Gpu) -> Result<RawVolume> {
        self.stored()?.slice_raw_on_gpu(gpu, &Index::new())
    }

    /// [`Self::raw_on_gpu`], awaited.
    ///
    /// # Errors
    /// As [`Self::raw_on_gpu`].
    pub async fn raw_on_gpu_async(&self, gpu: &Gpu) -> Result<RawVolume> {
        let proxy = self.stored()?;
        proxy.slice_raw_on_gpu_async(gpu, &Index::new()).await
    }

    fn stored(&self) -> Result<&ArrayProxy> {
        self.proxy()
            .ok_or_else(|| Error::usage("an image of an array has no stored voxels"))
    }

    /// Whether values are kept in device memory.
    pub fn on_device(&self) -> bool {
        self.cache().has_device()
    }

    /// What a device array of this type holds, when that is newer than anything on the host.
    #[cfg(not(target_family = "wasm"))]
    pub(super) fn download_newer<T: Float>(
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

    /// The same where a device cannot be waited for.
    #[cfg(target_family = "wasm")]
    pub(super) fn download_newer<T: Float>(&self, _: Caching) -> Result<Option<HostArray<T>>> {
        match self.cache().newer_on_device::<T>() {
            Some(_) => Err(Error::usage(
                "the values were edited on a device: await `get_fdata_async`",
            )),
            None => Ok(None),
        }
    }

    /// The same for a future that is driven.
    async fn newer_on_device<T: Float>(&self, caching: Caching) -> Result<Option<HostArray<T>>> {
        let newer = self.cache().newer_on_device::<T>();
        match newer {
            Some(device) => self.downloaded(&device, caching).await.map(Some),
            None => Ok(None),
        }
    }

    async fn downloaded<T: Float>(
        &self,
        device: &DeviceArray<T>,
        caching: Caching,
    ) -> Result<HostArray<T>> {
        let host = device.downloaded().await?;
        if caching == Caching::Fill {
            // From here on both sides hold the edit.
            device.clear_modified();
            self.cache().fill_downloaded(host.clone());
        }
        Ok(host)
    }

    /// [`Self::values_at_hand`] for a future that is driven.
    pub(super) async fn values_for_device<T: Float>(&self, site: Site) -> Result<AtHand<T>> {
        if let Some(newer) = self.newer_on_device(Caching::Unchanged).await? {
            return Ok(AtHand::Values(newer));
        }
        if let Some(there) = self.array_in_memory() {
            return Ok(AtHand::Values(there));
        }
        match &self.dataobj {
            Dataobj::Proxy(proxy) => Ok(AtHand::File(proxy.clone())),
            Dataobj::Array(_) => {
                self.cache().budget().miss();
                let dataobj = self.dataobj.clone();
                let values = site.run(move || dataobj.read::<T>()).await??;
                Ok(AtHand::Values(values))
            }
        }
    }
}

impl Dataobj {
    /// The values that an index takes, in device memory, reading only their bytes.
    ///
    /// # Errors
    /// As [`DataobjImage::get_fdata_gpu`], and [`crate::ErrorKind::Index`] when the index does not fit the shape.
    #[cfg(not(target_family = "wasm"))]
    pub fn slice_gpu<T: Float>(&self, gpu: &Gpu, index: &Index) -> Result<DeviceArray<T>> {
        let slice = self.slice_on(gpu, index, Site::Caller);
        gpu.context().block_on(slice)
    }

    /// [`Self::slice_gpu`], awaited.
    ///
    /// # Errors
    /// As [`Self::slice_gpu`].
    pub async fn slice_gpu_async<T: Float>(
        &self,
        gpu: &Gpu,
        index: &Index,
    ) -> Result<DeviceArray<T>> {
        let slice = self.slice_on(gpu, index, gpu.context().background());
        gpu.context().drive(slice).await
    }

    async fn slice_on<T: Float>(
        &self,
        gpu: &Gpu,
        index: &Index,
        site: Site,
    ) -> Result<DeviceArray<T>> {
        match self {
            Self::Proxy(proxy) => proxy.slice_on(gpu, index, site).await,
            Self::Array(_) => {
                let values = self.values_of::<T>(index, site).await?;
                DeviceArray::uploaded(gpu, values.shape(), values.as_slice()).await
            }
        }
    }

    /// The values that an index takes, on the host.
    async fn values_of<T: Float>(&self, index: &Index, site: Site) -> Result<HostArray<T>> {
        let (dataobj, index) = (self.clone(), index.clone());
        site.run(move || dataobj.slice::<T>(&index)).await?
    }

    /// The values that an index takes, in a place of a buffer of the caller's: [`ArrayProxy::slice_into_buffer`].
    ///
    /// # Errors
    /// As [`ArrayProxy::slice_into_buffer`].
    #[cfg(not(target_family = "wasm"))]
    pub fn slice_into_buffer<T: Float>(
        &self,
        gpu: &Gpu,
        index: &Index,
        target: &BufferTarget<'_>,
    ) -> Result<()> {
        let slice = self.slice_into_target::<T>(gpu, index, target, Site::Caller);
        gpu.context().block_on(slice)
    }

    /// [`Self::slice_into_buffer`], awaited.
    ///
    /// # Errors
    /// As [`Self::slice_into_buffer`].
    pub async fn slice_into_buffer_async<T: Float>(
        &self,
        gpu: &Gpu,
        index: &Index,
        target: &BufferTarget<'_>,
    ) -> Result<()> {
        let site = gpu.context().background();
        let slice = self.slice_into_target::<T>(gpu, index, target, site);
        gpu.context().drive(slice).await
    }

    async fn slice_into_target<T: Float>(
        &self,
        gpu: &Gpu,
        index: &Index,
        target: &BufferTarget<'_>,
        site: Site,
    ) -> Result<()> {
        match self {
            Self::Proxy(proxy) => {
                let slice = proxy.slice_into_target::<T>(gpu, index, target, site);
                slice.await
            }
            Self::Array(_) => {
                let values = self.values_of::<T>(index, site).await?;
                array_into_buffer(gpu, values, target, site).await
            }
        }
    }
}

/// Copies an array to a place of a buffer of the caller's, by the kernel that also places voxels of files there.
async fn array_into_buffer<T: Float>(
    gpu: &Gpu,
    values: HostArray<T>,
    target: &BufferTarget<'_>,
    site: Site,
) -> Result<()> {
    let shape = values.shape();
    let copy = Conversion::new(T::DTYPE, ByteOrder::NATIVE, &Scaling::none(), T::DTYPE)?;
    let strides = target.checked_strides(shape, size_of::<T>() as u64)?;
    if values.is_empty() {
        return gpu.context().check_lost();
    }
    let layout = Layout::FirstFastest;
    let plan = Selection::whole(shape).plan_into(shape, layout, target.offset, &strides);
    let load = Load {
        gpu,
        conversion: &copy,
        plans: &[plan],
        target: target.buffer.into(),
        options: &StagingOptions::default(),
        max_part: None,
    };
    let feeder = Feeder::at(site, ArrayReader(values));
    load.run(feeder, |_, _| {}).await
}
