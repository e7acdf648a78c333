//! The device as everything else sees it: handles, limits, faults that become typed errors, waiting.
//!
//! Nothing here is a process global, and nothing is installed on a device that the caller made. Error scopes belong to
//! the thread that pushes them: they are pushed and popped around each call, and only what they caught is awaited.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{self, Poll};
use std::time::Duration;

use web_time::Instant;

#[cfg(not(target_family = "wasm"))]
use super::ticker::{TICK, Ticker};
use crate::core::error::{Error, ErrorKind, Result};
use crate::core::scope;
#[cfg(not(target_family = "wasm"))]
use crate::read::wait;
use crate::read::wait::{Mailbox, Site};

/// How long the device may have work and finish none of it before we stop waiting for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A future of the device's: `Send` where wgpu's types are.
#[cfg(not(target_family = "wasm"))]
pub(crate) type DeviceFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
#[cfg(target_family = "wasm")]
pub(crate) type DeviceFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// A device and its queue. Clones are one device.
#[derive(Clone)]
pub(crate) struct Context(Arc<Inner>);

struct Inner {
    device: wgpu::Device,
    queue: wgpu::Queue,
    info: wgpu::AdapterInfo,
    limits: wgpu::Limits,
    features: wgpu::Features,
    lost: Arc<AtomicBool>,
    is_browser_like: AtomicBool,
    #[cfg(not(target_family = "wasm"))]
    ticker: Ticker,
}

impl Context {
    /// `lost` is set by the callback of a device's loss, where there is one.
    pub fn new(device: wgpu::Device, queue: wgpu::Queue, lost: Arc<AtomicBool>) -> Self {
        Self(Arc::new(Inner {
            info: device.adapter_info(),
            limits: device.limits(),
            features: device.features(),
            device,
            queue,
            lost,
            is_browser_like: AtomicBool::new(cfg!(target_family = "wasm")),
            #[cfg(not(target_family = "wasm"))]
            ticker: Ticker::default(),
        }))
    }

    pub fn device(&self) -> &wgpu::Device {
        &self.0.device
    }

    pub fn queue(&self) -> &wgpu::Queue {
        &self.0.queue
    }

    pub fn info(&self) -> &wgpu::AdapterInfo {
        &self.0.info
    }

    pub fn limits(&self) -> &wgpu::Limits {
        &self.0.limits
    }

    pub fn features(&self) -> wgpu::Features {
        self.0.features
    }

    /// The largest part of a buffer that a shader can see at once, in bytes.
    pub fn max_binding(&self) -> u64 {
        let limits = &self.0.limits;
        limits
            .max_storage_buffer_binding_size
            .min(limits.max_buffer_size)
    }

    /// Whether the adapter computes on the CPU.
    pub fn is_software(&self) -> bool {
        self.0.info.device_type == wgpu::DeviceType::Cpu
    }

    /// Whether one buffer can be both mapped and bound, and is as fast as two.
    pub fn maps_primary(&self) -> bool {
        let near = self.is_software() || self.0.info.device_type == wgpu::DeviceType::IntegratedGpu;
        let mappable = wgpu::Features::MAPPABLE_PRIMARY_BUFFERS;
        near && self.0.features.contains(mappable)
    }

    /// Whether bytes go up by `write_buffer` and not through mapped memory, and asynchronous work reads in the caller.
    pub fn is_browser_like(&self) -> bool {
        self.0.is_browser_like.load(Ordering::Relaxed)
    }

    /// Has everything work as it does in browsers, for tests.
    pub fn set_browser_like(&self, is_browser_like: bool) {
        let of_target = cfg!(target_family = "wasm");
        let is_browser_like = is_browser_like || of_target;
        self.0
            .is_browser_like
            .store(is_browser_like, Ordering::Relaxed);
    }

    /// Where asynchronous work reads.
    pub fn background(&self) -> Site {
        match self.is_browser_like() {
            true => Site::Caller,
            false => Site::BACKGROUND,
        }
    }

    /// Has loads that are running or yet to come fail with [`ErrorKind::DeviceLost`].
    pub fn mark_lost(&self) {
        self.0.lost.store(true, Ordering::Release);
    }

    /// An error when the device is known to be lost.
    pub fn check_lost(&self) -> Result<()> {
        if self.0.lost.load(Ordering::Acquire) {
            return Err(ErrorKind::DeviceLost.into());
        }
        Ok(())
    }

    /// Lets callbacks of finished work run, on this thread, without waiting. Browsers do so by themselves.
    pub fn poll(&self) -> Result<()> {
        #[cfg(not(target_family = "wasm"))]
        {
            use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
            // `Device::poll` returns an error only for waits that time out. When the driver reports that the device is
            // lost or out of memory, wgpu marks the device as invalid and panics (wgpu 30, `handle_error_fatal` in
            // `CoreDevice::poll`); for us that is an answer. A panic on a device that is still valid comes from the
            // callback of another user, and is passed on.
            let poll = || self.0.device.poll(wgpu::PollType::Poll);
            if let Err(panic) = catch_unwind(AssertUnwindSafe(poll)) {
                if self.is_valid() {
                    resume_unwind(panic);
                }
                self.mark_lost();
            }
        }
        self.check_lost()
    }

    /// Whether the device takes new work: one that is lost refuses to map a buffer, at once and without a poll.
    #[cfg(not(target_family = "wasm"))]
    fn is_valid(&self) -> bool {
        let (mapping, _scope) = self.scope(4, || self.map_new_buffer());
        mapping.try_take() != Some(false)
    }

    /// Does something with the device. What the device has against it is known when the scope is awaited; `needed` are
    /// the bytes of device memory that it takes.
    pub fn scope<R>(&self, needed: u64, action: impl FnOnce() -> R) -> (R, Scope) {
        let device = &self.0.device;
        let validation = device.push_error_scope(wgpu::ErrorFilter::Validation);
        let internal = device.push_error_scope(wgpu::ErrorFilter::Internal);
        let memory = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let result = action();
        let (memory, internal, validation) = (memory.pop(), internal.pop(), validation.pop());
        let outcome = async move {
            let memory = memory.await;
            let internal = internal.await;
            let validation = validation.await;
            if memory.is_some() {
                return Err(ErrorKind::GpuOutOfMemory { needed }.into());
            }
            match internal.or(validation) {
                Some(error) => Err(ErrorKind::Gpu(one_line(&error)).into()),
                None => Ok(()),
            }
        };
        (result, Box::pin(outcome))
    }

    /// Does something with the device and turns what the device has against it into an error.
    ///
    /// # Errors
    /// [`ErrorKind::GpuOutOfMemory`], [`ErrorKind::DeviceLost`], [`ErrorKind::Gpu`].
    pub async fn guarded<R>(&self, needed: u64, action: impl FnOnce() -> R) -> Result<R> {
        let (result, scope) = self.scope(needed, action);
        match scope.await {
            Ok(()) => Ok(result),
            Err(error) => Err(self.diagnose(error).await),
        }
    }

    /// What an error of the device's really is. A lost device may complain of anything, so it is asked whether it still
    /// maps a buffer: the only question that a lost device does not answer with success. The question is asked at once;
    /// a device that was waited for in vain is not asked again.
    pub fn diagnose(&self, error: Error) -> DeviceFuture<Error> {
        let is_doubted =
            matches!(error.kind(), ErrorKind::Gpu(_)) && error.kind() != no_answer().kind();
        let answer = is_doubted.then(|| self.ask());
        let context = self.clone();
        Box::pin(async move {
            let Some(answer) = answer else {
                return error;
            };
            match answer.await {
                Ok(()) => return error,
                Err(unanswered) if unanswered.is_cancelled() => return unanswered,
                Err(_) => {}
            }
            context.mark_lost();
            ErrorKind::DeviceLost.into()
        })
    }

    /// Waits until the device has done what it was given before.
    ///
    /// # Errors
    /// [`ErrorKind::DeviceLost`].
    pub async fn answer(&self) -> Result<()> {
        self.ask().await.map_err(|error| {
            if error.is_cancelled() {
                return error;
            }
            self.mark_lost();
            ErrorKind::DeviceLost.into()
        })
    }

    fn ask(&self) -> Mapping {
        let (mapped, _scope) = self.scope(4, || self.map_new_buffer());
        self.mapping(mapped)
    }

    fn map_new_buffer(&self) -> Arc<Mailbox<bool>> {
        let buffer = self.0.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("voxload probe"),
            size: 4,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        map(&buffer, wgpu::MapMode::Read)
    }

    /// Waits for a map that was asked for.
    pub fn mapping(&self, mapped: Arc<Mailbox<bool>>) -> Mapping {
        Mapping {
            context: self.clone(),
            mapped,
            since: Instant::now(),
        }
    }

    /// A buffer, with what is too large or not to be had as an error.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`], [`ErrorKind::GpuOutOfMemory`], [`ErrorKind::DeviceLost`], [`ErrorKind::Gpu`].
    pub async fn buffer(
        &self,
        label: &str,
        size: u64,
        usage: wgpu::BufferUsages,
        mapped_at_creation: bool,
    ) -> Result<wgpu::Buffer> {
        let (buffer, scope) = self.new_buffer(label, size, usage, mapped_at_creation)?;
        match scope.await {
            Ok(()) => Ok(buffer),
            Err(error) => Err(self.diagnose(error).await),
        }
    }

    /// The same with the outcome to be awaited.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`], [`ErrorKind::DeviceLost`].
    pub fn new_buffer(
        &self,
        label: &str,
        size: u64,
        usage: wgpu::BufferUsages,
        mapped_at_creation: bool,
    ) -> Result<(wgpu::Buffer, Scope)> {
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
        Ok(self.scope(size, || {
            self.0.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size,
                usage,
                mapped_at_creation,
            })
        }))
    }

    /// The blocking driver: polls a future and the device in turn until the future is done. Never waits for the device
    /// inside wgpu, where other users would wait too.
    #[cfg(not(target_family = "wasm"))]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        wait::block_on(future, TICK, || {
            // A loss is remembered, and the future finds it.
            let _ = self.poll();
        })
    }

    /// The asynchronous driver: polls the device before the future, and on native has the executor poll again after a
    /// tick. In browsers the callbacks of what the future waits for wake it.
    pub async fn drive<F: Future>(&self, future: F) -> F::Output {
        self.drive_with(future, true).await
    }

    /// The same for a future inside another one that is driven: that one has the ticks.
    pub async fn drive_inner<F: Future>(&self, future: F) -> F::Output {
        self.drive_with(future, false).await
    }

    async fn drive_with<F: Future>(&self, future: F, ticks: bool) -> F::Output {
        let mut future = std::pin::pin!(future);
        std::future::poll_fn(|cx| {
            // A loss is remembered, and the future finds it.
            let _ = self.poll();
            let polled = future.as_mut().poll(cx);
            #[cfg(not(target_family = "wasm"))]
            if ticks && polled.is_pending() {
                self.0.ticker.wake_soon(cx.waker());
            }
            #[cfg(target_family = "wasm")]
            let _ = ticks;
            polled
        })
        .await
    }
}

/// What the device has against something that was done with it.
pub(crate) type Scope = DeviceFuture<Result<()>>;

/// What is known of a scope by now: always all of it on native.
pub(crate) fn outcome(scope: &mut Scope, cx: &mut task::Context<'_>) -> Option<Result<()>> {
    match scope.as_mut().poll(cx) {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    }
}

/// Asks for a buffer to be mapped; the answer comes when the device is polled.
pub(crate) fn map(buffer: &wgpu::Buffer, mode: wgpu::MapMode) -> Arc<Mailbox<bool>> {
    let mapped = Arc::new(Mailbox::default());
    // The buffer lives until the answer has come.
    let (answer, kept) = (Arc::clone(&mapped), buffer.clone());
    buffer.map_async(mode, .., move |result| {
        answer.put(result.is_ok());
        drop(kept);
    });
    mapped
}

/// Waits for a map.
pub(crate) struct Mapping {
    context: Context,
    mapped: Arc<Mailbox<bool>>,
    since: Instant,
}

impl Future for Mapping {
    /// An error when the device is lost, has not answered within a minute, or the read was cancelled.
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Result<()>> {
        match self.mapped.poll_take(cx) {
            Poll::Ready(Some(true)) => return Poll::Ready(Ok(())),
            Poll::Ready(_) => return Poll::Ready(Err(ErrorKind::DeviceLost.into())),
            Poll::Pending => {}
        }
        if let Err(error) = self.context.check_lost().and_then(|()| scope::check()) {
            return Poll::Ready(Err(error));
        }
        if self.since.elapsed() > PATIENCE {
            // The answer may wait for a poll, if this process was stopped for long.
            self.context.poll()?;
            return Poll::Ready(match self.mapped.try_take() {
                Some(true) => Ok(()),
                _ => Err(no_answer()),
            });
        }
        Poll::Pending
    }
}

/// The error of a device that has finished nothing for longer than [`PATIENCE`].
pub(crate) fn no_answer() -> Error {
    ErrorKind::Gpu("no answer within a minute".to_owned()).into()
}

/// wgpu's errors are paragraphs; ours are lines.
fn one_line(error: &wgpu::Error) -> String {
    let text = error.to_string();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
