//! The rows of the GPU: loads to a device buffer and back, stage by stage, with plain copies for comparison. The values
//! are compared with the CPU's.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use voxload::{Caching, DType, Gpu, HostArray, KernelReport, StagingOptions, Trace};

use super::bus;
use super::measure::{
    CPU_FRESH, CPU_UPLOAD, Failure, GPU_BACK, GPU_BUFFER, Measurement, Runs, Stage, differing,
};

/// The copy over the bus that bounds a load to a device.
const FLOOR_BUS: &str = "bus copy of the stored bytes";

/// Measurements of the device that are not rows of the table.
pub(super) struct DeviceReport {
    /// The method of the kernel for each class, and their speeds.
    kernel: Option<KernelReport>,
    /// The stages of the load with the median time.
    trace: Option<Trace>,
    load_seconds: f64,
    bus_seconds: f64,
    stored_bytes: u64,
    output_bytes: u64,
    /// Bytes per second that the device reads and writes when it copies within its memory.
    memory_rate: f64,
}

impl DeviceReport {
    /// The rate of a load, relative to a plain copy of its stored bytes over the bus.
    fn share_of_bus_copy(&self) -> f64 {
        self.bus_seconds / self.load_seconds
    }

    /// The rate at which the chosen kernel reads and writes, relative to plain copies.
    fn kernel_share_of_memory(&self) -> Option<f64> {
        let voxels = self.kernel.as_ref().and_then(chosen_rate)?;
        let bytes = (self.stored_bytes + self.output_bytes) as f64 / (self.output_bytes / 4) as f64;
        Some(voxels * bytes / self.memory_rate)
    }

    /// As text.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(report) = &self.kernel {
            let rates = report.rates.iter().filter_map(|rate| {
                let speed = rate.voxels_per_second? / 1e6;
                Some(format!("{} {speed:.0} Mvoxels/s", rate.method))
            });
            let rates: Vec<String> = rates.collect();
            lines.push(format!("kernel: {} ({})", report.chosen, rates.join(", ")));
        }
        if let Some(trace) = &self.trace {
            let slowest = trace.slowest();
            lines.push(format!(
                "gpu load: {} submissions; {:.2} x its slowest stage, {}",
                trace.submissions,
                trace.wall.as_secs_f64() / slowest.busy.as_secs_f64(),
                slowest.name
            ));
        }
        let share = self.share_of_bus_copy();
        lines.push(format!("share of bus copy: {share:.2}"));
        if let Some(share) = self.kernel_share_of_memory() {
            lines.push(format!(
                "kernel's share of device memory bandwidth: {share:.2}"
            ));
        }
        lines
    }

    /// As JSON: seconds, bytes and bytes per second.
    pub(super) fn object(&self) -> Value {
        let kernel = self.kernel.as_ref().map(|report| {
            let rates = report.rates.iter();
            let rates = rates.map(|r| (r.method.to_string(), json!(r.voxels_per_second)));
            json!({
                "chosen": report.chosen.to_string(),
                "voxels_per_second": rates.collect::<Map<_, _>>(),
            })
        });
        let trace = self.trace.as_ref().map(|trace| {
            json!({
                "read": trace.read.as_secs_f64(),
                "inflate": trace.inflate.as_secs_f64(),
                "stage": trace.stage.as_secs_f64(),
                "submit": trace.submit.as_secs_f64(),
                "device": trace.device.map(|busy| busy.as_secs_f64()),
                "wall": trace.wall.as_secs_f64(),
                "bytes": trace.bytes,
                "submissions": trace.submissions,
                "slowest": trace.slowest().name,
            })
        });
        json!({
            "kernel": kernel,
            "trace": trace,
            "load_bytes_per_second": self.stored_bytes as f64 / self.load_seconds,
            "bus_bytes_per_second": self.stored_bytes as f64 / self.bus_seconds,
            "share_of_bus_copy": self.share_of_bus_copy(),
            "memory_bytes_per_second": self.memory_rate,
            "kernel_share_of_memory": self.kernel_share_of_memory(),
        })
    }
}

/// Measures loads of a file to the default device, whose values must equal `expected`. The file is opened again for
/// each load.
///
/// # Errors
/// If the device fails during the measurement. If there is no device, or none for this image, that is only noted.
pub(super) fn measure(
    path: &Path,
    expected: &HostArray<f32>,
    runs: Runs,
    measurement: &mut Measurement,
) -> Result<(), Failure> {
    let gpu = match Gpu::new() {
        Ok(gpu) => gpu,
        Err(error) => {
            measurement.adapter = error.to_string();
            return Ok(());
        }
    };
    let info = gpu.info();
    measurement.adapter = format!("{} ({:?}, {:?})", info.name, info.device_type, info.backend);
    let image = voxload::load(path)?;
    let header = image.header();
    let (stored_bytes, output_bytes) = (header.data_bytes()?, expected.size_bytes() as u64);
    let on_cpu = measurement.seconds(CPU_FRESH).unwrap_or_default();
    let mut record = |name, seconds, floor| {
        measurement.stages.push(Stage {
            name,
            seconds,
            stored_bytes,
            output_bytes,
            floor,
        });
    };
    let load = || voxload::load(path)?.get_fdata_gpu::<f32>(&gpu, Caching::Unchanged);
    let first = Instant::now();
    let array = match load() {
        Ok(array) => array,
        Err(error) => {
            measurement.adapter += &format!(": {error}");
            return Ok(());
        }
    };
    let first = first.elapsed().as_secs_f64();
    record("gpu, first load to a buffer", first, None);
    let mut back = vec![0f32; expected.len()];
    let (download, ()) = runs.median(|| Ok(array.download_into(&mut back)?))?;
    drop(array);
    // Decides which kernel is used from here on.
    let kernel = gpu.kernel_rates(header.dtype, &header.scaling, DType::F32);
    let (load_seconds, _) = runs.median(|| Ok(load()?))?;
    record(GPU_BUFFER, load_seconds, Some(FLOOR_BUS));
    back.fill(0.0);
    let (both, ()) = runs.median(|| Ok(load()?.download_into(&mut back)?))?;
    record(GPU_BACK, both, None);
    let trace = traced(path, &gpu, runs)?;
    for (name, busy) in trace.as_ref().map(stages).into_iter().flatten() {
        record(name, busy.as_secs_f64(), None);
    }
    if let Some(rate) = kernel.as_ref().ok().and_then(chosen_rate) {
        record("gpu, kernel alone", expected.len() as f64 / rate, None);
    }
    record("gpu, download", download, None);
    image.get_fdata_gpu::<f32>(&gpu, Caching::Fill)?;
    let (cached, _) = runs.median(|| Ok(image.get_fdata_gpu::<f32>(&gpu, Caching::Fill)?))?;
    record("gpu, second get_fdata_gpu", cached, None);
    image.uncache();
    let bus_seconds = bus::upload(&gpu, stored_bytes, runs)?;
    record(FLOOR_BUS, bus_seconds, None);
    let upload = bus::upload(&gpu, output_bytes, runs)?;
    record(CPU_UPLOAD, on_cpu + upload, None);
    let memory_seconds = bus::within(&gpu, output_bytes, runs)?;
    measurement.differing = Some(differing(&back, expected.as_slice()));
    measurement.device = Some(DeviceReport {
        kernel: kernel.ok(),
        trace,
        load_seconds,
        bus_seconds,
        stored_bytes,
        output_bytes,
        memory_rate: 2.0 * output_bytes as f64 / memory_seconds,
    });
    Ok(())
}

/// Voxels per second of the kernel that loads use.
fn chosen_rate(report: &KernelReport) -> Option<f64> {
    let chosen = |rate: &&voxload::KernelRate| rate.method == report.chosen;
    report.rates.iter().find(chosen)?.voxels_per_second
}

/// The trace of the load with the median time.
fn traced(path: &Path, gpu: &Gpu, runs: Runs) -> Result<Option<Trace>, Failure> {
    let load = |_| {
        let image = voxload::load(path)?;
        let options = StagingOptions::default();
        Ok(gpu.traced_load::<f32>(image.dataobj(), &options)?.trace)
    };
    let traces: Result<Vec<Trace>, Failure> = (0..runs.0.clamp(1, 3)).map(load).collect();
    let mut traces = traces?;
    traces.sort_by_key(|trace| trace.wall);
    Ok(traces.get(traces.len() / 2).copied())
}

/// The rows of a trace: the time that each stage was busy, summed over threads.
fn stages(trace: &Trace) -> Vec<(&'static str, Duration)> {
    let mut stages = vec![
        ("  of it busy: read", trace.read),
        ("  of it busy: inflate", trace.inflate),
        ("  of it busy: stage", trace.stage),
        ("  of it busy: submit", trace.submit),
    ];
    stages.extend(trace.device.map(|busy| ("  of it busy: device", busy)));
    stages
}
