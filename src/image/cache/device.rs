//! The device side of the cache.

use std::sync::atomic::Ordering;

use super::Cache;
use super::budget::Content;
use crate::core::array::HostArray;
use crate::core::dtype::DType;
use crate::core::float::Value;
use crate::device::array::UntypedArray;
use crate::device::{DeviceArray, Gpu};

impl Cache {
    /// Whether a device array is cached.
    pub(crate) fn has_device(&self) -> bool {
        self.on_device(|_| Some(())).is_some()
    }

    /// The cached array of this type on this device. Counts a hit.
    pub(crate) fn device<T: Value>(&self, gpu: &Gpu) -> Option<DeviceArray<T>> {
        let array = self.on_device(|kept| kept.typed::<T>())?;
        if !array.gpu().is_same_device(gpu) {
            return None;
        }
        if let Some(slot) = &self.device {
            self.budget.hit(slot);
        }
        Some(array)
    }

    /// The cached array of this type on this device, unless there is an edit of this type. Counts a hit.
    pub(crate) fn clean_device<T: Value>(&self, gpu: &Gpu) -> Option<DeviceArray<T>> {
        let edited = self.edited.as_ref().map(|(array, _)| array.dtype());
        if edited == Some(T::DTYPE) {
            return None;
        }
        let kept = self.device::<T>(gpu);
        kept.filter(|array| !array.written().load(Ordering::Acquire))
    }

    /// The cached device array of this type, if it was modified after its last download.
    pub(crate) fn newer_on_device<T: Value>(&self) -> Option<DeviceArray<T>> {
        self.on_device(|kept| kept.typed::<T>().filter(DeviceArray::is_modified))
    }

    /// Caches a device array in place of the previous one.
    pub(crate) fn fill_device<T: Value>(&mut self, array: &DeviceArray<T>) {
        self.drop_other_edit(T::DTYPE);
        // Drop the previous array first, so that the budget has room for the new one.
        self.device = None;
        self.device = self.budget.admit(Content::Device(array.untyped()));
    }

    /// Caches the download of a modified device array. Host and device now both have the edit.
    pub(crate) fn fill_downloaded<T: Value>(&mut self, array: HostArray<T>) {
        self.hold_edited(array);
    }

    pub(super) fn drop_device_of(&mut self, dtype: DType) {
        if self.on_device(|kept| Some(kept.dtype())) == Some(dtype) {
            self.device = None;
        }
    }

    /// Whether there is a device array of this type that was modified after its last download.
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

    fn on_device<R>(&self, look: impl FnOnce(&UntypedArray) -> Option<R>) -> Option<R> {
        match self.device.as_ref()?.content().as_ref()? {
            Content::Device(kept) => look(kept),
            Content::Host(_) | Content::Edited(_) => None,
        }
    }
}
