//! The memory of numpy's arrays, into which values are read. The one file with unsafe code here.
#![allow(
    unsafe_code,
    reason = "numpy's arrays are memory of C, and the interpreter is released while it is filled"
)]

use std::ffi::c_int;

use numpy::npyffi::{NPY_ARRAY_WRITEABLE, npy_intp};
use numpy::{PY_ARRAY_API, PyArrayDescr, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;

/// An array of numpy's in Fortran order, whose memory may be written to.
#[derive(Debug)]
pub(crate) struct Output {
    /// Keeps the memory alive, also when an interrupted read is left behind.
    array: Py<PyAny>,
    pointer: *mut u8,
    bytes: usize,
}

// SAFETY: the pointer is to memory that `array` owns, which may be written to from any thread.
unsafe impl Send for Output {}

impl Output {
    /// A new array of zeros. Large ones cost nothing before they are written to.
    ///
    /// # Errors
    /// numpy's, when there is no memory or there are too many axes.
    pub(crate) fn zeros(
        py: Python<'_>,
        shape: &[usize],
        descr: Bound<'_, PyArrayDescr>,
    ) -> PyResult<Self> {
        let too_many = |_| pyo3::exceptions::PyValueError::new_err("too many axes for numpy");
        let mut dims: Vec<npy_intp> = shape
            .iter()
            .map(|&n| npy_intp::try_from(n))
            .collect::<Result<_, _>>()
            .map_err(too_many)?;
        let count = c_int::try_from(dims.len()).map_err(too_many)?;
        // SAFETY: `dims` has `count` entries; numpy takes over the reference to the type; a null is an exception that is set.
        let array = unsafe {
            let made = PY_ARRAY_API.PyArray_Zeros(
                py,
                count,
                dims.as_mut_ptr(),
                descr.into_ptr().cast(),
                1,
            );
            Bound::from_owned_ptr_or_err(py, made)?
        };
        let array = array.cast_into::<PyUntypedArray>()?;
        Ok(Self::over(&array))
    }

    /// The caller's array, unless values cannot be put into it directly: it has another order, or is not to be written to.
    pub(crate) fn of(array: &Bound<'_, PyUntypedArray>) -> Option<Self> {
        // SAFETY: the array is alive.
        let flags = unsafe { (*array.as_array_ptr()).fields.flags };
        let writeable = flags & NPY_ARRAY_WRITEABLE != 0;
        (array.is_fortran_contiguous() && array.is_aligned() && writeable)
            .then(|| Self::over(array))
    }

    fn over(array: &Bound<'_, PyUntypedArray>) -> Self {
        // SAFETY: the array is alive.
        let pointer = unsafe { (*array.as_array_ptr()).fields.data };
        Self {
            pointer: pointer.cast(),
            bytes: array.len() * array.dtype_bytes(),
            array: array.clone().into_any().unbind(),
        }
    }

    /// The bytes of the elements, the first axis fastest.
    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        if self.bytes == 0 {
            return &mut [];
        }
        // SAFETY: numpy's memory of so many bytes, which `array` keeps alive, initialised and contiguous. A new array is known
        // to nobody else. Of the caller's array, `out=` says that the caller does nothing else with it meanwhile, as for
        // numpy's own functions.
        unsafe { std::slice::from_raw_parts_mut(self.pointer, self.bytes) }
    }

    /// The array.
    pub(crate) fn into_array(self, py: Python<'_>) -> Bound<'_, PyAny> {
        self.array.into_bound(py)
    }
}

/// Bytes of an element.
trait ElementBytes {
    fn dtype_bytes(&self) -> usize;
}

impl ElementBytes for Bound<'_, PyUntypedArray> {
    fn dtype_bytes(&self) -> usize {
        use numpy::PyArrayDescrMethods;
        self.dtype().itemsize()
    }
}
