//! A bar chart of the rates of all files, as SVG.

use std::io::Write;

use super::measure::{CPU_FRESH, CPU_ONE, GPU_BACK, GPU_BUFFER, Measurement};
use crate::CommandResult;

/// The rows in the chart, and colours that can be distinguished with colour blindness.
const SERIES: [(&str, &str); 5] = [
    (FLOOR, "#bbbbbb"),
    (CPU_FRESH, "#0072b2"),
    (CPU_ONE, "#56b4e9"),
    (GPU_BUFFER, "#d55e00"),
    (GPU_BACK, "#e69f00"),
];

/// The stage that bounds the first row of the CPU.
const FLOOR: &str = "its floor: a plain cast, or inflating alone";

const BAR: f64 = 14.0;
const GAP: f64 = 26.0;
/// Width of the files' names on the left, and of the bars.
const NAMES: f64 = 250.0;
const BARS: f64 = 520.0;
const WIDTH: f64 = NAMES + BARS + 90.0;
/// Height of the title and the legend.
const TOP: f64 = 60.0 + 18.0 * SERIES.len() as f64;

/// Draws a group of bars for each file: output bytes per second; longer is better.
pub(super) fn draw(measurements: &[Measurement], out: &mut dyn Write) -> CommandResult {
    let all = measurements
        .iter()
        .flat_map(|one| SERIES.iter().filter_map(|(row, _)| rate(one, row)));
    let tick = tick(all.fold(0.0, f64::max));
    let max = tick * TICKS;
    let bars = |one: &Measurement| SERIES.iter().filter(|s| rate(one, s.0).is_some()).count();
    let height = |one: &Measurement| BAR * bars(one).max(2) as f64 + GAP;
    let bottom = TOP + measurements.iter().map(height).sum::<f64>();

    let total = bottom + 40.0;
    writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{total}" viewBox="0 0 {WIDTH} {total}" font-family="sans-serif" font-size="12">"#
    )?;
    writeln!(out, r#"<rect width="100%" height="100%" fill="white"/>"#)?;
    text(
        out,
        [16.0, 28.0],
        "start",
        "Loading volumes to f32: output GB/s (more is better)",
    )?;
    for (i, (row, colour)) in SERIES.into_iter().enumerate() {
        let y = 42.0 + 18.0 * i as f64;
        bar(out, [16.0, y], 12.0, 12.0, colour)?;
        text(out, [34.0, y + 10.5], "start", row)?;
    }
    for i in 0..=TICKS as usize {
        let x = NAMES + BARS * i as f64 / TICKS;
        writeln!(
            out,
            r##"<path d="M{x:.1} {} V{bottom:.1}" stroke="#dddddd"/>"##,
            TOP - 8.0
        )?;
        let label = format!("{}", (tick * i as f64 * 1e6).round() / 1e6);
        text(out, [x, bottom + 18.0], "middle", &label)?;
    }
    let mut y = TOP;
    for one in measurements {
        let name = std::path::Path::new(&one.name).file_name();
        let name = name.map_or(one.name.clone(), |name| name.to_string_lossy().into_owned());
        text(out, [NAMES - 10.0, y + 12.0], "end", &name)?;
        let size = format!("{}, {:.1} MB", one.kind, one.stored_bytes as f64 / 1e6);
        text(out, [NAMES - 10.0, y + 27.0], "end", &size)?;
        for (i, (rate, colour)) in SERIES
            .iter()
            .filter_map(|(row, colour)| Some((rate(one, row)?, *colour)))
            .enumerate()
        {
            let y = y + BAR * i as f64;
            bar(out, [NAMES, y], BARS * rate / max, BAR - 2.0, colour)?;
            let place = [NAMES + BARS * rate / max + 5.0, y + 10.5];
            text(out, place, "start", &format!("{rate:.2}"))?;
        }
        y += height(one);
    }
    writeln!(out, "</svg>")?;
    Ok(())
}

/// Output rate of a row, in GB/s.
fn rate(one: &Measurement, row: &str) -> Option<f64> {
    let row = match row {
        FLOOR => one.stage(CPU_FRESH)?.floor?,
        row => row,
    };
    let stage = one.stage(row)?;
    Some(stage.output_bytes as f64 / stage.seconds / 1e9)
}

/// Number of steps on the scale.
const TICKS: f64 = 5.0;

/// The smallest step of 1, 2 or 5 times a power of ten with which the scale reaches `max`.
fn tick(max: f64) -> f64 {
    let min = (max / TICKS).max(1e-6);
    let power = 10f64.powf(min.log10().floor());
    let steps = [1.0, 2.0, 5.0].map(|step| step * power);
    let fits = steps.into_iter().find(|step| *step >= min);
    fits.unwrap_or(10.0 * power)
}

fn bar(
    out: &mut dyn Write,
    [x, y]: [f64; 2],
    width: f64,
    height: f64,
    fill: &str,
) -> CommandResult {
    Ok(writeln!(
        out,
        r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="{fill}"/>"#
    )?)
}

fn text(out: &mut dyn Write, [x, y]: [f64; 2], anchor: &str, text: &str) -> CommandResult {
    let text: String = text.chars().map(escaped).collect();
    Ok(writeln!(
        out,
        r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#
    )?)
}

/// Escapes a character for XML, which cannot contain control characters.
fn escaped(c: char) -> String {
    match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        c if c.is_control() => "\u{fffd}".to_owned(),
        c => c.to_string(),
    }
}
