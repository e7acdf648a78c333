//! The scope of a thread: the pool for its parallel work, and the tokens that cancel its work. A thread has a scope while a
//! closure runs; threads that help with the work get the same scope.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use crate::core::error::{ErrorKind, Result};

thread_local! {
    static CURRENT: RefCell<Scope> = const { RefCell::new(Scope::EMPTY) };
}

/// The pool and the tokens of a thread's work.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    #[cfg(not(target_family = "wasm"))]
    pool: Option<Arc<Pool>>,
    tokens: Option<Arc<Tokens>>,
}

impl Scope {
    const EMPTY: Self = Self {
        #[cfg(not(target_family = "wasm"))]
        pool: None,
        tokens: None,
    };

    /// That of this thread.
    pub(crate) fn current() -> Self {
        // While a thread ends there is none.
        CURRENT
            .try_with(|current| current.borrow().clone())
            .unwrap_or(Self::EMPTY)
    }

    /// Runs work in this scope.
    pub(crate) fn enter<R>(&self, work: impl FnOnce() -> R) -> R {
        let _before = Replaced::by(self.clone());
        work()
    }

    /// Takes the scope off this thread until the guard is dropped: while the thread waits for a pool, rayon may run work of
    /// other callers on it.
    pub(crate) fn suspend() -> (Self, Replaced) {
        let replaced = Replaced::by(Self::EMPTY);
        (replaced.0.clone(), replaced)
    }

    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn pool(&self) -> Option<&Arc<Pool>> {
        self.pool.as_ref()
    }

    /// The same with another pool.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn with_pool(mut self, pool: Arc<Pool>) -> Self {
        self.pool = Some(pool);
        self
    }

    /// The same without a pool.
    #[cfg(not(target_family = "wasm"))]
    #[must_use]
    pub(crate) fn without_pool(self) -> Self {
        Self { pool: None, ..self }
    }

    /// The same, cancelled by one token more.
    pub(crate) fn with_token(mut self, token: &Arc<Token>) -> Self {
        self.tokens = Some(Arc::new(Tokens {
            token: Arc::clone(token),
            outer: self.tokens.take(),
        }));
        self
    }

    /// Its tokens, the innermost first.
    fn tokens(&self) -> impl Iterator<Item = &Arc<Token>> {
        let first = self.tokens.as_deref();
        std::iter::successors(first, |tokens| tokens.outer.as_deref()).map(|tokens| &tokens.token)
    }
}

/// The scope that a thread had before.
pub(crate) struct Replaced(Scope);

impl Replaced {
    fn by(scope: Scope) -> Self {
        Self(replace(scope))
    }
}

impl Drop for Replaced {
    fn drop(&mut self) {
        replace(std::mem::replace(&mut self.0, Scope::EMPTY));
    }
}

fn replace(scope: Scope) -> Scope {
    CURRENT
        .try_with(|current| current.replace(scope))
        .unwrap_or(Scope::EMPTY)
}

/// Whether this thread's work can be cancelled.
pub(crate) fn is_cancellable() -> bool {
    CURRENT
        .try_with(|current| current.borrow().tokens.is_some())
        .unwrap_or(false)
}

/// Whether this thread's work was cancelled.
pub(crate) fn is_cancelled() -> bool {
    CURRENT
        .try_with(|current| current.borrow().tokens().any(|token| token.is_cancelled()))
        .unwrap_or(false)
}

/// # Errors
/// [`ErrorKind::Cancelled`] when this thread's work was cancelled.
pub(crate) fn check() -> Result<()> {
    match is_cancelled() {
        true => Err(ErrorKind::Cancelled.into()),
        false => Ok(()),
    }
}

/// Has the tokens of this thread wake a task, until the guard is dropped.
#[cfg(not(target_family = "wasm"))]
#[must_use]
pub(crate) fn wake_when_cancelled(waker: &Waker) -> Vec<Waking> {
    let tokens = Scope::current();
    tokens
        .tokens()
        .map(|token| {
            let mut waking = Waking::new(token);
            waking.set(waker);
            waking
        })
        .collect()
}

/// Locks what another read may hold for long.
///
/// # Errors
/// As [`check`].
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> Result<MutexGuard<'_, T>> {
    #[cfg(not(target_family = "wasm"))]
    if is_cancellable() {
        loop {
            match mutex.try_lock() {
                Ok(guard) => return Ok(guard),
                Err(std::sync::TryLockError::Poisoned(error)) => return Ok(error.into_inner()),
                Err(std::sync::TryLockError::WouldBlock) => {}
            }
            check()?;
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
    Ok(mutex.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A thread pool.
#[cfg(not(target_family = "wasm"))]
#[derive(Debug)]
pub(crate) struct Pool {
    threads: Option<Arc<rayon::ThreadPool>>,
    /// The process that it was made or given in.
    process: u32,
}

#[cfg(not(target_family = "wasm"))]
impl Pool {
    pub(crate) fn new(threads: Arc<rayon::ThreadPool>) -> Arc<Self> {
        Arc::new(Self {
            threads: Some(threads),
            process: std::process::id(),
        })
    }

    pub(crate) fn get(&self) -> Option<&rayon::ThreadPool> {
        self.threads.as_deref()
    }
}

#[cfg(not(target_family = "wasm"))]
impl Drop for Pool {
    fn drop(&mut self) {
        let threads = self.threads.take();
        if self.process != std::process::id() {
            // In a forked process its threads do not exist: waking them to end could wait for ever.
            std::mem::forget(threads);
        }
    }
}

/// Tokens, any of which cancels.
#[derive(Debug)]
struct Tokens {
    token: Arc<Token>,
    outer: Option<Arc<Tokens>>,
}

/// What the clones of a [`crate::Cancel`] share.
#[derive(Debug, Default)]
pub(crate) struct Token {
    cancelled: AtomicBool,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    wakers: Vec<(u64, Waker)>,
}

impl Token {
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        let wakers = std::mem::take(&mut self.waiting().wakers);
        // Not under the lock: a waker may run anything.
        for (_, waker) in wakers {
            waker.wake();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task that is woken when a token is cancelled.
#[derive(Debug)]
pub(crate) struct Waking {
    token: Arc<Token>,
    number: u64,
}

impl Waking {
    pub(crate) fn new(token: &Arc<Token>) -> Self {
        let mut waiting = token.waiting();
        waiting.next += 1;
        Self {
            number: waiting.next,
            token: Arc::clone(token),
        }
    }

    /// Sets the task to wake. To miss nothing, it looks at the token after this call.
    pub(crate) fn set(&mut self, waker: &Waker) {
        let mut waiting = self.token.waiting();
        let mut wakers = waiting.wakers.iter_mut();
        match wakers.find(|(number, _)| *number == self.number) {
            Some((_, before)) => before.clone_from(waker),
            None => waiting.wakers.push((self.number, waker.clone())),
        }
    }
}

impl Drop for Waking {
    fn drop(&mut self) {
        let mut waiting = self.token.waiting();
        waiting.wakers.retain(|(number, _)| *number != self.number);
    }
}
