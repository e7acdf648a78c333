//! [`DeviceArray`]: values in a buffer of the device.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::gpu::Gpu;
use super::staging::StagingOptions;
use super::{download, load};
use crate::core::array::{Buffer, HostArray};
use crate::core::dtype::DType;
#[cfg(doc)]
use crate::core::error::ErrorKind;
use crate::core::error::{Error, Result};
use crate::core::float::Value;
#[cfg(not(target_family = "wasm"))]
use crate::core::{scope, threads};

/// An array of values in device memory, column-major, without gaps. Cloning it is cheap: the clones are one array.
#[derive(Clone)]
pub struct DeviceArray<T: Value>(Arc<Inner>, PhantomData<T>);

struct Inner {
    gpu: Gpu,
    buffer: wgpu::Buffer,
    shape: Vec<usize>,
    strides: Vec<usize>,
    len: usize,
    modified: AtomicBool,
    /// Whether it was ever marked as modified.
    written: Arc<AtomicBool>,
}

impl<T: Value> DeviceArray<T> {
    /// Room for an array of this shape, for a shader's results; its elements are zero.
    ///
    /// # Errors
    /// [`ErrorKind::GpuLimit`] when it is above the largest buffer, [`ErrorKind::GpuOutOfMemory`],
    /// [`ErrorKind::DeviceLost`].
    #[cfg(not(target_family = "wasm"))]
    pub fn zeroed(gpu: &Gpu, shape: &[usize]) -> Result<Self> {
        gpu.context().block_on(Self::new(gpu, shape))
    }

    /// The asynchronous form of [`DeviceArray::zeroed`].
    ///
    /// # Errors
    /// As [`DeviceArray::zeroed`].
    pub async fn zeroed_async(gpu: &Gpu, shape: &[usize]) -> Result<Self> {
        gpu.context().drive(Self::new(gpu, shape)).await
    }

    /// Allocates an array; the future must be driven by the caller.
    ///
    /// # Errors
    /// As [`DeviceArray::zeroed`].
    pub(crate) async fn new(gpu: &Gpu, shape: &[usize]) -> Result<Self> {
        // A length that overflows exceeds every limit.
        let len = shape.iter().fold(1usize, |len, &n| len.saturating_mul(n));
        let bytes = (len as u64).saturating_mul(size_of::<T>() as u64);
        let context = gpu.context();
        let buffer = context.buffer("voxload array", whole_words(bytes), Self::USAGE, false);
        Ok(Self::over(gpu, buffer.await?, shape))
    }

    /// The usages of an array's buffer.
    pub(crate) const USAGE: wgpu::BufferUsages = wgpu::BufferUsages::STORAGE
        .union(wgpu::BufferUsages::COPY_SRC)
        .union(wgpu::BufferUsages::COPY_DST);

    /// An array at the start of a buffer of [`Self::USAGE`] that is large enough.
    pub(crate) fn over(gpu: &Gpu, buffer: wgpu::Buffer, shape: &[usize]) -> Self {
        let mut strides = Vec::with_capacity(shape.len());
        let mut len = 1usize;
        for &count in shape {
            strides.push(len);
            len = len.saturating_mul(count);
        }
        let inner = Inner {
            gpu: gpu.clone(),
            buffer,
            shape: shape.to_vec(),
            strides,
            len,
            modified: AtomicBool::new(false),
            written: Arc::default(),
        };
        Self(Arc::new(inner), PhantomData)
    }

    /// Uploads `values`, in column-major order, as an array of this shape.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] when the number of values is not that of the shape, [`ErrorKind::GpuLimit`],
    /// [`ErrorKind::GpuOutOfMemory`], [`ErrorKind::DeviceLost`].
    #[cfg(not(target_family = "wasm"))]
    pub fn from_slice(gpu: &Gpu, shape: &[usize], values: &[T]) -> Result<Self> {
        gpu.context().block_on(Self::uploaded(gpu, shape, values))
    }

    /// The asynchronous form of [`DeviceArray::from_slice`]. The values are copied to staging memory while the future
    /// is polled.
    ///
    /// # Errors
    /// As [`DeviceArray::from_slice`].
    pub async fn from_slice_async(gpu: &Gpu, shape: &[usize], values: &[T]) -> Result<Self> {
        let upload = Self::uploaded(gpu, shape, values);
        gpu.context().drive(upload).await
    }

    /// Uploads an array; the future must be driven by the caller.
    ///
    /// # Errors
    /// As [`DeviceArray::from_slice`].
    pub(crate) async fn uploaded(gpu: &Gpu, shape: &[usize], values: &[T]) -> Result<Self> {
        let wanted = shape.iter().try_fold(1usize, |len, &n| len.checked_mul(n));
        if wanted != Some(values.len()) {
            return Err(Error::shape(
                shape,
                format_args!("the shape of {} values", values.len()),
            ));
        }
        let array = Self::new(gpu, shape).await?;
        let bytes = bytemuck::cast_slice(values);
        load::copy_bytes(gpu, bytes, array.buffer(), &StagingOptions::default()).await?;
        Ok(array)
    }

    /// The buffer, with usages `STORAGE | COPY_SRC | COPY_DST`. Element `(i, j, ..)` is at `i * strides[0] + j *
    /// strides[1] ..`.
    ///
    /// After a shader has written to it, call [`DeviceArray::mark_modified`].
    pub fn buffer(&self) -> &wgpu::Buffer {
        &self.0.buffer
    }

    /// The number of elements along each axis.
    pub fn shape(&self) -> &[usize] {
        &self.0.shape
    }

    /// The stride along each axis, in elements.
    pub fn strides(&self) -> &[usize] {
        &self.0.strides
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.0.len
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.0.len == 0
    }

    /// The size of the buffer in bytes: that of the elements, padded to a multiple of 4.
    pub fn size_bytes(&self) -> u64 {
        self.0.buffer.size()
    }

    /// The device on which the array is.
    pub fn gpu(&self) -> &Gpu {
        &self.0.gpu
    }

    /// To be called after the buffer was written to. An image that caches this array then treats it as edited.
    pub fn mark_modified(&self) {
        self.0.written.store(true, Ordering::Release);
        self.0.modified.store(true, Ordering::Release);
    }

    /// Whether [`DeviceArray::mark_modified`] was called on this handle or a clone of it.
    pub fn is_modified(&self) -> bool {
        self.0.modified.load(Ordering::Acquire)
    }

    /// A flag that is set once the array was modified, and stays set even if it was downloaded since.
    pub(crate) fn written(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0.written)
    }

    /// Whether there are other handles.
    pub(crate) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// To be called when the modified values have been copied elsewhere.
    pub(crate) fn clear_modified(&self) {
        self.0.modified.store(false, Ordering::Release);
    }

    /// The same array without its static type.
    pub(crate) fn untyped(&self) -> UntypedArray {
        UntypedArray {
            dtype: T::DTYPE,
            inner: Arc::clone(&self.0),
        }
    }

    /// Waits for the device and copies all elements to an array on the host.
    ///
    /// # Errors
    /// As [`Self::download_into`], and [`ErrorKind::OutOfMemory`].
    #[cfg(not(target_family = "wasm"))]
    pub fn download(&self) -> Result<HostArray<T>> {
        self.0.gpu.context().block_on(self.downloaded())
    }

    /// The asynchronous form of [`Self::download`].
    ///
    /// # Errors
    /// As [`Self::download`].
    pub async fn download_async(&self) -> Result<HostArray<T>> {
        self.0.gpu.context().drive(self.downloaded()).await
    }

    /// Downloads all elements; the future must be driven by the caller, possibly on another device.
    ///
    /// # Errors
    /// As [`Self::download`].
    pub(crate) async fn downloaded(&self) -> Result<HostArray<T>> {
        let mut buffer = Buffer::zeroed(self.len())?;
        let copy = self.copy_into(buffer.as_mut_slice()?);
        self.0.gpu.context().drive_inner(copy).await?;
        HostArray::from_buffer(self.shape(), buffer)
    }

    /// Waits for the device and copies all elements to `out` in column-major order. Other users' callbacks for this
    /// device may run on this thread.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] if `out` has another length, [`ErrorKind::DeviceLost`], [`ErrorKind::GpuOutOfMemory`].
    #[cfg(not(target_family = "wasm"))]
    pub fn download_into(&self, out: &mut [T]) -> Result<()> {
        self.0.gpu.context().block_on(self.copy_into(out))
    }

    /// The asynchronous form of [`Self::download_into`].
    ///
    /// # Errors
    /// As [`Self::download_into`].
    pub async fn download_into_async(&self, out: &mut [T]) -> Result<()> {
        self.0.gpu.context().drive(self.copy_into(out)).await
    }

    async fn copy_into(&self, out: &mut [T]) -> Result<()> {
        if out.len() != self.len() {
            return Err(Error::shape(
                out.len(),
                format_args!("{} elements", self.len()),
            ));
        }
        let bytes = bytemuck::cast_slice_mut(out);
        download::copy_bytes(self.0.gpu.context(), &self.0.buffer, 0, bytes).await
    }
}

/// A [`DeviceArray`] whose type is known only at run time.
#[derive(Debug, Clone)]
pub(crate) struct UntypedArray {
    dtype: DType,
    inner: Arc<Inner>,
}

impl UntypedArray {
    pub(crate) fn dtype(&self) -> DType {
        self.dtype
    }

    /// The array, when it is of this type.
    pub(crate) fn typed<T: Value>(&self) -> Option<DeviceArray<T>> {
        (self.dtype == T::DTYPE).then(|| DeviceArray(Arc::clone(&self.inner), PhantomData))
    }

    pub(crate) fn is_modified(&self) -> bool {
        self.inner.modified.load(Ordering::Acquire)
    }

    /// The size of the buffer in bytes.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.inner.buffer.size()
    }
}

#[cfg(not(target_family = "wasm"))]
impl Drop for Inner {
    fn drop(&mut self) {
        // As large arrays on the host: the memory of a software adapter is slow to free.
        if scope::is_cancelled() {
            threads::drop_on_a_thread(self.buffer.clone());
        }
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} on {:?}", self.shape, self.gpu)
    }
}

impl<T: Value> fmt::Debug for DeviceArray<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "DeviceArray<{}>{:?} on {:?}",
            T::DTYPE,
            self.shape(),
            self.gpu()
        )
    }
}

/// The size of a buffer for this many bytes: buffers must not be empty, and copies are of whole words.
pub(crate) fn whole_words(bytes: u64) -> u64 {
    bytes.max(4).checked_next_multiple_of(4).unwrap_or(u64::MAX)
}
