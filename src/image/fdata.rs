//! `get_fdata` and the caches, as in nibabel.
//!
//! An image keeps one array of values. A kept array of the type asked for is given out itself; else the values are computed
//! anew from the file, never from a kept array of another type. With [`Caching::Fill`] they then replace what was kept, with
//! [`Caching::Unchanged`] nothing changes. An image of an array gives out that array for its own type and keeps at most one
//! converted copy beside it.

use std::sync::PoisonError;

use ndarray::ArrayViewMutD;

use super::{Caching, DataobjImage};
use crate::core::array::{Element, HostArray, StoredArray};
use crate::core::error::{Error, Result};
use crate::core::float::Value;
use crate::read::proxy::ArrayProxy;

/// Where an image's values are to be had.
pub(crate) enum AtHand<T> {
    /// In memory: kept, edited, or the image's own.
    Values(HostArray<T>),
    /// In a file.
    File(ArrayProxy),
}

impl DataobjImage {
    /// The scaled values as an array of `T`, the first axis fastest.
    ///
    /// The kept array when there is one of this type; else computed afresh from the file, and kept when
    /// `caching` says so. An array image gives its own array when that is of this type. A kept device array of this
    /// type that was marked as modified is downloaded.
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
        // Not under the lock: reading uses all threads, and one of them may ask this image for something.
        self.cache().budget().miss();
        Ok(self.keep_host(caching, self.dataobj.read()?))
    }

    /// The kept array of `T` for editing; computed and kept first when there is none.
    ///
    /// The edit belongs to this image and to `T`: [`Self::get_fdata`] of `T` sees it until [`Self::uncache`],
    /// nothing else does. Arrays given out before keep their values.
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

    /// Whether values are in host memory: an array image's own, or a kept array.
    pub fn in_memory(&self) -> bool {
        self.dataobj.as_array().is_some() || self.cache().has_host()
    }

    /// Drops what is kept on the host and on the device, edits included. Arrays given out live on.
    pub fn uncache(&self) {
        self.cache().clear();
    }

    /// The values of `T`, if they are in memory: kept (with their edits) or the image's own; else the file.
    pub(crate) fn values_at_hand<T: Value>(&self) -> Result<AtHand<T>> {
        #[cfg(feature = "gpu")]
        if let Some(newer) = self.download_newer(Caching::Unchanged)? {
            return Ok(AtHand::Values(newer));
        }
        let kept = self.cache().host::<T>();
        Ok(match (kept, self.dataobj.as_array()) {
            (Some(kept), None) => AtHand::Values(kept),
            (None, None) => AtHand::File(self.dataobj.clone()),
            (_, Some(_)) => AtHand::Values(self.get_fdata(Caching::Unchanged)?),
        })
    }

    /// The image's own array, when it is one of `T`.
    fn own_array<T: Element>(&self) -> Option<&HostArray<T>> {
        self.dataobj.as_array()?.get()
    }

    fn own_array_mut<T: Value>(&mut self) -> Result<ArrayViewMutD<'_, T>> {
        let own = self.dataobj.as_array_mut().and_then(StoredArray::get_mut);
        own.ok_or_else(|| Error::usage("the image has no array of its own"))?
            .make_mut()
    }

    /// The array of `T` that is kept, or the image's own.
    pub(super) fn array_in_memory<T: Element>(&self) -> Option<HostArray<T>> {
        // An array image's own type is only kept here when it was edited on a device.
        if let Some(kept) = self.cache().host::<T>() {
            return Some(kept);
        }
        self.own_array().cloned()
    }

    /// Keeps what was computed, when `caching` says so; gives the array that is kept from then on.
    pub(super) fn keep_host<T: Element>(
        &self,
        caching: Caching,
        computed: HostArray<T>,
    ) -> HostArray<T> {
        if caching == Caching::Unchanged {
            return computed;
        }
        let mut cache = self.cache();
        // Another thread may have filled it meanwhile; there is one kept array.
        if let Some(kept) = cache.host::<T>() {
            return kept;
        }
        cache.fill_host(computed.clone());
        computed
    }
}
