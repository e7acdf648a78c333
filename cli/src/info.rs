//! `voxload info`: shows headers, as text or JSON.

use std::io::Write;
use std::path::PathBuf;

use serde_json::{Map, Value, json};
use voxload::{DataobjImage, Header};

use crate::CommandResult;
use crate::loading::Loading;

/// Shows headers.
#[derive(clap::Args)]
pub struct Args {
    /// Any file of each volume
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Print a JSON array with one object per file
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    loading: Loading,
}

pub fn run(args: &Args) -> CommandResult {
    let mut out = std::io::stdout().lock();
    let mut objects = Vec::new();
    for path in &args.files {
        let image = args.loading.load(path)?;
        let name = path.display().to_string();
        if args.json {
            objects.push(object(&name, &image));
        } else {
            write_text(&mut out, &name, &image)?;
        }
    }
    if args.json {
        writeln!(out, "{:#}", Value::Array(objects))?;
    }
    Ok(())
}

fn object(name: &str, image: &DataobjImage) -> Value {
    let header = image.header();
    let fields: Map<String, Value> = header
        .fields
        .list()
        .into_iter()
        .map(|(name, value)| (name, Value::String(value)))
        .collect();
    let notes: Vec<String> = image.notes().iter().map(ToString::to_string).collect();
    json!({
        "file": name,
        "format": header.format.name(),
        "shape": header.shape,
        "dtype": header.dtype.name(),
        "byte_order": header.byte_order.to_string(),
        "slope": header.scaling.slope(),
        "inter": header.scaling.inter(),
        "data_offset": header.data_offset,
        "zooms": header.zooms,
        "affine": image.affine(),
        "notes": notes,
        "fields": fields,
    })
}

fn write_text(out: &mut dyn Write, name: &str, image: &DataobjImage) -> std::io::Result<()> {
    let header = image.header();
    writeln!(out, "{name}")?;
    let mut line = |label: &str, value: String| writeln!(out, "  {label:<12} {value}");
    line("format", header.format.name().to_owned())?;
    line("shape", format!("{:?}", header.shape))?;
    line(
        "dtype",
        format!("{}, {} endian", header.dtype, header.byte_order),
    )?;
    line("scaling", scaling(header))?;
    line("data offset", header.data_offset.to_string())?;
    line("zooms", format!("{:?}", header.zooms))?;
    for (row, label) in image
        .affine()
        .into_iter()
        .flatten()
        .zip(["affine", "", "", ""])
    {
        line(label, format!("{row:?}"))?;
    }
    for note in image.notes() {
        line("note", note.to_string())?;
    }
    for (name, value) in header.fields.list() {
        writeln!(out, "    {name:<16} {value}")?;
    }
    Ok(())
}

fn scaling(header: &Header) -> String {
    match (header.scaling.slope(), header.scaling.inter()) {
        _ if header.scaling.is_none() => "none".to_owned(),
        (Some(slope), Some(inter)) => format!("slope {slope}, inter {inter}"),
        _ => format!("{} steps, with tables", header.scaling.steps().len()),
    }
}
