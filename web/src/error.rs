//! Errors from Rust to JavaScript, and from the functions of JavaScript that read.

use js_sys::{Object, Reflect};
use voxload::{Error, ErrorKind};
use wasm_bindgen::{JsCast, JsValue};

use crate::value::set;

/// A JavaScript `Error` with `kind`, `file` and `field`.
pub(crate) fn to_js(error: &Error) -> JsValue {
    let made = js_sys::Error::new(&error.to_string());
    let object: &Object = made.unchecked_ref();
    set(object, "kind", kind_name(error.kind()));
    if let Some(path) = error.path() {
        set(object, "file", path.display().to_string());
    }
    if let Some(field) = field(error.kind()) {
        set(object, "field", field);
    }
    made.into()
}

/// For `map_err`.
pub(crate) fn js(error: Error) -> JsValue {
    to_js(&error)
}

/// An error of the caller's.
pub(crate) fn usage(message: impl Into<String>) -> JsValue {
    to_js(&ErrorKind::Usage(message.into()).into())
}

/// The name of a kind: that of its variant.
fn kind_name(kind: &ErrorKind) -> String {
    let debug = format!("{kind:?}");
    debug
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .collect()
}

/// What the error is about: a header's field, a limit, a part of the file.
fn field(kind: &ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::Header { field, .. } => Some(field),
        ErrorKind::Truncated { what, .. }
        | ErrorKind::Limit { what, .. }
        | ErrorKind::Changed { what, .. } => Some(what),
        ErrorKind::Integrity { codec, .. } => Some(codec),
        ErrorKind::GpuLimit { limit, .. } => Some(limit),
        _ => None,
    }
}

/// What a function of JavaScript has thrown, when it was to read at this byte.
pub(crate) fn from_js(thrown: &JsValue, offset: u64) -> Error {
    let text = |name: &str| {
        let value = Reflect::get(thrown, &name.into()).ok();
        value.and_then(|value| value.as_string())
    };
    let message = text("message").unwrap_or_else(|| "reading failed".to_owned());
    match text("kind").as_deref() {
        Some("NotFound") => ErrorKind::NotFound.into(),
        Some("Cancelled") => ErrorKind::Cancelled.into(),
        Some("Changed") => ErrorKind::Changed {
            what: "content",
            was: "that of the first request".to_owned(),
            is: message,
        }
        .into(),
        _ => ErrorKind::Io {
            offset,
            kind: std::io::ErrorKind::Other,
            message,
        }
        .into(),
    }
}
