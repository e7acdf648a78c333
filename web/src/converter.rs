//! Stored bytes to values in a worker of their own, while the worker with the image inflates.

use std::sync::Arc;

use js_sys::Uint8Array;
use voxload::{ArrayProxy, DType, ErrorKind, Index, ProxySpec};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::error::js;
use crate::image::copy_all;
use crate::scaling;
use crate::slab::Slab;
use crate::value::Wanted;

/// A conversion of voxels that come in order.
#[wasm_bindgen]
pub struct Converter {
    slab: Arc<Slab>,
    proxy: ArrayProxy,
    wanted: Wanted,
    /// Bytes of a voxel.
    item: u64,
    /// Voxels that have come.
    done: u64,
}

#[wasm_bindgen]
impl Converter {
    /// Of so many voxels; `scaling` is that of `Image.recipe()`.
    #[wasm_bindgen(constructor)]
    pub fn new(count: f64, dtype: &str, scaling: &[f64], wanted: &str) -> Result<Self, JsValue> {
        let wanted = Wanted::from_name(wanted)?;
        let dtype: DType = dtype.parse().map_err(js)?;
        let item = dtype.size_bytes() as u64;
        let scaling = scaling::from_numbers(scaling).map_err(js)?;
        let needed = || ErrorKind::OutOfMemory {
            needed: count as u64,
        };
        let voxels = usize::try_from(count as u64).map_err(|_| js(needed().into()))?;
        let slab = Arc::new(Slab::new((voxels as u64).saturating_mul(item)));
        let spec = ProxySpec::new(&[voxels], dtype).scaling(scaling);
        let proxy = ArrayProxy::new(Arc::clone(&slab) as _, spec).map_err(js)?;
        Ok(Self {
            slab,
            proxy,
            wanted,
            item,
            done: 0,
        })
    }

    /// Converts the next voxels, to the elements of an array from `at` on; their number.
    pub fn next(&mut self, bytes: &Uint8Array, out: &JsValue, at: u32) -> Result<u32, JsValue> {
        let count = u64::from(bytes.length()) / self.item;
        self.slab.fill(
            self.done * self.item,
            |memory| bytes.copy_to(memory),
            bytes.length(),
        );
        let range = self.done as i64..(self.done + count) as i64;
        let part = self.proxy.sliced(Index::new().range(range)).map_err(js)?;
        match self.wanted {
            Wanted::F32 => copy_all::<f32>(&part, out, at)?,
            Wanted::F64 => copy_all::<f64>(&part, out, at)?,
        };
        self.done += count;
        // At most the length of an array.
        Ok(count as u32)
    }
}
