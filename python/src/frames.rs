//! The frames of a series one after the other, read ahead by a thread of the library.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;
use voxload::{DType, DataobjImage, Element, Float, FrameOptions, HostFrame};

use crate::errors::{of_allocation, raised};
use crate::interrupt::{self, Length};
use crate::memory::Output;
use crate::types::descr;

type Series<T> = Arc<Mutex<voxload::Frames<T>>>;

enum Kind {
    F16(Series<half::f16>),
    F32(Series<f32>),
    F64(Series<f64>),
}

/// An iterator over the frames, each a new array.
#[pyclass(frozen, module = "voxload._core")]
pub struct Frames {
    kind: Kind,
}

impl Frames {
    /// The frames as this type; `None` if it is no float.
    ///
    /// # Errors
    /// Those of the library.
    pub fn new(
        py: Python<'_>,
        image: &DataobjImage,
        dtype: Option<DType>,
    ) -> PyResult<Option<Self>> {
        interrupt::own_threads();
        fn series<T: Float>(py: Python<'_>, image: &DataobjImage) -> PyResult<Series<T>> {
            let made = py.detach(|| image.frames::<T>(FrameOptions::new()));
            Ok(Arc::new(Mutex::new(
                made.map_err(|error| raised(py, error))?,
            )))
        }
        let kind = match dtype {
            Some(DType::F16) => Kind::F16(series(py, image)?),
            Some(DType::F32) => Kind::F32(series(py, image)?),
            Some(DType::F64) => Kind::F64(series(py, image)?),
            _ => return Ok(None),
        };
        Ok(Some(Self { kind }))
    }
}

#[pymethods]
impl Frames {
    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match &self.kind {
            Kind::F16(series) => next(py, series),
            Kind::F32(series) => next(py, series),
            Kind::F64(series) => next(py, series),
        }
    }
}

fn next<'py, T: Float + Element>(
    py: Python<'py>,
    series: &Series<T>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let series = Arc::clone(series);
    let frame: Option<HostFrame<T>> = interrupt::run(py, Length::Long, move || {
        let mut series = series.lock().unwrap_or_else(PoisonError::into_inner);
        series.next().transpose()
    })?;
    match frame {
        Some(frame) => {
            let place = Output::zeros(py, frame.shape(), descr(py, T::DTYPE)?);
            let mut place = place.map_err(|error| of_allocation(py, error))?;
            let values: &[u8] = bytemuck::cast_slice(frame.as_slice());
            if place.bytes().len() == values.len() {
                place.bytes().copy_from_slice(values);
            }
            Ok(Some(place.into_array(py)))
        }
        None => Ok(None),
    }
}
