//! The kernels on a device of the page's.
//!
//! wgpu has no way in for a GPUDevice that is there already: it asks `navigator.gpu` for an adapter, and the adapter for a
//! device. It looks at `navigator.gpu` once, when its instance is made, which takes no turn of the event loop. So the
//! JavaScript side shows it, for the length of that one call, an object whose adapter gives the page's device. No other
//! script can run meanwhile, `navigator.gpu` is as before when the call returns, and buffers and textures are made by the
//! page's device itself. The other way, our own WebGPU calls with the packets of the library, would be a second engine to
//! keep exact.
//!
//! A worker sends the stored bytes of one slab after the other. Nothing is converted twice, and the memory here is that of
//! a slab.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use js_sys::Promise;
use voxload::{
    ArrayProxy, BufferTarget, DType, DataobjImage, DeviceArray, ErrorKind, Extra, FileMap, Gpu,
    Header, Index, ProxySpec, TextureOptions, wgpu,
};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::future_to_promise;

use crate::error::{js, usage as misuse};
use crate::image::texels;
use crate::scaling;
use crate::slab::Slab;

/// A device.
#[wasm_bindgen]
pub struct Engine(Gpu);

/// Resolves to an [`Engine`] on the device that `navigator.gpu` leads to while this is called.
#[wasm_bindgen]
pub fn adopt() -> Promise {
    // At once, and not in the future: `navigator.gpu` is looked at here.
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    future_to_promise(async move {
        let no_gpu = |error: String| js(ErrorKind::NoGpu(error).into());
        let adapter = instance
            .request_adapter(&wgpu::RequestAdapterOptions::default())
            .await
            .map_err(|error| no_gpu(error.to_string()))?;
        // The device is there, and is what it is: nothing is asked of it, and nothing is installed on it.
        let (device, queue) = adapter
            .request_device(&wgpu::DeviceDescriptor {
                required_features: adapter.features(),
                required_limits: adapter.limits(),
                ..Default::default()
            })
            .await
            .map_err(|error| no_gpu(error.to_string()))?;
        Ok(Engine(Gpu::from_device(&device, &queue)).into())
    })
}

#[wasm_bindgen]
impl Engine {
    /// Room for the values of an image, whose stored bytes come in slabs. `recipe` is `Image.recipe()` of the worker.
    pub fn volume(
        &self,
        shape: Vec<u32>,
        dtype: &str,
        scaling: Vec<f64>,
    ) -> Result<Volume, JsValue> {
        let dtype: DType = dtype.parse().map_err(js)?;
        let shape: Vec<usize> = shape.into_iter().map(|count| count as usize).collect();
        let scaling = scaling::from_numbers(&scaling).map_err(js)?;
        let values = shape
            .iter()
            .fold(1u64, |all, &n| all.saturating_mul(n as u64));
        let length = values.saturating_mul(dtype.size_bytes() as u64);
        let slab = Arc::new(Slab::new(length));
        let spec = ProxySpec::new(&shape, dtype).scaling(scaling);
        let proxy = ArrayProxy::new(Arc::clone(&slab) as _, spec).map_err(js)?;
        Ok(Volume(Rc::new(Inner {
            gpu: self.0.clone(),
            slab,
            proxy,
            array: RefCell::new(None),
        })))
    }

    /// The device was lost: what runs on it fails.
    #[wasm_bindgen(js_name = markLost)]
    pub fn mark_lost(&self) {
        self.0.mark_lost();
    }
}

/// The values of an image in device memory, as they come.
#[wasm_bindgen]
pub struct Volume(Rc<Inner>);

struct Inner {
    gpu: Gpu,
    slab: Arc<Slab>,
    proxy: ArrayProxy,
    array: RefCell<Option<DeviceArray<f32>>>,
}

#[wasm_bindgen]
impl Volume {
    /// Makes the buffer.
    pub fn allocate(&self) -> Promise {
        let inner = Rc::clone(&self.0);
        future_to_promise(async move {
            let array = DeviceArray::zeroed_async(&inner.gpu, inner.proxy.shape());
            let array = array.await.map_err(js)?;
            inner.array.replace(Some(array));
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Converts the positions from `first` to before `end` of the last axis, whose stored bytes these are.
    pub fn put(&self, first: u32, end: u32, bytes: Vec<u8>) -> Promise {
        let inner = Rc::clone(&self.0);
        future_to_promise(async move {
            inner.put(first, end, bytes).await?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Resolves to a GPUTexture of what an index selects: one volume, whose stored bytes these are, and of which voxel `first` of
    /// the image is the first one. It belongs to the page's device, and outlives this object.
    pub fn texture(
        &self,
        index: &str,
        first: f64,
        bytes: Vec<u8>,
        format: &str,
        window: Option<Vec<f64>>,
        usage: u32,
    ) -> Result<Promise, JsValue> {
        let texels = texels(format, window.as_deref())?;
        let options = TextureOptions::new(texels).index(index).map_err(js)?;
        let options = options.usage(wgpu::TextureUsages::from_bits_truncate(usage));
        let inner = Rc::clone(&self.0);
        let item = inner.proxy.dtype().size_bytes() as u64;
        Ok(future_to_promise(async move {
            let header = Header::new(inner.proxy.shape(), inner.proxy.dtype());
            let proxy = inner.proxy.clone();
            let image = DataobjImage::new(proxy, header, Extra::new(), FileMap::new());
            let image = image.map_err(js)?;
            inner
                .slab
                .replace((first as u64).saturating_mul(item), bytes);
            let made = image.texture_async(&inner.gpu, &options).await.map_err(js);
            inner.slab.replace(0, Vec::new());
            match made?.texture.as_webgpu() {
                Some(texture) => Ok(JsValue::from(texture.clone())),
                None => Err(misuse("the texture is not the page's")),
            }
        }))
    }

    /// The GPUBuffer. It belongs to the page's device, and outlives this object.
    pub fn buffer(&self) -> Result<JsValue, JsValue> {
        let array = self.0.array.borrow();
        let buffer = array.as_ref().and_then(|array| array.buffer().as_webgpu());
        match buffer {
            Some(buffer) => Ok(JsValue::from(buffer.clone())),
            None => Err(misuse("the buffer was not allocated")),
        }
    }
}

impl Inner {
    async fn put(&self, first: u32, end: u32, bytes: Vec<u8>) -> Result<(), JsValue> {
        let array = self.array.borrow().clone();
        let array = array.ok_or_else(|| misuse("the buffer was not allocated"))?;
        let shape = self.proxy.shape();
        let before = shape.get(..shape.len().saturating_sub(1));
        let row: u64 = before
            .unwrap_or_default()
            .iter()
            .map(|&n| n as u64)
            .product();
        let at = row.saturating_mul(first.into());
        let item = self.proxy.dtype().size_bytes() as u64;
        self.slab.replace(at.saturating_mul(item), bytes);
        let part = match shape.is_empty() {
            true => self.proxy.clone(),
            false => {
                let index = Index::new().ellipsis().range(first.into()..end.into());
                self.proxy.sliced(index).map_err(js)?
            }
        };
        let target = BufferTarget::new(array.buffer()).offset(at);
        let loaded = part
            .read_into_buffer_async::<f32>(&self.gpu, &target)
            .await
            .map_err(js);
        self.slab.replace(0, Vec::new());
        loaded
    }
}
