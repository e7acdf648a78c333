//! `get_fdata` and the caches: the table of spec 1.2.

use std::sync::PoisonError;

use ndarray::ArrayViewMutD;

use super::{Caching, DataobjImage};
use crate::array::{Element, HostArray};
use crate::error::{Error, Result};
use crate::float::{ComplexFloat, Float};
use crate::image::dataobj::Dataobj;
use crate::image::statistics::AtHand;

impl DataobjImage {
    /// The scaled values as an array of `T`, the first axis fastest.
    ///
    /// The kept array when there is one of this type; else computed afresh from the file, and kept when
    /// `caching` says so. An array image gives its own array when that is of this type. A kept device array of this
    /// type that was marked as modified is downloaded.
    ///
    /// # Errors
    /// As [`crate::ArrayProxy::read`].
    pub fn get_fdata<T: Float>(&self, caching: Caching) -> Result<HostArray<T>> {
        #[cfg(feature = "gpu")]
        if let Some(newer) = self.download_newer(caching)? {
            return Ok(newer);
        }
        self.cached(caching, Dataobj::read)
    }

    /// The scaled values as complex numbers; the cache is that of [`Self::get_fdata`].
    ///
    /// # Errors
    /// As [`crate::ArrayProxy::read`].
    pub fn get_complex<T: ComplexFloat>(&self, caching: Caching) -> Result<HostArray<T>> {
        self.cached(caching, Dataobj::read_complex)
    }

    /// The kept array of `T` for editing; computed and kept first when there is none.
    ///
    /// The edit belongs to this image and to `T`: [`Self::get_fdata`] of `T` sees it until [`Self::uncache`],
    /// nothing else does. Arrays given out before keep their values.
    ///
    /// # Errors
    /// As [`crate::ArrayProxy::read`], and [`crate::ErrorKind::Usage`] for a zero-copy array loaded with
    /// [`crate::Mmap::ReadOnly`].
    pub fn fdata_mut<T: Float>(&mut self) -> Result<ArrayViewMutD<'_, T>> {
        if matches!(&self.dataobj, Dataobj::Array(array) if array.get::<T>().is_some()) {
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
        !self.dataobj.is_proxy() || self.cache().has_host()
    }

    /// Drops what is kept on the host and on the device, edits included. Arrays given out live on.
    pub fn uncache(&self) {
        self.cache().clear();
    }

    /// The values of `T`, if they are in memory: kept (with their edits) or the image's own; else the file.
    pub(crate) fn values_at_hand<T: Float>(&self) -> Result<AtHand<'_, T>> {
        #[cfg(feature = "gpu")]
        if let Some(newer) = self.download_newer(Caching::Unchanged)? {
            return Ok(AtHand::Values(newer));
        }
        let kept = self.cache().host::<T>();
        Ok(match (kept, &self.dataobj) {
            (Some(kept), Dataobj::Proxy(_)) => AtHand::Values(kept),
            (None, Dataobj::Proxy(proxy)) => AtHand::File(proxy),
            (_, Dataobj::Array(_)) => AtHand::Values(self.get_fdata(Caching::Unchanged)?),
        })
    }

    fn own_array_mut<T: Float>(&mut self) -> Result<ArrayViewMutD<'_, T>> {
        match &mut self.dataobj {
            Dataobj::Array(array) => array.get_mut::<T>(),
            Dataobj::Proxy(_) => None,
        }
        .ok_or_else(|| Error::usage("the image has no array of its own"))?
        .make_mut()
    }

    fn cached<T: Element>(
        &self,
        caching: Caching,
        compute: impl FnOnce(&Dataobj) -> Result<HostArray<T>>,
    ) -> Result<HostArray<T>> {
        // An array image's own type is only kept here when it was edited on a device.
        if let Some(kept) = self.cache().host::<T>() {
            return Ok(kept);
        }
        if let Dataobj::Array(array) = &self.dataobj
            && let Some(own) = array.get::<T>()
        {
            return Ok(own.clone());
        }
        // Not under the lock: reading uses all threads, and one of them may ask this image for something.
        self.cache().budget().miss();
        let computed = compute(&self.dataobj)?;
        if caching == Caching::Unchanged {
            return Ok(computed);
        }
        let mut cache = self.cache();
        // Somebody may have been faster; there is one kept array, so take theirs.
        if let Some(theirs) = cache.host::<T>() {
            return Ok(theirs);
        }
        cache.fill_host(computed.clone());
        Ok(computed)
    }
}
