//! The measuring: each stage several times, the median kept.

use std::path::Path;
use std::time::Instant;

use voxload::{Caching, DataobjImage};

use super::device::{self, DeviceReport};
use super::{floor, memory};

pub type Failure = Box<dyn std::error::Error>;

/// One measured stage.
pub struct Stage {
    pub name: &'static str,
    pub seconds: f64,
    /// Stored bytes it went through; 0 where that means nothing.
    pub stored_bytes: u64,
    /// Output bytes it made.
    pub output_bytes: u64,
    /// The stage whose time is its floor.
    pub floor: Option<&'static str>,
}

/// All that was measured of one file.
pub struct Measurement {
    pub name: String,
    pub description: String,
    pub threads: usize,
    pub stages: Vec<Stage>,
    /// The adapter, or why there is none.
    pub adapter: String,
    /// Peak anonymous memory of a load beyond its output, in bytes.
    pub memory_over_output: u64,
    /// Values that differ between the CPU and the GPU; `None` where no GPU took part.
    pub differing: Option<usize>,
    /// What the device did beside; `None` where no GPU took part.
    pub device: Option<DeviceReport>,
}

impl Measurement {
    /// Whether no comparison found a difference.
    pub fn bits_agree(&self) -> bool {
        self.differing.unwrap_or(0) == 0
    }

    pub fn stage(&self, name: &str) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.name == name)
    }
}

/// The median time of `runs` runs, and what the last one gave.
pub fn median<T>(
    runs: usize,
    mut work: impl FnMut() -> Result<T, Failure>,
) -> Result<(f64, T), Failure> {
    let mut times = Vec::with_capacity(runs);
    let mut last = None;
    for _ in 0..runs.max(1) {
        // What the last run made is freed outside the time of this one.
        drop(last.take());
        let start = Instant::now();
        last = Some(work()?);
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let middle = times[times.len() / 2];
    last.map(|last| (middle, last))
        .ok_or_else(|| "no run was made".into())
}

/// Measures one file.
pub fn measure(path: &Path, runs: usize, begin: &dyn Fn(&str)) -> Result<Measurement, Failure> {
    let image = voxload::load(path)?;
    let header = image.header();
    let mut measurement = Measurement {
        name: path.display().to_string(),
        description: format!(
            "{:?} {} {}",
            header.shape,
            header.dtype,
            header.format.name()
        ),
        threads: rayon::current_num_threads(),
        stages: Vec::new(),
        adapter: String::new(),
        memory_over_output: 0,
        differing: None,
        device: None,
    };
    let stored_bytes = header.data_bytes()?;
    let output_bytes = header.voxels()? * 4;
    let mut record = |name, seconds, floor| {
        measurement.stages.push(Stage {
            name,
            seconds,
            stored_bytes,
            output_bytes,
            floor,
        });
    };

    begin("open");
    let (seconds, _) = median(runs.max(21), || Ok(voxload::load(path)?))?;
    record("open (header)", seconds, None);

    begin("cpu");
    let (seconds, expected) = median(runs, || Ok(image.dataobj().read::<f32>()?))?;
    record("cpu to f32, fresh array", seconds, Some(FLOOR_FRESH));
    let (peak, again) = memory::peak_of(|| image.dataobj().read::<f32>());
    let memory_over_output = peak.saturating_sub(again?.size_bytes() as u64);
    let mut warm = vec![0f32; expected.len()];
    let (seconds, ()) = median(runs, || Ok(image.dataobj().read_into(&mut warm)?))?;
    record("cpu to f32, warm buffer", seconds, Some(FLOOR_WARM));
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    let (seconds, ()) = median(runs, || {
        Ok(one.install(|| image.dataobj().read_into(&mut warm))?)
    })?;
    record("cpu to f32, warm, 1 thread", seconds, None);
    drop(warm);
    image.get_fdata::<f32>(Caching::Fill)?;
    let (seconds, _) = median(runs.max(21), || Ok(image.get_fdata::<f32>(Caching::Fill)?))?;
    record("cpu, second get_fdata", seconds, None);
    image.uncache();

    begin("floor");
    for (name, seconds) in floors(path, &image, runs)? {
        record(name, seconds, None);
    }
    measurement.memory_over_output = memory_over_output;
    begin("gpu");
    device::measure(&image, &expected, runs, &mut measurement)?;
    Ok(measurement)
}

pub const FLOOR_FRESH: &str = "floor, fresh";
pub const FLOOR_WARM: &str = "floor, warm";

/// The floors of a plain file; a compressed one has none here.
fn floors(
    path: &Path,
    image: &DataobjImage,
    runs: usize,
) -> Result<Vec<(&'static str, f64)>, Failure> {
    let header = image.header();
    let bytes = floor::map(path)?;
    let start = header.data_offset as usize;
    let Some(stored) = bytes.get(start..start + header.data_bytes()? as usize) else {
        return Ok(Vec::new());
    };
    if header.dtype.size_bytes() > 4 || bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(Vec::new());
    }
    let output = header.voxels()? as usize * 4;
    let (fresh, mut out) = median(runs, || {
        let mut out = floor::fresh(output)?;
        floor::widen(stored, &mut out);
        Ok(out)
    })?;
    let (warm, ()) = median(runs, || {
        floor::widen(stored, &mut out);
        Ok(())
    })?;
    Ok(vec![(FLOOR_FRESH, fresh), (FLOOR_WARM, warm)])
}
