//! Functions that convert contiguous rows of voxels: one for each stored type, byte order and output, compiled for
//! several instruction sets. The best one is selected at run time. doc/VALUES.md has the rules.

use bytemuck::Pod;
use half::f16;
use multiversion::multiversion;

use crate::core::array::Element;
use crate::core::array::LinearRow;
use crate::core::dtype::{DType, c64, c128};
use crate::core::float::{ComplexFloat, Float};
use crate::core::scaling::Step;

/// Number of values to which a list of steps is applied at a time; they fit in the first-level cache.
const CHUNK: usize = 512;

/// Copies the bytes, reversed within parts of `swap` bytes.
pub(super) fn copy<O: Pod>(bytes: &[u8], out: &mut [O], swap: usize) {
    let out: &mut [u8] = bytemuck::cast_slice_mut(out);
    match swap {
        2 => swap_copy::<2>(bytes, out),
        4 => swap_copy::<4>(bytes, out),
        8 => swap_copy::<8>(bytes, out),
        _ => out.copy_from_slice(bytes),
    }
}

fn swap_copy<const N: usize>(bytes: &[u8], out: &mut [u8]) {
    let (from, _) = bytes.as_chunks::<N>();
    let (to, _) = out.as_chunks_mut::<N>();
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
        to.reverse();
    }
}

/// A stored real type that can be decoded to f64.
pub(super) trait Decode: Copy {
    type Bytes: Copy;
    fn voxels(bytes: &[u8]) -> &[Self::Bytes];
    fn decode<const BIG: bool>(bytes: Self::Bytes) -> f64;
}

macro_rules! decode {
    ($($type:ty, $size:literal, $value:ident => $wide:expr;)*) => {
        $(impl Decode for $type {
            type Bytes = [u8; $size];
            #[inline(always)]
            fn voxels(bytes: &[u8]) -> &[Self::Bytes] {
                bytes.as_chunks().0
            }
            #[inline(always)]
            fn decode<const BIG: bool>(bytes: Self::Bytes) -> f64 {
                let $value = if BIG { Self::from_be_bytes(bytes) } else { Self::from_le_bytes(bytes) };
                $wide
            }
        })*
    };
}

decode! {
    u8, 1, v => f64::from(v);
    i8, 1, v => f64::from(v);
    u16, 2, v => f64::from(v);
    i16, 2, v => f64::from(v);
    u32, 4, v => f64::from(v);
    i32, 4, v => f64::from(v);
    u64, 8, v => v as f64;
    i64, 8, v => v as f64;
    f16, 2, v => f16_to_f64(v);
    f32, 4, v => f64::from(v);
    f64, 8, v => v;
}

/// f16 to f64 without a call of a library function, which would prevent vectorisation.
#[inline(always)]
fn f16_to_f64(value: f16) -> f64 {
    let bits = u32::from(value.to_bits());
    let sign = (bits & 0x8000) << 16;
    let magnitude = bits & 0x7fff;
    // Normal numbers, infinities and NaN: shift the fraction, rebias the exponent.
    let rebias = if magnitude >= 0x7c00 {
        224 << 23
    } else {
        112 << 23
    };
    let normal = (magnitude << 13) + rebias;
    // Subnormal numbers: an integer times 2^-24.
    let subnormal = (magnitude as f32 * (1.0 / 16_777_216.0)).to_bits();
    let magnitude = if magnitude < 0x0400 {
        subnormal
    } else {
        normal
    };
    f64::from(f32::from_bits(magnitude | sign))
}

#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl",
    "x86_64+avx2+f16c",
    "aarch64+neon"
))]
fn linear<R: Decode, O: Float, const BIG: bool>(
    bytes: &[u8],
    out: &mut [O],
    slope: f64,
    inter: f64,
) {
    for (out, &voxel) in out.iter_mut().zip(R::voxels(bytes)) {
        // Product and sum are rounded separately, as in numpy: Rust never fuses them.
        *out = O::from_f64(R::decode::<BIG>(voxel) * slope + inter);
    }
}

/// The row function of one multiplication and one addition, for a stored type and an output.
pub(super) fn float_row<O: Float>(stored: DType, big: bool) -> Option<LinearRow<O>> {
    macro_rules! row {
        ($type:ty) => {
            if big {
                linear::<$type, O, true>
            } else {
                linear::<$type, O, false>
            }
        };
    }
    Some(match stored {
        DType::U8 => row!(u8),
        DType::I8 => row!(i8),
        DType::U16 => row!(u16),
        DType::I16 => row!(i16),
        DType::U32 => row!(u32),
        DType::I32 => row!(i32),
        DType::U64 => row!(u64),
        DType::I64 => row!(i64),
        DType::F16 => row!(f16),
        DType::F32 => row!(f32),
        DType::F64 => row!(f64),
        DType::C64 | DType::C128 | DType::Rgb24 | DType::Rgba32 => return None,
    })
}

/// Any list of steps, chunk by chunk: decode to f64, apply each step to the whole chunk, narrow once.
pub(super) fn general<O: Pod>(
    bytes: &[u8],
    out: &mut [O],
    item: usize,
    decode: LinearRow<f64>,
    narrow: LinearRow<O>,
    steps: &[Step],
    entry: usize,
) {
    let mut values = [0.0; CHUNK];
    for (bytes, out) in bytes.chunks(CHUNK * item).zip(out.chunks_mut(CHUNK)) {
        let values = &mut values[..out.len()];
        // A slope of 1 and an intercept of -0.0 change no number.
        decode(bytes, values, 1.0, -0.0);
        for step in steps {
            apply(step, entry, values);
        }
        narrow(bytemuck::cast_slice(values), out, 1.0, -0.0);
    }
}

fn apply(step: &Step, entry: usize, values: &mut [f64]) {
    let each = |values: &mut [f64], work: &dyn Fn(f64) -> f64| {
        values.iter_mut().for_each(|value| *value = work(*value));
    };
    match step {
        Step::Clip { lo, hi } => each(values, &|value| clip(value, *lo, *hi)),
        Step::Multiply(factor) => {
            let factor = factor.at(entry);
            each(values, &|value| value * factor);
        }
        Step::Add(factor) => {
            let factor = factor.at(entry);
            each(values, &|value| value + factor);
        }
        Step::RoundToF32 => each(values, &round_to_f32),
    }
}

/// numpy.clip: the lower limit first; NaN stays. A value equal to a limit becomes the limit, which matters for the
/// signs of zeros.
fn clip(value: f64, lo: f64, hi: f64) -> f64 {
    if value.is_nan() {
        return value;
    }
    let raised = if value > lo { value } else { lo };
    if raised < hi { raised } else { hi }
}

fn round_to_f32(value: f64) -> f64 {
    f64::from(value as f32)
}

/// Which parts of a complex number are multiplied. A real number is scaled as a real one and then made complex, unless
/// numpy makes it complex first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parts {
    Real,
    Both,
}

/// Applies one step to a complex number, without fused operations. A factor is `s + 0i`.
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

/// An output type of complex voxels. A real type gets the real part.
pub(super) trait FromComplex: Element {
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
    // Named by its trait, because half's own `from_f64` rounds twice on x86.
    f16: value => <Self as Float>::from_f64(value.re);
    f32: value => Self::from_f64(value.re);
    f64: value => Self::from_f64(value.re);
    c64: value => Self::from_c128(value);
    c128: value => Self::from_c128(value);
}

/// The real type of a complex number's parts.
pub(super) fn part_type(stored: DType) -> DType {
    match stored {
        DType::C64 => DType::F32,
        DType::C128 => DType::F64,
        real => real,
    }
}

/// Any list of steps on complex numbers, chunk by chunk. The parts of a stored complex number are two adjacent numbers; a
/// stored real number has no imaginary part.
pub(super) fn complex_row<O: FromComplex>(
    bytes: &[u8],
    out: &mut [O],
    stored: DType,
    decode: LinearRow<f64>,
    steps: &dyn Fn(&mut c128),
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
            steps(&mut value);
            *out = O::from_complex(value);
        }
    }
}
