//! What an image keeps of computed values, and where the newest is.
//!
//! One array on the host and one on a device. An edit belongs to the type it was made in: both sides of that type
//! show it, filling the cache with another type drops it, everything else reads the file.

pub(crate) mod budget;
#[cfg(feature = "gpu")]
mod device;

use std::sync::Arc;

use ndarray::ArrayViewMutD;

use crate::core::array::{Element, HostArray, StoredArray};
use crate::core::dtype::DType;
use crate::core::error::{Error, Result};
use budget::{Budget, Content, Slot};

/// The computed values that an image keeps.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    budget: Budget,
    /// A host array as the file has it; the budget may empty the slot.
    host: Option<Arc<Slot>>,
    /// A host array that was edited, and its place in the budget. There is no clean one beside it.
    edited: Option<(StoredArray, Option<Arc<Slot>>)>,
    /// A device array; as new as the edited one on the host where that is of its type, or newer when modified.
    #[cfg(feature = "gpu")]
    device: Option<Arc<Slot>>,
}

impl Cache {
    /// An empty cache under a budget.
    pub fn new(budget: &Budget) -> Self {
        Self {
            budget: budget.clone(),
            ..Self::default()
        }
    }

    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The kept host array of this type. Counts a hit.
    pub fn host<T: Element>(&self) -> Option<HostArray<T>> {
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

    /// The kept host array of this type, unless it was edited. Counts a hit.
    pub fn clean_host<T: Element>(&self) -> Option<HostArray<T>> {
        // There is no clean one beside an edited one.
        match self.edited {
            Some(_) => None,
            None => self.host(),
        }
    }

    /// Whether any host array is kept.
    pub fn has_host(&self) -> bool {
        let kept = |slot: &Arc<Slot>| slot.content().is_some();
        self.edited.is_some() || self.host.as_ref().is_some_and(kept)
    }

    /// Keeps a host array, in place of one of another type.
    pub fn fill_host<T: Element>(&mut self, array: HostArray<T>) {
        self.drop_other_edit(T::DTYPE);
        // What it replaces makes room for it.
        self.host = None;
        self.edited = None;
        self.host = self.budget.admit(Content::Host(array.into()));
    }

    /// Takes a host array to be the newest of its type, edited from now on.
    ///
    /// # Errors
    /// As [`HostArray::make_mut`].
    pub fn edit<T: Element>(&mut self, array: HostArray<T>) -> Result<ArrayViewMutD<'_, T>> {
        self.hold_edited(array);
        #[cfg(feature = "gpu")]
        self.drop_device_of(T::DTYPE);
        self.edited
            .as_mut()
            .and_then(|(array, _)| array.get_mut::<T>())
            .ok_or_else(|| Error::usage("no array of this type is kept"))?
            .make_mut()
    }

    /// Whether an array image's own array of this type is the newest, and so the one to edit: there is no kept copy
    /// with an edit made on a device. A device copy without one is dropped, for it is about to be old.
    pub fn begin_own_edit<T: Element>(&mut self) -> bool {
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

    /// Lets everything go.
    pub fn clear(&mut self) {
        *self = Self::new(&self.budget);
    }

    fn hold_edited<T: Element>(&mut self, array: HostArray<T>) {
        // The handles of the cache must not make the array look shared: editing would copy it.
        self.host = None;
        self.edited = None;
        let slot = self
            .budget
            .admit(Content::Edited(array.size_bytes() as u64));
        self.edited = Some((array.into(), slot));
    }

    /// Drops the copies that hold an edit made in another type.
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
