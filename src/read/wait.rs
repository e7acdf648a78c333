//! Waiting: mailboxes that wake a future, a loop that blocks on a future, and work on another thread.

#[cfg(not(target_family = "wasm"))]
use std::sync::Arc;

#[cfg(not(target_family = "wasm"))]
use crate::core::error::Error;
#[cfg(any(feature = "gpu", not(target_family = "wasm")))]
use crate::core::error::Result;
#[cfg(not(target_family = "wasm"))]
use crate::core::scope;
#[cfg(all(feature = "gpu", not(target_family = "wasm")))]
use crate::core::scope::Scope;
#[cfg(any(feature = "gpu", not(target_family = "wasm")))]
pub(crate) use mailbox::Mailbox;

#[cfg(any(feature = "gpu", not(target_family = "wasm")))]
mod mailbox;

/// `Send` where wgpu's types are: not on wasm32, unless the program turns on wgpu's feature for it.
#[cfg(not(feature = "gpu"))]
pub(crate) use std::marker::Send as MaybeSend;
#[cfg(feature = "gpu")]
pub(crate) use wgpu::WasmNotSend as MaybeSend;

/// Where reading, inflating and converting on the CPU happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunOn {
    /// In the caller: in the blocking call, or in the poll of the future.
    #[cfg_attr(
        not(any(feature = "gpu", target_family = "wasm")),
        expect(
            dead_code,
            reason = "frames on the host are read on a thread where there are threads"
        )
    )]
    Caller,
    /// On a separate thread.
    #[cfg(not(target_family = "wasm"))]
    Thread,
}

impl RunOn {
    /// Where work does not block an executor, if there are threads.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) const BACKGROUND: Self = Self::Thread;
    #[cfg(target_family = "wasm")]
    pub(crate) const BACKGROUND: Self = Self::Caller;

    /// Does some work at this site.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] if the thread cannot be spawned.
    #[cfg(feature = "gpu")]
    pub(crate) async fn run<R: MaybeSend + 'static>(
        self,
        work: impl FnOnce() -> R + MaybeSend + 'static,
    ) -> Result<R> {
        match self {
            Self::Caller => Ok(work()),
            #[cfg(not(target_family = "wasm"))]
            Self::Thread => on_thread(work).await,
        }
    }
}

#[cfg(all(feature = "gpu", not(target_family = "wasm")))]
async fn on_thread<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> Result<R> {
    let done = Arc::new(Mailbox::default());
    let closer = Closer(Arc::clone(&done));
    let scope = Scope::current();
    let work = move || closer.0.put(scope.enter(work));
    let thread = spawn("voxload work", work)?;
    match std::future::poll_fn(|cx| done.poll_take(cx)).await {
        Some(result) => Ok(result),
        // Closed without a result: the work has panicked.
        None => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => Err(Error::usage("a thread ended without a result")),
        },
    }
}

/// Starts a thread.
///
/// # Errors
/// [`crate::ErrorKind::Io`] if the thread cannot be spawned.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn spawn(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|error| Error::io(error, 0))
}

/// Closes a mailbox when it is dropped, so that a panic is noticed by the other side.
#[cfg(not(target_family = "wasm"))]
pub(crate) struct Closer<T>(pub Arc<Mailbox<T>>);

#[cfg(not(target_family = "wasm"))]
impl<T> Drop for Closer<T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Blocks on a future. After each pending poll, calls `between`, then sleeps until the future is woken, a token of the
/// scope is cancelled, or `tick` has passed.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn block_on<F: Future>(
    future: F,
    tick: std::time::Duration,
    mut between: impl FnMut(),
) -> F::Output {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Poll, Wake, Waker};
    use std::thread::{self, Thread};

    struct Unpark {
        thread: Thread,
        woken: AtomicBool,
    }
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.wake_by_ref();
        }
        fn wake_by_ref(self: &Arc<Self>) {
            self.woken.store(true, Ordering::Release);
            self.thread.unpark();
        }
    }

    let unpark = Arc::new(Unpark {
        thread: thread::current(),
        woken: AtomicBool::new(false),
    });
    let waker = Waker::from(Arc::clone(&unpark));
    let _waking = scope::wake_when_cancelled(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        between();
        if !unpark.woken.swap(false, Ordering::AcqRel) {
            thread::park_timeout(tick);
            unpark.woken.store(false, Ordering::Release);
        }
    }
}
