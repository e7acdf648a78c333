//! Peak anonymous memory of a piece of work: the memory of the process itself, without the pages of mapped files, which
//! the kernel can reclaim.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Anonymous memory that is resident now, in bytes; 0 if the system does not report it.
pub(crate) fn anonymous_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))
        .and_then(|rest| {
            rest.trim()
                .trim_end_matches("kB")
                .trim()
                .parse::<u64>()
                .ok()
        })
        .map_or(0, |kilobytes| kilobytes * 1024)
}

/// Runs `work` and returns the highest anonymous memory observed, minus that at the start. The result still exists when
/// the last sample is taken.
/// still held when the last sample is taken.
pub(crate) fn peak_of<T>(work: impl FnOnce() -> T) -> (u64, T) {
    let before = anonymous_bytes();
    let done = AtomicBool::new(false);
    let (peak, made) = std::thread::scope(|scope| {
        let sampler = scope.spawn(|| {
            let mut peak = 0;
            while !done.load(Ordering::Relaxed) {
                peak = peak.max(anonymous_bytes());
                std::thread::sleep(Duration::from_micros(500));
            }
            peak
        });
        let made = work();
        done.store(true, Ordering::Relaxed);
        (sampler.join().unwrap_or(0), made)
    });
    (peak.max(anonymous_bytes()).saturating_sub(before), made)
}
