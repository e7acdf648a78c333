//! Values of JavaScript.

use js_sys::{Array, Float32Array, Float64Array, Object, Reflect};
use voxload::HostArray;
use voxload::format::FieldValue;
use wasm_bindgen::{JsCast, JsValue};

/// Sets a property of an object that we made, which cannot fail.
pub(crate) fn set(object: &Object, name: &str, value: impl Into<JsValue>) {
    let _ = Reflect::set(object, &name.into(), &value.into());
}

/// A list of numbers.
pub(crate) fn numbers(values: impl IntoIterator<Item = f64>) -> Array {
    values.into_iter().map(JsValue::from_f64).collect()
}

/// The value of a header's field.
pub(crate) fn of_field(value: FieldValue) -> JsValue {
    match value {
        FieldValue::Text(text) => text.into(),
        FieldValue::Integer(number) => (number as f64).into(),
        FieldValue::Real(number) => number.into(),
        FieldValue::Integers(all) => numbers(all.into_iter().map(|number| number as f64)).into(),
        FieldValue::Reals(all) => numbers(all).into(),
        _ => JsValue::UNDEFINED,
    }
}

/// The types in which values are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    F32,
    F64,
}

impl Wanted {
    /// # Errors
    /// For another name than `f32` and `f64`.
    pub fn from_name(name: &str) -> Result<Self, JsValue> {
        match name {
            "f32" => Ok(Self::F32),
            "f64" => Ok(Self::F64),
            _ => Err(crate::error::usage(format!(
                "dtype {name:?}: values are given as \"f32\" or \"f64\""
            ))),
        }
    }
}

/// A copy of an array in a typed array of JavaScript's, with its shape.
pub(crate) fn array<T: Typed>(values: &HostArray<T>) -> JsValue {
    let object = Object::new();
    set(&object, "data", T::typed_array(values.as_slice()));
    set(&object, "shape", shape(values.shape()));
    object.into()
}

/// A shape as a list.
pub(crate) fn shape(shape: &[usize]) -> Array {
    numbers(shape.iter().map(|&count| count as f64))
}

/// Numbers that have a typed array.
pub(crate) trait Typed: voxload::Float {
    /// A typed array with a copy of the values.
    fn typed_array(values: &[Self]) -> JsValue;

    /// Copies the values into a typed array of the same type, from element `at` on.
    fn copy_to(values: &[Self], out: &JsValue, at: u32) -> Result<(), JsValue>;
}

macro_rules! typed {
    ($number:ty, $array:ty) => {
        impl Typed for $number {
            fn typed_array(values: &[Self]) -> JsValue {
                <$array>::from(values).into()
            }

            fn copy_to(values: &[Self], out: &JsValue, at: u32) -> Result<(), JsValue> {
                let out: &$array = out
                    .dyn_ref()
                    .ok_or_else(|| crate::error::usage("an array of another type"))?;
                let end = u32::try_from(values.len())
                    .ok()
                    .and_then(|len| at.checked_add(len))
                    .filter(|&end| end <= out.length())
                    .ok_or_else(|| crate::error::usage("an array that is too short"))?;
                out.subarray(at, end).copy_from(values);
                Ok(())
            }
        }
    };
}

typed!(f32, Float32Array);
typed!(f64, Float64Array);
