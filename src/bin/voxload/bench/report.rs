//! What was measured, as a table for people and as JSON for programs.

use std::io::Write;

use serde_json::{Value, json};

use super::measure::{Measurement, Stage};
use crate::CommandResult;

/// Prints one file's table.
pub fn print(measurement: &Measurement) -> CommandResult {
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
        let rate = |bytes: u64| format!("{:.2}", bytes as f64 / stage.seconds / 1e9);
        let whole = moves_everything(stage);
        writeln!(
            out,
            "  {:<34} {:>12} {:>12} {:>12} {:>9}",
            stage.name,
            time(stage.seconds),
            if whole {
                rate(stage.stored_bytes)
            } else {
                String::new()
            },
            if whole {
                rate(stage.output_bytes)
            } else {
                String::new()
            },
            of_floor(measurement, stage).map_or(String::new(), |ratio| format!("{ratio:.2}")),
        )?;
    }
    let mebibytes = measurement.memory_over_output as f64 / (1 << 20) as f64;
    writeln!(
        out,
        "  peak anonymous memory of a cpu load: output + {mebibytes:.1} MiB"
    )?;
    if let Some(device) = &measurement.device {
        for line in device.lines() {
            writeln!(out, "  {line}")?;
        }
    }
    writeln!(out, "  {}", bits(measurement))?;
    Ok(())
}

/// Prints all files as one JSON array.
pub fn print_json(measurements: &[Measurement]) -> CommandResult {
    let objects: Vec<Value> = measurements.iter().map(object).collect();
    writeln!(std::io::stdout().lock(), "{:#}", Value::Array(objects))?;
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
                "times_floor": of_floor(measurement, stage),
            })
        })
        .collect();
    json!({
        "file": measurement.name,
        "volume": measurement.description,
        "threads": measurement.threads,
        "adapter": measurement.adapter,
        "memory_over_output_bytes": measurement.memory_over_output,
        "differing_values": measurement.differing,
        "gpu": measurement.device.as_ref().map(|device| device.object()),
        "stages": stages,
    })
}

/// Whether a rate in bytes says anything: not for what moves none.
fn moves_everything(stage: &Stage) -> bool {
    stage.seconds > 0.0 && !stage.name.starts_with("open") && !stage.name.contains("second")
}

fn of_floor(measurement: &Measurement, stage: &Stage) -> Option<f64> {
    let floor = measurement.stage(stage.floor?)?;
    Some(stage.seconds / floor.seconds)
}

fn bits(measurement: &Measurement) -> String {
    match measurement.differing {
        Some(0) => "bits: CPU and GPU agree on every value".to_owned(),
        Some(differing) => format!("bits: {differing} values DIFFER between CPU and GPU"),
        None => "bits: no GPU took part, nothing was compared".to_owned(),
    }
}

fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-3 => format!("{:.1} us", s * 1e6),
        s if s < 1.0 => format!("{:.2} ms", s * 1e3),
        s => format!("{s:.3} s"),
    }
}
