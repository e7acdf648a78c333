//! Headers and affines as plain Python values.

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use voxload::format::FieldValue;
use voxload::{Affine, DataobjImage, Layout};

use crate::types::stored_descr;

/// A header as a dict: the properties that all formats have, and the format's own fields under `fields`.
///
/// # Errors
/// Python's errors, such as `MemoryError`.
pub(crate) fn header<'py>(py: Python<'py>, image: &DataobjImage) -> PyResult<Bound<'py, PyDict>> {
    let header = image.header();
    let made = PyDict::new(py);
    made.set_item("format", header.format.name())?;
    made.set_item("shape", header.shape.as_slice())?;
    let axes: Vec<_> = header.axes.iter().map(|kind| kind.name()).collect();
    made.set_item("axes", axes)?;
    let dtype = stored_descr(py, header.dtype, header.byte_order)?;
    made.set_item("dtype", dtype)?;
    let order = match header.layout {
        Layout::FirstFastest => "F",
        Layout::LastFastest => "C",
    };
    made.set_item("order", order)?;
    made.set_item("offset", header.data_offset)?;
    made.set_item("slope", header.scaling.slope())?;
    made.set_item("inter", header.scaling.inter())?;
    made.set_item("zooms", header.zooms.as_slice())?;
    made.set_item("space_unit", header.space_unit.symbol())?;
    made.set_item("time_unit", header.time_unit.symbol())?;
    let fields = PyDict::new(py);
    for (name, value) in header.fields.values() {
        fields.set_item(name, field(py, value)?)?;
    }
    made.set_item("fields", fields)?;
    Ok(made)
}

fn field(py: Python<'_>, value: FieldValue) -> PyResult<Bound<'_, PyAny>> {
    match value {
        FieldValue::Text(text) => text.into_bound_py_any(py),
        FieldValue::Integer(number) => number.into_bound_py_any(py),
        FieldValue::Real(number) => number.into_bound_py_any(py),
        FieldValue::Integers(numbers) => numbers.into_bound_py_any(py),
        FieldValue::Reals(numbers) => numbers.into_bound_py_any(py),
        _ => py.None().into_bound_py_any(py),
    }
}

/// The rows of an affine.
pub(crate) fn rows(affine: &Affine) -> Vec<Vec<f64>> {
    affine.iter().map(|row| row.to_vec()).collect()
}
