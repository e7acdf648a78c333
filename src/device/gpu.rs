//! The device: which adapter, what it can do, and how its faults become typed errors.
//!
//! Nothing here is a process global, and nothing is installed on a device that the caller made.

use std::fmt;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use crate::device::Kernels;
use crate::device::upload::SpareRings;
use crate::error::{Error, ErrorKind, Result};
use crate::image::statistics::device::Reducers;

/// How long a blocking call sleeps between looks at the device.
pub(crate) const TICK: Duration = Duration::from_micros(200);
/// How long the device may have work and finish none of it before we stop waiting for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

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
#[derive(Clone)]
pub struct Gpu(Arc<Shared>);

struct Shared {
    device: wgpu::Device,
    queue: wgpu::Queue,
    info: wgpu::AdapterInfo,
    limits: wgpu::Limits,
    features: wgpu::Features,
    lost: Arc<AtomicBool>,
    kernels: Kernels,
    spare_rings: SpareRings,
    reducers: Reducers,
}

/// What an adapter is, for people to choose by.
#[derive(Debug, Clone)]
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
    /// Those of its optional features that voxload has a use for.
    pub features: Vec<&'static str>,
}

impl Gpu {
    /// Opens the best adapter there is: a discrete one first, a software one last.
    ///
    /// # Errors
    /// [`ErrorKind::NoGpu`] without an adapter, or when none of them gives a device.
    pub fn new() -> Result<Self> {
        let mut refusal = Error::from(ErrorKind::NoGpu("no adapter was found".to_owned()));
        for adapter in sorted_adapters() {
            match Self::open(&adapter) {
                Ok(gpu) => return Ok(gpu),
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }

    /// Opens the adapter with this number in [`Gpu::adapters`].
    ///
    /// # Errors
    /// [`ErrorKind::NoGpu`] when there is none of this number, or when it gives no device.
    pub fn with_adapter(index: usize) -> Result<Self> {
        let adapters = sorted_adapters();
        let adapter = adapters.get(index).ok_or_else(|| {
            ErrorKind::NoGpu(format!(
                "no adapter {index}, there are {} (counted from 0)",
                adapters.len()
            ))
        })?;
        Self::open(adapter)
    }

    /// Works on the caller's device, whatever its features and limits. Nothing is installed on it.
    ///
    /// wgpu does not tell a bystander that a device was lost: pass such a notice on with [`Gpu::device_lost`] to have
    /// it believed at once; otherwise it is found out by the next load.
    pub fn from_device(device: &wgpu::Device, queue: &wgpu::Queue) -> Self {
        Self::wrap(
            device.clone(),
            queue.clone(),
            Arc::new(AtomicBool::new(false)),
        )
    }

    /// Whether both are handles on one device.
    pub fn is_same_device(&self, other: &Self) -> bool {
        self.0.device == other.0.device
    }

    /// All adapters of this machine, in the order in which [`Gpu::new`] tries them.
    pub fn adapters() -> Vec<AdapterDescription> {
        let describe = |(index, adapter): (usize, wgpu::Adapter)| {
            let (info, limits) = (adapter.get_info(), adapter.limits());
            AdapterDescription {
                index,
                software: is_software(&info),
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
        sorted_adapters()
            .into_iter()
            .enumerate()
            .map(describe)
            .collect()
    }

    fn open(adapter: &wgpu::Adapter) -> Result<Self> {
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
        let (device, queue) = pollster::block_on(request).map_err(|error| {
            ErrorKind::NoGpu(format!(
                "{} gives no device: {error}",
                adapter.get_info().name
            ))
        })?;
        // Our own calls run in error scopes; this is for what the caller does with our device.
        device.on_uncaptured_error(Arc::new(|error: wgpu::Error| {
            // Not `eprintln`, which panics when standard error is closed.
            let _ = writeln!(std::io::stderr(), "voxload: wgpu: {error}");
        }));
        let lost = Arc::new(AtomicBool::new(false));
        let notice = Arc::clone(&lost);
        device.set_device_lost_callback(move |_, _| notice.store(true, Ordering::Release));
        Ok(Self::wrap(device, queue, lost))
    }

    fn wrap(device: wgpu::Device, queue: wgpu::Queue, lost: Arc<AtomicBool>) -> Self {
        Self(Arc::new(Shared {
            info: device.adapter_info(),
            limits: device.limits(),
            features: device.features(),
            device,
            queue,
            lost,
            kernels: Kernels::default(),
            spare_rings: SpareRings::default(),
            reducers: Reducers::default(),
        }))
    }

    /// The device.
    pub fn device(&self) -> &wgpu::Device {
        &self.0.device
    }

    /// The queue that loads are submitted to.
    pub fn queue(&self) -> &wgpu::Queue {
        &self.0.queue
    }

    /// The adapter: name, kind, driver, backend.
    pub fn info(&self) -> &wgpu::AdapterInfo {
        &self.0.info
    }

    /// Whether the adapter computes on the CPU.
    pub fn is_software(&self) -> bool {
        is_software(&self.0.info)
    }

    /// The limits that the device was made with.
    pub fn limits(&self) -> &wgpu::Limits {
        &self.0.limits
    }

    /// Passes on the news that the device was lost: loads that are running or yet to come are
    /// [`ErrorKind::DeviceLost`].
    pub fn device_lost(&self) {
        self.0.lost.store(true, Ordering::Release);
    }

    /// Gives back the staging memory that is kept from one load to the next (with default options at most 64 MiB of
    /// host memory each for loads and for uploads).
    pub fn release_staging(&self) {
        self.0.spare_rings.clear();
    }

    pub(crate) fn spare_rings(&self) -> &SpareRings {
        &self.0.spare_rings
    }

    pub(crate) fn reducers(&self) -> &Reducers {
        &self.0.reducers
    }

    pub(crate) fn kernels(&self) -> &Kernels {
        &self.0.kernels
    }

    /// Whether one buffer can be both mapped and bound, and is as fast as two.
    pub(crate) fn maps_primary(&self) -> bool {
        let near = self.is_software() || self.0.info.device_type == wgpu::DeviceType::IntegratedGpu;
        let mappable = wgpu::Features::MAPPABLE_PRIMARY_BUFFERS;
        near && self.0.features.contains(mappable)
    }

    /// An error when the device is known to be lost.
    pub(crate) fn check_lost(&self) -> Result<()> {
        if self.0.lost.load(Ordering::Acquire) {
            return Err(ErrorKind::DeviceLost.into());
        }
        Ok(())
    }

    /// Lets callbacks of finished work run, on this thread, without waiting.
    pub(crate) fn poll(&self) -> Result<()> {
        let poll = || self.0.device.poll(wgpu::PollType::Poll);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(poll)) {
            // wgpu itself panics here when the driver reports the loss of the device; for us that is an answer.
            // A panic of somebody's callback is theirs.
            let text = panic.downcast_ref::<String>();
            if !text.is_some_and(|text| text.starts_with("Error in Device::poll")) {
                resume_unwind(panic);
            }
            self.device_lost();
        }
        self.check_lost()
    }

    /// Does something with the device and turns what the device has against it into an error. `needed` are the bytes
    /// of device memory that it takes.
    pub(crate) fn guarded<R>(&self, needed: u64, action: impl FnOnce() -> R) -> Result<R> {
        let result = self.scoped(needed, action);
        match &result {
            // A lost device may complain of anything.
            Err(error) if matches!(error.kind(), ErrorKind::Gpu(_)) && !self.answers() => {
                self.device_lost();
                Err(ErrorKind::DeviceLost.into())
            }
            _ => result,
        }
    }

    /// As [`Self::guarded`], without asking a device that complains whether it is lost: never waits.
    pub(crate) fn scoped<R>(&self, needed: u64, action: impl FnOnce() -> R) -> Result<R> {
        // Scopes belong to this thread, so nobody else's errors are caught here.
        let device = &self.0.device;
        let validation = device.push_error_scope(wgpu::ErrorFilter::Validation);
        let internal = device.push_error_scope(wgpu::ErrorFilter::Internal);
        let memory = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let result = action();
        let memory = pollster::block_on(memory.pop());
        let internal = pollster::block_on(internal.pop());
        let validation = pollster::block_on(validation.pop());
        if memory.is_some() {
            return Err(ErrorKind::GpuOutOfMemory { needed }.into());
        }
        match internal.or(validation) {
            Some(error) => Err(ErrorKind::Gpu(one_line(&error)).into()),
            None => Ok(result),
        }
    }

    /// Whether the device still maps a buffer: the only question that a lost device does not answer with success.
    pub(super) fn answers(&self) -> bool {
        let Ok(answer) = self.ask() else {
            return false;
        };
        let start = Instant::now();
        while start.elapsed() < PATIENCE && self.poll().is_ok() {
            match answer.recv_timeout(TICK) {
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                answer => return answer == Ok(true),
            }
        }
        false
    }

    /// Asks that question; `true`, `false` or the end of the channel come when somebody polls.
    pub(crate) fn ask(&self) -> Result<mpsc::Receiver<bool>> {
        let (sender, receiver) = mpsc::channel();
        self.scoped(4, || {
            let buffer = self.0.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("voxload probe"),
                size: 4,
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            let kept = buffer.clone();
            buffer.map_async(wgpu::MapMode::Read, .., move |result| {
                // The other end is gone only when nobody waits any more.
                let _ = sender.send(result.is_ok());
                drop(kept);
            });
        })?;
        Ok(receiver)
    }

    /// A buffer, with what is too large or not to be had as an error.
    pub(crate) fn buffer(
        &self,
        label: &str,
        size: u64,
        usage: wgpu::BufferUsages,
        mapped_at_creation: bool,
    ) -> Result<wgpu::Buffer> {
        self.check_lost()?;
        let allowed = self.0.limits.max_buffer_size;
        if size > allowed {
            return Err(ErrorKind::LimitExceeded {
                limit: "max_buffer_size",
                needed: size,
                allowed,
            }
            .into());
        }
        self.guarded(size, || {
            self.0.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size,
                usage,
                mapped_at_creation,
            })
        })
    }
}

impl fmt::Debug for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info = &self.0.info;
        write!(f, "Gpu({}, {:?})", info.name, info.backend)
    }
}

fn is_software(info: &wgpu::AdapterInfo) -> bool {
    info.device_type == wgpu::DeviceType::Cpu
}

pub(crate) fn sorted_adapters() -> Vec<wgpu::Adapter> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let mut adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
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

/// wgpu's errors are paragraphs; ours are lines.
fn one_line(error: &wgpu::Error) -> String {
    let text = error.to_string();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
