//! Conclusions from the measurements: which backend is faster for a file, and at which size the GPU becomes faster.

use super::measure::{CPU_FRESH, CPU_UPLOAD, GPU_BACK, GPU_BUFFER, Measurement};

/// Where the floats are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Destination {
    Host,
    Device,
}

impl Destination {
    pub(super) const ALL: [Self; 2] = [Self::Host, Self::Device];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Device => "device",
        }
    }

    /// The two measured stages to compare: on the CPU and on the GPU, both with the floats in this place at the end.
    fn rows(self) -> [&'static str; 2] {
        match self {
            Self::Host => [CPU_FRESH, GPU_BACK],
            Self::Device => [CPU_UPLOAD, GPU_BUFFER],
        }
    }

    /// The CPU's time divided by the GPU's: above 1 the GPU is faster. `None` if there was no GPU.
    pub(super) fn gpu_gain(self, measurement: &Measurement) -> Option<f64> {
        let [cpu, gpu] = self.rows().map(|row| measurement.seconds(row));
        Some(cpu? / gpu?)
    }
}

/// One line: which backend to use.
pub(super) fn of(measurement: &Measurement) -> String {
    let part = |destination: Destination| {
        let gain = destination.gpu_gain(measurement)?;
        let (backend, times) = match gain > 1.0 {
            true => ("GPU", gain),
            false => ("CPU", gain.recip()),
        };
        let other = match (destination, gain > 1.0) {
            (Destination::Host, true) => "the CPU",
            (Destination::Host, false) => "the GPU and back",
            (Destination::Device, true) => "the CPU and an upload",
            (Destination::Device, false) => "the GPU's kernel, even with an upload",
        };
        let destination = destination.name();
        Some(format!(
            "for {destination} arrays use the {backend}: {times:.1} x as fast as {other}"
        ))
    };
    let parts: Vec<String> = Destination::ALL.into_iter().filter_map(part).collect();
    match parts.is_empty() {
        true => "for host arrays use the CPU: no GPU was measured".to_owned(),
        false => parts.join("; "),
    }
}

/// The size at which the GPU becomes faster, for files of the same type and compression.
#[derive(Debug, PartialEq)]
pub(super) struct Crossing {
    pub kind: String,
    pub destination: Destination,
    /// Stored bytes of a file: the GPU was faster for it and for all larger ones, but not for the next smaller one.
    /// `None` if the GPU was not faster for the largest file.
    pub from_bytes: Option<u64>,
    /// Stored bytes of the largest file.
    pub largest_bytes: u64,
}

/// The crossings of each kind that was measured at two or more sizes.
pub(super) fn crossings(measurements: &[Measurement]) -> Vec<Crossing> {
    let mut kinds: Vec<&str> = measurements.iter().map(|one| one.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let mut crossings = Vec::new();
    for kind in kinds {
        for destination in Destination::ALL {
            let sizes = measurements.iter().filter(|one| one.kind == kind);
            let sizes =
                sizes.filter_map(|one| Some((one.stored_bytes, destination.gpu_gain(one)?)));
            let sizes: Vec<(u64, f64)> = sizes.collect();
            crossings.extend(crossing(kind, destination, sizes));
        }
    }
    crossings
}

fn crossing(kind: &str, destination: Destination, mut sizes: Vec<(u64, f64)>) -> Option<Crossing> {
    sizes.sort_by_key(|&(bytes, _)| bytes);
    let [(smallest, _), .., (largest_bytes, _)] = sizes[..] else {
        return None;
    };
    let faster = sizes.iter().rev().take_while(|(_, gain)| *gain > 1.0);
    let from_bytes = faster.last().map(|&(bytes, _)| bytes);
    (smallest < largest_bytes).then(|| Crossing {
        kind: kind.to_owned(),
        destination,
        from_bytes,
        largest_bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(sizes: &[(u64, f64)]) -> Option<Option<u64>> {
        let found = crossing("int16", Destination::Host, sizes.to_vec());
        found.map(|crossing| crossing.from_bytes)
    }

    #[test]
    fn the_gpu_wins_after_its_last_defeat() {
        assert_eq!(from(&[(30, 1.5), (10, 0.5), (20, 1.1)]), Some(Some(20)));
        assert_eq!(from(&[(10, 1.5), (20, 0.9), (30, 2.0)]), Some(Some(30)));
        assert_eq!(from(&[(10, 1.5), (20, 2.0)]), Some(Some(10)));
        assert_eq!(from(&[(10, 1.5), (20, 0.9)]), Some(None));
    }

    #[test]
    fn one_size_has_no_crossing() {
        assert_eq!(from(&[(10, 2.0)]), None);
        assert_eq!(from(&[(10, 2.0), (10, 2.0)]), None);
        assert_eq!(from(&[]), None);
    }
}
