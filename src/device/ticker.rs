//! Ticks for asynchronous work on native: wgpu tells of finished work only to those who poll the device, so a future
//! that waits for it is woken now and then to do so.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread;
use std::time::Duration;

use crate::read::wait;

/// How often the device is asked what it has finished.
pub(crate) const TICK: Duration = Duration::from_micros(200);

/// Ticks without anyone to wake after which the thread ends.
const MAX_IDLE_TICKS: u32 = 500;

/// A thread that wakes futures, as long as there are some.
#[derive(Default)]
pub(super) struct Ticker(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    wakers: Vec<Waker>,
    is_running: bool,
}

impl Ticker {
    /// Wakes a future after a tick.
    pub fn wake_soon(&self, waker: &Waker) {
        let mut state = locked(&self.0);
        state.wakers.push(waker.clone());
        if state.is_running {
            return;
        }
        let shared = Arc::clone(&self.0);
        state.is_running = wait::spawn("voxload ticker", move || run(&shared)).is_ok();
        if !state.is_running {
            // Without a thread the executor has to spin.
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
