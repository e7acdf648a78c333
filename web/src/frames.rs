//! The frames of a series, one after the other.

use js_sys::Object;
use voxload::{DataobjImage, FrameOptions, Frames as Series};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::error::js;
use crate::value::{Typed, Wanted, set, shape};

/// Frames in order. One is computed when it is asked for.
#[wasm_bindgen]
pub struct Frames(Kind);

enum Kind {
    F32(Series<f32>),
    F64(Series<f64>),
}

impl Frames {
    pub(crate) fn new(
        image: &DataobjImage,
        options: FrameOptions,
        wanted: Wanted,
    ) -> Result<Self, JsValue> {
        Ok(Self(match wanted {
            Wanted::F32 => Kind::F32(image.frames(options).map_err(js)?),
            Wanted::F64 => Kind::F64(image.frames(options).map_err(js)?),
        }))
    }
}

#[wasm_bindgen]
impl Frames {
    /// The next frame, `{index, data, shape}`; `undefined` after the last one.
    #[wasm_bindgen(js_name = nextFrame)]
    pub fn next_frame(&mut self) -> Result<JsValue, JsValue> {
        match &mut self.0 {
            Kind::F32(series) => next(series),
            Kind::F64(series) => next(series),
        }
    }
}

fn next<T: Typed>(series: &mut Series<T>) -> Result<JsValue, JsValue> {
    let Some(frame) = series.next() else {
        return Ok(JsValue::UNDEFINED);
    };
    let frame = frame.map_err(js)?;
    let object = Object::new();
    set(&object, "index", frame.index() as f64);
    set(&object, "data", T::typed_array(frame.as_slice()));
    set(&object, "shape", shape(frame.shape()));
    Ok(object.into())
}
