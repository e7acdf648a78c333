//! The device side of the cache.

use std::any::Any;
use std::sync::atomic::Ordering;

use half::f16;

use super::Cache;
use super::budget::Content;
use crate::array::HostArray;
use crate::device::{DeviceArray, Gpu};
use crate::dtype::DType;
use crate::float::Float;

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

    fn dtype(&self) -> DType {
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

    pub fn size_bytes(&self) -> u64 {
        match self {
            Self::F16(array) => array.size_bytes(),
            Self::F32(array) => array.size_bytes(),
            Self::F64(array) => array.size_bytes(),
        }
    }
}

impl Cache {
    /// Whether a device array is kept.
    pub fn has_device(&self) -> bool {
        self.on_device(|_| Some(())).is_some()
    }

    /// The kept array of this type on this device. Counts a hit.
    pub fn device<T: Float>(&self, gpu: &Gpu) -> Option<DeviceArray<T>> {
        let array = self.on_device(|kept| kept.get::<T>().cloned())?;
        if !array.gpu().is_same_device(gpu) {
            return None;
        }
        if let Some(slot) = &self.device {
            self.budget.hit(slot);
        }
        Some(array)
    }

    /// The kept array of this type on this device, unless there is an edit of this type. Counts a hit.
    pub fn clean_device<T: Float>(&self, gpu: &Gpu) -> Option<DeviceArray<T>> {
        let edited = self.edited.as_ref().map(|(array, _)| array.dtype());
        if edited == Some(T::DTYPE) {
            return None;
        }
        let kept = self.device::<T>(gpu);
        kept.filter(|array| !array.written().load(Ordering::Acquire))
    }

    /// The device array of this type, when it was written to since the host last saw it.
    pub fn newer_on_device<T: Float>(&self) -> Option<DeviceArray<T>> {
        self.on_device(|kept| kept.get::<T>().filter(|array| array.is_modified()).cloned())
    }

    /// Keeps a device array, in place of one of another type or on another device.
    pub fn fill_device<T: Float>(&mut self, array: &DeviceArray<T>) {
        self.drop_other_edit(T::DTYPE);
        // What it replaces makes room for it.
        self.device = None;
        let content = OnDevice::wrap(array).map(Content::Device);
        self.device = content.and_then(|content| self.budget.admit(content));
    }

    /// Keeps what was downloaded of a modified device array: both sides now hold the edit.
    pub fn fill_downloaded<T: Float>(&mut self, array: HostArray<T>) {
        self.hold_edited(array);
    }

    pub(super) fn drop_device_of(&mut self, dtype: DType) {
        if self.on_device(|kept| Some(kept.dtype())) == Some(dtype) {
            self.device = None;
        }
    }

    /// Whether a device array of this type was written to since the host last saw it.
    pub(super) fn device_edit_of(&self, dtype: DType) -> bool {
        let modified = self.on_device(|kept| kept.is_modified().then(|| kept.dtype()));
        modified == Some(dtype)
    }

    /// Drops a modified device array, unless it is of this type.
    pub(super) fn drop_modified_device_but(&mut self, dtype: DType) {
        let modified = self.on_device(|kept| kept.is_modified().then(|| kept.dtype()));
        if modified.is_some_and(|modified| modified != dtype) {
            self.device = None;
        }
    }

    fn on_device<R>(&self, look: impl FnOnce(&OnDevice) -> Option<R>) -> Option<R> {
        match self.device.as_ref()?.content().as_ref()? {
            Content::Device(kept) => look(kept),
            Content::Host(_) | Content::Edited(_) => None,
        }
    }
}
