//! A device as the other modules see it: handles, limits, errors, waiting.
//!
//! There are no process globals, and nothing is installed on a device that the caller made. Error scopes belong to the
//! thread that pushes them: they are pushed and popped around each call, and only their results are awaited.

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
use crate::read::wait::{Mailbox, RunOn};

/// How long the device may have work without finishing any of it, before waiting ends with an error.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// A future of the device, which is `Send` if wgpu's types are.
#[cfg(not(target_family = "wasm"))]
pub(crate) type DeviceFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
#[cfg(target_family = "wasm")]
pub(crate) type DeviceFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// A device and its queue. Clones share the same device.
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
    /// `lost` is set by the callback for a device loss, if one is installed.
    pub(crate) fn new(device: wgpu::Device, queue: wgpu::Queue, lost: Arc<AtomicBool>) -> Self {
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

    pub(crate) fn device(&self) -> &wgpu::Device {
        &self.0.device
    }

    pub(crate) fn queue(&self) -> &wgpu::Queue {
        &self.0.queue
    }

    pub(crate) fn info(&self) -> &wgpu::AdapterInfo {
        &self.0.info
    }

    pub(crate) fn limits(&self) -> &wgpu::Limits {
        &self.0.limits
    }

    pub(crate) fn features(&self) -> wgpu::Features {
        self.0.features
    }

    /// The largest part of a buffer that a shader can bind, in bytes.
    pub(crate) fn max_binding(&self) -> u64 {
        let limits = &self.0.limits;
        limits
            .max_storage_buffer_binding_size
            .min(limits.max_buffer_size)
    }

    /// Whether the adapter is implemented on the CPU.
    pub(crate) fn is_software(&self) -> bool {
        self.0.info.device_type == wgpu::DeviceType::Cpu
    }

    /// Whether a buffer can be both mapped and bound without being slower than two buffers.
    pub(crate) fn maps_primary(&self) -> bool {
        let near = self.is_software() || self.0.info.device_type == wgpu::DeviceType::IntegratedGpu;
        let mappable = wgpu::Features::MAPPABLE_PRIMARY_BUFFERS;
        near && self.0.features.contains(mappable)
    }

    /// Whether uploads use `write_buffer` instead of mapped memory, and asynchronous calls read in the caller's thread.
    pub(crate) fn is_browser_like(&self) -> bool {
        self.0.is_browser_like.load(Ordering::Relaxed)
    }

    /// Makes everything work as in browsers, for tests.
    pub(crate) fn set_browser_like(&self, is_browser_like: bool) {
        let of_target = cfg!(target_family = "wasm");
        let is_browser_like = is_browser_like || of_target;
        self.0
            .is_browser_like
            .store(is_browser_like, Ordering::Relaxed);
    }

    /// Where asynchronous calls read.
    pub(crate) fn background(&self) -> RunOn {
        match self.is_browser_like() {
            true => RunOn::Caller,
            false => RunOn::BACKGROUND,
        }
    }

    /// Makes present and future loads fail with [`ErrorKind::DeviceLost`].
    pub(crate) fn mark_lost(&self) {
        self.0.lost.store(true, Ordering::Release);
    }

    /// An error if the device is known to be lost.
    pub(crate) fn check_lost(&self) -> Result<()> {
        if self.0.lost.load(Ordering::Acquire) {
            return Err(ErrorKind::DeviceLost.into());
        }
        Ok(())
    }

    /// Runs the callbacks of finished work on this thread, without waiting. Browsers do this by themselves.
    pub(crate) fn poll(&self) -> Result<()> {
        #[cfg(not(target_family = "wasm"))]
        {
            use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
            // `Device::poll` returns errors only for waits that time out. If the driver reports that the device is lost
            // or out of memory, wgpu marks the device as invalid and panics (wgpu 30, `handle_error_fatal` in
            // `CoreDevice::poll`); such a panic is turned into an error. A panic while the device is still valid comes
            // from another user's callback and is passed on.
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

    /// Whether the device accepts new work. A lost device rejects the mapping of a buffer immediately, without a poll.
    #[cfg(not(target_family = "wasm"))]
    fn is_valid(&self) -> bool {
        let (mapping, _scope) = self.scope(4, || self.map_new_buffer());
        mapping.try_take() != Some(false)
    }

    /// Runs `action` in an error scope. The scope is awaited for errors. `needed` is the device memory in bytes that
    /// the action allocates, for the error.
    pub(crate) fn scope<R>(&self, needed: u64, action: impl FnOnce() -> R) -> (R, Scope) {
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

    /// Runs `action` in an error scope and waits for the scope's result.
    ///
    /// # Errors
    /// [`ErrorKind::GpuOutOfMemory`], [`ErrorKind::DeviceLost`], [`ErrorKind::Gpu`].
    pub(crate) async fn guarded<R>(&self, needed: u64, action: impl FnOnce() -> R) -> Result<R> {
        let (result, scope) = self.scope(needed, action);
        match scope.await {
            Ok(()) => Ok(result),
            Err(error) => Err(self.diagnose(error).await),
        }
    }

    /// Finds the cause of a device's error. A lost device can report any error, so this tests whether a buffer can be
    /// mapped, which is the only operation that does not seem to succeed on a lost device. The map is requested by the
    /// call itself, before the future is polled. A timeout is returned without a test.
    pub(crate) fn diagnose(&self, error: Error) -> DeviceFuture<Error> {
        let may_be_lost =
            matches!(error.kind(), ErrorKind::Gpu(_)) && error.kind() != timed_out().kind();
        let answer = may_be_lost.then(|| self.ask());
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

    /// Waits until the device has finished all earlier work.
    ///
    /// # Errors
    /// [`ErrorKind::DeviceLost`].
    pub(crate) async fn answer(&self) -> Result<()> {
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

    /// Waits for a map that was requested.
    pub(crate) fn mapping(&self, mapped: Arc<Mailbox<bool>>) -> Mapping {
        Mapping {
            context: self.clone(),
            mapped,
            since: Instant::now(),
        }
    }

    /// Creates a buffer, and awaits its error scope.
    ///
    /// # Errors
    /// [`ErrorKind::GpuLimit`], [`ErrorKind::GpuOutOfMemory`], [`ErrorKind::DeviceLost`], [`ErrorKind::Gpu`].
    pub(crate) async fn buffer(
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

    /// Creates a buffer. The caller must await the error scope.
    ///
    /// # Errors
    /// [`ErrorKind::GpuLimit`], [`ErrorKind::DeviceLost`].
    pub(crate) fn new_buffer(
        &self,
        label: &str,
        size: u64,
        usage: wgpu::BufferUsages,
        mapped_at_creation: bool,
    ) -> Result<(wgpu::Buffer, Scope)> {
        self.check_lost()?;
        let allowed = self.0.limits.max_buffer_size;
        if size > allowed {
            return Err(ErrorKind::GpuLimit {
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

    /// The blocking driver: polls a future and the device in turn until the future is ready. It never waits inside
    /// wgpu, because other users of the device would wait too.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        wait::block_on(future, TICK, || {
            // A loss is recorded, and the future will see it.
            let _ = self.poll();
        })
    }

    /// The asynchronous driver: polls the device before each poll of the future. On native targets it requests the next
    /// poll after a tick; in browsers, wgpu's callbacks wake the future.
    pub(crate) async fn drive<F: Future>(&self, future: F) -> F::Output {
        self.drive_with(future, true).await
    }

    /// The driver for a future inside another driven future, which provides the ticks.
    pub(crate) async fn drive_inner<F: Future>(&self, future: F) -> F::Output {
        self.drive_with(future, false).await
    }

    async fn drive_with<F: Future>(&self, future: F, ticks: bool) -> F::Output {
        let mut future = std::pin::pin!(future);
        std::future::poll_fn(|cx| {
            // A loss is recorded, and the future will see it.
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

/// The result of an error scope.
pub(crate) type Scope = DeviceFuture<Result<()>>;

/// The result of a scope, if it is known. On native targets it always is.
pub(crate) fn outcome(scope: &mut Scope, cx: &mut task::Context<'_>) -> Option<Result<()>> {
    match scope.as_mut().poll(cx) {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    }
}

/// Requests the mapping of a buffer. The result arrives when the device is polled.
pub(crate) fn map(buffer: &wgpu::Buffer, mode: wgpu::MapMode) -> Arc<Mailbox<bool>> {
    let mapped = Arc::new(Mailbox::default());
    // The callback keeps the buffer alive.
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
    /// An error if the device is lost or has not answered within a minute, or if the read was cancelled.
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
        if self.since.elapsed() > TIMEOUT {
            // If this process was stopped for a long time, the answer may only need a poll.
            self.context.poll()?;
            return Poll::Ready(match self.mapped.try_take() {
                Some(true) => Ok(()),
                _ => Err(timed_out()),
            });
        }
        Poll::Pending
    }
}

/// The error for a device that has finished nothing for longer than [`TIMEOUT`].
pub(crate) fn timed_out() -> Error {
    ErrorKind::Gpu("no answer within a minute".to_owned()).into()
}

/// Shortens wgpu's errors, which have several lines, to one line.
fn one_line(error: &wgpu::Error) -> String {
    let text = error.to_string();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
