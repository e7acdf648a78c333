//! An image as a JavaScript class, used in a worker.

use js_sys::{Array, Float32Array, Function, Object, Uint8Array};
use voxload::{
    ArrayProxy, ByteOrder, DataobjImage, FrameOptions, Header, Layout, StatisticsOptions,
    StoredReader, Texels, TextureOptions, Window,
};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::error::{from_js, js, usage};
use crate::frames::Frames;
use crate::scaling;
use crate::value::{Copier, Typed, Wanted, array, numbers, of_field, set, shape};

/// An image: a header, and voxels that are read when they are asked for.
#[wasm_bindgen]
pub struct Image {
    image: DataobjImage,
    /// Whether its voxels or any of its files are compressed.
    is_compressed: bool,
}

impl Image {
    pub(crate) fn new(image: DataobjImage, is_compressed: bool) -> Self {
        Self {
            image,
            is_compressed,
        }
    }
}

/// A reader of stored bytes in order, converted to this machine's byte order.
#[wasm_bindgen]
pub struct StoredBytes {
    reader: StoredReader,
    /// Bytes of a voxel, and of one of its numbers.
    item: usize,
    number: usize,
    is_swapped: bool,
    bytes: Vec<u8>,
}

#[wasm_bindgen]
impl StoredBytes {
    /// Copies the next bytes, whole voxels, to an array and returns their number; 0 at the end, after the rest of the file has
    /// been checked.
    pub fn read(&mut self, out: &Uint8Array) -> Result<u32, JsValue> {
        let most = out.length() as usize / self.item * self.item;
        self.bytes.resize(most, 0);
        let read = self.reader.read(&mut self.bytes).map_err(js)?;
        let bytes = self.bytes.get_mut(..read).unwrap_or_default();
        if self.is_swapped {
            let numbers = bytes.chunks_exact_mut(self.number);
            numbers.for_each(<[u8]>::reverse);
        }
        // At most the array's length, which is a u32.
        out.subarray(0, read as u32).copy_from(bytes);
        Ok(read as u32)
    }
}

#[wasm_bindgen]
impl Image {
    /// The image's properties for the page: `{shape, dtype, itemBytes, affine, header, frameAxis, compressed, notes}`.
    pub fn describe(&self) -> Object {
        let header = self.image.header();
        let described = Object::new();
        set(&described, "shape", shape(self.image.shape()));
        let dtype = self.image.dataobj().dtype();
        set(&described, "dtype", dtype.name());
        set(&described, "itemBytes", dtype.size_bytes() as f64);
        let affine = match self.image.affine() {
            Some(rows) => rows
                .iter()
                .map(|row| JsValue::from(numbers(row.iter().copied())))
                .collect::<Array>()
                .into(),
            None => JsValue::NULL,
        };
        set(&described, "affine", affine);
        set(&described, "header", of_header(header));
        let frame_axis = header.frame_axis();
        let frame_axis = frame_axis.map_or(JsValue::NULL, |axis| (axis as f64).into());
        set(&described, "frameAxis", frame_axis);
        set(&described, "compressed", self.is_compressed);
        set(&described, "notes", self.notes());
        described
    }

    /// What was repaired or is unusual: a list of `{field, message}`. Grows when a whole read finds something.
    pub fn notes(&self) -> Array {
        let notes = self.image.notes().into_iter();
        notes
            .map(|note| {
                let object = Object::new();
                set(&object, "field", note.field);
                set(&object, "message", note.message);
                JsValue::from(object)
            })
            .collect()
    }

    /// All values, as `{data, shape}`.
    pub fn fdata(&self, dtype: &str) -> Result<JsValue, JsValue> {
        // Not `get_fdata`, whose cache would keep a second copy.
        let proxy = self.image.dataobj();
        match Wanted::from_name(dtype)? {
            Wanted::F32 => proxy.read().map(|values| array::<f32>(&values)),
            Wanted::F64 => proxy.read().map(|values| array::<f64>(&values)),
        }
        .map_err(js)
    }

    /// The values that an index selects, as `{data, shape}`.
    pub fn slice(&self, index: &str, dtype: &str) -> Result<JsValue, JsValue> {
        let proxy = self.image.dataobj();
        match Wanted::from_name(dtype)? {
            Wanted::F32 => proxy.slice(index).map(|values| array::<f32>(&values)),
            Wanted::F64 => proxy.slice(index).map(|values| array::<f64>(&values)),
        }
        .map_err(js)
    }

    /// All values, into a typed array that has room for them. `false`, and none is written, unless the first axis is stored
    /// fastest.
    #[wasm_bindgen(js_name = fdataInto)]
    pub fn fdata_into(&self, dtype: &str, out: &JsValue) -> Result<bool, JsValue> {
        match Wanted::from_name(dtype)? {
            Wanted::F32 => copy_all::<f32>(self.image.dataobj(), out, 0),
            Wanted::F64 => copy_all::<f64>(self.image.dataobj(), out, 0),
        }
    }

    /// Calls `take(values, at)` with all values as f32 in order, in new arrays of at most `most`. `false`, without a call, unless
    /// the first axis is stored fastest.
    #[wasm_bindgen(js_name = fdataPieces)]
    pub fn fdata_pieces(&self, most: u32, take: &Function) -> Result<bool, JsValue> {
        let proxy = self.image.dataobj();
        let all = proxy.shape().iter();
        let all = all.fold(1u64, |all, &n| all.saturating_mul(n as u64));
        let mut begun: Option<(Copier<f32>, JsValue)> = None;
        let mut at = 0;
        let each = |mut values: &[f32]| {
            while !values.is_empty() {
                let (mut copier, array) = match begun.take() {
                    Some(begun) => begun,
                    None => {
                        let count = all.saturating_sub(at).min(u64::from(most.max(1))) as u32;
                        let array = Float32Array::new_with_length(count);
                        (Copier::of(array.clone()), array.into())
                    }
                };
                let (now, later) = values.split_at(values.len().min(copier.left()));
                copier.copy(now);
                values = later;
                if copier.left() > 0 {
                    begun = Some((copier, array));
                    continue;
                }
                let taken = take.call2(&JsValue::NULL, &array, &(at as f64).into());
                taken.map_err(|thrown| from_js(&thrown, 0))?;
                at += u64::from(copier.end());
            }
            Ok(())
        };
        proxy.for_each_piece(each).map_err(js)
    }

    /// The values that an index selects, into a typed array from element `at` on.
    #[wasm_bindgen(js_name = sliceInto)]
    pub fn slice_into(
        &self,
        index: &str,
        dtype: &str,
        out: &JsValue,
        at: u32,
    ) -> Result<(), JsValue> {
        match Wanted::from_name(dtype)? {
            Wanted::F32 => self.copy_part::<f32>(index, out, at),
            Wanted::F64 => self.copy_part::<f64>(index, out, at),
        }
    }

    /// Reads compressed data to its end, and checks its checksums and length.
    #[wasm_bindgen(js_name = checkToEnd)]
    pub fn check_to_end(&self) -> Result<(), JsValue> {
        self.image.dataobj().check_to_end().map_err(js)
    }

    /// The stored bytes of what an index selects, in this machine's byte order, the first axis fastest.
    pub fn stored(&self, index: &str) -> Result<Uint8Array, JsValue> {
        let stored = self.image.dataobj().sliced(index).map_err(js)?;
        let stored = stored.unscaled().map_err(js)?;
        Ok(Uint8Array::from(stored.as_bytes()))
    }

    /// A reader of the bytes that [`Self::stored`] gives for all voxels; `undefined` unless the file is gzip and the first axis
    /// is stored fastest.
    #[wasm_bindgen(js_name = storedReader)]
    pub fn stored_reader(&self) -> Result<Option<StoredBytes>, JsValue> {
        let proxy = self.image.dataobj();
        let reader = proxy.stored_reader().map_err(js)?;
        let spec = proxy.spec();
        Ok(reader.map(|reader| StoredBytes {
            reader,
            item: spec.dtype.size_bytes(),
            number: spec.dtype.part_bytes(),
            is_swapped: spec.byte_order != ByteOrder::NATIVE,
            bytes: Vec::new(),
        }))
    }

    /// What another worker or [`crate::engine`] needs to convert stored bytes: `{shape, dtype, itemBytes, scaling}`; `undefined`
    /// if only this image can convert them (colours, complex numbers, MINC's order of axes).
    pub fn recipe(&self) -> JsValue {
        let spec = self.image.dataobj().spec();
        let is_real = !spec.dtype.is_complex() && !spec.dtype.is_colour();
        if !is_real || spec.layout != Layout::FirstFastest {
            return JsValue::UNDEFINED;
        }
        let Some(scaling) = scaling::to_numbers(&spec.scaling) else {
            return JsValue::UNDEFINED;
        };
        let recipe = Object::new();
        set(&recipe, "shape", shape(&spec.shape));
        set(&recipe, "dtype", spec.dtype.name());
        set(&recipe, "itemBytes", spec.dtype.size_bytes() as f64);
        set(&recipe, "scaling", numbers(scaling));
        recipe.into()
    }

    /// The texels of what an index selects, as `{data, shape, exact}`.
    pub fn texels(
        &self,
        index: &str,
        format: &str,
        window: Option<Vec<f64>>,
    ) -> Result<JsValue, JsValue> {
        let texels = texels(format, window.as_deref())?;
        let options = TextureOptions::new(texels).index(index).map_err(js)?;
        let made = self.image.texels(&options).map_err(js)?;
        let object = Object::new();
        set(&object, "data", Uint8Array::from(made.bytes.as_slice()));
        set(&object, "shape", shape(&made.shape));
        set(&object, "exact", made.fidelity.is_exact());
        Ok(object.into())
    }

    /// The frames `start`, `start + step`, .. before `stop`, one after the other.
    pub fn frames(
        &self,
        dtype: &str,
        start: u32,
        stop: Option<u32>,
        step: u32,
    ) -> Result<Frames, JsValue> {
        let options = FrameOptions::new().step(step as usize).slots(1);
        let start = start as usize;
        let options = match stop {
            Some(stop) => options.range(start..stop as usize),
            None => options.range(start..),
        };
        Frames::new(&self.image, options, Wanted::from_name(dtype)?)
    }

    /// Statistics of all values: `{count, nonFinite, min, max, mean, std, histogram?}`.
    pub fn statistics(
        &self,
        dtype: &str,
        bins: Option<u32>,
        window: Option<Vec<f64>>,
    ) -> Result<Object, JsValue> {
        let mut options = StatisticsOptions::new();
        if let Some(bins) = bins {
            options = options.histogram(bins as usize);
        }
        if let Some(window) = window {
            let [lo, hi] = window[..] else {
                return Err(usage("a window is [lo, hi]"));
            };
            options = options.window(lo, hi);
        }
        let found = match Wanted::from_name(dtype)? {
            Wanted::F32 => self.image.statistics::<f32>(&options),
            Wanted::F64 => self.image.statistics::<f64>(&options),
        }
        .map_err(js)?;
        let object = Object::new();
        set(&object, "count", found.count as f64);
        set(&object, "nonFinite", found.non_finite as f64);
        set(&object, "min", found.min);
        set(&object, "max", found.max);
        set(&object, "mean", found.mean);
        set(&object, "std", found.std);
        if let Some(histogram) = &found.histogram {
            let bins = Object::new();
            set(&bins, "edges", numbers(histogram.edges.iter().copied()));
            let counts = histogram.counts.iter().map(|&count| count as f64);
            set(&bins, "counts", numbers(counts));
            set(&object, "histogram", bins);
        }
        Ok(object)
    }

    /// The number of values, as a JavaScript number.
    #[wasm_bindgen(js_name = valueCount)]
    pub fn value_count(&self) -> f64 {
        self.image
            .shape()
            .iter()
            .map(|&count| count as f64)
            .product()
    }
}

impl Image {
    fn copy_part<T: Typed>(&self, index: &str, out: &JsValue, at: u32) -> Result<(), JsValue> {
        let part = self.image.dataobj().sliced(index).map_err(js)?;
        if copy_all::<T>(&part, out, at)? {
            return Ok(());
        }
        let values = part.read::<T>().map_err(js)?;
        Copier::<T>::new(out, at, values.len())?.copy(values.as_slice());
        Ok(())
    }
}

/// Copies all values to an array from element `at` on, as they are read; `false` if they are stored in another order.
pub(crate) fn copy_all<T: Typed>(
    proxy: &ArrayProxy,
    out: &JsValue,
    at: u32,
) -> Result<bool, JsValue> {
    let shape = proxy.shape().iter();
    let count = shape.fold(1usize, |all, &n| all.saturating_mul(n));
    let mut copier = Copier::<T>::new(out, at, count)?;
    let copied = proxy.for_each_piece(|values: &[T]| {
        copier.copy(values);
        Ok(())
    });
    copied.map_err(js)
}

/// The texels of a texture format, which has its name in WebGPU.
pub(crate) fn texels(format: &str, window: Option<&[f64]>) -> Result<Texels, JsValue> {
    let window = match window {
        Some(&[lo, hi]) => Some(Window::new(lo, hi).map_err(js)?),
        Some(_) => return Err(usage("a window is [lo, hi]")),
        None => None,
    };
    match (format, window) {
        ("r16float", _) => Ok(Texels::R16Float),
        ("r32float", _) => Ok(Texels::R32Float),
        ("r8unorm", Some(window)) => Ok(Texels::R8Unorm(window)),
        ("r8unorm", None) => Err(usage("a texture of r8unorm needs a window [lo, hi]")),
        _ => Err(usage(format!(
            "format {format:?}: textures are r16float, r32float or r8unorm"
        ))),
    }
}

fn of_header(header: &Header) -> Object {
    let object = Object::new();
    set(&object, "format", header.format.name());
    set(&object, "shape", shape(&header.shape));
    set(&object, "dtype", header.dtype.name());
    set(&object, "byteOrder", header.byte_order.to_string());
    let layout = match header.layout {
        Layout::FirstFastest => "first",
        Layout::LastFastest => "last",
    };
    set(&object, "layout", layout);
    let axes = header.axes.iter();
    let axes: Array = axes.map(|axis| JsValue::from(axis.name())).collect();
    set(&object, "axes", axes);
    set(&object, "zooms", numbers(header.zooms.iter().copied()));
    set(&object, "spaceUnit", header.space_unit.symbol());
    set(&object, "timeUnit", header.time_unit.symbol());
    let factor = |value: Option<f64>| value.map_or(JsValue::NULL, JsValue::from);
    set(&object, "slope", factor(header.scaling.slope()));
    set(&object, "inter", factor(header.scaling.inter()));
    set(&object, "dataOffset", header.data_offset as f64);
    let fields = Object::new();
    for (name, value) in header.fields.values() {
        set(&fields, &name, of_field(value));
    }
    set(&object, "fields", fields);
    object
}
