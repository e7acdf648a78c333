//! `voxload adapters`: what wgpu sees, and which kernel each would take.

use std::io::Write;

use serde_json::{Value, json};
use voxload::{AdapterDescription, Gpu};

use crate::CommandResult;

/// Lists graphics adapters and the kernel that each would take.
#[derive(clap::Args)]
pub struct Args {
    /// One JSON array, one object an adapter
    #[arg(long)]
    json: bool,
}

/// The one kernel there is: it needs no optional feature and no adapter is refused it.
const KERNEL: &str = "exact, doubles in integers";

pub fn run(args: &Args) -> CommandResult {
    let adapters = Gpu::adapters();
    let mut out = std::io::stdout().lock();
    if args.json {
        let objects: Vec<Value> = adapters.iter().map(object).collect();
        writeln!(out, "{:#}", Value::Array(objects))?;
        return Ok(());
    }
    if adapters.is_empty() {
        writeln!(out, "no adapter: values are computed on the CPU")?;
    }
    for adapter in &adapters {
        write_text(&mut out, adapter)?;
    }
    Ok(())
}

fn write_text(out: &mut dyn Write, adapter: &AdapterDescription) -> std::io::Result<()> {
    let info = &adapter.info;
    writeln!(
        out,
        "{}: {} ({:?}, {:?})",
        adapter.index, info.name, info.device_type, info.backend
    )?;
    writeln!(out, "   driver    {} {}", info.driver, info.driver_info)?;
    writeln!(out, "   kernel    {KERNEL}")?;
    writeln!(
        out,
        "   limits    buffer {} MiB, binding {} MiB",
        adapter.max_buffer_bytes >> 20,
        adapter.max_binding_bytes >> 20
    )?;
    writeln!(out, "   features  {}", adapter.features.join(", "))
}

fn object(adapter: &AdapterDescription) -> Value {
    let info = &adapter.info;
    json!({
        "index": adapter.index,
        "name": info.name,
        "type": format!("{:?}", info.device_type),
        "backend": format!("{:?}", info.backend),
        "driver": info.driver,
        "driver_info": info.driver_info,
        "software": adapter.software,
        "kernel": KERNEL,
        "max_buffer_bytes": adapter.max_buffer_bytes,
        "max_binding_bytes": adapter.max_binding_bytes,
        "features": adapter.features,
    })
}
