//! Reports of measurements, as a table and as JSON.

use std::io::Write;

use serde_json::{Value, json};

use super::measure::{Measurement, Stage};
use super::verdict::{self, Crossing};
use crate::CommandResult;

/// Prints one file's table.
pub(super) fn print(measurement: &Measurement) -> CommandResult {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}: {}", measurement.name, measurement.description)?;
    writeln!(
        out,
        "  {} threads; GPU: {}",
        measurement.threads, measurement.adapter
    )?;
    writeln!(
        out,
        "  {:<34} {:>12} {:>12} {:>12} {:>9}",
        "stage", "median", "stored GB/s", "output GB/s", "x floor"
    )?;
    for stage in &measurement.stages {
        let shown = |bytes: u64| {
            let rate = rate(stage, bytes).map(|rate| format!("{:.2}", rate / 1e9));
            rate.unwrap_or_default()
        };
        writeln!(
            out,
            "  {:<34} {:>12} {:>12} {:>12} {:>9}",
            stage.name,
            time(stage.seconds),
            shown(stage.stored_bytes),
            shown(stage.output_bytes),
            of_floor(measurement, stage).map_or(String::new(), |ratio| format!("{ratio:.2}")),
        )?;
    }
    let mebibytes = measurement.memory_over_output as f64 / f64::from(1 << 20);
    writeln!(
        out,
        "  peak anonymous memory of a cpu load: output + {mebibytes:.1} MiB"
    )?;
    if let Some(device) = &measurement.device {
        for line in device.lines() {
            writeln!(out, "  {line}")?;
        }
    }
    if !measurement.cold {
        writeln!(
            out,
            "  not cold: the system kept the file in the page cache"
        )?;
    }
    writeln!(out, "  {}", bits(measurement))?;
    writeln!(out, "  {}", verdict::of(measurement))?;
    Ok(())
}

/// Prints from which size on the GPU is faster.
pub(super) fn print_crossings(crossings: &[Crossing]) -> CommandResult {
    let mut out = std::io::stdout().lock();
    for one in crossings {
        let (kind, destination) = (&one.kind, one.destination.name());
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        match one.from_bytes {
            Some(bytes) => writeln!(
                out,
                "{kind}, {destination} arrays: the GPU is faster for {:.1} MB stored or more",
                megabytes(bytes)
            )?,
            None => writeln!(
                out,
                "{kind}, {destination} arrays: the GPU is not faster up to {:.1} MB stored",
                megabytes(one.largest_bytes)
            )?,
        }
    }
    Ok(())
}

/// Prints all files as one JSON object.
pub(super) fn print_json(measurements: &[Measurement], crossings: &[Crossing]) -> CommandResult {
    let wins = crossings.iter().map(|one| {
        json!({
            "kind": one.kind,
            "destination": one.destination.name(),
            "from_stored_bytes": one.from_bytes,
            "largest_stored_bytes": one.largest_bytes,
        })
    });
    let object = json!({
        "files": measurements.iter().map(object).collect::<Vec<Value>>(),
        "gpu_wins": wins.collect::<Vec<Value>>(),
    });
    writeln!(std::io::stdout().lock(), "{object:#}")?;
    Ok(())
}

fn object(measurement: &Measurement) -> Value {
    let stages: Vec<Value> = measurement
        .stages
        .iter()
        .map(|stage| {
            json!({
                "stage": stage.name,
                "seconds": stage.seconds,
                "stored_bytes": stage.stored_bytes,
                "output_bytes": stage.output_bytes,
                "stored_bytes_per_second": rate(stage, stage.stored_bytes),
                "output_bytes_per_second": rate(stage, stage.output_bytes),
                "times_floor": of_floor(measurement, stage),
            })
        })
        .collect();
    json!({
        "file": measurement.name,
        "volume": measurement.description,
        "kind": measurement.kind,
        "threads": measurement.threads,
        "cold": measurement.cold,
        "adapter": measurement.adapter,
        "memory_over_output_bytes": measurement.memory_over_output,
        "differing_values": measurement.differing,
        "differing_values_on_cpu": measurement.differing_on_cpu,
        "verdict": verdict::of(measurement),
        "gpu": measurement.device.as_ref().map(|device| device.object()),
        "stages": stages,
    })
}

/// Bytes per second; `None` for stages that move no bytes.
fn rate(stage: &Stage, bytes: u64) -> Option<f64> {
    let moves = stage.seconds > 0.0
        && !stage.name.starts_with("open")
        && !stage.name.contains("second get_fdata");
    moves.then(|| bytes as f64 / stage.seconds)
}

fn of_floor(measurement: &Measurement, stage: &Stage) -> Option<f64> {
    let floor = measurement.stage(stage.floor?)?;
    Some(stage.seconds / floor.seconds)
}

fn bits(measurement: &Measurement) -> String {
    match measurement.differing {
        _ if measurement.differing_on_cpu > 0 => format!(
            "bits: {} values DIFFER between reads by the CPU",
            measurement.differing_on_cpu
        ),
        Some(0) => "bits: CPU and GPU agree on every value".to_owned(),
        Some(differing) => format!("bits: {differing} values DIFFER between CPU and GPU"),
        None => "bits: no GPU was measured, so nothing was compared".to_owned(),
    }
}

fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-3 => format!("{:.1} us", s * 1e6),
        s if s < 1.0 => format!("{:.2} ms", s * 1e3),
        s => format!("{s:.3} s"),
    }
}
