//! Measurements: each stage runs several times, and the median is reported.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use voxload::{Caching, DataobjImage, FileRole, HostArray};

use super::device::{self, DeviceReport};
use super::{cold, floor, memory};

pub(super) type Failure = Box<dyn std::error::Error>;

/// Rows to which others refer.
pub(super) const CPU_FRESH: &str = "cpu to f32, fresh array";
pub(super) const CPU_ONE: &str = "cpu to f32, fresh, 1 thread";
pub(super) const GPU_BUFFER: &str = "gpu to a device buffer";
pub(super) const GPU_BACK: &str = "gpu to a device buffer and back";
pub(super) const CPU_UPLOAD: &str = "cpu, then a bus copy of the output";
const FLOOR_FRESH: &str = "floor, fresh";
const FLOOR_WARM: &str = "floor, warm";
const FLOOR_READ: &str = "stored bytes copied";
const FLOOR_INFLATE: &str = "inflate alone, 1 thread";

/// Seconds after which a stage has been measured for long enough, if it ran at least [`MIN_RUNS`] times.
const MAX_STAGE_SECONDS: f64 = 1.5;
const MIN_RUNS: usize = 3;

/// Smallest number of runs of stages that take microseconds.
const OPEN_RUNS: usize = 21;

/// One measured stage.
pub(super) struct Stage {
    pub name: &'static str,
    pub seconds: f64,
    /// Number of stored bytes it processed; 0 if that has no meaning.
    pub stored_bytes: u64,
    /// Number of output bytes it wrote.
    pub output_bytes: u64,
    /// The stage whose time is its lower bound.
    pub floor: Option<&'static str>,
}

/// All measurements of one file.
pub(super) struct Measurement {
    pub name: String,
    pub description: String,
    /// Stored type and compression: files of the same kind differ only in size.
    pub kind: String,
    pub compressed: bool,
    /// Size of the stored voxels in bytes, uncompressed.
    pub stored_bytes: u64,
    pub threads: usize,
    pub stages: Vec<Stage>,
    /// Whether the file could be dropped from the page cache before the first read.
    pub cold: bool,
    /// The adapter, or the reason why there is none.
    pub adapter: String,
    /// Peak anonymous memory of a load beyond its output, in bytes.
    pub memory_over_output: u64,
    /// Number of values that differ between one thread and all, or between a fresh array and a warm buffer.
    pub differing_on_cpu: usize,
    /// Number of values that differ between CPU and GPU; `None` if there was no GPU.
    pub differing: Option<usize>,
    /// Further measurements of the device; `None` if there was no GPU.
    pub device: Option<DeviceReport>,
}

impl Measurement {
    pub(super) fn new(
        path: &Path,
        image: &DataobjImage,
        compressed: bool,
    ) -> Result<Self, Failure> {
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
    pub(super) fn bits_agree(&self) -> bool {
        self.differing_on_cpu == 0 && self.differing.unwrap_or(0) == 0
    }

    pub(super) fn stage(&self, name: &str) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.name == name)
    }

    pub(super) fn seconds(&self, name: &str) -> Option<f64> {
        self.stage(name).map(|stage| stage.seconds)
    }
}

/// Largest number of runs of each stage.
#[derive(Clone, Copy)]
pub(super) struct Runs(pub usize);

impl Runs {
    /// The median time of the runs, and the result of the last run.
    pub(super) fn median<T>(
        self,
        mut work: impl FnMut() -> Result<T, Failure>,
    ) -> Result<(f64, T), Failure> {
        let mut times = Vec::with_capacity(self.0);
        let mut last = None;
        while times.len() < self.0.max(1) {
            // The last run's result is freed before the time of the next one starts.
            drop(last.take());
            let start = Instant::now();
            last = Some(work()?);
            times.push(start.elapsed().as_secs_f64());
            if times.len() >= MIN_RUNS && times.iter().sum::<f64>() > MAX_STAGE_SECONDS {
                break;
            }
        }
        times.sort_by(f64::total_cmp);
        let middle = times[times.len() / 2];
        last.map(|last| (middle, last))
            .ok_or_else(|| "no run was made".into())
    }
}

/// Number of values with different bits. All NaNs are equal.
pub(super) fn differing(a: &[f32], b: &[f32]) -> usize {
    let unlike = |(a, b): &(&f32, &f32)| a.to_bits() != b.to_bits() && !(a.is_nan() && b.is_nan());
    a.iter().zip(b).filter(unlike).count() + a.len().abs_diff(b.len())
}

/// Measures one file.
pub(super) fn measure(
    path: &Path,
    runs: Runs,
    begin: &dyn Fn(&str),
) -> Result<Measurement, Failure> {
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

/// Measures the rows of the CPU. Also returns the values with which everything else is compared.
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
    // Each load opens the file again, so that only the page cache is reused.
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

/// The contents of a gzip file; `None` for any other file.
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

/// Rows that move the same number of bytes as a whole load.
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

/// Converting from memory to memory that was written before.
fn converting(bytes: Arc<[u8]>, runs: Runs) -> Result<Option<(&'static str, f64)>, Failure> {
    // A pair of files cannot be loaded from the bytes of one of them.
    let Ok(image) = DataobjImage::from_bytes(bytes) else {
        return Ok(None);
    };
    let mut out = vec![0f32; image.header().voxels()? as usize];
    let (seconds, ()) = runs.median(|| Ok(image.dataobj().read_into(&mut out)?))?;
    Ok(Some(("convert alone, from memory", seconds)))
}

/// The stages of a compressed load, measured separately. libdeflate is the lower bound.
fn inflating(
    path: &Path,
    image: &DataobjImage,
    inflated: Vec<u8>,
    runs: Runs,
    measurement: &mut Measurement,
) -> Result<(), Failure> {
    let packed = floor::map(path)?;
    let mut rows = Vec::new();
    // libdeflate inflates only files with one member.
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

/// The stages of an uncompressed load, measured separately, and plain copies and casts of the same bytes, each from a
/// new mapping.
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
    // Voxels in other files have no lower bound here.
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
