//! Scaling as a list of numbers: worker and page are two instances of this module, and have no values in common.
//!
//! The list is the block of the tables, the arithmetic, and for each step its number, how many numbers it has, and these.

use voxload::scaling::{Arithmetic, Factor, Step};
use voxload::{ErrorKind, Result, Scaling};

const CLIP: f64 = 0.0;
const MULTIPLY: f64 = 1.0;
const ADD: f64 = 2.0;
const ROUND_TO_F32: f64 = 3.0;

/// The list; `None` for a step that this file does not know.
pub(crate) fn to_numbers(scaling: &Scaling) -> Option<Vec<f64>> {
    let mut list = vec![
        scaling.block() as f64,
        f64::from(u8::from(is_spm99(scaling)?)),
    ];
    for step in scaling.steps() {
        let (number, values) = match step {
            Step::Clip { lo, hi } => (CLIP, vec![*lo, *hi]),
            Step::Multiply(factor) => (MULTIPLY, of_factor(factor)),
            Step::Add(factor) => (ADD, of_factor(factor)),
            Step::RoundToF32 => (ROUND_TO_F32, Vec::new()),
            _ => return None,
        };
        list.extend([number, values.len() as f64]);
        list.extend(values);
    }
    Some(list)
}

/// Whether the arithmetic is SPM99's: it is not to be asked for, but two scalings can be compared.
fn is_spm99(scaling: &Scaling) -> Option<bool> {
    let with = |arithmetic| Scaling::new(scaling.steps().to_vec(), scaling.block(), arithmetic);
    // A NaN among the numbers is unequal to itself: such a scaling is neither.
    if *scaling == with(Arithmetic::F64) {
        Some(false)
    } else if *scaling == with(Arithmetic::Spm99) {
        Some(true)
    } else {
        None
    }
}

fn of_factor(factor: &Factor) -> Vec<f64> {
    match factor {
        Factor::One(value) => vec![*value],
        Factor::Table(values) => values.to_vec(),
    }
}

/// The scaling of a list.
///
/// # Errors
/// [`ErrorKind::Usage`] for a list that [`to_numbers`] has not made.
pub(crate) fn from_numbers(list: &[f64]) -> Result<Scaling> {
    let not_ours = || ErrorKind::Usage("not a list of steps".to_owned());
    let (&[block, is_spm99], mut rest) = list.split_first_chunk().ok_or_else(not_ours)?;
    let mut steps = Vec::new();
    while let Some((&[number, count], after)) = rest.split_first_chunk() {
        let count = count as usize;
        let (values, next) = after.split_at_checked(count).ok_or_else(not_ours)?;
        steps.push(match (number, values) {
            (CLIP, &[lo, hi]) => Step::Clip { lo, hi },
            (MULTIPLY, values) => Step::Multiply(to_factor(values)),
            (ADD, values) => Step::Add(to_factor(values)),
            (ROUND_TO_F32, []) => Step::RoundToF32,
            _ => return Err(not_ours().into()),
        });
        rest = next;
    }
    let arithmetic = match is_spm99 {
        0.0 => Arithmetic::F64,
        _ => Arithmetic::Spm99,
    };
    Ok(Scaling::new(steps, block as u64, arithmetic))
}

/// A table of one entry is the same as a single number.
fn to_factor(values: &[f64]) -> Factor {
    match values {
        &[value] => Factor::One(value),
        values => Factor::Table(values.into()),
    }
}
