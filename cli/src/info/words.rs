//! Numbers, types and sizes in words.

use voxload::format::Format;
use voxload::{AxisKind, DType, Header};

/// A number with at most six significant digits.
pub(super) fn number(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    let magnitude = value.abs();
    if value != 0.0 && !(1e-4..1e15).contains(&magnitude) {
        return format!("{value:.5e}");
    }
    let whole_digits = magnitude.log10().floor().max(0.0) as usize + 1;
    let decimals = match magnitude < 1.0 && value != 0.0 {
        true => 5 + (-magnitude.log10()).ceil() as usize,
        false => 6usize.saturating_sub(whole_digits),
    };
    let text = format!("{value:.decimals$}");
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    match text {
        "-0" => "0".to_owned(),
        text => text.to_owned(),
    }
}

/// Escapes control characters, which file names and headers can contain.
pub(super) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

/// Numbers with ` x ` between them.
pub(super) fn product(numbers: impl IntoIterator<Item = String>) -> String {
    numbers.into_iter().collect::<Vec<_>>().join(" x ")
}

/// A count and a word, in the plural unless the count is 1.
pub(super) fn counted(count: usize, word: &str) -> String {
    match count {
        1 => format!("1 {word}"),
        _ => format!("{count} {word}s"),
    }
}

/// Bytes in the largest unit that leaves at least one.
pub(super) fn bytes(count: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1000, "kB")];
    match units.iter().find(|(unit, _)| count >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", count as f64 / *unit as f64),
        None => counted(count as usize, "byte"),
    }
}

/// A description of a format.
pub(super) fn format(format: Format) -> &'static str {
    match format {
        Format::Nifti1Single => "NIfTI-1, header and voxels in one file",
        Format::Nifti1Pair => "NIfTI-1, header and voxels in two files",
        Format::Nifti2Single => "NIfTI-2, header and voxels in one file",
        Format::Nifti2Pair => "NIfTI-2, header and voxels in two files",
        Format::Cifti2 => "CIFTI-2, values of a brain's surface and volume, as a matrix",
        Format::Spm2Analyze => "Analyze 7.5 of SPM2, header and voxels in two files",
        Format::Spm99Analyze => "Analyze 7.5 of SPM99, header and voxels in two files",
        Format::Analyze => "Analyze 7.5, header and voxels in two files",
        Format::Minc1 => "MINC1, in a netCDF file",
        Format::Minc2 => "MINC2, in an HDF5 file",
        Format::Mgh => "MGH of FreeSurfer",
        Format::ParRec => "PAR/REC of Philips, header and voxels in two files",
        Format::Afni => "AFNI, header and voxels in two files",
        Format::Ecat => "ECAT 7 of Siemens PET scanners",
        Format::Nrrd => "NRRD",
        Format::MetaImage => "MetaImage of ITK",
        other => other.name(),
    }
}

/// A description of a voxel type.
pub(super) fn dtype(dtype: DType) -> &'static str {
    match dtype {
        DType::U8 => "8-bit unsigned integers",
        DType::I8 => "8-bit signed integers",
        DType::U16 => "16-bit unsigned integers",
        DType::I16 => "16-bit signed integers",
        DType::U32 => "32-bit unsigned integers",
        DType::I32 => "32-bit signed integers",
        DType::U64 => "64-bit unsigned integers",
        DType::I64 => "64-bit signed integers",
        DType::F16 => "16-bit floats",
        DType::F32 => "32-bit floats",
        DType::F64 => "64-bit floats",
        DType::C64 => "complex numbers of two 32-bit floats",
        DType::C128 => "complex numbers of two 64-bit floats",
        DType::Rgb24 => "colours of three bytes (RGB)",
        DType::Rgba32 => "colours of four bytes (RGBA)",
    }
}

/// How stored numbers become values.
pub(super) fn scaling(header: &Header) -> String {
    let scaling = &header.scaling;
    match (scaling.slope(), scaling.inter()) {
        _ if scaling.is_none() => "not scaled".to_owned(),
        (Some(slope), Some(inter)) => {
            let sign = if inter < 0.0 { '-' } else { '+' };
            let product = match slope {
                1.0 => "stored number".to_owned(),
                slope => format!("{} x stored number", number(slope)),
            };
            match inter {
                0.0 => format!("value = {product}"),
                inter => format!("value = {product} {sign} {}", number(inter.abs())),
            }
        }
        _ => {
            "scaled by tables, which differ from slice to slice or from volume to volume".to_owned()
        }
    }
}

/// The shape by kinds of axes: `64 x 64 x 30 voxels, 200 time points`.
pub(super) fn shape(header: &Header) -> String {
    let lengths = |kind: AxisKind| {
        let axes = header.shape.iter().zip(&header.axes);
        axes.filter(move |(_, known)| **known == kind)
            .map(|(length, _)| *length)
    };
    let mut parts = Vec::new();
    let space: Vec<usize> = lengths(AxisKind::Space).collect();
    match space.as_slice() {
        [] => {}
        [only] => parts.push(counted(*only, "voxel")),
        _ => parts.push(format!(
            "{} voxels",
            product(space.iter().map(usize::to_string))
        )),
    }
    parts.extend(lengths(AxisKind::Time).map(|length| counted(length, "time point")));
    parts.extend(lengths(AxisKind::Component).map(|length| counted(length, "component")));
    let others: Vec<usize> = lengths(AxisKind::Other).collect();
    let product_of_others = product(others.iter().map(usize::to_string));
    match (others.as_slice(), space.len()) {
        ([], _) => {}
        ([only], 3) => parts.push(counted(*only, "volume")),
        (_, 0) => parts.push(format!("{product_of_others} values")),
        _ => parts.push(format!("{product_of_others} along further axes")),
    }
    let ranks = header.axes.iter().map(|kind| rank(*kind));
    if ranks.is_sorted() {
        return parts.join(", ");
    }
    let kinds: Vec<&str> = header.axes.iter().map(|kind| kind.name()).collect();
    let stored = product(header.shape.iter().map(usize::to_string));
    format!(
        "{}; stored as {stored} ({})",
        parts.join(", "),
        kinds.join(", ")
    )
}

/// The position of a kind in the usual order of axes.
fn rank(kind: AxisKind) -> u8 {
    match kind {
        AxisKind::Space => 0,
        AxisKind::Time => 1,
        AxisKind::Component => 2,
        _ => 3,
    }
}

/// The voxel size with its unit; `None` if there is no spatial axis.
pub(super) fn voxel_size(header: &Header) -> Option<String> {
    let axes = header.space_axes();
    let zooms = axes.iter().filter_map(|&axis| header.zooms.get(axis));
    let sizes: Vec<String> = zooms.map(|zoom| number(*zoom)).collect();
    let unit = header.space_unit.symbol();
    (!sizes.is_empty()).then(|| format!("{} {unit}", product(sizes)).trim_end().to_owned())
}

/// The time step with its unit.
pub(super) fn time_step(header: &Header, step: f64) -> String {
    let unit = header.time_unit.symbol();
    format!("{} {unit}", number(step)).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "0"),
            (3.0, "3"),
            (-78.0, "-78"),
            (f64::from(0.1f32), "0.1"),
            (0.012_345_678, "0.0123457"),
            (2.500_000_1, "2.5"),
            (-112.333_333, "-112.333"),
            (1e-9, "1.00000e-9"),
            (123_456_789.0, "123456789"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(number(value), expected, "{value}");
        }
        for (count, expected) in [
            (1, "1 byte"),
            (999, "999 bytes"),
            (36_328, "36.3 kB"),
            (4_600_000, "4.6 MB"),
        ] {
            assert_eq!(bytes(count), expected);
        }
    }
}
