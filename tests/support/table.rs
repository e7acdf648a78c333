//! Rows of the table of faults: how many cases each ran, how long that took, and what memory.

use std::time::Instant;

/// A row of the table while it runs.
pub struct Row {
    name: String,
    started: Instant,
}

impl Row {
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            started: Instant::now(),
        }
    }

    /// Says what was run, which must be as many cases as promised. The peak is that of the process, in which other rows
    /// may run as well; `tests/long.sh` gives each a process of its own.
    pub fn done(self, cases: usize, promised: usize) {
        self.say(cases);
        assert_eq!(cases, promised, "{}", self.name);
    }

    /// The same where the table promises no more than a least number.
    pub fn done_at_least(self, cases: usize, promised: usize) {
        self.say(cases);
        assert!(cases >= promised, "{}: {cases} of {promised}", self.name);
    }

    fn say(&self, cases: usize) {
        #[cfg(target_os = "linux")]
        let peak = format!("{} MiB", super::child::status_bytes("VmHWM") >> 20);
        #[cfg(not(target_os = "linux"))]
        let peak = "unknown";
        println!(
            "\nfault table | {} | {cases} cases | {:.1} s | process peak {peak}",
            self.name,
            self.started.elapsed().as_secs_f64(),
        );
    }
}
