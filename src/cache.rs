//! What an image keeps of computed values, and where the newest is.

use ndarray::ArrayViewMutD;

use crate::array::{Element, HostArray, StoredArray};
use crate::dtype::DType;
use crate::error::{Error, Result};

/// The computed values that an image keeps: one array on the host (and one on a device).
#[derive(Debug, Default)]
pub(crate) struct Cache {
    host: Option<StoredArray>,
    /// The type whose values were edited and differ from the file's.
    edited: Option<DType>,
}

impl Cache {
    /// The kept array of this type.
    pub fn host<T: Element>(&self) -> Option<HostArray<T>> {
        self.host.as_ref()?.get::<T>().cloned()
    }

    pub fn has_host(&self) -> bool {
        self.host.is_some()
    }

    /// Keeps an array, in place of one of another type (whose edits are gone with it).
    pub fn fill_host<T: Element>(&mut self, array: HostArray<T>) {
        if self.edited.is_some_and(|edited| edited != T::DTYPE) {
            self.edited = None;
        }
        self.host = Some(array.into());
    }

    /// The kept array of this type, for editing.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] when there is none.
    pub fn edit_host<T: Element>(&mut self) -> Result<ArrayViewMutD<'_, T>> {
        self.edited = Some(T::DTYPE);
        self.host
            .as_mut()
            .and_then(StoredArray::get_mut::<T>)
            .ok_or_else(|| Error::usage("no array of this type is kept"))?
            .make_mut()
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }
}
