//! Which slice of the REC file is which of the volume (spec 4.8).

use std::collections::{BTreeMap, BTreeSet};

use super::par::{Par, Slice};
use crate::error::{Error, Result};

/// For each slice, how often its number has come before: the volume it belongs to.
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

/// For each slice, whether its volume has all numbers from 1 to `most`.
///
/// # Errors
/// `slice number` when one is not in that range.
pub(super) fn full(slices: &[Slice], most: i64) -> Result<Vec<bool>> {
    if let Some(beyond) = slices.iter().find(|s| !(1..=most).contains(&s.number)) {
        return Err(Error::header(
            "slice number",
            beyond.number,
            format!("1 to {most}"),
        ));
    }
    let volumes = volumes(slices);
    // A number comes once in a volume, so counting is enough.
    let mut counts = vec![0i64; slices.len()];
    for &volume in &volumes {
        if let Some(count) = counts.get_mut(volume) {
            *count += 1;
        }
    }
    let is_full = |volume: &usize| counts.get(*volume) == Some(&most);
    Ok(volumes.iter().map(is_full).collect())
}

/// How many slices a volume has, and how many complete volumes there are.
pub(super) fn slices_and_volumes(par: &Par) -> Result<(usize, usize)> {
    let numbers: BTreeSet<i64> = par.slices.iter().map(|slice| slice.number).collect();
    let full = full(&par.slices, par.most_slices()?)?;
    let complete: BTreeSet<usize> = volumes(&par.slices)
        .into_iter()
        .zip(full)
        .filter_map(|(volume, full)| full.then_some(volume))
        .collect();
    Ok((numbers.len(), complete.len()))
}

/// The slices of the REC file in the order of the volume, without those of incomplete volumes.
///
/// # Errors
/// `slice number` when there are fewer than `count`.
pub(super) fn order(par: &Par, strict: bool, count: usize) -> Result<Vec<usize>> {
    let most = par.most_slices()?;
    let mut order = if strict {
        by_all_keys(par, most)?
    } else {
        by_number(&par.slices, most)?
    };
    if order.len() < count {
        let found = format!("{} slices", order.len());
        return Err(Error::header("slice number", found, format!("{count}")));
    }
    order.truncate(count);
    Ok(order)
}

/// By volume and number, incomplete volumes last.
fn by_number(slices: &[Slice], most: i64) -> Result<Vec<usize>> {
    let (full, volumes) = (full(slices, most)?, volumes(slices));
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

/// By all that tells volumes apart, then by volume; incomplete volumes come first, as nibabel sorts them.
fn by_all_keys(par: &Par, most: i64) -> Result<Vec<usize>> {
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
    let (full, volumes) = (full(&sorted, most)?, volumes(&sorted));
    let mut keys: Vec<_> = full.into_iter().zip(volumes).zip(first).collect();
    keys.sort_by_key(|&(key, _)| key);
    Ok(keys.into_iter().map(|(_, k)| k).collect())
}

/// A number that orders as the real does, NaN last.
fn ordered(value: f64) -> i64 {
    let bits = (value + 0.0).to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}
