//! Indices of Python as those of the library.

use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyEllipsis, PySlice, PyTuple};
use voxload::Index;

/// An index of Python.
pub(crate) enum Parsed {
    /// One of numpy's basic indexing.
    Basic {
        index: Index,
        /// Whether numpy gives a scalar when all axes are taken away.
        only_positions: bool,
    },
    /// Anything else: lists, arrays, booleans.
    Other,
}

/// What an index of Python is.
///
/// # Errors
/// Slices whose parts are no integers, as in numpy.
pub(crate) fn parse(item: &Bound<'_, PyAny>) -> PyResult<Parsed> {
    let mut index = Index::new();
    let mut only_positions = true;
    if let Ok(tuple) = item.cast::<PyTuple>() {
        only_positions &= !tuple.is_empty();
        for item in tuple.iter_borrowed() {
            match add(index, &item, &mut only_positions)? {
                Some(more) => index = more,
                None => return Ok(Parsed::Other),
            }
        }
    } else {
        match add(index, item, &mut only_positions)? {
            Some(more) => index = more,
            None => return Ok(Parsed::Other),
        }
    }
    Ok(Parsed::Basic {
        index,
        only_positions,
    })
}

fn add(
    index: Index,
    item: &Bound<'_, PyAny>,
    only_positions: &mut bool,
) -> PyResult<Option<Index>> {
    if item.is_none() {
        *only_positions = false;
        return Ok(Some(index.new_axis()));
    }
    if item.is_instance_of::<PyEllipsis>() {
        *only_positions = false;
        return Ok(Some(index.ellipsis()));
    }
    if let Ok(slice) = item.cast::<PySlice>() {
        *only_positions = false;
        let part = |name| bound(&slice.getattr(name)?);
        return Ok(Some(index.slice(
            part("start")?,
            part("stop")?,
            part("step")?,
        )));
    }
    if item.is_instance_of::<PyBool>() {
        return Ok(None);
    }
    match as_integer(item)? {
        Some(position) => Ok(Some(index.at(position))),
        None => Ok(None),
    }
}

/// A part of a slice.
fn bound(value: &Bound<'_, PyAny>) -> PyResult<Option<i64>> {
    if value.is_none() {
        return Ok(None);
    }
    match as_integer(value)? {
        Some(number) => Ok(Some(number)),
        None => Err(PyTypeError::new_err(
            "slice indices must be integers or None or have an __index__ method",
        )),
    }
}

/// An integer of Python or of numpy; `None` for anything else. What is too large for 64 bits is beyond any axis.
fn as_integer(value: &Bound<'_, PyAny>) -> PyResult<Option<i64>> {
    let py = value.py();
    match value.extract::<i64>() {
        Ok(number) => Ok(Some(number)),
        Err(error) if error.is_instance_of::<PyOverflowError>(py) => {
            Ok(Some(match value.lt(0)? {
                true => i64::MIN,
                false => i64::MAX,
            }))
        }
        Err(error) if error.is_instance_of::<PyTypeError>(py) => Ok(None),
        Err(error) => Err(error),
    }
}
