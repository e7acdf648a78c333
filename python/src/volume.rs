//! Images: a header, and voxels that are read on demand.

use std::path::PathBuf;
use std::sync::Arc;

use numpy::{PyArrayDescr, PyArrayDyn, PyArrayMethods};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyDict;
use voxload::{
    Affine, DType, DataobjImage, Element, Extra, FileHolder, FileMap, FileRole, Header, HostArray,
    SaveOptions, StoredArray,
};

use crate::errors::raised;
use crate::files::PyFile;
use crate::frames::Frames;
use crate::header;
use crate::index::{Parsed, parse};
use crate::interrupt::{self, Length};
use crate::memory::Output;
use crate::options::load_options;
use crate::proxy::Proxy;
use crate::types::{descr, stored_type, value_type};

/// A file of an image: its role, its name, a reader in its place, and where in it the file begins.
type FileEntry<'py> = (String, Option<PathBuf>, Option<Bound<'py, PyAny>>, u64);

/// An image of the library.
#[pyclass(frozen, module = "voxload._core")]
pub struct Volume {
    inner: Arc<DataobjImage>,
}

impl Volume {
    fn of(inner: DataobjImage) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }
}

#[pymethods]
impl Volume {
    /// Loads the image that a file belongs to.
    #[staticmethod]
    fn open(py: Python<'_>, path: PathBuf, options: &Bound<'_, PyDict>) -> PyResult<Self> {
        let options = load_options(options)?;
        let inner = interrupt::run(py, Length::Short, move || {
            DataobjImage::from_filename(path, &options)
        })?;
        Ok(Self::of(inner))
    }

    /// Loads the image of these files.
    #[staticmethod]
    fn from_files(
        py: Python<'_>,
        files: Vec<FileEntry<'_>>,
        options: &Bound<'_, PyDict>,
    ) -> PyResult<Self> {
        let mut map = FileMap::new();
        for (role, name, reader, pos) in files {
            let mut holder = FileHolder::default().at(pos);
            holder.filename = name;
            if let Some(reader) = reader {
                holder.source = Some(Arc::new(PyFile::new(&reader)?));
            }
            map.insert(role_named(&role)?, holder);
        }
        let options = load_options(options)?;
        let inner = interrupt::run(py, Length::Long, move || {
            DataobjImage::from_file_map(map, &options)
        })?;
        Ok(Self::of(inner))
    }

    /// Loads an image from the bytes of a file.
    #[staticmethod]
    fn from_bytes(py: Python<'_>, bytes: PyBackedBytes) -> PyResult<Self> {
        let inner = interrupt::run(py, Length::Short, move || DataobjImage::from_bytes(bytes))?;
        Ok(Self::of(inner))
    }

    /// An image of a copy of an array.
    #[staticmethod]
    fn from_array(
        py: Python<'_>,
        array: &Bound<'_, PyAny>,
        affine: Option<Affine>,
    ) -> PyResult<Self> {
        let array = stored_array(array)?;
        let inner = DataobjImage::from_array(array, affine);
        Ok(Self::of(inner.map_err(|error| raised(py, error))?))
    }

    /// An image of the voxels of another one.
    #[staticmethod]
    fn from_proxy(py: Python<'_>, proxy: &Proxy, affine: Option<Affine>) -> PyResult<Self> {
        let dataobj = proxy.inner().clone();
        let mut header = Header::new(dataobj.shape(), dataobj.dtype());
        header.affine = affine;
        let inner = DataobjImage::new(dataobj, header, Extra::new(), FileMap::new());
        Ok(Self::of(inner.map_err(|error| raised(py, error))?))
    }

    /// The voxels.
    fn proxy(&self) -> Proxy {
        Proxy::new(self.inner.dataobj().clone())
    }

    /// Voxel index to millimetres, row by row.
    #[getter]
    fn affine(&self) -> Option<Vec<Vec<f64>>> {
        self.inner.affine().map(header::rows)
    }

    /// The header as a dictionary.
    fn header<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        header::header(py, &self.inner)
    }

    /// Faults that were repaired, as text.
    #[getter]
    fn notes(&self) -> Vec<String> {
        let notes = self.inner.notes();
        notes.iter().map(ToString::to_string).collect()
    }

    /// The files by their role.
    #[getter]
    fn files(&self) -> Vec<(&'static str, Option<PathBuf>)> {
        let files = self.inner.file_map().iter();
        files
            .map(|(role, holder)| (role.name(), holder.filename.clone()))
            .collect()
    }

    /// The image of a part.
    fn slicer(&self, py: Python<'_>, index: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        let Parsed::Basic { index, .. } = parse(index)? else {
            return Ok(None);
        };
        let inner = self.inner.slicer(index);
        Ok(Some(Self::of(inner.map_err(|error| raised(py, error))?)))
    }

    /// Writes NIfTI, and returns the notes of what was changed. `dtype` is the type to store, that of the header by default.
    #[pyo3(signature = (path, dtype=None))]
    fn save(
        &self,
        py: Python<'_>,
        path: PathBuf,
        dtype: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Vec<String>> {
        let mut options = SaveOptions::new();
        if let Some(dtype) = dtype {
            options = options.dtype(any_type(py, dtype)?);
        }
        let image = Arc::clone(&self.inner);
        let notes = interrupt::run(py, Length::Long, move || {
            voxload::save(&image, path, &options)
        })?;
        Ok(notes.iter().map(ToString::to_string).collect())
    }

    /// Mean and standard deviation over the frames, of values of this type.
    fn temporal_statistics<'py>(
        &self,
        py: Python<'py>,
        dtype: &Bound<'py, PyArrayDescr>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        match value_type(py, dtype) {
            Some(DType::F16) => self.over_time::<half::f16>(py),
            Some(DType::F32) => self.over_time::<f32>(py),
            Some(DType::F64) => self.over_time::<f64>(py),
            _ => Err(not_a_float(dtype)),
        }
    }

    /// The frames of a series, read ahead.
    fn frames(&self, py: Python<'_>, dtype: &Bound<'_, PyArrayDescr>) -> PyResult<Frames> {
        Frames::new(py, &self.inner, value_type(py, dtype)).and_then(|made| match made {
            Some(frames) => Ok(frames),
            None => Err(not_a_float(dtype)),
        })
    }
}

impl Volume {
    fn over_time<'py, T: voxload::Float + Element>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let image = Arc::clone(&self.inner);
        let found = interrupt::run(py, Length::Long, move || image.temporal_statistics::<T>())?;
        Ok((array_of(py, found.mean)?, array_of(py, found.std)?))
    }
}

/// A copy as numpy's array.
fn array_of<'py, T: Element>(py: Python<'py>, array: HostArray<T>) -> PyResult<Bound<'py, PyAny>> {
    copied(py, &array.into())
}

/// A copy as numpy's array.
///
/// # Errors
/// Out of memory.
pub(crate) fn copied<'py>(py: Python<'py>, array: &StoredArray) -> PyResult<Bound<'py, PyAny>> {
    let mut output = Output::zeros(py, array.shape(), descr(py, array.dtype())?)?;
    let (place, bytes) = (output.bytes(), array.as_bytes());
    if place.len() == bytes.len() {
        place.copy_from_slice(bytes);
    }
    Ok(output.into_array(py))
}

/// The error for a type that is no float.
fn not_a_float(dtype: &Bound<'_, PyArrayDescr>) -> PyErr {
    PyTypeError::new_err(format!("{dtype} is none of float16, float32, float64"))
}

fn role_named(name: &str) -> PyResult<FileRole> {
    let roles = [FileRole::Image, FileRole::Header, FileRole::Mat];
    let found = roles.into_iter().find(|role| role.name() == name);
    found.ok_or_else(|| {
        PyTypeError::new_err(format!(
            "a file is \"image\", \"header\" or \"mat\", not {name:?}"
        ))
    })
}

fn any_type(py: Python<'_>, dtype: &Bound<'_, PyAny>) -> PyResult<DType> {
    let wanted = PyArrayDescr::new(py, dtype.clone())?;
    match stored_type(py, &wanted)? {
        Some((dtype, _)) => Ok(dtype),
        None => Err(PyTypeError::new_err(format!(
            "voxels cannot be stored as {wanted}"
        ))),
    }
}

/// A copy of an array of numbers.
fn stored_array(array: &Bound<'_, PyAny>) -> PyResult<StoredArray> {
    fn copy<T: numpy::Element + Element>(array: &Bound<'_, PyAny>) -> Option<StoredArray> {
        let array = array.cast::<PyArrayDyn<T>>().ok()?;
        let owned = array.try_readonly().ok()?.as_array().to_owned();
        Some(HostArray::from(owned).into())
    }
    let kinds = [
        copy::<u8>,
        copy::<i8>,
        copy::<u16>,
        copy::<i16>,
        copy::<u32>,
        copy::<i32>,
        copy::<u64>,
        copy::<i64>,
        copy::<half::f16>,
        copy::<f32>,
        copy::<f64>,
        copy::<voxload::c64>,
        copy::<voxload::c128>,
    ];
    let found = kinds.iter().find_map(|copy| copy(array));
    found.ok_or_else(|| PyTypeError::new_err("not an array of numbers that voxels can be"))
}
