//! Describes a volume in words.

use std::io::{Result, Write};

use voxload::format::Fields;
use voxload::format::cifti::{BrainModel, CiftiMeaning};
use voxload::{AxisDirection, AxisKind, FileRole, Header};

use super::summary::Summary;
use super::words;

/// Characters of an extension's text that are shown.
const TEXT: usize = 160;

/// Rows of a gradient table that are shown without `--raw`.
const GRADIENTS: usize = 12;

/// The code of CIFTI's extension.
const CIFTI: i32 = 32;

/// Names of the spatial axes, in their order.
const AXES: [&str; 3] = ["first", "second", "third"];

pub(super) fn write(out: &mut dyn Write, summary: &Summary, raw: bool) -> Result<()> {
    let header = summary.header;
    writeln!(out, "{}", words::printable(&summary.name))?;
    let mut lines = Lines(out);
    lines.add("format", words::format(header.format))?;
    files(&mut lines, summary)?;
    lines.add("shape", &words::shape(header))?;
    space(&mut lines, summary)?;
    time(&mut lines, summary)?;
    let order = match header.dtype.part_bytes() {
        1 => String::new(),
        _ => format!(", {} endian", header.byte_order),
    };
    let stored = format!(
        "{}{order}; {}",
        words::dtype(header.dtype),
        words::scaling(header)
    );
    lines.add("stored", &stored)?;
    meaning(&mut lines, summary)?;
    gradients(&mut lines, summary, raw)?;
    matrix(&mut lines, summary)?;
    extensions(&mut lines, summary)?;
    let notes = summary.image.notes();
    if notes.iter().all(|note| note.field == "name") {
        lines.add("faults", "none found in the header")?;
    }
    for note in notes {
        match note.field {
            "name" => lines.add("note", &note.message)?,
            _ => lines.add("faults", &note.to_string())?,
        }
    }
    if raw { fields(out, summary) } else { Ok(()) }
}

/// Writes lines with a label.
struct Lines<'a>(&'a mut dyn Write);

impl Lines<'_> {
    fn add(&mut self, label: &str, value: &str) -> Result<()> {
        writeln!(self.0, "  {label:<12} {}", words::printable(value))
    }
}

fn files(lines: &mut Lines, summary: &Summary) -> Result<()> {
    let mut label = "file";
    for file in &summary.files {
        let name = file.path.file_name().unwrap_or_default().to_string_lossy();
        let mut words = match file.bytes {
            Some(bytes) => vec![words::bytes(bytes)],
            None => vec!["missing".to_owned()],
        };
        match (summary.files.len(), file.role) {
            (1, _) => {}
            (_, FileRole::Image) => words.insert(0, format!("{name}: the voxels")),
            (_, FileRole::Header) => words.insert(0, format!("{name}: the header")),
            (_, _) => words.insert(0, format!("{name}: the affine")),
        }
        words.push(match file.compression {
            Some(name) => format!("compressed by {name}"),
            None if file.bytes.is_none() => String::new(),
            None => "not compressed".to_owned(),
        });
        words.retain(|word| !word.is_empty());
        lines.add(label, &words.join(", "))?;
        label = "";
    }
    Ok(())
}

fn space(lines: &mut Lines, summary: &Summary) -> Result<()> {
    let header = summary.header;
    if let Some(mut size) = words::voxel_size(header) {
        let unit = header.space_unit.symbol();
        if unit.is_empty() {
            size.push_str(" (the file names no unit; most are in mm)");
        } else {
            let axes = header.space_axes();
            let extent = axes.iter().filter_map(|&axis| {
                let (length, zoom) = (header.shape.get(axis)?, header.zooms.get(axis)?);
                Some(words::number(*length as f64 * zoom))
            });
            size = format!("{size}, the volume {} {unit}", words::product(extent));
        }
        lines.add("voxel size", &size)?;
    }
    orientation(lines, summary)
}

fn orientation(lines: &mut Lines, summary: &Summary) -> Result<()> {
    if summary.header.space_axes().is_empty() {
        return Ok(());
    }
    let Some(affine) = summary.image.affine() else {
        return lines.add("orientation", "not stated: left and right cannot be known");
    };
    let Some((letters, orientation)) = summary.letters().zip(summary.orientation) else {
        return lines.add(
            "orientation",
            "unknown: the affine has numbers that are not finite",
        );
    };
    let direction = |(name, direction): (&str, &Option<AxisDirection>)| match direction {
        Some(direction) => format!("{name} axis to the {}", plain(direction.name())),
        None => format!("{name} axis nowhere"),
    };
    let axes = orientation.axes();
    let directions: Vec<String> = AXES
        .into_iter()
        .zip(&axes)
        .take(letters.len())
        .map(direction)
        .collect();
    lines.add(
        "orientation",
        &format!("{letters}: {}", directions.join(", ")),
    )?;
    if let Some(tilt) = summary.tilt().filter(|tilt| *tilt > 0.05) {
        lines.add(
            "",
            &format!(
                "oblique: tilted by up to {} degrees",
                words::number((tilt * 10.0).round() / 10.0)
            ),
        )?;
    }
    let [x, y, z] = [0, 1, 2].map(|row| words::number(affine[row][3]));
    let unit = summary.header.space_unit.symbol();
    let origin = format!("the first voxel is at x {x}, y {y}, z {z} {unit}");
    lines.add("position", origin.trim_end())?;
    if let Some(nifti) = summary.nifti() {
        let forms = match (nifti.sform(), nifti.qform()) {
            (None, None) => {
                "no sform and no qform: orientation and position are NIfTI's defaults, not measured"
                    .to_owned()
            }
            (Some(sform), None) => format!("sform ({sform}); no qform"),
            (None, Some(qform)) => format!("qform ({qform}); no sform"),
            (Some(sform), Some(qform)) => {
                format!("sform ({sform}), which comes first; qform ({qform})")
            }
        };
        lines.add("space", &forms)?;
    }
    Ok(())
}

/// The everyday word for a direction.
fn plain(direction: &str) -> &str {
    match direction {
        "anterior" => "front (anterior)",
        "posterior" => "back (posterior)",
        "superior" => "top (superior)",
        "inferior" => "bottom (inferior)",
        "left" => "subject's left",
        "right" => "subject's right",
        other => other,
    }
}

fn time(lines: &mut Lines, summary: &Summary) -> Result<()> {
    let header = summary.header;
    let Some(axis) = header.time_axis() else {
        return Ok(());
    };
    let points = header.shape.get(axis).copied().unwrap_or(0);
    let text = match summary.time_step() {
        None if points < 2 => return Ok(()),
        None => "not stated".to_owned(),
        Some(step) => {
            let unit = header.time_unit.symbol();
            let step_text = words::time_step(header, step);
            let all = words::number(step * points as f64);
            match unit {
                "" => format!("{step_text} (the file names no unit; most are in s)"),
                _ => format!("{step_text} (TR), the series {all} {unit}"),
            }
        }
    };
    lines.add("time step", &text)
}

/// What the values are, and how they were made.
fn meaning(lines: &mut Lines, summary: &Summary) -> Result<()> {
    if let Some(nifti) = summary.nifti() {
        let parameters = [nifti.intent_p1, nifti.intent_p2, nifti.intent_p3];
        let mut intent = match (nifti.intent(), nifti.intent_code) {
            (Some(name), _) => name.to_owned(),
            (None, 0) => String::new(),
            (None, code) => format!("unknown code {code}"),
        };
        if !intent.is_empty() && parameters.iter().any(|p| *p != 0.0) {
            let parameters = parameters.map(words::number).join(", ");
            intent = format!("{intent}, parameters {parameters}");
        }
        let name = nifti.intent_name.trim();
        if !name.is_empty() {
            intent = format!("{intent} {name:?}").trim_start().to_owned();
        }
        if !intent.is_empty() {
            lines.add("intent", &intent)?;
        }
        let names = ["frequency", "phase", "slices"];
        let encoded = names.iter().zip(nifti.encoding_axes());
        let encoded: Vec<String> = encoded
            .filter_map(|(name, axis)| Some(format!("{name} along the {} axis", AXES.get(axis?)?)))
            .collect();
        if !encoded.is_empty() {
            lines.add("encoding", &encoded.join(", "))?;
        }
        if let Some(order) = nifti.slice_order() {
            let unit = summary.header.time_unit.symbol();
            let mut timing = order.to_owned();
            if nifti.slice_duration > 0.0 {
                timing = format!(
                    "{timing}, {} {unit} each",
                    words::number(nifti.slice_duration)
                );
            }
            lines.add("slice order", &timing)?;
        }
    }
    let acquisition = acquisition(summary);
    if !acquisition.is_empty() {
        lines.add("acquisition", &acquisition.join(", "))?;
    }
    for name in ["descrip", "protocol name", "content", "comment"] {
        let text = summary.text(name).trim();
        if !text.is_empty() {
            lines.add("description", &one_line(text))?;
        }
    }
    Ok(())
}

/// The scanner's settings, if the format has fields for them.
fn acquisition(summary: &Summary) -> Vec<String> {
    let mut words = Vec::new();
    let mut add = |name: &str, value: Option<f64>, unit: &str| {
        if let Some(value) = value {
            words.push(format!("{name} {} {unit}", words::number(value)));
        }
    };
    match &summary.header.fields {
        Fields::Mgh(_) => {
            add("TR", summary.number("tr"), "ms");
            let flip = summary.number("flip_angle");
            let degrees = flip.map(|angle| (angle.to_degrees() * 100.0).round() / 100.0);
            add("flip angle", degrees, "degrees");
            add("TE", summary.number("te"), "ms");
            add("TI", summary.number("ti"), "ms");
            add("field of view", summary.number("fov"), "mm");
        }
        Fields::Text(_) => {
            add("TR", summary.number("Repetition time [ms]"), "ms");
            add("TR", summary.number("Repetition time [msec]"), "ms");
            add(
                "diffusion echo time",
                summary.number("Diffusion echo time [ms]"),
                "ms",
            );
        }
        _ => {}
    }
    words
}

fn gradients(lines: &mut Lines, summary: &Summary, raw: bool) -> Result<()> {
    let Some(gradients) = &summary.gradients else {
        return Ok(());
    };
    let shown = if raw { gradients.len() } else { GRADIENTS };
    let mut label = "diffusion";
    for (volume, gradient) in gradients.iter().enumerate().take(shown) {
        let b_value = format!(
            "volume {volume}: b = {} s/mm2",
            words::number(gradient.b_value)
        );
        let direction = match gradient.direction {
            Some([0.0, 0.0, 0.0]) => ", no direction".to_owned(),
            Some(direction) => {
                let [x, y, z] = direction.map(words::number);
                format!(", direction ({x}, {y}, {z}) along the voxel axes")
            }
            None => String::new(),
        };
        lines.add(label, &(b_value + &direction))?;
        label = "";
    }
    if gradients.len() > shown {
        lines.add(
            "",
            &format!("and {} more, which --raw shows", gradients.len() - shown),
        )?;
    }
    Ok(())
}

/// What the rows and columns of a CIFTI matrix stand for.
fn matrix(lines: &mut Lines, summary: &Summary) -> Result<()> {
    let Some(cifti) = &summary.cifti else {
        return Ok(());
    };
    for map in &cifti.maps {
        let axes: Vec<String> = map.axes.iter().map(|axis| (axis + 1).to_string()).collect();
        let word = if axes.len() == 1 { "axis" } else { "axes" };
        let label = format!("{word} {}", axes.join(" and "));
        let meaning = match &map.meaning {
            CiftiMeaning::BrainModels(models) => {
                let of = |model: &BrainModel| {
                    let kind = if model.is_surface { "vertex" } else { "voxel" };
                    let kind = match (model.count, kind) {
                        (1, kind) => kind,
                        (_, "vertex") => "vertices",
                        (_, _) => "voxels",
                    };
                    format!("{} ({} {kind})", model.structure, model.count)
                };
                format!("places in the brain: {}", shortened(models.iter().map(of)))
            }
            CiftiMeaning::Parcels(names) => {
                format!("parcels: {}", shortened(names.iter().cloned()))
            }
            CiftiMeaning::Scalars(names) => format!("maps: {}", shortened(names.iter().cloned())),
            CiftiMeaning::Labels(names) => {
                format!("maps of labels: {}", shortened(names.iter().cloned()))
            }
            CiftiMeaning::Series(series) => format!(
                "{} from {} in steps of {} ({})",
                words::counted(series.points, "point"),
                words::number(series.start),
                words::number(series.step),
                series.unit.to_lowercase()
            ),
            CiftiMeaning::Other(word) => word.clone(),
            _ => continue,
        };
        lines.add(&label, &meaning)?;
    }
    Ok(())
}

/// The first items of a list, and how many more there are.
fn shortened(items: impl ExactSizeIterator<Item = String>) -> String {
    const SHOWN: usize = 6;
    let all = items.len();
    let shown: Vec<String> = items.take(SHOWN).collect();
    match all.checked_sub(SHOWN) {
        Some(more @ 1..) => format!("{} and {more} more", shown.join(", ")),
        _ => shown.join(", "),
    }
}

fn extensions(lines: &mut Lines, summary: &Summary) -> Result<()> {
    let extensions = summary.nifti().map_or(&[][..], |nifti| &nifti.extensions);
    // CIFTI's extension has been shown by `matrix`.
    let known = summary.cifti.is_some();
    for extension in extensions.iter().filter(|e| !(known && e.code == CIFTI)) {
        let name = extension.name().unwrap_or("unknown");
        let bytes = words::bytes(extension.content.len() as u64);
        let content = match extension.text() {
            Some(text) => format!(": {}", one_line(text.trim())),
            None => ", not text".to_owned(),
        };
        let text = format!("{name} (code {}), {bytes}{content}", extension.code);
        lines.add("extension", &text)?;
    }
    Ok(())
}

/// A text in one line, shortened. Control characters are treated as spaces.
fn one_line(text: &str) -> String {
    let mut words = String::new();
    let is_between = |c: char| c.is_whitespace() || c.is_control();
    for word in text.split(is_between).filter(|word| !word.is_empty()) {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
        if words.chars().count() > TEXT {
            let start: String = words.chars().take(TEXT).collect();
            return format!("{start} ...");
        }
    }
    words
}

/// The fields of the format, and what is derived from them, as numbers.
fn fields(out: &mut dyn Write, summary: &Summary) -> Result<()> {
    let Header {
        dtype,
        byte_order,
        data_offset,
        zooms,
        axes,
        ..
    } = summary.header;
    let mut lines = Lines(&mut *out);
    lines.add("dtype", &format!("{dtype}, {byte_order} endian"))?;
    lines.add("data offset", &data_offset.to_string())?;
    let kinds: Vec<&str> = axes.iter().copied().map(AxisKind::name).collect();
    lines.add("axes", &kinds.join(", "))?;
    lines.add("zooms", &format!("{zooms:?}"))?;
    let affine = summary.image.affine().into_iter().flatten();
    for (row, label) in affine.zip(["affine", "", "", ""]) {
        lines.add(label, &format!("{row:?}"))?;
    }
    lines.add("fields", "as they are stored, except for what was repaired")?;
    for (name, value) in summary.header.fields.list() {
        let (name, value) = (words::printable(&name), words::printable(&value));
        writeln!(out, "    {name:<16} {value}")?;
    }
    Ok(())
}
