//! The measuring: each stage several times, the median kept.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use voxload::{Caching, DataobjImage, FileRole, HostArray};

use super::device::{self, DeviceReport};
use super::{cold, floor, memory};

pub type Failure = Box<dyn std::error::Error>;

/// Rows that others refer to.
pub const CPU_FRESH: &str = "cpu to f32, fresh array";
pub const CPU_ONE: &str = "cpu to f32, fresh, 1 thread";
pub const GPU_BUFFER: &str = "gpu to a device buffer";
pub const GPU_BACK: &str = "gpu to a device buffer and back";
pub const CPU_UPLOAD: &str = "cpu, then a bus copy of the output";
const FLOOR_FRESH: &str = "floor, fresh";
const FLOOR_WARM: &str = "floor, warm";
const FLOOR_READ: &str = "stored bytes copied";
const FLOOR_INFLATE: &str = "inflate alone, 1 thread";

/// Seconds after which a stage has been measured often enough, if at least [`LEAST_RUNS`] times.
const ENOUGH_SECONDS: f64 = 1.5;
const LEAST_RUNS: usize = 3;

/// Runs of what takes microseconds, at least.
const OPEN_RUNS: usize = 21;

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
    /// Stored type and compression: files of one kind differ in their size only.
    pub kind: String,
    pub compressed: bool,
    /// Bytes of the voxels as they are stored, inflated.
    pub stored_bytes: u64,
    pub threads: usize,
    pub stages: Vec<Stage>,
    /// Whether the page cache let the file go before the first read.
    pub cold: bool,
    /// The adapter, or why there is none.
    pub adapter: String,
    /// Peak anonymous memory of a load beyond its output, in bytes.
    pub memory_over_output: u64,
    /// Values that differ between one thread and all, and between a fresh array and a warm buffer.
    pub differing_on_cpu: usize,
    /// Values that differ between the CPU and the GPU; `None` where no GPU took part.
    pub differing: Option<usize>,
    /// What the device did beside; `None` where no GPU took part.
    pub device: Option<DeviceReport>,
}

impl Measurement {
    pub fn new(path: &Path, image: &DataobjImage, compressed: bool) -> Result<Self, Failure> {
        let header = image.header();
        Ok(Self {
            name: path.display().to_string(),
            description: format!(
                "{:?} {} {}",
                header.shape,
                header.dtype,
                header.format.name()
            ),
            kind: format!(
                "{}{}",
                header.dtype,
                if compressed { ", compressed" } else { "" }
            ),
            compressed,
            stored_bytes: header.data_bytes()?,
            threads: rayon::current_num_threads(),
            stages: Vec::new(),
            cold: false,
            adapter: String::new(),
            memory_over_output: 0,
            differing_on_cpu: 0,
            differing: None,
            device: None,
        })
    }

    /// Whether no comparison found a difference.
    pub fn bits_agree(&self) -> bool {
        self.differing_on_cpu == 0 && self.differing.unwrap_or(0) == 0
    }

    pub fn stage(&self, name: &str) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.name == name)
    }

    pub fn seconds(&self, name: &str) -> Option<f64> {
        self.stage(name).map(|stage| stage.seconds)
    }
}

/// How often each stage runs, at most.
#[derive(Clone, Copy)]
pub struct Runs(pub usize);

impl Runs {
    /// The median time of the runs, and what the last one gave.
    pub fn median<T>(
        self,
        mut work: impl FnMut() -> Result<T, Failure>,
    ) -> Result<(f64, T), Failure> {
        let mut times = Vec::with_capacity(self.0);
        let mut last = None;
        while times.len() < self.0.max(1) {
            // What the last run made is freed outside the time of this one.
            drop(last.take());
            let start = Instant::now();
            last = Some(work()?);
            times.push(start.elapsed().as_secs_f64());
            if times.len() >= LEAST_RUNS && times.iter().sum::<f64>() > ENOUGH_SECONDS {
                break;
            }
        }
        times.sort_by(f64::total_cmp);
        let middle = times[times.len() / 2];
        last.map(|last| (middle, last))
            .ok_or_else(|| "no run was made".into())
    }
}

/// Values that are not the same bits; any NaN is the same as any.
pub fn differing(a: &[f32], b: &[f32]) -> usize {
    let unlike = |(a, b): &(&f32, &f32)| a.to_bits() != b.to_bits() && !(a.is_nan() && b.is_nan());
    a.iter().zip(b).filter(unlike).count() + a.len().abs_diff(b.len())
}

/// Measures one file.
pub fn measure(path: &Path, runs: Runs, begin: &dyn Fn(&str)) -> Result<Measurement, Failure> {
    begin("open");
    let image = voxload::load(path)?;
    let voxels = image.file_map().get(&FileRole::Image);
    let voxels = voxels.and_then(|holder| holder.filename.as_deref());
    let voxels = voxels.unwrap_or(path);
    let inflated = inflated(voxels)?;
    let mut measurement = Measurement::new(path, &image, inflated.is_some())?;
    measurement.cold = cold::drop_from_cache(voxels)?;
    let expected = on_cpu(path, &image, runs, begin, &mut measurement)?;
    begin("floors");
    match inflated {
        Some(bytes) => inflating(voxels, &image, bytes, runs, &mut measurement)?,
        None => floors(voxels, &image, runs, &mut measurement)?,
    }
    begin("gpu");
    device::measure(path, &expected, runs, &mut measurement)?;
    Ok(measurement)
}

/// The CPU's rows, and the values that everything else must give.
fn on_cpu(
    path: &Path,
    image: &DataobjImage,
    runs: Runs,
    begin: &dyn Fn(&str),
    measurement: &mut Measurement,
) -> Result<HostArray<f32>, Failure> {
    let compressed = measurement.compressed;
    let output_bytes = image.header().voxels()? * 4;
    let stored_bytes = measurement.stored_bytes;
    let mut rows = Vec::new();
    let mut record = |name, seconds, floor| {
        rows.push(Stage {
            name,
            seconds,
            stored_bytes,
            output_bytes,
            floor,
        });
    };
    // Each load opens the file anew: nothing is left of the one before but the page cache.
    let fresh = || Ok(voxload::load(path)?.dataobj().read::<f32>()?);
    let [floor, warm_floor] = match compressed {
        true => [FLOOR_INFLATE; 2],
        false => [FLOOR_FRESH, FLOOR_WARM],
    };
    begin("cpu, first read");
    let (seconds, _) = Runs(1).median(fresh)?;
    let first = match measurement.cold {
        true => "cpu to f32, cold (from the disk)",
        false => "cpu to f32, first",
    };
    let (open, _) = Runs(runs.0.max(OPEN_RUNS)).median(|| Ok(voxload::load(path)?))?;
    record("open (header)", open, None);
    record(first, seconds, None);

    begin("cpu");
    let (seconds, expected) = runs.median(fresh)?;
    record(CPU_FRESH, seconds, Some(floor));
    let (peak, again) = memory::peak_of(fresh);
    measurement.memory_over_output = peak.saturating_sub(again?.size_bytes() as u64);
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    let (seconds, alone) = runs.median(|| {
        one.install(|| voxload::load(path)?.dataobj().read())
            .map_err(|error: voxload::Error| error.into())
    })?;
    record(CPU_ONE, seconds, None);
    measurement.differing_on_cpu = differing(alone.as_slice(), expected.as_slice());
    drop(alone);
    let mut warm = vec![0f32; expected.len()];
    let (seconds, ()) =
        runs.median(|| Ok(voxload::load(path)?.dataobj().read_into(&mut warm)?))?;
    record("cpu to f32, warm buffer", seconds, Some(warm_floor));
    measurement.differing_on_cpu += differing(&warm, expected.as_slice());
    image.get_fdata::<f32>(Caching::Fill)?;
    let many = Runs(runs.0.max(OPEN_RUNS));
    let (seconds, _) = many.median(|| Ok(image.get_fdata::<f32>(Caching::Fill)?))?;
    record("cpu, second get_fdata", seconds, None);
    image.uncache();
    measurement.stages.extend(rows);
    Ok(expected)
}

/// What a gzip file holds; `None` for any other file.
fn inflated(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    let packed = floor::map(path)?;
    if !packed.starts_with(&[0x1f, 0x8b]) {
        return Ok(None);
    }
    let mut out = Vec::new();
    std::io::Read::read_to_end(
        &mut flate2::read::MultiGzDecoder::new(&packed[..]),
        &mut out,
    )?;
    Ok(Some(out))
}

/// Rows that move as many bytes as a whole load.
fn record(
    measurement: &mut Measurement,
    image: &DataobjImage,
    rows: &[(&'static str, f64)],
) -> Result<(), Failure> {
    let output_bytes = image.header().voxels()? * 4;
    let stored_bytes = measurement.stored_bytes;
    let rows = rows.iter().map(|&(name, seconds)| Stage {
        name,
        seconds,
        stored_bytes,
        output_bytes,
        floor: None,
    });
    measurement.stages.extend(rows);
    Ok(())
}

/// Converting what is in memory already, into memory that was written before.
fn converting(bytes: Arc<[u8]>, runs: Runs) -> Result<Option<(&'static str, f64)>, Failure> {
    // A pair of files cannot be loaded from the bytes of one.
    let Ok(image) = DataobjImage::from_bytes(bytes) else {
        return Ok(None);
    };
    let mut out = vec![0f32; image.header().voxels()? as usize];
    let (seconds, ()) = runs.median(|| Ok(image.dataobj().read_into(&mut out)?))?;
    Ok(Some(("convert alone, from memory", seconds)))
}

/// The stages of a compressed load by themselves: libdeflate is the floor.
fn inflating(
    path: &Path,
    image: &DataobjImage,
    inflated: Vec<u8>,
    runs: Runs,
    measurement: &mut Measurement,
) -> Result<(), Failure> {
    let packed = floor::map(path)?;
    let mut rows = Vec::new();
    // It takes files of one member only.
    let inflate = || {
        let mut out = vec![0; inflated.len()];
        libdeflater::Decompressor::new().gzip_decompress(&packed, &mut out)?;
        Ok(out)
    };
    if let Ok((seconds, _)) = runs.median(inflate) {
        rows.push((FLOOR_INFLATE, seconds));
    }
    rows.extend(converting(inflated.into(), runs)?);
    record(measurement, image, &rows)
}

/// The stages of a plain load by themselves, and plain copies and casts of the same bytes, each from a new mapping.
fn floors(
    path: &Path,
    image: &DataobjImage,
    runs: Runs,
    measurement: &mut Measurement,
) -> Result<(), Failure> {
    let header = image.header();
    let (voxels, item) = (header.voxels()? as usize, header.dtype.size_bytes());
    let start = usize::try_from(header.data_offset)?;
    let moved = |out: &mut [u8], to: usize| -> Result<(), Failure> {
        let file = floor::map(path)?;
        let stored = file.get(start..).and_then(|rest| rest.get(..voxels * item));
        floor::move_voxels(stored.ok_or("it has no such voxels")?, item, out, to);
        Ok(())
    };
    let mut copy = vec![1; voxels * item];
    // Voxels elsewhere than where the header was have no floor here.
    if moved(&mut copy, item).is_err() {
        return Ok(());
    }
    let (read, ()) = runs.median(|| moved(&mut copy, item))?;
    drop(copy);
    let (fresh, mut out) = runs.median(|| {
        let mut out = floor::fresh(voxels * 4)?;
        moved(&mut out, 4)?;
        Ok(out)
    })?;
    let (warm, ()) = runs.median(|| moved(&mut out, 4))?;
    drop(out);
    let mut rows = vec![(FLOOR_READ, read), (FLOOR_FRESH, fresh), (FLOOR_WARM, warm)];
    rows.extend(converting(floor::map(path)?[..].into(), runs)?);
    record(measurement, image, &rows)
}
