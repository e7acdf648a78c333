//! Memory for arrays: a vector for small ones, pages from the system for large ones.

use std::marker::PhantomData;
use std::ops::Range;

use bytemuck::Pod;
use bytemuck::allocation::try_zeroed_vec;
use memmap2::{Mmap, MmapMut};

use crate::core::error::{Error, ErrorKind, Result};
#[cfg(not(target_family = "wasm"))]
use crate::core::{scope, threads};

/// Arrays of this size or more get pages from the system, on Linux huge pages if possible. With 4 KiB pages, the page
/// faults of fresh memory take as long as the conversion itself; with 2 MiB pages they take far less.
#[cfg(not(target_family = "wasm"))]
const LARGE_BYTES: usize = 4 << 20;

/// The elements of an array.
pub(crate) enum Buffer<T> {
    Vec(Vec<T>),
    /// Anonymous memory, which the system hands out zeroed.
    #[cfg(not(target_family = "wasm"))]
    Pages {
        pages: Anonymous,
        len: usize,
        element: PhantomData<T>,
    },
    /// A part of a mapped file (zero copy).
    File(Mapping, PhantomData<T>),
}

impl<T: Pod> Buffer<T> {
    pub(crate) fn from_vec(elements: Vec<T>) -> Self {
        Self::Vec(elements)
    }

    /// A part of a mapped file; `None` if it is not aligned for `T`.
    pub(crate) fn from_mapping(mapping: Mapping) -> Option<Self> {
        mapping
            .fits::<T>()
            .then_some(Self::File(mapping, PhantomData))
    }

    /// `len` elements, all bytes zero.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfMemory`].
    pub(crate) fn zeroed(len: usize) -> Result<Self> {
        let out_of_memory = || -> Error {
            let needed = (len as u64).saturating_mul(size_of::<T>() as u64);
            ErrorKind::OutOfMemory { needed }.into()
        };
        // Browsers have no anonymous mappings.
        #[cfg(not(target_family = "wasm"))]
        if let Some(bytes) = len.checked_mul(size_of::<T>())
            && bytes >= LARGE_BYTES
        {
            let pages = MmapMut::map_anon(bytes).map_err(|_| out_of_memory())?;
            // A hint: if it is refused, everything works, only slower.
            #[cfg(target_os = "linux")]
            let _ = pages.advise(memmap2::Advice::HugePage);
            return Ok(Self::Pages {
                pages: Anonymous(Some(pages)),
                len,
                element: PhantomData,
            });
        }
        let elements = try_zeroed_vec(len).map_err(|()| out_of_memory())?;
        Ok(Self::Vec(elements))
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        match self {
            Self::Vec(elements) => elements,
            // A mapping begins at a page, so it is aligned for every element type.
            #[cfg(not(target_family = "wasm"))]
            Self::Pages { pages, len, .. } => &bytemuck::cast_slice(pages.bytes())[..*len],
            Self::File(mapping, _) => mapping.elements(),
        }
    }

    /// # Errors
    /// [`ErrorKind::Usage`] for a file that is mapped read-only.
    pub(crate) fn as_mut_slice(&mut self) -> Result<&mut [T]> {
        match self {
            Self::Vec(elements) => Ok(elements),
            #[cfg(not(target_family = "wasm"))]
            Self::Pages { pages, len, .. } => {
                Ok(&mut bytemuck::cast_slice_mut(pages.bytes_mut())[..*len])
            }
            Self::File(mapping, _) => mapping.elements_mut(),
        }
    }

    pub(crate) fn into_vec(self) -> Vec<T> {
        match self {
            Self::Vec(elements) => elements,
            other => other.as_slice().to_vec(),
        }
    }
}

/// An anonymous mapping. It is `None` only while it is dropped.
#[cfg(not(target_family = "wasm"))]
pub(crate) struct Anonymous(Option<MmapMut>);

#[cfg(not(target_family = "wasm"))]
impl Anonymous {
    fn bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.0.as_deref_mut().unwrap_or_default()
    }
}

#[cfg(not(target_family = "wasm"))]
impl Drop for Anonymous {
    fn drop(&mut self) {
        // Freeing much memory is slow, and a cancelled read should end soon, so another thread does it.
        if let Some(pages) = self.0.take().filter(|_| scope::is_cancelled()) {
            threads::drop_on_a_thread(pages);
        }
    }
}

/// A part of a mapped file, used as an array.
pub(crate) struct Mapping {
    pages: Pages,
    bytes: Range<usize>,
}

/// A mapped file: copy-on-write (`Private`), or read-only.
pub(crate) enum Pages {
    Private(MmapMut),
    ReadOnly(Mmap),
}

impl Mapping {
    /// The part `bytes` of a mapped file. The user promised that the file does not change, by calling the unsafe
    /// `LoadOptions::zero_copy`.
    pub(crate) fn new(pages: Pages, bytes: Range<usize>) -> Self {
        Self { pages, bytes }
    }

    fn bytes(&self) -> &[u8] {
        let all: &[u8] = match &self.pages {
            Pages::Private(map) => map,
            Pages::ReadOnly(map) => map,
        };
        all.get(self.bytes.clone()).unwrap_or_default()
    }

    /// Whether the part is aligned for `T` and is a whole number of elements.
    pub(crate) fn fits<T: Pod>(&self) -> bool {
        bytemuck::try_cast_slice::<u8, T>(self.bytes()).is_ok()
    }

    /// The part as elements; empty if it is not aligned for them ([`Self::fits`]).
    pub(crate) fn elements<T: Pod>(&self) -> &[T] {
        bytemuck::try_cast_slice(self.bytes()).unwrap_or_default()
    }

    /// The part as mutable elements; empty if they do not fit ([`Self::fits`]).
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] for a read-only mapping.
    pub(crate) fn elements_mut<T: Pod>(&mut self) -> Result<&mut [T]> {
        match &mut self.pages {
            Pages::Private(map) => {
                let part = map.get_mut(self.bytes.clone()).unwrap_or_default();
                Ok(bytemuck::try_cast_slice_mut(part).unwrap_or_default())
            }
            Pages::ReadOnly(_) => Err(Error::usage(
                "the array is a file that is mapped read-only: load it with Mmap::CopyOnWrite to edit it",
            )),
        }
    }
}
