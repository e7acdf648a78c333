//! [`Gpu`]: a device that volumes can be loaded to, and how adapters become one.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::choice::{KernelChoice, KernelReport, Kernels};
use super::context::Context;
use super::cut::check_convertible;
use super::pipelines::Pipelines;
use super::staging::SpareRings;
use crate::convert::Conversion;
use crate::core::dtype::{ByteOrder, DType};
use crate::core::error::{Error, ErrorKind, Result};
use crate::core::scaling::Scaling;
#[cfg(not(target_family = "wasm"))]
use crate::read::wait;

/// Features that are asked for where the adapter has them; none is needed.
const USEFUL: [(wgpu::Features, &str); 7] = [
    (
        wgpu::Features::MAPPABLE_PRIMARY_BUFFERS,
        "mappable primary buffers",
    ),
    (wgpu::Features::TIMESTAMP_QUERY, "timestamps"),
    (wgpu::Features::FLOAT32_FILTERABLE, "f32 filtering"),
    (
        wgpu::Features::TEXTURE_FORMAT_16BIT_NORM,
        "16-bit normalised textures",
    ),
    (wgpu::Features::SHADER_F64, "f64 in shaders"),
    (wgpu::Features::SHADER_INT64, "i64 in shaders"),
    (wgpu::Features::SUBGROUP, "subgroups"),
];

/// A device that volumes can be loaded to. Cloning it is cheap: the clones are one device.
///
/// What waits for the device has two names: one that blocks, on native targets, and one that ends in `_async` and is
/// awaited, everywhere. Asynchronous calls need no particular executor; on native a thread wakes them now and then so
/// that they can poll the device, and files are read and inflated on threads.
#[derive(Clone)]
pub struct Gpu(Arc<Shared>);

struct Shared {
    context: Context,
    pipelines: Arc<Pipelines>,
    kernels: Kernels,
    spare_rings: SpareRings,
}

/// A description of an adapter, to choose one by.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AdapterDescription {
    /// Its number, for [`Gpu::with_adapter`].
    pub index: usize,
    /// wgpu's own description: name, kind, driver, backend.
    pub info: wgpu::AdapterInfo,
    /// Whether it computes on the CPU.
    pub software: bool,
    /// The largest buffer, in bytes.
    pub max_buffer_bytes: u64,
    /// The largest part of a buffer that a shader sees at once, in bytes.
    pub max_binding_bytes: u64,
    /// Those of its optional features that voxload uses.
    pub features: Vec<&'static str>,
}

impl Gpu {
    /// Opens the best adapter there is: a discrete one first, a software one last.
    ///
    /// # Errors
    /// [`ErrorKind::NoGpu`] without an adapter, or if none of them can be opened.
    #[cfg(not(target_family = "wasm"))]
    pub fn new() -> Result<Self> {
        block_on(Self::request())
    }

    /// Opens the best adapter there is, as [`Gpu::new`] does; in browsers the one that the page gets.
    ///
    /// ```no_run
    /// # async fn example() -> voxload::Result<()> {
    /// use voxload::{Caching, Gpu};
    /// let gpu = Gpu::request().await?;
    /// let image = voxload::load("bold.nii.gz")?;
    /// let values = image.get_fdata_gpu_async::<f32>(&gpu, Caching::Fill).await?;
    /// println!("{:?} in {:?}", values.shape(), values.buffer());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Gpu::new`].
    pub async fn request() -> Result<Self> {
        let mut refusal = Error::from(ErrorKind::NoGpu("no adapter was found".to_owned()));
        for adapter in sorted_adapters().await {
            match Self::open(&adapter).await {
                Ok(gpu) => return Ok(gpu),
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }

    /// Opens the adapter with this number in [`Gpu::adapters`].
    ///
    /// # Errors
    /// [`ErrorKind::NoGpu`] if there is none with this number, or if it cannot be opened.
    #[cfg(not(target_family = "wasm"))]
    pub fn with_adapter(index: usize) -> Result<Self> {
        block_on(Self::with_adapter_async(index))
    }

    /// [`Gpu::with_adapter`], awaited.
    ///
    /// # Errors
    /// As [`Gpu::with_adapter`].
    pub async fn with_adapter_async(index: usize) -> Result<Self> {
        let adapters = sorted_adapters().await;
        let adapter = adapters.get(index).ok_or_else(|| {
            ErrorKind::NoGpu(format!(
                "no adapter {index}, there are {} (counted from 0)",
                adapters.len()
            ))
        })?;
        Self::open(adapter).await
    }

    /// Works on the caller's device, whatever its features and limits. Nothing is installed on it.
    ///
    /// wgpu reports the loss of a device only to its owner: forward the callback to [`Gpu::mark_lost`] to have running
    /// loads end at once; otherwise the next load finds it out.
    pub fn from_device(device: &wgpu::Device, queue: &wgpu::Queue) -> Self {
        Self::wrap(
            device.clone(),
            queue.clone(),
            Arc::new(AtomicBool::new(false)),
        )
    }

    /// Whether both are handles on one device.
    pub fn is_same_device(&self, other: &Self) -> bool {
        self.device() == other.device()
    }

    /// All adapters of this machine, in the order in which [`Gpu::new`] tries them.
    #[cfg(not(target_family = "wasm"))]
    pub fn adapters() -> Vec<AdapterDescription> {
        block_on(Self::adapters_async())
    }

    /// [`Gpu::adapters`], awaited; in browsers the one that the page gets.
    pub async fn adapters_async() -> Vec<AdapterDescription> {
        let describe = |(index, adapter): (usize, wgpu::Adapter)| {
            let (info, limits) = (adapter.get_info(), adapter.limits());
            AdapterDescription {
                index,
                software: info.device_type == wgpu::DeviceType::Cpu,
                info,
                max_buffer_bytes: limits.max_buffer_size,
                max_binding_bytes: limits.max_storage_buffer_binding_size,
                features: USEFUL
                    .iter()
                    .filter(|(feature, _)| adapter.features().contains(*feature))
                    .map(|(_, name)| *name)
                    .collect(),
            }
        };
        let adapters = sorted_adapters().await.into_iter();
        adapters.enumerate().map(describe).collect()
    }

    async fn open(adapter: &wgpu::Adapter) -> Result<Self> {
        let useful = USEFUL
            .iter()
            .fold(wgpu::Features::empty(), |all, (feature, _)| all | *feature);
        let request = adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("voxload"),
            required_features: adapter.features() & useful,
            required_limits: adapter.limits(),
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..Default::default()
        });
        let (device, queue) = request.await.map_err(|error| {
            ErrorKind::NoGpu(format!(
                "{} gives no device: {error}",
                adapter.get_info().name
            ))
        })?;
        // Our own calls run in error scopes; this is for what the caller does with our device.
        device.on_uncaptured_error(Arc::new(|error: wgpu::Error| log::error!("wgpu: {error}")));
        let lost = Arc::new(AtomicBool::new(false));
        let notice = Arc::clone(&lost);
        device.set_device_lost_callback(move |_, _| notice.store(true, Ordering::Release));
        Ok(Self::wrap(device, queue, lost))
    }

    fn wrap(device: wgpu::Device, queue: wgpu::Queue, lost: Arc<AtomicBool>) -> Self {
        let context = Context::new(device, queue, lost);
        let pipelines = Arc::default();
        Self(Arc::new(Shared {
            kernels: Kernels::new(&context, &pipelines),
            context,
            pipelines,
            spare_rings: SpareRings::default(),
        }))
    }

    /// The device.
    pub fn device(&self) -> &wgpu::Device {
        self.context().device()
    }

    /// The queue that loads are submitted to.
    pub fn queue(&self) -> &wgpu::Queue {
        self.context().queue()
    }

    /// The adapter: name, kind, driver, backend.
    pub fn info(&self) -> &wgpu::AdapterInfo {
        self.context().info()
    }

    /// Whether the adapter computes on the CPU.
    pub fn is_software(&self) -> bool {
        self.context().is_software()
    }

    /// The limits that the device was made with.
    pub fn limits(&self) -> &wgpu::Limits {
        self.context().limits()
    }

    /// Reports that the device was lost: running and later loads fail with [`ErrorKind::DeviceLost`].
    pub fn mark_lost(&self) {
        self.context().mark_lost();
    }

    /// Releases the staging memory that is reused from one load to the next (with default options at most 64 MiB of
    /// host memory each for loads and for uploads).
    pub fn release_staging(&self) {
        self.0.spare_rings.clear();
    }

    /// Sets how kernels are chosen from now on, on all clones of this handle. The values are the same in any case.
    pub fn set_kernel_choice(&self, choice: KernelChoice) {
        self.kernels().set_choice(choice);
    }

    /// How kernels are chosen.
    pub fn kernel_choice(&self) -> KernelChoice {
        self.kernels().choice()
    }

    /// Measures each way of computing for a class of conversions: this is what
    /// [`KernelChoice::Fastest`] goes by from now on. Takes some tenths of a second where pipelines have to be made.
    ///
    /// # Errors
    /// [`ErrorKind::DType`] for stored types without a kernel, [`ErrorKind::GpuUnsupported`],
    /// [`ErrorKind::GpuOutOfMemory`], [`ErrorKind::DeviceLost`].
    #[cfg(not(target_family = "wasm"))]
    pub fn kernel_rates(
        &self,
        stored: DType,
        scaling: &Scaling,
        output: DType,
    ) -> Result<KernelReport> {
        self.context()
            .block_on(self.measured_rates(stored, scaling, output))
    }

    /// [`Gpu::kernel_rates`], awaited.
    ///
    /// # Errors
    /// As [`Gpu::kernel_rates`].
    pub async fn kernel_rates_async(
        &self,
        stored: DType,
        scaling: &Scaling,
        output: DType,
    ) -> Result<KernelReport> {
        let rates = self.measured_rates(stored, scaling, output);
        self.context().drive(rates).await
    }

    async fn measured_rates(
        &self,
        stored: DType,
        scaling: &Scaling,
        output: DType,
    ) -> Result<KernelReport> {
        let conversion = Conversion::new(stored, ByteOrder::NATIVE, scaling, output)?;
        check_convertible(self.context(), &conversion)?;
        self.kernels().rates(&conversion).await
    }

    /// Has everything work as it does in browsers, for tests: bytes go up by `write_buffer`, not through mapped memory,
    /// and streams and asynchronous loads read in the caller.
    #[doc(hidden)]
    pub fn set_browser_like(&self, is_browser_like: bool) {
        self.context().set_browser_like(is_browser_like);
    }

    /// Whether everything works as in browsers.
    #[doc(hidden)]
    pub fn is_browser_like(&self) -> bool {
        self.context().is_browser_like()
    }

    pub(crate) fn context(&self) -> &Context {
        &self.0.context
    }

    pub(crate) fn pipelines(&self) -> &Pipelines {
        &self.0.pipelines
    }

    pub(crate) fn kernels(&self) -> &Kernels {
        &self.0.kernels
    }

    pub(crate) fn spare_rings(&self) -> &SpareRings {
        &self.0.spare_rings
    }
}

impl fmt::Debug for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info = self.info();
        write!(f, "Gpu({}, {:?})", info.name, info.backend)
    }
}

async fn sorted_adapters() -> Vec<wgpu::Adapter> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let mut adapters = instance.enumerate_adapters(wgpu::Backends::all()).await;
    // The sort is stable: adapters of one kind stay in wgpu's order.
    adapters.sort_by_key(|adapter| match adapter.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    });
    adapters
}

/// Blocks on what needs no device: adapters answer at once on native.
#[cfg(not(target_family = "wasm"))]
fn block_on<F: Future>(future: F) -> F::Output {
    wait::block_on(future, super::ticker::TICK, || {})
}
