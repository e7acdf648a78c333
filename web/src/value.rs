//! Values of JavaScript.

use js_sys::{Array, Float32Array, Float64Array, Object, Reflect};
use voxload::HostArray;
use voxload::format::FieldValue;
use wasm_bindgen::{JsCast, JsValue};

use crate::error::usage;

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
            _ => Err(usage(format!(
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
    type Array: JsCast + Clone;

    /// A typed array with a copy of the values.
    fn typed_array(values: &[Self]) -> JsValue;

    fn length(array: &Self::Array) -> u32;

    /// Copies the values to the elements of an array from `at` on, which there are.
    fn copy(values: &[Self], array: &Self::Array, at: u32);
}

macro_rules! typed {
    ($number:ty, $array:ty) => {
        impl Typed for $number {
            type Array = $array;

            fn typed_array(values: &[Self]) -> JsValue {
                <$array>::from(values).into()
            }

            fn length(array: &$array) -> u32 {
                array.length()
            }

            fn copy(values: &[Self], array: &$array, at: u32) {
                let end = at + values.len() as u32;
                array.subarray(at, end).copy_from(values);
            }
        }
    };
}

typed!(f32, Float32Array);
typed!(f64, Float64Array);

/// Copies values that come in order to a part of a typed array.
pub(crate) struct Copier<T: Typed> {
    array: T::Array,
    at: u32,
    /// Values that are still to come.
    left: usize,
}

impl<T: Typed> Copier<T> {
    /// For so many values, from element `at` on.
    ///
    /// # Errors
    /// For an array of another type, and one that is too short.
    pub fn new(array: &JsValue, at: u32, count: usize) -> Result<Self, JsValue> {
        let array: &T::Array = array
            .dyn_ref()
            .ok_or_else(|| usage("an array of another type"))?;
        let end = u32::try_from(count)
            .ok()
            .and_then(|count| at.checked_add(count));
        if end.is_none_or(|end| end > T::length(array)) {
            return Err(usage("an array that is too short"));
        }
        Ok(Self {
            array: array.clone(),
            at,
            left: count,
        })
    }

    /// For a whole array.
    pub fn of(array: T::Array) -> Self {
        Self {
            left: T::length(&array) as usize,
            array,
            at: 0,
        }
    }

    /// How many values are still to come.
    pub fn left(&self) -> usize {
        self.left
    }

    /// The element after the last one that was copied.
    pub fn end(&self) -> u32 {
        self.at
    }

    /// Copies the next values.
    pub fn copy(&mut self, values: &[T]) {
        let values = values.get(..self.left).unwrap_or(values);
        T::copy(values, &self.array, self.at);
        self.at += values.len() as u32;
        self.left -= values.len();
    }
}
