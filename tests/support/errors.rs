//! Error kinds as short texts, for tables.

use voxload::{Error, ErrorKind};

/// `Header(dim)`, `Truncated(voxel data)`, `NotFound`, ...
pub fn kind(error: &Error) -> String {
    match error.kind() {
        ErrorKind::Header { field, .. } => format!("Header({field})"),
        ErrorKind::Truncated { what, .. } => format!("Truncated({what})"),
        ErrorKind::Changed { what, .. } => format!("Changed({what})"),
        ErrorKind::Integrity { codec, .. } => format!("Integrity({codec})"),
        ErrorKind::UnknownFormat(_) => "UnknownFormat".to_owned(),
        ErrorKind::NotAVolume { .. } => "NotAVolume".to_owned(),
        ErrorKind::Unsupported(_) => "Unsupported".to_owned(),
        ErrorKind::Limit { what, .. } => format!("Limit({what})"),
        ErrorKind::Index(_) => "Index".to_owned(),
        ErrorKind::Shape { .. } => "Shape".to_owned(),
        ErrorKind::DType { .. } => "DType".to_owned(),
        ErrorKind::Usage(_) => "Usage".to_owned(),
        ErrorKind::OutOfMemory { .. } => "OutOfMemory".to_owned(),
        ErrorKind::Io { .. } => "Io".to_owned(),
        other => format!("{other:?}"),
    }
}

/// The kind of an error; `Ok` for success.
pub fn outcome<T>(result: &Result<T, Error>) -> String {
    match result {
        Ok(_) => "Ok".to_owned(),
        Err(error) => {
            let line = error.to_string();
            assert!(!line.contains('\n'), "one line: {line:?}");
            assert!(!line.trim().is_empty(), "an error says something");
            kind(error)
        }
    }
}
