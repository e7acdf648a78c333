//! The cache of an image: at most one array of computed values on the host, and one on a device.
//!
//! An edit belongs to the type in which it was made. Reads of this type return it, on the host and on the device. Reads
//! of other types use the file, and caching an array of another type drops the edit.

pub(crate) mod budget;
#[cfg(feature = "gpu")]
mod device;

use std::sync::Arc;

use ndarray::ArrayViewMutD;

use crate::core::array::{Element, HostArray, StoredArray};
use crate::core::dtype::DType;
use crate::core::error::{Error, Result};
use budget::{Budget, Content, Slot};

/// The cached values of an image.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    budget: Budget,
    /// An unedited host array. The budget may empty the slot.
    host: Option<Arc<Slot>>,
    /// An edited host array, and its slot in the budget. While it is set, `host` is `None`.
    edited: Option<(StoredArray, Option<Arc<Slot>>)>,
    /// A device array. If its type is that of the edited host array, it contains the same edits; if it is marked as
    /// modified, it is newer.
    #[cfg(feature = "gpu")]
    device: Option<Arc<Slot>>,
}

impl Cache {
    /// An empty cache that counts towards this budget.
    pub(crate) fn new(budget: &Budget) -> Self {
        Self {
            budget: budget.clone(),
            ..Self::default()
        }
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The cached host array of this type, edited or not. Counts a hit.
    pub(crate) fn host<T: Element>(&self) -> Option<HostArray<T>> {
        if let Some((edited, slot)) = &self.edited {
            let array = edited.get::<T>()?.clone();
            if let Some(slot) = slot {
                self.budget.hit(slot);
            }
            return Some(array);
        }
        let slot = self.host.as_ref()?;
        let array = match slot.content().as_ref() {
            Some(Content::Host(array)) => array.get::<T>()?.clone(),
            _ => return None,
        };
        self.budget.hit(slot);
        Some(array)
    }

    /// The cached host array of this type, unless it was edited. Counts a hit.
    pub(crate) fn clean_host<T: Element>(&self) -> Option<HostArray<T>> {
        // While there is an edited array, `host` is empty.
        match self.edited {
            Some(_) => None,
            None => self.host(),
        }
    }

    /// Whether any host array is cached.
    pub(crate) fn has_host(&self) -> bool {
        let kept = |slot: &Arc<Slot>| slot.content().is_some();
        self.edited.is_some() || self.host.as_ref().is_some_and(kept)
    }

    /// Caches a host array in place of the previous one.
    pub(crate) fn fill_host<T: Element>(&mut self, array: HostArray<T>) {
        self.drop_other_edit(T::DTYPE);
        // Drop the previous array first, so that the budget has room for the new one.
        self.host = None;
        self.edited = None;
        self.host = self.budget.admit(Content::Host(array.into()));
    }

    /// Marks a host array as edited, and thus as the newest of its type. Returns a view for editing.
    ///
    /// # Errors
    /// As [`HostArray::make_mut`].
    pub(crate) fn edit<T: Element>(&mut self, array: HostArray<T>) -> Result<ArrayViewMutD<'_, T>> {
        self.hold_edited(array);
        #[cfg(feature = "gpu")]
        self.drop_device_of(T::DTYPE);
        self.edited
            .as_mut()
            .and_then(|(array, _)| array.get_mut::<T>())
            .ok_or_else(|| Error::usage("no array of this type is kept"))?
            .make_mut()
    }

    /// For an image of an array: whether the array itself is the newest of this type, so that it can be edited in
    /// place. It is not if a cached copy was edited on a device. Drops an unedited device copy, which the edit would
    /// make outdated.
    pub(crate) fn begin_own_edit<T: Element>(&mut self) -> bool {
        #[cfg(feature = "gpu")]
        if self.device_edit_of(T::DTYPE) {
            return false;
        }
        if self.host::<T>().is_some() {
            return false;
        }
        #[cfg(feature = "gpu")]
        self.drop_device_of(T::DTYPE);
        true
    }

    /// Drops all cached arrays.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(&self.budget);
    }

    fn hold_edited<T: Element>(&mut self, array: HostArray<T>) {
        // Drop the cache's references to the array first: editing a shared array would copy it.
        self.host = None;
        self.edited = None;
        let slot = self
            .budget
            .admit(Content::Edited(array.size_bytes() as u64));
        self.edited = Some((array.into(), slot));
    }

    /// Drops the arrays with an edit that was made in another type.
    fn drop_other_edit(&mut self, dtype: DType) {
        let edited = self.edited.as_ref().map(|(array, _)| array.dtype());
        let other = edited.filter(|&edited| edited != dtype);
        if let Some(other) = other {
            self.edited = None;
            #[cfg(feature = "gpu")]
            self.drop_device_of(other);
            #[cfg(not(feature = "gpu"))]
            let _ = other;
        }
        #[cfg(feature = "gpu")]
        self.drop_modified_device_but(dtype);
    }
}
