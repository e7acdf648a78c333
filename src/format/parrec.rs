//! Philips PAR/REC: a text that describes every slice (`.par`), and the slices (`.rec`) in the order of their
//! descriptions. There is no public specification: the reference is nibabel's `parrec` module, which reads versions 4
//! to 4.2.

mod gradients;
mod par;

use std::collections::{BTreeMap, BTreeSet};

use super::parsed::{Blocks, Parsed};
use super::text::{check_entries, shape};
use crate::core::affine::{Affine, multiply};
use crate::core::dtype::{ByteOrder, DType};
use crate::core::error::{Error, Result};
use crate::core::format::Format;
use crate::core::options::{LoadOptions, ParScaling};
use crate::core::scaling::{Arithmetic, Factor, Scaling, Step};
use crate::core::shape::voxels;
use crate::header::fields::Fields;
use crate::header::{AxisKind, Header, Layout, Note, SpaceUnit, TimeUnit};
use par::{Par, Slice};

pub use gradients::{Gradient, gradients};

/// Whether the first bytes are a `.par` file, by the comment in its first line.
pub(super) fn recognizes(prefix: &[u8]) -> bool {
    const TITLE: &[u8] = b"DATA DESCRIPTION FILE";
    let text = prefix.trim_ascii_start();
    let mut lines = text.split(|byte| matches!(byte, b'\n' | b'\r'));
    let first = lines.next().unwrap_or_default();
    first.starts_with(b"#") && first.windows(TITLE.len()).any(|part| part == TITLE)
}

/// Parses a `.par` file.
pub(super) fn parse(bytes: &[u8], options: &LoadOptions) -> Result<Parsed> {
    let par = Par::parse(&String::from_utf8_lossy(bytes))?;
    let mut notes = Vec::new();
    check_complete(&par, options.permit_truncated, &mut notes)?;
    check_entries(par.slices.len() as u64)?;
    let dtype = match par.same("image pixel size", |slice| slice.pixel_bits)? {
        8 => DType::U8,
        16 => DType::U16,
        other => return Err(Error::header("image pixel size", other, "8 or 16")),
    };
    let [x, y] = par.same("recon resolution", |slice| slice.resolution)?;
    let (slices, volumes) = slices_and_volumes(&par)?;
    let mut lengths = vec![x, y, slices as i64];
    if volumes > 1 {
        lengths.push(volumes as i64);
    }
    let order = order(&par, options.strict_sort, slices * volumes.max(1))?;
    let zooms = zooms(&par, lengths.len(), &mut notes)?;
    let shape = shape("recon resolution", &lengths)?;
    let block = voxels(shape.get(..2).unwrap_or_default())?;
    let time = volumes > 1 && is_dynamic(&par)?;
    let header = Header {
        format: Format::ParRec,
        dtype,
        byte_order: ByteOrder::Little,
        layout: Layout::FirstFastest,
        data_offset: 0,
        scaling: scaling(&par, &order, block, options.par_scaling)?,
        affine: Some(affine(&par, &lengths, &zooms)?),
        zooms,
        axes: kinds(&par, shape.len()),
        space_unit: SpaceUnit::Millimetre,
        time_unit: match time {
            true => TimeUnit::Second,
            false => TimeUnit::Unknown,
        },
        shape,
        fields: Fields::Text(par.header),
    };
    header.data_end()?;
    let mut parsed = Parsed::new(header, notes);
    let in_order = order.iter().enumerate().all(|(k, &slice)| k == slice);
    let bytes = block * dtype.size_bytes() as u64;
    parsed.voxels.blocks = (!in_order && block > 0).then(|| Blocks {
        bytes,
        starts: order.iter().map(|&slice| slice as u64 * bytes).collect(),
        reversed: 0,
    });
    Ok(parsed)
}

/// Compares the counts in the general information with the slices in the file.
///
/// # Errors
/// The field whose count differs. If `permit` is set, it is noted instead.
fn check_complete(par: &Par, permit: bool, notes: &mut Vec<Note>) -> Result<()> {
    let mut differ = |field, have: usize, expected: i64| {
        if have as i64 == expected {
            return Ok(());
        }
        if !permit {
            return Err(Error::header(field, have, expected));
        }
        let message = format!("{have} values, {expected} were announced");
        notes.push(Note { field, message });
        Ok(())
    };
    type Of = fn(&Slice) -> Option<i64>;
    let announced: [(&str, &'static str, Of); 5] = [
        ("Max. number of slices/locations", "slice number", |s| {
            Some(s.number)
        }),
        ("Max. number of echoes", "echo number", |s| Some(s.echo)),
        ("Max. number of dynamics", "dynamic scan number", |s| {
            Some(s.dynamic)
        }),
        (
            "Max. number of diffusion values",
            "diffusion b value number",
            |s| s.b_value,
        ),
        (
            "Max. number of gradient orients",
            "gradient orientation number",
            |s| s.gradient,
        ),
    ];
    for (key, field, of) in announced {
        let Some(expected) = par.integer(key)? else {
            continue;
        };
        let mut values: Vec<i64> = Vec::with_capacity(par.slices.len());
        for slice in &par.slices {
            let missing =
                || Error::header(field, "nothing", "the field, because its maximum is given");
            values.push(of(slice).ok_or_else(missing)?);
        }
        values.sort_unstable();
        values.dedup();
        differ(field, values.len(), expected)?;
    }
    let full = full(&par.slices, par.max_slice_number()?)?;
    let partial = full.iter().filter(|&&full| !full).count();
    if partial == 0 {
        return Ok(());
    }
    if !permit {
        let found = format!("{partial} slices of incomplete volumes");
        return Err(Error::header("slice number", found, "complete volumes"));
    }
    notes.push(Note {
        field: "slice number",
        message: format!("{partial} slices of incomplete volumes are left out"),
    });
    Ok(())
}

/// Voxel sizes; for volumes that differ in time also the repetition time in seconds, otherwise 1.
fn zooms(par: &Par, axes: usize, notes: &mut Vec<Note>) -> Result<Vec<f64>> {
    let gap = par.same("slice gap", |slice| slice.gap)?;
    let [x, y] = par.same("pixel spacing", |slice| slice.spacing)?;
    let thickness = par.same("slice thickness", |slice| slice.thickness)?;
    let mut zooms = vec![x, y, thickness + gap];
    if axes > 3 {
        zooms.push(if is_dynamic(par)? {
            repetition_time(par, notes)?
        } else {
            1.0
        });
    }
    if let Some(negative) = zooms.iter().find(|&&size| size < 0.0) {
        return Err(Error::header(
            "pixel spacing",
            negative,
            "sizes that are not negative",
        ));
    }
    Ok(zooms)
}

/// Whether the header says that the recording is dynamic.
fn is_dynamic(par: &Par) -> Result<bool> {
    let dynamic = par.integer("Dynamic scan      <0=no 1=yes> ?")?;
    match dynamic {
        Some(dynamic) => Ok(dynamic != 0),
        None => Err(Error::header("Dynamic scan", "nothing", "0 or 1")),
    }
}

/// The fourth axis is time if volumes differ in the number of the dynamic scan and in nothing else; echoes, phases,
/// gradients, labels and types of image are not times.
fn kinds(par: &Par, ndim: usize) -> Vec<AxisKind> {
    let mut kinds = AxisKind::by_position(ndim);
    let differ = |of: &dyn Fn(&Slice) -> Option<i64>| {
        let mut values = par.slices.iter().map(of);
        let first = values.next();
        values.any(|value| Some(value) != first)
    };
    type Of<'a> = &'a dyn Fn(&Slice) -> Option<i64>;
    let of_others: [Of; 7] = [
        &|slice| Some(slice.echo),
        &|slice| Some(slice.phase),
        &|slice| Some(slice.image_type),
        &|slice| slice.b_value,
        &|slice| slice.gradient,
        &|slice| slice.label,
        &|slice| Some(slice.b_factor.to_bits() as i64),
    ];
    let others = of_others.into_iter().any(differ);
    let dynamics = differ(&|slice| Some(slice.dynamic));
    if let Some(fourth) = kinds.get_mut(3)
        && (others || !dynamics)
    {
        *fourth = AxisKind::Other;
    }
    kinds
}

fn repetition_time(par: &Par, notes: &mut Vec<Note>) -> Result<f64> {
    const FIELD: &str = "Repetition time [ms]";
    let times = match par.reals(FIELD)? {
        Some(times) => times,
        None => par.reals("Repetition time [msec]")?.unwrap_or_default(),
    };
    let Some(first) = times.first() else {
        return Err(Error::header(FIELD, "nothing", "a time"));
    };
    if times.len() > 1 {
        let message = "more than one, the first is used".to_owned();
        notes.push(Note {
            field: FIELD,
            message,
        });
    }
    Ok(first / 1000.0)
}

/// Slope and intercept of every slice, in the order of the volume. Both steps are always done.
fn scaling(par: &Par, order: &[usize], block: u64, method: ParScaling) -> Result<Scaling> {
    let pair = |slice: &Slice| match method {
        ParScaling::Dv => (slice.rescale_slope, slice.rescale_intercept),
        ParScaling::Fp => (
            1.0 / slice.scale_slope,
            slice.rescale_intercept / (slice.rescale_slope * slice.scale_slope),
        ),
    };
    let (slopes, inters): (Vec<f64>, Vec<f64>) = order
        .iter()
        .filter_map(|&k| par.slices.get(k))
        .map(pair)
        .unzip();
    let steps = vec![
        Step::Multiply(Factor::over_blocks(slopes, block)),
        Step::Add(Factor::over_blocks(inters, block)),
    ];
    Ok(Scaling::new(steps, block, Arithmetic::F64))
}

/// For each slice, how often its number has occurred before: the number of its volume.
fn volumes(slices: &[Slice]) -> Vec<usize> {
    let mut seen = BTreeMap::new();
    slices
        .iter()
        .map(|slice| {
            let count = seen.entry(slice.number).or_insert(0);
            *count += 1;
            *count - 1
        })
        .collect()
}

/// For each slice, whether its volume has all slice numbers from 1 to `max`.
///
/// # Errors
/// `slice number` if one is outside this range.
fn full(slices: &[Slice], max: i64) -> Result<Vec<bool>> {
    if let Some(beyond) = slices.iter().find(|s| !(1..=max).contains(&s.number)) {
        return Err(Error::header(
            "slice number",
            beyond.number,
            format!("1 to {max}"),
        ));
    }
    let volumes = volumes(slices);
    // Each number occurs once per volume, so counting is enough.
    let mut counts = vec![0i64; slices.len()];
    for &volume in &volumes {
        if let Some(count) = counts.get_mut(volume) {
            *count += 1;
        }
    }
    let is_full = |volume: &usize| counts.get(*volume) == Some(&max);
    Ok(volumes.iter().map(is_full).collect())
}

/// Number of slices per volume, and number of complete volumes.
fn slices_and_volumes(par: &Par) -> Result<(usize, usize)> {
    let numbers: BTreeSet<i64> = par.slices.iter().map(|slice| slice.number).collect();
    let full = full(&par.slices, par.max_slice_number()?)?;
    let complete: BTreeSet<usize> = volumes(&par.slices)
        .into_iter()
        .zip(full)
        .filter_map(|(volume, full)| full.then_some(volume))
        .collect();
    Ok((numbers.len(), complete.len()))
}

/// The order of the REC file's slices in the volume. Incomplete volumes are left out.
///
/// # Errors
/// `slice number` if there are fewer than `count`.
fn order(par: &Par, strict: bool, count: usize) -> Result<Vec<usize>> {
    let max = par.max_slice_number()?;
    let mut order = if strict {
        by_all_keys(par, max)?
    } else {
        by_number(&par.slices, max)?
    };
    if order.len() < count {
        let found = format!("{} slices", order.len());
        return Err(Error::header("slice number", found, format!("{count}")));
    }
    order.truncate(count);
    Ok(order)
}

/// By volume and slice number, incomplete volumes last.
fn by_number(slices: &[Slice], max: i64) -> Result<Vec<usize>> {
    let (full, volumes) = (full(slices, max)?, volumes(slices));
    let mut keys: Vec<_> = full
        .into_iter()
        .zip(volumes)
        .zip(slices)
        .enumerate()
        .map(|(k, ((full, volume), slice))| ((!full, volume, slice.number), k))
        .collect();
    keys.sort_unstable();
    Ok(keys.into_iter().map(|(_, k)| k).collect())
}

/// By everything that distinguishes volumes, then by volume. Incomplete volumes come first, as nibabel sorts them.
fn by_all_keys(par: &Par, max: i64) -> Result<Vec<usize>> {
    let diffusion = par.integer("Diffusion         <0=no 1=yes> ?")?;
    let diffusion = diffusion.ok_or_else(|| Error::header("Diffusion", "nothing", "0 or 1"))? != 0;
    let key = |slice: &Slice| {
        let b_value = slice.b_value.map_or(slice.b_factor, |value| value as f64);
        (
            slice.image_type,
            slice.dynamic,
            slice.label,
            if diffusion { ordered(b_value) } else { 0 },
            if diffusion { slice.gradient } else { None },
            (slice.phase, slice.echo, slice.number),
        )
    };
    let mut first: Vec<usize> = (0..par.slices.len()).collect();
    first.sort_by_cached_key(|&k| par.slices.get(k).map(key));
    let sorted: Vec<Slice> = first
        .iter()
        .filter_map(|&k| par.slices.get(k).copied())
        .collect();
    let (full, volumes) = (full(&sorted, max)?, volumes(&sorted));
    let mut keys: Vec<_> = full.into_iter().zip(volumes).zip(first).collect();
    keys.sort_by_key(|&(key, _)| key);
    Ok(keys.into_iter().map(|(_, k)| k).collect())
}

/// An integer with the same order as the real number; NaN last.
fn ordered(value: f64) -> i64 {
    let bits = (value + 0.0).to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

const PSL_TO_RAS: Affine = [
    [0.0, 0.0, -1.0, 0.0],
    [-1.0, 0.0, 0.0, 0.0],
    [0.0, 1.0, 0.0, 0.0],
    [0.0, 0.0, 0.0, 1.0],
];

const TRANSVERSE_TO_PSL: Affine = [
    [0.0, 1.0, 0.0, 0.0],
    [0.0, 0.0, 1.0, 0.0],
    [1.0, 0.0, 0.0, 0.0],
    [0.0, 0.0, 0.0, 1.0],
];

const SAGITTAL_TO_PSL: Affine = [
    [1.0, 0.0, 0.0, 0.0],
    [0.0, -1.0, 0.0, 0.0],
    [0.0, 0.0, -1.0, 0.0],
    [0.0, 0.0, 0.0, 1.0],
];

const CORONAL_TO_PSL: Affine = [
    [0.0, 0.0, 1.0, 0.0],
    [0.0, -1.0, 0.0, 0.0],
    [1.0, 0.0, 0.0, 0.0],
    [0.0, 0.0, 0.0, 1.0],
];

const IDENTITY: Affine = [
    [1.0, 0.0, 0.0, 0.0],
    [0.0, 1.0, 0.0, 0.0],
    [0.0, 0.0, 1.0, 0.0],
    [0.0, 0.0, 0.0, 1.0],
];

/// From the axes of the voxels, as they were acquired, to Philips' PSL axes, without the angulation.
fn acquired_to_psl(par: &Par) -> Result<Affine> {
    match par.same("slice orientation", |slice| slice.orientation)? {
        1 => Ok(TRANSVERSE_TO_PSL),
        2 => Ok(SAGITTAL_TO_PSL),
        3 => Ok(CORONAL_TO_PSL),
        other => Err(Error::header("slice orientation", other, "1, 2 or 3")),
    }
}

/// Maps voxels, relative to the middle of the volume, to Philips' PSL axes, rotates and shifts them, and converts to
/// RAS.
fn affine(par: &Par, lengths: &[i64], zooms: &[f64]) -> Result<Affine> {
    let permutation = acquired_to_psl(par)?;
    let (mut zoomer, mut to_centre) = (IDENTITY, IDENTITY);
    for (axis, (&length, &zoom)) in lengths.iter().zip(zooms).take(3).enumerate() {
        zoomer[axis][axis] = zoom;
        to_centre[axis][3] = -(length - 1) as f64 / 2.0;
    }
    let zoomed = multiply(&zoomer, &to_centre);
    let mut psl = multiply(&rotation(par)?, &multiply(&permutation, &zoomed));
    let moved = three(par, "Off Centre midslice(ap,fh,rl) [mm]")?;
    for (row, offset) in psl.iter_mut().zip(moved) {
        row[3] += offset;
    }
    Ok(multiply(&PSL_TO_RAS, &psl))
}

/// The rotations around the three axes, in the order that nibabel found by trial.
fn rotation(par: &Par) -> Result<Affine> {
    const RADIANS: f64 = std::f64::consts::PI / 180.0;
    let [x, y, z] =
        three(par, "Angulation midslice(ap,fh,rl)[degr]")?.map(|degrees| degrees * RADIANS);
    let about = |angle: f64, [from, to]: [usize; 2]| {
        let mut turn = IDENTITY;
        if angle != 0.0 {
            let (sin, cos) = (angle.sin(), angle.cos());
            (turn[from][from], turn[from][to]) = (cos, -sin);
            (turn[to][from], turn[to][to]) = (sin, cos);
        }
        turn
    };
    let (mx, my, mz) = (about(x, [1, 2]), about(y, [2, 0]), about(z, [0, 1]));
    Ok(multiply(&mz, &multiply(&mx, &my)))
}

fn three(par: &Par, key: &'static str) -> Result<[f64; 3]> {
    let values = par.reals(key)?.unwrap_or_default();
    <[f64; 3]>::try_from(values)
        .map_err(|values| Error::header(key, format!("{values:?}"), "three numbers"))
}
