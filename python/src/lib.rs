//! The native part of the Python package voxload. It knows files, voxels and numpy's arrays; what a user of Python sees
//! (images, caches, pickles, nibabel) is made of it in Python.

mod errors;
mod files;
mod frames;
mod header;
mod index;
mod interrupt;
mod memory;
mod options;
mod proxy;
mod types;
mod volume;

use pyo3::prelude::*;
use voxload::Threads;

/// Sets the number of threads of all reads from here on.
#[pyfunction]
fn set_num_threads(py: Python<'_>, count: usize) -> PyResult<()> {
    interrupt::set_count(count).map_err(|error| errors::raised(py, error))
}

/// The number of threads that a read uses.
#[pyfunction]
fn get_num_threads(py: Python<'_>) -> usize {
    interrupt::own_threads();
    py.detach(|| Threads::default().count())
}

#[pymodule(gil_used = false)]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<proxy::Proxy>()?;
    module.add_class::<volume::Volume>()?;
    module.add_class::<frames::Frames>()?;
    module.add_function(wrap_pyfunction!(set_num_threads, module)?)?;
    module.add_function(wrap_pyfunction!(get_num_threads, module)?)?;
    module.add_function(wrap_pyfunction!(options::format_names, module)?)
}
