//! Errors of the library as exceptions of the package.

use std::error::Error as _;

use pyo3::exceptions::{PyException, PyMemoryError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use voxload::{Error, ErrorKind};

/// The module in which the exceptions are.
const MODULE: &str = "voxload._errors";

/// The exception for an error, with the file and the field as attributes.
pub(crate) fn raised(py: Python<'_>, error: Error) -> PyErr {
    let cause = python_error(py, &error);
    if let Some(cause) = &cause
        && !cause.is_instance_of::<PyException>(py)
    {
        // KeyboardInterrupt and its like are no errors of a file.
        return cause.clone_ref(py);
    }
    let io = error.source().and_then(|source| source.downcast_ref());
    let number = io.and_then(std::io::Error::raw_os_error);
    let field = match error.kind() {
        ErrorKind::Header { field, .. } => Some(*field),
        _ => None,
    };
    let path = error.path().map(|path| path.as_os_str().to_owned());
    let made = class(py, class_name(error.kind()))
        .and_then(|class| class.call1((error.to_string(),)))
        .and_then(|exception| {
            exception.setattr("path", path.clone())?;
            exception.setattr("field", field)?;
            if let Some(number) = number {
                exception.setattr("errno", number)?;
            }
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Io { .. }) {
                exception.setattr("filename", path)?;
            }
            Ok(PyErr::from_value(exception))
        });
    match made {
        Ok(made) => {
            made.set_cause(py, cause);
            made
        }
        Err(other) => other,
    }
}

/// The exception for a fault of the package itself: never a panic, which `except Exception` would not catch.
pub(crate) fn internal(py: Python<'_>, what: &str) -> PyErr {
    let text = format!("internal error, please report it: {what}");
    made(py, "VoxloadError", text)
}

/// An exception of the package with this text.
pub(crate) fn made(py: Python<'_>, name: &str, text: String) -> PyErr {
    match class(py, name).and_then(|class| class.call1((text,))) {
        Ok(exception) => PyErr::from_value(exception),
        Err(other) => other,
    }
}

/// numpy's failure to allocate as the package's exception; others stay.
pub(crate) fn of_allocation(py: Python<'_>, error: PyErr) -> PyErr {
    match error.is_instance_of::<PyMemoryError>(py) {
        true => made(py, "OutOfMemoryError", error.value(py).to_string()),
        false => error,
    }
}

fn class<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    static ERRORS: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let errors = ERRORS.get_or_try_init(py, || py.import(MODULE).map(Bound::unbind))?;
    errors.bind(py).getattr(name)
}

fn class_name(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotFound => "NotFoundError",
        ErrorKind::NotAFile | ErrorKind::Io { .. } => "FileError",
        ErrorKind::Changed { .. } => "ChangedError",
        ErrorKind::Truncated { .. } | ErrorKind::Integrity { .. } => "DamagedError",
        ErrorKind::Empty
        | ErrorKind::UnknownFormat(_)
        | ErrorKind::NotAVolume { .. }
        | ErrorKind::Unsupported(_) => "FormatError",
        ErrorKind::Header { .. } => "HeaderError",
        ErrorKind::Limit { .. } => "LimitError",
        ErrorKind::Index(_) => "BadIndexError",
        ErrorKind::Shape { .. } | ErrorKind::Usage(_) => "UsageError",
        ErrorKind::DType { .. } => "VoxelTypeError",
        ErrorKind::OutOfMemory { .. } => "OutOfMemoryError",
        _ => "VoxloadError",
    }
}

/// The exception of Python that an error was made of: that of a file object.
fn python_error(py: Python<'_>, error: &Error) -> Option<PyErr> {
    let io: &std::io::Error = error.source()?.downcast_ref()?;
    let inner: &PyErr = io.get_ref()?.downcast_ref()?;
    Some(inner.clone_ref(py))
}
