//! Philips PAR/REC: a text that describes every slice (`.par`), and the slices (`.rec`) in the order of their
//! description (spec 4.8 and 3.8).

mod affine;
mod order;
mod par;

use super::text::{check_entries, shape};
use super::{Blocks, Fields, Format, Parsed};
use crate::dtype::{ByteOrder, DType};
use crate::error::{Error, Result};
use crate::header::{Header, Layout, Note, voxels};
use crate::options::{LoadOptions, ParScaling};
use crate::scaling::{Arithmetic, Factor, Scaling, Step};
use par::{Par, Slice};

/// Parses a `.par` file.
pub(super) fn parse(bytes: &[u8], options: &LoadOptions) -> Result<Parsed> {
    let par = Par::parse(&String::from_utf8_lossy(bytes))?;
    let mut notes = Vec::new();
    check_complete(&par, options.permit_truncated, &mut notes)?;
    check_entries(par.slices.len())?;
    let dtype = match par.same("image pixel size", |slice| slice.pixel_bits)? {
        8 => DType::U8,
        16 => DType::U16,
        other => return Err(Error::header("image pixel size", other, "8 or 16")),
    };
    let [x, y] = par.same("recon resolution", |slice| slice.resolution)?;
    let (slices, volumes) = order::slices_and_volumes(&par)?;
    let mut lengths = vec![x, y, slices as i64];
    if volumes > 1 {
        lengths.push(volumes as i64);
    }
    let order = order::order(&par, options.strict_sort, slices * volumes.max(1))?;
    let zooms = zooms(&par, lengths.len(), &mut notes)?;
    let shape = shape("recon resolution", &lengths)?;
    let block = voxels(shape.get(..2).unwrap_or_default())?;
    let header = Header {
        format: Format::ParRec,
        dtype,
        byte_order: ByteOrder::Little,
        layout: Layout::FirstFastest,
        data_offset: 0,
        scaling: scaling(&par, &order, block, options.par_scaling)?,
        affine: Some(affine::affine(&par, &lengths, &zooms)?),
        zooms,
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

/// Compares what the general information announces with what there is.
///
/// # Errors
/// The field whose number differs, unless `permit` is set: then it is noted.
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
            let missing = || Error::header(field, "nothing", "the field, since its most is given");
            values.push(of(slice).ok_or_else(missing)?);
        }
        values.sort_unstable();
        values.dedup();
        differ(field, values.len(), expected)?;
    }
    let full = order::full(&par.slices, par.most_slices()?)?;
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

/// Sizes of voxels; the repetition time in seconds where time goes by between volumes, else 1.
fn zooms(par: &Par, axes: usize, notes: &mut Vec<Note>) -> Result<Vec<f64>> {
    let gap = par.same("slice gap", |slice| slice.gap)?;
    let [x, y] = par.same("pixel spacing", |slice| slice.spacing)?;
    let thickness = par.same("slice thickness", |slice| slice.thickness)?;
    let mut zooms = vec![x, y, thickness + gap];
    if axes > 3 {
        let dynamic = par.integer("Dynamic scan      <0=no 1=yes> ?")?;
        let dynamic = dynamic.ok_or_else(|| Error::header("Dynamic scan", "nothing", "0 or 1"))?;
        zooms.push(if dynamic != 0 {
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

/// Slope and intercept of every slice, in the order of the volume; both are always done.
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
