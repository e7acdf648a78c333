//! [`Threads`]: the thread pool of reads, and how parallel work gets into it.

use std::future::poll_fn;
use std::pin::pin;
#[cfg(not(target_family = "wasm"))]
use std::sync::{Arc, Mutex, PoisonError};

#[cfg(not(target_family = "wasm"))]
use crate::core::error::ErrorKind;
use crate::core::error::{Error, Result};
use crate::core::scope::Scope;

#[cfg(not(target_family = "wasm"))]
use crate::core::scope::Pool;

/// The thread pool in which reads do their work: [`crate::LoadOptions::threads`], [`crate::ArrayProxy::with_threads`].
///
/// Whatever is worth several threads runs in the pool: converting, inflating, statistics, deflating, filling staging
/// memory. What is not (a header, a small slice, a stream that is inflated as it comes) runs in the calling thread, or in
/// the thread that a stream or an asynchronous read has made for itself; the caller's thread may do a share of the work, in
/// place of one of the pool's. With another pool given, rayon's global one is never touched.
///
/// [`Threads::default`] is, at the time of each read: the pool whose thread is reading; else what [`Self::set_default`]
/// has set; else rayon's global pool. Threads that voxload makes itself (of streams and of asynchronous reads) are in no
/// pool: a program that calls from inside a pool of its own gives that to the image.
///
/// A read waits until the pool has come to its parts. A program whose pool may be busy for long gives reads one of their
/// own. On wasm32 there are no threads: everything runs in the caller.
///
/// ```
/// # fn main() -> voxload::Result<()> {
/// use voxload::{LoadOptions, Threads};
/// let options = LoadOptions::new().threads(Threads::new(2)?);
/// # let _ = options;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Threads {
    #[cfg(not(target_family = "wasm"))]
    pool: Option<Arc<Pool>>,
}

/// What [`Threads::default`] stands for outside pools.
#[cfg(not(target_family = "wasm"))]
static DEFAULT: Mutex<Threads> = Mutex::new(Threads { pool: None });

impl Threads {
    /// A pool of so many threads of its own, at least 1; they end when the last clone is dropped.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] for none, [`crate::ErrorKind::Io`] when the system does not give them.
    pub fn new(count: usize) -> Result<Self> {
        if count == 0 {
            return Err(Error::usage("a pool of no threads"));
        }
        #[cfg(target_family = "wasm")]
        return Ok(Self {});
        #[cfg(not(target_family = "wasm"))]
        {
            let builder = rayon::ThreadPoolBuilder::new().num_threads(count);
            let built = builder.thread_name(|i| format!("voxload {i}")).build();
            let pool = built.map_err(|error| ErrorKind::Io {
                offset: 0,
                kind: std::io::ErrorKind::Other,
                message: error.to_string(),
            })?;
            Ok(Self::from_pool(Arc::new(pool)))
        }
    }

    /// A pool of the caller's.
    #[cfg(not(target_family = "wasm"))]
    pub fn from_pool(pool: Arc<rayon::ThreadPool>) -> Self {
        Self {
            pool: Some(Pool::new(pool)),
        }
    }

    /// Sets what the default stands for from now on, in the whole process: also for images that are loaded already.
    /// [`Threads::default`] sets it back to rayon's global pool.
    ///
    /// A forked process inherits pools whose threads do not exist in it. It calls this with a new pool before its first
    /// read; the old one is then left alone.
    pub fn set_default(threads: Self) {
        #[cfg(target_family = "wasm")]
        let _ = threads;
        #[cfg(not(target_family = "wasm"))]
        {
            let mut default = DEFAULT.lock().unwrap_or_else(PoisonError::into_inner);
            let before = std::mem::replace(&mut *default, threads);
            drop(default);
            drop(before);
        }
    }

    /// How many threads a read in this thread would use.
    pub fn count(&self) -> usize {
        self.run(count)
    }

    /// Runs a closure, in this thread, whose parallel work uses this pool, unless it has another one; for what has no
    /// options of its own, such as [`crate::TemporalAccumulator`] and [`crate::NiftiWriter`].
    pub fn run<R>(&self, work: impl FnOnce() -> R) -> R {
        #[cfg(not(target_family = "wasm"))]
        if let Some(pool) = &self.pool {
            return Scope::current().with_pool(Arc::clone(pool)).enter(work);
        }
        work()
    }

    /// Starts work on a thread of this pool, or of rayon's global one.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn spawn(&self, work: impl FnOnce() + Send + 'static) {
        match self.pool.as_ref().and_then(|pool| pool.get()) {
            Some(pool) => pool.spawn(work),
            None => rayon::spawn(work),
        }
    }

    /// The same for a future.
    pub fn run_async<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        let threads = self.clone();
        async move {
            let mut future = pin!(future);
            poll_fn(|cx| threads.run(|| future.as_mut().poll(cx))).await
        }
    }
}

/// The pool of this thread's work; `None` for the one that rayon uses by itself.
#[cfg(not(target_family = "wasm"))]
fn pool_of(scope: &Scope) -> Option<Arc<Pool>> {
    if let Some(pool) = scope.pool() {
        return Some(Arc::clone(pool));
    }
    if rayon::current_thread_index().is_some() {
        return None;
    }
    let default = DEFAULT.lock().unwrap_or_else(PoisonError::into_inner);
    default.pool.clone()
}

/// How many threads parallel work of this thread has.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn count() -> usize {
    if let Some(pool) = pool_of(&Scope::current())
        && let Some(pool) = pool.get()
    {
        return pool.current_num_threads();
    }
    rayon::current_num_threads()
}

#[cfg(target_family = "wasm")]
pub(crate) fn count() -> usize {
    1
}

/// Does parallel work in the pool of this thread's work, and waits for it. The parts of it that ask whether they were
/// cancelled, read, or have parts of their own enter the scope that `work` is given.
pub(crate) fn parallel<R: Send>(work: impl FnOnce(&Scope) -> R + Send) -> R {
    let (scope, _suspended) = Scope::suspend();
    #[cfg(not(target_family = "wasm"))]
    if let Some(pool) = pool_of(&scope)
        && let Some(pool) = pool.get()
    {
        return pool.install(|| work(&scope));
    }
    work(&scope)
}

/// Does the same work in this thread and in up to `helpers` of the pool's as they wake up, and waits for all.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn together(helpers: usize, work: impl Fn() + Sync) {
    let (scope, _suspended) = Scope::suspend();
    let work = || scope.enter(&work);
    fn spread<'s>(spawning: &rayon::Scope<'s>, helpers: usize, work: &'s (impl Fn() + Sync)) {
        for _ in 0..helpers {
            spawning.spawn(|_| work());
        }
        work();
    }
    if let Some(pool) = pool_of(&scope)
        && let Some(pool) = pool.get()
    {
        return pool.in_place_scope(|spawning| spread(spawning, helpers, &work));
    }
    rayon::in_place_scope(|spawning| spread(spawning, helpers, &work));
}

/// There are no helpers.
#[cfg(target_family = "wasm")]
pub(crate) fn together(_helpers: usize, work: impl Fn() + Sync) {
    work();
}

/// Frees something large on a thread of its own: giving much memory back can take the system long.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn drop_on_a_thread(value: impl Send + 'static) {
    let free = move || drop(value);
    // Without a thread it is freed here, as the closure is.
    let _ = std::thread::Builder::new()
        .name("voxload free".to_owned())
        .spawn(free);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::cancel::Cancel;
    use crate::core::scope::is_cancellable;

    /// What rayon runs on a thread that waits for the pool belongs to other callers.
    #[test]
    fn a_thread_that_waits_has_no_scope() {
        let two = Threads::new(2).unwrap();
        let work = || {
            assert!(is_cancellable());
            parallel(|scope| {
                assert!(!is_cancellable());
                assert!(scope.enter(is_cancellable));
                assert!(!is_cancellable());
            });
            together(1, || assert!(is_cancellable()));
            assert!(is_cancellable());
        };
        Cancel::new().run(work);
        Cancel::new().run(|| two.run(work));
        assert!(!is_cancellable());
    }
}
