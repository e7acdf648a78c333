//! How the job is split so that it fits in its memory limit.

use std::str::FromStr;

use crate::Outcome;

/// Memory of the program without frames: its code, its threads, read buffers.
const FIXED: u64 = 28 << 20;
/// Memory of a gzipped output on each thread.
const GZIP: u64 = 4 << 20;
/// Bytes per voxel that both passes need: mean and standard deviation as f64.
const MAPS: u64 = 16;
/// Bytes per voxel of the first pass: an accumulator's state and three maps as f64.
const ACCUMULATOR: u64 = 32 + 24;
/// Bytes of a value on the host.
const VALUE: u64 = 8;

/// Parses a size in bytes: `256MiB`, `2GB`, `1000000`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bytes(pub u64);

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
        let unit: u64 = match text[digits.len()..].to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kib" => 1 << 10,
            "m" | "mib" => 1 << 20,
            "g" | "gib" => 1 << 30,
            "kb" => 1_000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            other => return Err(format!("{other:?} is not a unit: try MiB or GB")),
        };
        let number: u64 = digits
            .trim()
            .parse()
            .map_err(|_| format!("{text:?} is not a size"))?;
        let bytes = number
            .checked_mul(unit)
            .ok_or_else(|| format!("{text} is too large"))?;
        Ok(Self(bytes))
    }
}

/// How the job is done within its memory limit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Layers of a frame's slowest axis per band of the first pass. Each band is a pass over the file.
    pub layers: usize,
    /// Number of bands.
    pub passes: usize,
    /// Number of frames that are read ahead or being processed.
    pub slots: usize,
}

impl Plan {
    /// The plan for a series of this shape, with or without files of frames, with this many gzipped files at a time, on
    /// the host or with a device (whose memory counts too).
    pub(crate) fn new(
        shape: &[usize],
        memory: Bytes,
        frames: bool,
        gzipped: usize,
        device: bool,
    ) -> Outcome<Self> {
        let [frame @ .., _] = shape else {
            return Err("a series has an axis of time".into());
        };
        let layers = frame.last().copied().unwrap_or(1).max(1);
        let voxels = frame.iter().map(|&length| length as u64).product::<u64>();
        let layer = voxels / layers as u64;
        // The second pass: on the host a result as f32; on a device also three maps and another result.
        let second = match (frames, device) {
            (false, _) => 0,
            (true, false) => 4,
            (true, true) => 4 + 12 + 4,
        };
        let fixed = FIXED + GZIP * (gzipped * rayon::current_num_threads()) as u64;
        for slots in [3, 2, 1] {
            let needed = fixed + voxels * (MAPS + second + slots * VALUE);
            let first = ACCUMULATOR + slots * VALUE;
            let spare = memory.0.saturating_sub(fixed + voxels * MAPS);
            let fit = spare / (layer * first).max(1);
            if needed <= memory.0 && fit > 0 {
                let all = layers;
                let layers = all.min(usize::try_from(fit).unwrap_or(all));
                return Ok(Self {
                    layers,
                    passes: all.div_ceil(layers),
                    slots: slots as usize,
                });
            }
        }
        let needed = voxels * (MAPS + second + VALUE);
        let needed = fixed + needed.max(voxels * MAPS + layer * (ACCUMULATOR + VALUE));
        let needed = needed.div_ceil(1 << 20);
        Err(format!("--memory: frames of {frame:?} need at least {needed}MiB").into())
    }
}

/// The peak memory of the process so far, in bytes, if the system reports it.
pub(crate) fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib << 10)
}
