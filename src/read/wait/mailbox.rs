//! A queue between two threads or tasks, one of which waits.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A queue of items that one side sends and the other awaits.
#[derive(Debug)]
pub(crate) struct Mailbox<T>(Mutex<State<T>>);

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    closed: bool,
    waker: Option<Waker>,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        Self(Mutex::new(State {
            items: VecDeque::new(),
            closed: false,
            waker: None,
        }))
    }
}

impl<T> Mailbox<T> {
    /// Adds an item and wakes the receiver.
    pub(crate) fn put(&self, item: T) {
        self.change(|state| state.items.push_back(item));
    }

    /// Marks that no more items will come.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn close(&self) {
        self.change(|state| state.closed = true);
    }

    /// The next item, if there is one.
    #[cfg(feature = "gpu")]
    pub(crate) fn try_take(&self) -> Option<T> {
        self.state().items.pop_front()
    }

    #[cfg(feature = "gpu")]
    pub(crate) fn is_empty(&self) -> bool {
        self.state().items.is_empty()
    }

    /// The next item; `None` when the mailbox is empty and closed.
    pub(crate) fn poll_take(&self, cx: &Context<'_>) -> Poll<Option<T>> {
        let mut state = self.state();
        match state.items.pop_front() {
            Some(item) => Poll::Ready(Some(item)),
            None if state.closed => Poll::Ready(None),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn change(&self, action: impl FnOnce(&mut State<T>)) {
        let waker = {
            let mut state = self.state();
            action(&mut state);
            state.waker.take()
        };
        // The lock is released first, because a waker may run any code.
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
