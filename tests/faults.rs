//! Promise: whatever happens to a file, a read gives the right voxels or a typed error; never a panic, a signal, a hang
//! or a wrong value. One module for each row of the table of faults that is not a promise of its own elsewhere.
//!
//! `VOXLOAD_LONG=1` (`tests/long.sh`) runs every row at its full volume. Each says how many cases it ran.

mod bombs;
mod changing;
mod command;
mod cuts;
mod limits;
mod mutations;
mod reads;
mod seek_index;
mod threads;

use std::time::Instant;

use crate::support::child::status_bytes;

/// The number of cases of a row: in every run, or in the long one.
pub fn volume(every_run: usize, long: usize) -> usize {
    match std::env::var_os("VOXLOAD_LONG") {
        Some(_) => long,
        None => every_run,
    }
}

/// A row of the table while it runs.
pub struct Row {
    name: &'static str,
    started: Instant,
}

impl Row {
    pub fn new(name: &'static str) -> Self {
        let started = Instant::now();
        Self { name, started }
    }

    /// Says what was run, which must be as many cases as promised.
    pub fn done(self, cases: usize, promised: usize) {
        println!(
            "fault table | {} | {cases} cases | {:.1} s | process peak {} MiB",
            self.name,
            self.started.elapsed().as_secs_f64(),
            status_bytes("VmHWM") >> 20
        );
        assert_eq!(cases, promised, "{}", self.name);
    }
}
