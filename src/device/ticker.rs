//! Ticks for asynchronous calls on native targets. wgpu reports finished work only when the device is polled, so a
//! future that waits for work is woken regularly to do that.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread;
use std::time::Duration;

use crate::read::wait;

/// The interval between polls of the device.
pub(crate) const TICK: Duration = Duration::from_micros(200);

/// Number of ticks without futures to wake after which the thread ends.
const MAX_IDLE_TICKS: u32 = 500;

/// A thread that wakes futures. It runs as long as there are any.
#[derive(Default)]
pub(super) struct Ticker(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    wakers: Vec<Waker>,
    is_running: bool,
}

impl Ticker {
    /// Wakes a future after one tick.
    pub(super) fn wake_soon(&self, waker: &Waker) {
        let mut state = locked(&self.0);
        state.wakers.push(waker.clone());
        if state.is_running {
            return;
        }
        let shared = Arc::clone(&self.0);
        state.is_running = wait::spawn("voxload ticker", move || run(&shared)).is_ok();
        if !state.is_running {
            // If no thread can be started, the future is woken at once.
            let wakers = std::mem::take(&mut state.wakers);
            drop(state);
            wakers.into_iter().for_each(Waker::wake);
        }
    }
}

fn run(shared: &Mutex<State>) {
    let mut idle = 0;
    loop {
        thread::sleep(TICK);
        let wakers = {
            let mut state = locked(shared);
            if state.wakers.is_empty() {
                idle += 1;
                if idle > MAX_IDLE_TICKS {
                    state.is_running = false;
                    return;
                }
            }
            std::mem::take(&mut state.wakers)
        };
        for waker in wakers {
            idle = 0;
            waker.wake();
        }
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
