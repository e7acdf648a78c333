//! Memory for arrays: a vector when small, pages straight from the system when large.

use std::marker::PhantomData;

use bytemuck::Pod;
use memmap2::MmapMut;

use crate::error::{Error, ErrorKind, Result};
use crate::source::mmap::Mapping;

/// From this size on, memory comes from the system in huge pages: fresh pages cost as much as the conversion,
/// and 2 MiB pages cost far less than 4 KiB ones (design.md section 5).
const LARGE_BYTES: usize = 4 << 20;

/// The elements of an array.
pub(crate) enum Buffer<T> {
    Vec(Vec<T>),
    /// Anonymous memory; the system gives it zeroed.
    Pages {
        pages: MmapMut,
        len: usize,
        element: PhantomData<T>,
    },
    /// A part of a mapped file itself (zero copy).
    File(Mapping, PhantomData<T>),
}

impl<T: Pod> Buffer<T> {
    pub fn from_vec(elements: Vec<T>) -> Self {
        Self::Vec(elements)
    }

    /// A part of a mapped file, when it is aligned for `T`.
    pub fn from_mapping(mapping: Mapping) -> Option<Self> {
        mapping
            .fits::<T>()
            .then_some(Self::File(mapping, PhantomData))
    }

    /// `len` elements of zero bytes.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfMemory`] when the system does not give the memory.
    pub fn zeroed(len: usize) -> Result<Self> {
        let bytes = len.checked_mul(size_of::<T>());
        let out_of_memory = || -> Error {
            let needed = len as u64 * size_of::<T>() as u64;
            ErrorKind::OutOfMemory { needed }.into()
        };
        let bytes = bytes.ok_or_else(out_of_memory)?;
        if bytes < LARGE_BYTES {
            let mut elements = Vec::new();
            elements
                .try_reserve_exact(len)
                .map_err(|_| out_of_memory())?;
            elements.resize(len, T::zeroed());
            return Ok(Self::Vec(elements));
        }
        let pages = MmapMut::map_anon(bytes).map_err(|_| out_of_memory())?;
        // Only advice: without huge pages everything works, slower.
        #[cfg(target_os = "linux")]
        let _ = pages.advise(memmap2::Advice::HugePage);
        Ok(Self::Pages {
            pages,
            len,
            element: PhantomData,
        })
    }

    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::Vec(elements) => elements,
            // Pages begin at a page, so every element type is aligned.
            Self::Pages { pages, len, .. } => &bytemuck::cast_slice(pages)[..*len],
            Self::File(mapping, _) => mapping.elements(),
        }
    }

    /// # Errors
    /// [`ErrorKind::Usage`] for a file mapped for reading only.
    pub fn as_mut_slice(&mut self) -> Result<&mut [T]> {
        match self {
            Self::Vec(elements) => Ok(elements),
            Self::Pages { pages, len, .. } => Ok(&mut bytemuck::cast_slice_mut(pages)[..*len]),
            Self::File(mapping, _) => mapping.elements_mut(),
        }
    }

    pub fn into_vec(self) -> Vec<T> {
        match self {
            Self::Vec(elements) => elements,
            other => other.as_slice().to_vec(),
        }
    }
}
