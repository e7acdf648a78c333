//! Voxel types as numpy's.

use numpy::{PyArrayDescr, PyArrayDescrMethods};
use pyo3::prelude::*;
use pyo3::types::PyList;
use voxload::{ByteOrder, DType};

/// numpy's type of the same numbers, in native byte order.
pub(crate) fn descr(py: Python<'_>, dtype: DType) -> PyResult<Bound<'_, PyArrayDescr>> {
    Ok(match dtype {
        DType::U8 => numpy::dtype::<u8>(py),
        DType::I8 => numpy::dtype::<i8>(py),
        DType::U16 => numpy::dtype::<u16>(py),
        DType::I16 => numpy::dtype::<i16>(py),
        DType::U32 => numpy::dtype::<u32>(py),
        DType::I32 => numpy::dtype::<i32>(py),
        DType::U64 => numpy::dtype::<u64>(py),
        DType::I64 => numpy::dtype::<i64>(py),
        DType::F16 => numpy::dtype::<half::f16>(py),
        DType::F32 => numpy::dtype::<f32>(py),
        DType::F64 => numpy::dtype::<f64>(py),
        DType::C64 => numpy::dtype::<voxload::c64>(py),
        DType::C128 => numpy::dtype::<voxload::c128>(py),
        DType::Rgb24 => colours(py, &["R", "G", "B"])?,
        DType::Rgba32 => colours(py, &["R", "G", "B", "A"])?,
    })
}

/// numpy's type of the same numbers in this byte order.
pub(crate) fn stored_descr(
    py: Python<'_>,
    dtype: DType,
    order: ByteOrder,
) -> PyResult<Bound<'_, PyArrayDescr>> {
    let native = descr(py, dtype)?;
    if order == ByteOrder::NATIVE || dtype.part_bytes() == 1 {
        return Ok(native);
    }
    let swapped = native.call_method1("newbyteorder", ("S",))?;
    Ok(swapped.cast_into::<PyArrayDescr>()?)
}

/// The type and byte order of one of numpy's types, if voxels can be of it.
pub(crate) fn stored_type(
    py: Python<'_>,
    wanted: &Bound<'_, PyArrayDescr>,
) -> PyResult<Option<(DType, ByteOrder)>> {
    let order = match wanted.byteorder() {
        b'>' => ByteOrder::Big,
        b'<' => ByteOrder::Little,
        _ => ByteOrder::NATIVE,
    };
    for dtype in DType::ALL {
        if stored_descr(py, dtype, order)?.is_equiv_to(wanted) {
            return Ok(Some((dtype, order)));
        }
    }
    Ok(None)
}

/// The type of values that one of numpy's types is, in native byte order.
pub(crate) fn value_type(py: Python<'_>, wanted: &Bound<'_, PyArrayDescr>) -> Option<DType> {
    let values = [DType::F32, DType::F64, DType::F16, DType::C64, DType::C128];
    let same = |dtype: &DType| descr(py, *dtype).is_ok_and(|descr| descr.is_equiv_to(wanted));
    values.into_iter().find(same)
}

/// nibabel's type of a colour: a record of one byte for each channel.
fn colours<'py>(py: Python<'py>, names: &[&str]) -> PyResult<Bound<'py, PyArrayDescr>> {
    let fields = PyList::new(py, names.iter().map(|name| (*name, "u1")))?;
    PyArrayDescr::new(py, fields)
}
