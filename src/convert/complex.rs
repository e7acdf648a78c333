//! Complex voxels: scaled as numpy scales them (spec 3.5), given out whole or as their real part.

use half::f16;

use super::kernels::{CHUNK, LinearRow, clip, round_to_f32, same};
use crate::array::Element;
use crate::dtype::{DType, c64, c128};
use crate::float::{ComplexFloat, Float};
use crate::scaling::Step;

pub(super) type ComplexRow<O> = fn(&[u8], &mut [O], DType, LinearRow<f64>, &dyn Fn(&mut c128));

/// What a complex step is done on: a real number promoted to complex is scaled as a real one, unless numpy
/// would have promoted it first (spec 3.3, 3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parts {
    Real,
    Both,
}

/// One step on a complex number, by the unfused model of spec 3.5: the factor is `s + 0i`.
pub(super) fn complex_step(parts: Parts, step: &Step, entry: usize, value: &mut c128) {
    match step {
        Step::Multiply(factor) => {
            let s = factor.at(entry);
            *value = match parts {
                Parts::Real => c128::new(value.re * s, value.im),
                Parts::Both => {
                    c128::new(value.re * s - value.im * 0.0, value.re * 0.0 + value.im * s)
                }
            };
        }
        Step::Add(factor) => {
            value.re += factor.at(entry);
            value.im += 0.0;
        }
        Step::RoundToF32 => *value = c128::new(round_to_f32(value.re), round_to_f32(value.im)),
        Step::Clip { lo, hi } => value.re = clip(value.re, *lo, *hi),
    }
}

/// An output of the complex kernels: a real one takes the real part.
trait FromComplex: Element {
    fn from_complex(value: c128) -> Self;
}

macro_rules! from_complex {
    ($($type:ty: $value:ident => $made:expr;)*) => {
        $(impl FromComplex for $type {
            fn from_complex($value: c128) -> Self {
                $made
            }
        })*
    };
}

from_complex! {
    // Named by its trait: half's own `from_f64` rounds twice.
    f16: value => <Self as Float>::from_f64(value.re);
    f32: value => Self::from_f64(value.re);
    f64: value => Self::from_f64(value.re);
    c64: value => Self::from_c128(value);
    c128: value => Self::from_c128(value);
}

pub(super) fn complex_row_to<O: Element>() -> Option<ComplexRow<O>> {
    match O::DTYPE {
        DType::F16 => same(complex_row::<f16> as ComplexRow<f16>),
        DType::F32 => same(complex_row::<f32> as ComplexRow<f32>),
        DType::F64 => same(complex_row::<f64> as ComplexRow<f64>),
        DType::C64 => same(complex_row::<c64> as ComplexRow<c64>),
        DType::C128 => same(complex_row::<c128> as ComplexRow<c128>),
        _ => None,
    }
}

/// The real type of a number's parts.
pub(super) fn part_type(stored: DType) -> DType {
    match stored {
        DType::C64 => DType::F32,
        DType::C128 => DType::F64,
        real => real,
    }
}

/// Complex voxels by way of two rows of f64: the parts of a stored complex number are two numbers that stand
/// together, a stored real number has no imaginary part.
fn complex_row<O: FromComplex>(
    bytes: &[u8],
    out: &mut [O],
    stored: DType,
    decode: LinearRow<f64>,
    step: &dyn Fn(&mut c128),
) {
    let parts = if stored.is_complex() { 2 } else { 1 };
    let mut values = [0.0; CHUNK];
    let per_chunk = CHUNK / parts;
    let chunk_bytes = per_chunk * stored.size_bytes();
    for (bytes, out) in bytes.chunks(chunk_bytes).zip(out.chunks_mut(per_chunk)) {
        let values = &mut values[..out.len() * parts];
        decode(bytes, values, 1.0, -0.0);
        for (out, value) in out.iter_mut().zip(values.chunks(parts)) {
            let mut value = c128::new(value[0], value.get(1).copied().unwrap_or(0.0));
            step(&mut value);
            *out = O::from_complex(value);
        }
    }
}
