//! What an image keeps of computed values, and where the newest is.
//!
//! One array on the host and one on a device. An edit belongs to the type it was made in: both sides of that type
//! show it, filling the cache with another type drops it, everything else reads the file (design.md section 5).

use ndarray::ArrayViewMutD;

use crate::array::{Element, HostArray, StoredArray};
use crate::dtype::DType;
use crate::error::{Error, Result};
#[cfg(feature = "gpu")]
pub(crate) use device::OnDevice;

/// The computed values that an image keeps.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    host: Option<StoredArray>,
    #[cfg(feature = "gpu")]
    device: Option<OnDevice>,
    /// The type whose kept values were edited and differ from the file's.
    edited: Option<DType>,
}

impl Cache {
    /// The kept host array of this type.
    pub fn host<T: Element>(&self) -> Option<HostArray<T>> {
        self.host.as_ref()?.get::<T>().cloned()
    }

    pub fn has_host(&self) -> bool {
        self.host.is_some()
    }

    /// Keeps a host array, in place of one of another type.
    pub fn fill_host<T: Element>(&mut self, array: HostArray<T>) {
        self.drop_other_edit(T::DTYPE);
        self.host = Some(array.into());
    }

    /// The kept host array of this type, for editing; a device copy of it is out of date from here on.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] when there is none.
    pub fn edit_host<T: Element>(&mut self) -> Result<ArrayViewMutD<'_, T>> {
        self.edited = Some(T::DTYPE);
        #[cfg(feature = "gpu")]
        self.device.take_if(|device| device.dtype() == T::DTYPE);
        self.host
            .as_mut()
            .and_then(StoredArray::get_mut::<T>)
            .ok_or_else(|| Error::usage("no array of this type is kept"))?
            .make_mut()
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Drops the copies that hold an edit made in another type.
    fn drop_other_edit(&mut self, dtype: DType) {
        #[cfg(feature = "gpu")]
        if let Some(device) = &self.device
            && device.is_modified()
        {
            self.edited = Some(device.dtype());
        }
        if let Some(edited) = self.edited
            && edited != dtype
        {
            self.edited = None;
            self.host.take_if(|host| host.dtype() == edited);
            #[cfg(feature = "gpu")]
            self.device.take_if(|device| device.dtype() == edited);
        }
    }
}

#[cfg(feature = "gpu")]
mod device {
    //! The device side.

    use std::any::Any;

    use half::f16;

    use super::Cache;
    use crate::array::HostArray;
    use crate::dtype::{DType, Float};
    use crate::gpu::{DeviceArray, Gpu};

    /// A kept device array.
    #[derive(Debug)]
    pub(crate) enum OnDevice {
        F16(DeviceArray<f16>),
        F32(DeviceArray<f32>),
        F64(DeviceArray<f64>),
    }

    impl OnDevice {
        /// Wraps an array; every [`Float`] is one of the three.
        fn wrap<T: Float>(array: &DeviceArray<T>) -> Option<Self> {
            let any: &dyn Any = array;
            let f16 = || Some(Self::F16(any.downcast_ref::<DeviceArray<f16>>()?.clone()));
            let f32 = || Some(Self::F32(any.downcast_ref::<DeviceArray<f32>>()?.clone()));
            let f64 = || Some(Self::F64(any.downcast_ref::<DeviceArray<f64>>()?.clone()));
            f16().or_else(f32).or_else(f64)
        }

        fn get<T: Float>(&self) -> Option<&DeviceArray<T>> {
            let any: &dyn Any = match self {
                Self::F16(array) => array,
                Self::F32(array) => array,
                Self::F64(array) => array,
            };
            any.downcast_ref()
        }

        pub fn dtype(&self) -> DType {
            match self {
                Self::F16(_) => DType::F16,
                Self::F32(_) => DType::F32,
                Self::F64(_) => DType::F64,
            }
        }

        pub fn is_modified(&self) -> bool {
            match self {
                Self::F16(array) => array.is_modified(),
                Self::F32(array) => array.is_modified(),
                Self::F64(array) => array.is_modified(),
            }
        }
    }

    impl Cache {
        pub fn has_device(&self) -> bool {
            self.device.is_some()
        }

        /// The kept array of this type on this device.
        pub fn device<T: Float>(&self, gpu: &Gpu) -> Option<DeviceArray<T>> {
            let array = self.device.as_ref()?.get::<T>()?;
            array.gpu().is_same_device(gpu).then(|| array.clone())
        }

        /// The device array of this type, when it holds an edit that no host array holds.
        pub fn newer_on_device<T: Float>(&self) -> Option<DeviceArray<T>> {
            let array = self.device.as_ref()?.get::<T>()?;
            let only_here = self.edited == Some(T::DTYPE) && self.host::<T>().is_none();
            (array.is_modified() || only_here).then(|| array.clone())
        }

        /// Keeps a device array, in place of one of another type or on another device.
        pub fn fill_device<T: Float>(&mut self, array: &DeviceArray<T>) {
            self.drop_other_edit(T::DTYPE);
            self.device = OnDevice::wrap(array);
        }

        /// Keeps what was downloaded of an edited device array: both sides now hold the edit.
        pub fn fill_downloaded<T: Float>(&mut self, array: HostArray<T>) {
            self.fill_host(array);
            self.edited = Some(T::DTYPE);
        }
    }
}
