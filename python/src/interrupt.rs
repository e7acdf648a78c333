//! Reads with the interpreter released, that Ctrl-C can end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use voxload::{Cancel, Error, Result, Threads};

use crate::errors;

/// How often a thread that waits for a read looks for signals.
const TICK: Duration = Duration::from_millis(50);

/// How long a cancelled read is waited for. A call of a file object that hangs is left behind.
const GRACE: Duration = Duration::from_secs(2);

/// Which thread a read runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// So short that it runs in the caller's.
    Short,
    /// In one of its own, while the caller's looks for signals.
    Long,
}

/// The process in which the pool of reads was made; 0 before there is one.
static PROCESS: AtomicU32 = AtomicU32::new(0);

/// The number of threads that was asked for; as many as there are processors when 0.
static COUNT: Mutex<usize> = Mutex::new(0);

/// Gives reads a pool that is the package's own, and a new one in a forked process: the threads of the one before do not
/// exist there, nor do those of rayon's global pool.
pub(crate) fn own_threads() {
    let process = std::process::id();
    if PROCESS.load(Ordering::Acquire) == process {
        return;
    }
    let count = COUNT.lock().unwrap_or_else(PoisonError::into_inner);
    if PROCESS.load(Ordering::Acquire) == process {
        return;
    }
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    let wanted = match *count {
        0 => processors(),
        wanted => wanted,
    };
    // Without threads the library's own default stays.
    if let Ok(threads) = Threads::new(wanted) {
        Threads::set_default(threads);
        PROCESS.store(process, Ordering::Release);
    }
}

/// Sets the number of threads of all reads, in forked processes too.
///
/// # Errors
/// Those of making them.
pub(crate) fn set_count(wanted: usize) -> Result<()> {
    let threads = Threads::new(wanted)?;
    let mut count = COUNT.lock().unwrap_or_else(PoisonError::into_inner);
    *count = wanted;
    Threads::set_default(threads);
    PROCESS.store(std::process::id(), Ordering::Release);
    Ok(())
}

/// Does a read with the interpreter released.
///
/// # Errors
/// Those of the read, and what a signal handler raises (`KeyboardInterrupt`): the read has then ended.
pub(crate) fn run<R: Send + 'static>(
    py: Python<'_>,
    length: Length,
    work: impl FnOnce() -> Result<R> + Send + 'static,
) -> PyResult<R> {
    own_threads();
    if length == Length::Short {
        let done = py.detach(|| guarded(work));
        return finished(py, done);
    }
    let cancel = Cancel::new();
    let token = cancel.clone();
    let (send, receive) = sync_channel(1);
    let work = Mutex::new(Some(work));
    let work = std::sync::Arc::new(work);
    let theirs = std::sync::Arc::clone(&work);
    let spawned = std::thread::Builder::new()
        .name("voxload read".to_owned())
        .spawn(move || report(&send, &theirs, &token));
    if spawned.is_err() {
        // The system gives no thread: then here.
        let done = py.detach(|| guarded_once(&work));
        return finished(py, done);
    }
    wait(py, receive, &cancel)
}

type Done<R> = std::thread::Result<Result<R>>;
type Once_<W> = Mutex<Option<W>>;

fn report<R: Send, W: FnOnce() -> Result<R>>(
    send: &SyncSender<Done<R>>,
    work: &Once_<W>,
    token: &Cancel,
) {
    let done = token.run(|| guarded_once(work));
    // Nobody listens after an interrupt.
    let _ = send.send(done);
}

fn guarded_once<R, W: FnOnce() -> Result<R>>(work: &Once_<W>) -> Done<R> {
    let work = work.lock().unwrap_or_else(PoisonError::into_inner).take();
    match work {
        Some(work) => guarded(work),
        None => Err(Box::new("a read that was begun twice")),
    }
}

fn guarded<R>(work: impl FnOnce() -> Result<R>) -> Done<R> {
    // What the closure holds is dropped with it; nothing half done is seen by others.
    catch_unwind(AssertUnwindSafe(work))
}

fn wait<R: Send>(py: Python<'_>, receive: Receiver<Done<R>>, cancel: &Cancel) -> PyResult<R> {
    let receive = Mutex::new(receive);
    let next = |timeout| {
        py.detach(|| {
            let receive = receive.lock().unwrap_or_else(PoisonError::into_inner);
            receive.recv_timeout(timeout)
        })
    };
    loop {
        match next(TICK) {
            Ok(done) => return finished(py, done),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(errors::internal(py, "a reading thread ended"));
            }
            Err(RecvTimeoutError::Timeout) => {
                if let Err(raised) = py.check_signals() {
                    cancel.cancel();
                    let _ = next(GRACE);
                    return Err(raised);
                }
            }
        }
    }
}

fn finished<R>(py: Python<'_>, done: Done<R>) -> PyResult<R> {
    match done {
        Ok(result) => result.map_err(|error: Error| errors::raised(py, error)),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().copied();
            let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
            Err(errors::internal(py, text.unwrap_or("a panic")))
        }
    }
}
