//! `get_fdata` and the caches, as in nibabel.
//!
//! An image caches one array of values. If the cached array has the requested type it is returned itself; otherwise the
//! values are computed from the file, never from a cached array of another type. With [`Caching::Fill`] they then
//! replace the cached array, with [`Caching::Unchanged`] the cache does not change. An image of an array returns that
//! array for its own type and caches at most one converted copy.

use std::sync::PoisonError;

use ndarray::ArrayViewMutD;

use super::{Caching, DataobjImage};
use crate::core::array::{Element, HostArray, StoredArray};
use crate::core::error::{Error, Result};
use crate::core::float::Value;
use crate::read::proxy::ArrayProxy;

/// Where an image's values are.
pub(crate) enum ValuesIn<T> {
    /// In memory: cached, edited, or the image's own array.
    Memory(HostArray<T>),
    /// In a file.
    File(ArrayProxy),
}

impl DataobjImage {
    /// The scaled values as an array of `T` (f16, f32, f64, c64 or c128), the first axis fastest.
    ///
    /// Returns the cached array if it is of this type; otherwise computes the values from the file and caches them as
    /// `caching` says. An image of an array returns that array for its own type. A cached device array of this type
    /// that was marked as modified is downloaded.
    ///
    /// # Errors
    /// As [`crate::ArrayProxy::read`].
    pub fn get_fdata<T: Value>(&self, caching: Caching) -> Result<HostArray<T>> {
        #[cfg(feature = "gpu")]
        if let Some(newer) = self.download_newer(caching)? {
            return Ok(newer);
        }
        if let Some(there) = self.array_in_memory() {
            return Ok(there);
        }
        // The lock is not held while reading: reading uses all threads, and one of them may use this image.
        self.cache().budget().miss();
        Ok(self.keep_host(caching, self.dataobj.read()?))
    }

    /// The cached array of `T` for editing; computed and cached first if there is none.
    ///
    /// The edit belongs to this image and to `T`: [`Self::get_fdata`], `get_fdata_gpu` and the statistics of `T` use
    /// it, until [`Self::uncache`] or until an array of another type is cached. Everything else reads the file. Arrays
    /// that were returned before do not change.
    ///
    /// # Errors
    /// As [`crate::ArrayProxy::read`], and [`crate::ErrorKind::Usage`] for a zero-copy array loaded with
    /// [`crate::Mmap::ReadOnly`].
    pub fn fdata_mut<T: Value>(&mut self) -> Result<ArrayViewMutD<'_, T>> {
        if self.own_array::<T>().is_some() {
            let cache = self.cache.get_mut().unwrap_or_else(PoisonError::into_inner);
            if cache.begin_own_edit::<T>() {
                return self.own_array_mut();
            }
        }
        let array = self.get_fdata::<T>(Caching::Fill)?;
        let cache = self.cache.get_mut();
        cache.unwrap_or_else(PoisonError::into_inner).edit(array)
    }

    /// Whether values are in host memory: the image is of an array, or an array is cached.
    pub fn in_memory(&self) -> bool {
        self.dataobj.as_array().is_some() || self.cache().has_host()
    }

    /// Drops the cached arrays on the host and on the device, including edits. Arrays that were returned stay valid.
    pub fn uncache(&self) {
        self.cache().clear();
    }

    /// The values of `T` in memory: the cached array (with its edits) or the image's own array; otherwise the file.
    pub(crate) fn find_values<T: Value>(&self) -> Result<ValuesIn<T>> {
        #[cfg(feature = "gpu")]
        if let Some(newer) = self.download_newer(Caching::Unchanged)? {
            return Ok(ValuesIn::Memory(newer));
        }
        let kept = self.cache().host::<T>();
        Ok(match (kept, self.dataobj.as_array()) {
            (Some(kept), None) => ValuesIn::Memory(kept),
            (None, None) => ValuesIn::File(self.dataobj.clone()),
            (_, Some(_)) => ValuesIn::Memory(self.get_fdata(Caching::Unchanged)?),
        })
    }

    /// The image's own array, if it is of type `T`.
    fn own_array<T: Element>(&self) -> Option<&HostArray<T>> {
        self.dataobj.as_array()?.get()
    }

    fn own_array_mut<T: Value>(&mut self) -> Result<ArrayViewMutD<'_, T>> {
        let own = self.dataobj.as_array_mut().and_then(StoredArray::get_mut);
        own.ok_or_else(|| Error::usage("the image has no array of its own"))?
            .make_mut()
    }

    /// The cached array of `T`, or the image's own.
    pub(super) fn array_in_memory<T: Element>(&self) -> Option<HostArray<T>> {
        // An array image's own type is cached only if it was edited on a device.
        if let Some(kept) = self.cache().host::<T>() {
            return Some(kept);
        }
        self.own_array().cloned()
    }

    /// Caches a computed array if `caching` says so, and returns the cached array.
    pub(super) fn keep_host<T: Element>(
        &self,
        caching: Caching,
        computed: HostArray<T>,
    ) -> HostArray<T> {
        if caching == Caching::Unchanged {
            return computed;
        }
        let mut cache = self.cache();
        // If another thread has cached an array meanwhile, all callers share that one.
        if let Some(kept) = cache.host::<T>() {
            return kept;
        }
        cache.fill_host(computed.clone());
        computed
    }
}
