//! Voxels that are read on demand into numpy's arrays.

use std::path::PathBuf;
use std::sync::Arc;

use numpy::{PyArrayDescr, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use voxload::scaling::Arithmetic;
use voxload::{Access, ArrayProxy, DType, Index, Layout, ProxySpec, Scaling};

use crate::errors::{self, raised};
use crate::files::PyFile;
use crate::index::{Parsed, parse};
use crate::interrupt::{self, Length};
use crate::memory::Output;
use crate::options::load_options;
use crate::types::{descr, stored_descr, stored_type, value_type};

/// Bytes that are read and converted so fast that nobody can want to interrupt it.
const SHORT_BYTES: u64 = 16 << 20;

/// What is asked of voxels.
#[derive(Debug, Clone, Copy)]
enum Want {
    /// The stored numbers.
    Stored,
    /// Values as `np.asarray(dataobj)` gives them.
    Native,
    /// Values of this type.
    Value(DType),
}

/// Voxels of a file or of the caller's bytes: shape and type are known, the rest is read when it is asked for.
#[pyclass(frozen, module = "voxload._core")]
pub struct Proxy {
    inner: ArrayProxy,
}

impl Proxy {
    pub fn new(inner: ArrayProxy) -> Self {
        Self { inner }
    }

    pub fn inner(&self) -> &ArrayProxy {
        &self.inner
    }

    fn dtype_of(&self, want: Want) -> DType {
        match want {
            Want::Stored => self.inner.dtype(),
            Want::Native => self.inner.native_dtype(),
            Want::Value(dtype) => dtype,
        }
    }
}

#[pymethods]
impl Proxy {
    /// Voxels of a file whose header somebody else has read. `source` is a path or a reader.
    #[staticmethod]
    #[pyo3(signature = (source, shape, dtype, offset, slope, inter, order, spm99, options))]
    #[expect(clippy::too_many_arguments, reason = "called from one place in Python")]
    fn from_spec(
        py: Python<'_>,
        source: &Bound<'_, PyAny>,
        shape: Vec<usize>,
        dtype: &Bound<'_, PyAny>,
        offset: u64,
        slope: f64,
        inter: f64,
        order: &str,
        spm99: bool,
        options: &Bound<'_, PyDict>,
    ) -> PyResult<Option<Self>> {
        let Some((dtype, byte_order)) = stored_type(py, &PyArrayDescr::new(py, dtype.clone())?)?
        else {
            return Ok(None);
        };
        let mut scaling = Scaling::linear(slope, inter);
        if spm99 && !scaling.is_none() {
            scaling = Scaling::new(scaling.steps().to_vec(), 0, Arithmetic::Spm99);
        }
        let layout = match order {
            "C" => Layout::LastFastest,
            _ => Layout::FirstFastest,
        };
        let spec = ProxySpec::new(&shape, dtype)
            .byte_order(byte_order)
            .layout(layout)
            .offset(offset)
            .scaling(scaling);
        let options = load_options(options)?;
        let inner = match source.extract::<PathBuf>() {
            Ok(path) => py.detach(|| ArrayProxy::open(path, spec, &options)),
            Err(_) => {
                let file = Arc::new(PyFile::new(source)?);
                py.detach(|| ArrayProxy::new(file, spec))
            }
        };
        let inner = inner.map_err(|error| raised(py, error))?;
        Ok(Some(Self { inner }))
    }

    /// Voxels along each axis.
    #[getter]
    fn shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.inner.shape())
    }

    /// The type of the stored numbers, in the byte order of the file.
    #[getter]
    fn stored_dtype<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArrayDescr>> {
        stored_descr(py, self.inner.dtype(), self.inner.spec().byte_order)
    }

    /// The type of values, when no other is asked for.
    #[getter]
    fn value_dtype<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArrayDescr>> {
        descr(py, self.inner.native_dtype())
    }

    #[getter]
    fn slope(&self) -> Option<f64> {
        self.inner.spec().scaling.slope()
    }

    #[getter]
    fn inter(&self) -> Option<f64> {
        self.inner.spec().scaling.inter()
    }

    /// Whether values are `slope * number + inter`, each step rounded to f64: nothing else is done to the numbers.
    #[getter]
    fn is_linear(&self) -> bool {
        let scaling = &self.inner.spec().scaling;
        match (scaling.slope(), scaling.inter()) {
            (Some(slope), Some(inter)) => *scaling == Scaling::linear(slope, inter),
            _ => false,
        }
    }

    #[getter]
    fn offset(&self) -> u64 {
        self.inner.spec().offset
    }

    #[getter]
    fn is_complex(&self) -> bool {
        self.inner.dtype().is_complex()
    }

    /// The part that an index selects; `NotImplemented` for an index that is not basic.
    fn sliced<'py>(&self, py: Python<'py>, index: &Bound<'py, PyAny>) -> PyResult<Option<Self>> {
        match parse(index)? {
            Parsed::Other => Ok(None),
            Parsed::Basic { index, .. } => {
                let inner = self.inner.sliced(index);
                let inner = inner.map_err(|error| raised(py, error))?;
                Ok(Some(Self { inner }))
            }
        }
    }

    /// The same voxels under another shape, in Fortran order.
    fn reshape(&self, py: Python<'_>, shape: Vec<isize>) -> PyResult<Self> {
        let inner = self.inner.reshape(&shape);
        let inner = inner.map_err(|error| raised(py, error))?;
        Ok(Self { inner })
    }

    /// The values that an index selects. `dtype` is one of f2, f4, f8, c8, c16, or `None` for [`Self::value_dtype`];
    /// `stored` asks for stored numbers. With `out`, into that array, which must fit.
    ///
    /// `None` for an index that is not basic, or a type that values are not read as.
    #[pyo3(signature = (index=None, dtype=None, out=None, stored=false))]
    fn read<'py>(
        &self,
        py: Python<'py>,
        index: Option<&Bound<'py, PyAny>>,
        dtype: Option<&Bound<'py, PyArrayDescr>>,
        out: Option<&Bound<'py, PyUntypedArray>>,
        stored: bool,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let parsed = match index {
            None => Parsed::Basic {
                index: Index::new(),
                only_positions: false,
            },
            Some(index) => parse(index)?,
        };
        let Parsed::Basic {
            index,
            only_positions,
        } = parsed
        else {
            return Ok(None);
        };
        let want = match (dtype, stored) {
            (_, true) => Want::Stored,
            (None, false) => Want::Native,
            (Some(dtype), false) => match value_type(py, dtype) {
                Some(dtype) => Want::Value(dtype),
                None => return Ok(None),
            },
        };
        let part = match index.items() {
            [] => self.inner.clone(),
            _ => self
                .inner
                .sliced(index)
                .map_err(|error| raised(py, error))?,
        };
        let read = read(py, part, want, self.dtype_of(want), out)?;
        match only_positions && read_is_scalar(&read)? {
            true => Ok(Some(read.get_item(PyTuple::empty(py))?)),
            false => Ok(Some(read)),
        }
    }
}

fn read_is_scalar(array: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(array.cast::<PyUntypedArray>()?.ndim() == 0)
}

/// All that a proxy shows, in a new array or in the caller's.
fn read<'py>(
    py: Python<'py>,
    part: ArrayProxy,
    want: Want,
    dtype: DType,
    out: Option<&Bound<'py, PyUntypedArray>>,
) -> PyResult<Bound<'py, PyAny>> {
    let mut output = match out {
        None => {
            part.check_fits(dtype.size_bytes())
                .map_err(|error| raised(py, error))?;
            let made = Output::zeros(py, part.shape(), descr(py, dtype)?);
            made.map_err(|error| errors::of_allocation(py, error))?
        }
        Some(out) => fitting(py, out, part.shape(), dtype)?,
    };
    let length = length_of(&part, dtype);
    let output = interrupt::run(py, length, move || {
        match want {
            Want::Stored => part.unscaled_into_bytes(output.bytes())?,
            Want::Native => part.native_into_bytes(output.bytes())?,
            Want::Value(dtype) => part.read_into_bytes(dtype, output.bytes())?,
        }
        Ok(output)
    })?;
    Ok(output.into_array(py))
}

/// The caller's array, if it fits.
fn fitting(
    py: Python<'_>,
    out: &Bound<'_, PyUntypedArray>,
    shape: &[usize],
    dtype: DType,
) -> PyResult<Output> {
    use numpy::PyArrayDescrMethods;
    let wanted = descr(py, dtype)?;
    let refuse = |text: String| Err(errors::made(py, "UsageError", text));
    if !out.dtype().is_equiv_to(&wanted) {
        return refuse(format!(
            "out is of type {}, the values are {wanted}",
            out.dtype()
        ));
    }
    if out.shape() != shape {
        return refuse(format!(
            "out has shape {:?}, the values {shape:?}",
            out.shape()
        ));
    }
    match Output::of(out) {
        Some(output) => Ok(output),
        None => refuse("out must be writeable, aligned and in Fortran order".to_owned()),
    }
}

/// A stream that is inflated from its start may take long, whatever is read of it.
fn length_of(part: &ArrayProxy, dtype: DType) -> Length {
    let voxels: u64 = part.shape().iter().map(|&n| n as u64).product();
    let item = dtype.size_bytes().max(part.dtype().size_bytes());
    let bytes = voxels.saturating_mul(item as u64);
    match part.access() == Access::Random && bytes <= SHORT_BYTES {
        true => Length::Short,
        false => Length::Long,
    }
}
