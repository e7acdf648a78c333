//! Kernels over rows of voxels that stand together: `fn(bytes, out)`, one for each stored type, byte order and
//! output, compiled for several instruction sets and chosen at run time.
//!
//! One loop serves every NIfTI scaling: `x * 1.0` and `x + -0.0` change no bit of any number, so an absent
//! multiply or add costs nothing that memory would not cost anyway.

use half::f16;
use multiversion::multiversion;

use super::complex::{ComplexRow, Parts, complex_row_to, complex_step, part_type};
use super::fused::fused_row;
use crate::array::Element;
use crate::convert::Conversion;
use crate::dtype::{ByteOrder, DType};
use crate::error::{ErrorKind, Result};
use crate::float::Float;
use crate::scaling::{Factor, Step};

/// Values of a general list of steps that are worked on at a time; they stay in the first-level cache.
pub(super) const CHUNK: usize = 512;

/// A conversion made ready for the CPU.
pub(crate) struct Kernel<O> {
    run: Run<O>,
    item: usize,
    block: u64,
}

enum Run<O> {
    /// The bytes are the answer, but for their order within parts of this size (1: as they are).
    Copy { swap: usize },
    /// Multiply and add, for each entry of the tables (one entry without tables).
    Linear {
        row: LinearRow<O>,
        factors: Vec<(f64, f64)>,
    },
    /// Any list of steps.
    General {
        decode: LinearRow<f64>,
        narrow: LinearRow<O>,
        steps: Vec<Step>,
    },
    /// Complex numbers.
    Complex {
        row: ComplexRow<O>,
        stored: DType,
        decode: LinearRow<f64>,
        parts: Parts,
        steps: Vec<Step>,
    },
}

pub(super) type LinearRow<O> = fn(&[u8], &mut [O], f64, f64);

impl<O: Element> Kernel<O> {
    /// # Errors
    /// [`ErrorKind::DType`] when there is no conversion from the stored type to `O`.
    pub fn new(conversion: &Conversion) -> Result<Self> {
        let run = Run::choose(conversion).ok_or_else(|| ErrorKind::DType {
            stored: conversion.stored.to_string(),
            wanted: O::DTYPE.to_string(),
        })?;
        Ok(Self {
            run,
            item: conversion.stored.size_bytes(),
            block: conversion.block,
        })
    }

    /// Bytes of a stored voxel.
    pub fn item(&self) -> usize {
        self.item
    }

    /// Stored voxels to an entry of the tables; 0 without tables.
    pub fn block(&self) -> u64 {
        self.block
    }

    /// Converts voxels that stand together; all have the table entry of stored voxel `stored`.
    pub fn row(&self, bytes: &[u8], out: &mut [O], stored: u64) {
        let entry = stored.checked_div(self.block).unwrap_or(0) as usize;
        match &self.run {
            Run::Copy { swap } => copy(bytes, out, *swap),
            Run::Linear { row, factors } => {
                let (slope, inter) = factors[entry];
                row(bytes, out, slope, inter);
            }
            Run::General {
                decode,
                narrow,
                steps,
            } => general(bytes, out, self.item, *decode, *narrow, steps, entry),
            Run::Complex {
                row,
                stored,
                decode,
                parts,
                steps,
            } => row(bytes, out, *stored, *decode, &|value| {
                steps
                    .iter()
                    .for_each(|step| complex_step(*parts, step, entry, value));
            }),
        }
    }
}

impl<O: Element> Run<O> {
    fn choose(conversion: &Conversion) -> Option<Self> {
        if O::DTYPE != conversion.output {
            return None;
        }
        let big = conversion.order == ByteOrder::Big;
        if conversion.is_copy() {
            let swap = match conversion.is_plain_copy() {
                true => 1,
                false => conversion.stored.part_bytes(),
            };
            return Some(Self::Copy { swap });
        }
        let steps = conversion.steps.clone();
        let stored = conversion.stored;
        if stored.is_complex() || O::DTYPE.is_complex() {
            let promoted_first = O::DTYPE == DType::C128 && !stored.is_integer();
            return Some(Self::Complex {
                row: complex_row_to()?,
                stored,
                decode: float_row(part_type(stored), big)?,
                parts: match stored.is_complex() || promoted_first {
                    true => Parts::Both,
                    false => Parts::Real,
                },
                steps,
            });
        }
        if let Some(factors) = linear_factors(&steps) {
            let row = match fused_row(stored, big, &factors) {
                Some(row) => row,
                None => linear_row(stored, big)?,
            };
            return Some(Self::Linear { row, factors });
        }
        Some(Self::General {
            decode: linear_row::<f64>(stored, big)?,
            narrow: linear_row::<O>(DType::F64, ByteOrder::NATIVE == ByteOrder::Big)?,
            steps,
        })
    }
}

/// Slope and inter for each entry, when the steps are at most one multiply and then at most one add.
fn linear_factors(steps: &[Step]) -> Option<Vec<(f64, f64)>> {
    let (slope, inter) = match steps {
        [] => (None, None),
        [Step::Multiply(slope)] => (Some(slope), None),
        [Step::Add(inter)] => (None, Some(inter)),
        [Step::Multiply(slope), Step::Add(inter)] => (Some(slope), Some(inter)),
        _ => return None,
    };
    let entries = |factor: Option<&Factor>| match factor {
        Some(Factor::Table(table)) => table.len(),
        _ => 1,
    };
    let entries = entries(slope).max(entries(inter));
    let at = |factor: Option<&Factor>, absent, entry| factor.map_or(absent, |f| f.at(entry));
    Some(
        (0..entries)
            .map(|entry| (at(slope, 1.0, entry), at(inter, -0.0, entry)))
            .collect(),
    )
}

fn copy<O: Element>(bytes: &[u8], out: &mut [O], swap: usize) {
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

/// A stored real type that can be read from bytes as f64.
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

/// f16 to f64 by integer steps, without the call to a library that would keep loops from vectorising.
#[inline(always)]
fn f16_to_f64(value: f16) -> f64 {
    let bits = u32::from(value.to_bits());
    let sign = (bits & 0x8000) << 16;
    let magnitude = bits & 0x7fff;
    // Normal numbers, infinities and NaN: shift the fraction up, rebias the exponent.
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
        // Two roundings, as in nibabel (spec 3.1): Rust never fuses them.
        *out = O::from_f64(R::decode::<BIG>(voxel) * slope + inter);
    }
}

/// The row kernel for a stored type and an output.
fn linear_row<O: Element>(stored: DType, big: bool) -> Option<LinearRow<O>> {
    match O::DTYPE {
        DType::F16 => same(float_row::<f16>(stored, big)?),
        DType::F32 => same(float_row::<f32>(stored, big)?),
        DType::F64 => same(float_row::<f64>(stored, big)?),
        _ => None,
    }
}

/// A kernel under the type that the caller knows to be the same.
pub(super) fn same<A: 'static, B: 'static>(row: A) -> Option<B> {
    let row: Box<dyn std::any::Any> = Box::new(row);
    row.downcast().ok().map(|row| *row)
}

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

/// Any list of steps: to f64 by the chunk, each step over the chunk, then narrowed once.
fn general<O: Element>(
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

/// numpy.clip: the lower limit first, a NaN stays, and what equals a limit becomes it (which tells zeros apart).
pub(super) fn clip(value: f64, lo: f64, hi: f64) -> f64 {
    if value.is_nan() {
        return value;
    }
    let raised = if value > lo { value } else { lo };
    if raised < hi { raised } else { hi }
}

pub(super) fn round_to_f32(value: f64) -> f64 {
    f64::from(value as f32)
}
