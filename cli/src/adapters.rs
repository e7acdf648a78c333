//! `voxload adapters`: the adapters that wgpu finds, and the kernels that would be used on each.

use std::io::Write;

use serde_json::{Value, json};
use voxload::{AdapterDescription, DType, Gpu, KernelRate, KernelReport, Scaling};

use crate::CommandResult;

/// Lists graphics adapters and the kernels that would be used on each.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print a JSON array with one object per adapter
    #[arg(long)]
    json: bool,
}

/// The conversions that are measured: scaled volumes of the usual stored types.
const CLASSES: [(DType, DType); 6] = [
    (DType::U8, DType::F32),
    (DType::I16, DType::F32),
    (DType::I16, DType::F64),
    (DType::I32, DType::F32),
    (DType::F32, DType::F32),
    (DType::F64, DType::F32),
];

/// What is measured on an adapter after opening it.
type Kernels = voxload::Result<Vec<(String, KernelReport)>>;

fn measure(index: usize) -> Kernels {
    let gpu = Gpu::with_adapter(index)?;
    let scaling = Scaling::linear(0.1, -7.3);
    let class = |(stored, output): (DType, DType)| {
        let report = gpu.kernel_rates(stored, &scaling, output)?;
        Ok((format!("{stored} to {output}"), report))
    };
    CLASSES.into_iter().map(class).collect()
}

pub(crate) fn run(args: &Args) -> CommandResult {
    let adapters = Gpu::adapters();
    let mut out = std::io::stdout().lock();
    if args.json {
        let objects: Vec<Value> = adapters
            .iter()
            .map(|adapter| object(adapter, &measured(adapter)))
            .collect();
        writeln!(out, "{:#}", Value::Array(objects))?;
        return Ok(());
    }
    if adapters.is_empty() {
        writeln!(out, "no adapter found: values are computed on the CPU")?;
    }
    for adapter in &adapters {
        write_text(&mut out, adapter, &measured(adapter))?;
    }
    Ok(())
}

fn measured(adapter: &AdapterDescription) -> Kernels {
    let working = crate::spinner(&format!("measuring {}", adapter.info.name));
    let kernels = measure(adapter.index);
    working.finish_and_clear();
    kernels
}

fn write_text(
    out: &mut dyn Write,
    adapter: &AdapterDescription,
    kernels: &Kernels,
) -> std::io::Result<()> {
    let info = &adapter.info;
    writeln!(
        out,
        "{}: {} ({:?}, {:?})",
        adapter.index, info.name, info.device_type, info.backend
    )?;
    writeln!(out, "   driver    {} {}", info.driver, info.driver_info)?;
    match kernels {
        Ok(kernels) => {
            for (class, report) in kernels {
                let rates: Vec<String> = report.rates.iter().filter_map(rate).collect();
                let rates = rates.join(", ");
                writeln!(out, "   kernel    {class}: {} ({rates})", report.chosen)?;
            }
        }
        Err(error) => writeln!(out, "   kernel    none: {error}")?,
    }
    writeln!(
        out,
        "   limits    buffer {} MiB, binding {} MiB",
        adapter.max_buffer_bytes >> 20,
        adapter.max_binding_bytes >> 20
    )?;
    writeln!(out, "   features  {}", adapter.features.join(", "))
}

/// A method and its speed; `None` if the adapter does not support it.
fn rate(rate: &KernelRate) -> Option<String> {
    let speed = rate.voxels_per_second?;
    Some(format!("{} {:.0} Mvoxels/s", rate.method, speed / 1e6))
}

fn kernel_objects(kernels: &Kernels) -> Value {
    let object = |(class, report): &(String, KernelReport)| {
        let rates = report.rates.iter().map(|rate| {
            let speed = rate.voxels_per_second;
            (rate.method.to_string(), json!(speed.map(f64::round)))
        });
        json!({
            "class": class,
            "chosen": report.chosen.to_string(),
            "voxels_per_second": rates.collect::<serde_json::Map<_, _>>(),
        })
    };
    match kernels {
        Ok(kernels) => kernels.iter().map(object).collect(),
        Err(error) => json!({ "error": error.to_string() }),
    }
}

fn object(adapter: &AdapterDescription, kernels: &Kernels) -> Value {
    let info = &adapter.info;
    json!({
        "index": adapter.index,
        "name": info.name,
        "type": format!("{:?}", info.device_type),
        "backend": format!("{:?}", info.backend),
        "driver": info.driver,
        "driver_info": info.driver_info,
        "software": adapter.software,
        "kernels": kernel_objects(kernels),
        "max_buffer_bytes": adapter.max_buffer_bytes,
        "max_binding_bytes": adapter.max_binding_bytes,
        "features": adapter.features,
    })
}
