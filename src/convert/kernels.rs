//! Kernels of the CPU: the row functions for a conversion, chosen once and run many times.
//!
//! One loop serves every NIfTI scaling: `x * 1.0` and `x + -0.0` do not change any number, and their cost is hidden by
//! the memory accesses.

use bytemuck::Pod;
use half::f16;

use super::fused::fused_row;
use super::rows::{self, Parts, complex_row, float_row, part_type};
use crate::convert::Conversion;
use crate::core::array::Element;
use crate::core::array::{ComplexRow, LinearRow, Rows};
use crate::core::dtype::{ByteOrder, DType, c64, c128};
use crate::core::error::{ErrorKind, Result};
use crate::core::scaling::{Factor, Step};

macro_rules! rows {
    (floats: $($float:ty),*; complex: $($complex:ty),*; copies: $($copied:ty),*;) => {
        $(impl Rows for $float {
            fn linear(stored: DType, big: bool) -> Option<LinearRow<Self>> {
                float_row(stored, big)
            }
            fn complex() -> Option<ComplexRow<Self>> {
                Some(complex_row)
            }
        })*
        $(impl Rows for $complex {
            fn complex() -> Option<ComplexRow<Self>> {
                Some(complex_row)
            }
        })*
        $(impl Rows for $copied {
            const COPIES_ONLY: bool = true;
        })*
    };
}

rows! {
    floats: f16, f64;
    complex: c64, c128;
    copies: u8, i8, u16, i16, u32, i32, u64, i64, [u8; 3], [u8; 4];
}

impl Rows for f32 {
    fn linear(stored: DType, big: bool) -> Option<LinearRow<Self>> {
        float_row(stored, big)
    }

    fn fused(stored: DType, big: bool, factors: &[(f64, f64)]) -> Option<LinearRow<Self>> {
        fused_row(stored, big, factors)
    }

    fn complex() -> Option<ComplexRow<Self>> {
        Some(complex_row)
    }
}

/// A conversion, prepared for the CPU.
pub(crate) struct Kernel<O> {
    run: Run<O>,
    item: usize,
    block: u64,
}

enum Run<O> {
    /// The result is the stored bytes, reversed within parts of `swap` bytes (1: unchanged).
    Copy { swap: usize },
    /// One multiplication and one addition, for each entry of the tables (one entry if there are no tables).
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

impl<O: Element> Kernel<O> {
    /// Chooses the row functions.
    ///
    /// # Errors
    /// [`ErrorKind::DType`] if the stored type cannot be converted to `O`.
    pub(crate) fn new(conversion: &Conversion) -> Result<Self> {
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
}

impl<const N: usize> Kernel<[u8; N]> {
    /// The kernel of a conversion that is a copy, to the bytes of the result.
    ///
    /// # Errors
    /// [`ErrorKind::DType`] if it is none, or of voxels of another size.
    pub(crate) fn copying(conversion: &Conversion) -> Result<Self> {
        if !conversion.is_copy() || conversion.stored.size_bytes() != N {
            return Err(ErrorKind::DType {
                stored: conversion.stored.to_string(),
                wanted: conversion.output.to_string(),
            }
            .into());
        }
        Ok(Self {
            run: Run::copy(conversion),
            item: N,
            block: 0,
        })
    }
}

impl<O: Pod> Kernel<O> {
    /// Bytes of one stored voxel.
    pub(crate) fn item(&self) -> usize {
        self.item
    }

    /// Stored voxels per entry of the tables; 0 if there are no tables.
    pub(crate) fn block(&self) -> u64 {
        self.block
    }

    /// Converts adjacent voxels. All use the table entry of the voxel with stored position `stored`.
    pub(crate) fn row(&self, bytes: &[u8], out: &mut [O], stored: u64) {
        let entry = stored.checked_div(self.block).unwrap_or(0) as usize;
        match &self.run {
            Run::Copy { swap } => rows::copy(bytes, out, *swap),
            Run::Linear { row, factors } => {
                let (slope, inter) = factors[entry];
                row(bytes, out, slope, inter);
            }
            Run::General {
                decode,
                narrow,
                steps,
            } => rows::general(bytes, out, self.item, *decode, *narrow, steps, entry),
            Run::Complex {
                row,
                stored,
                decode,
                parts,
                steps,
            } => row(bytes, out, *stored, *decode, &|value| {
                steps
                    .iter()
                    .for_each(|step| rows::complex_step(*parts, step, entry, value));
            }),
        }
    }
}

impl<O> Run<O> {
    fn copy(conversion: &Conversion) -> Self {
        Self::Copy {
            swap: match conversion.is_plain_copy() {
                true => 1,
                false => conversion.stored.part_bytes(),
            },
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
            return Some(Self::copy(conversion));
        }
        let steps = conversion.steps.clone();
        let stored = conversion.stored;
        if stored.is_complex() || O::DTYPE.is_complex() {
            let promoted_first = O::DTYPE == DType::C128 && !stored.is_integer();
            return Some(Self::Complex {
                row: O::complex()?,
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
            let row = match O::fused(stored, big, &factors) {
                Some(row) => row,
                None => O::linear(stored, big)?,
            };
            return Some(Self::Linear { row, factors });
        }
        Some(Self::General {
            decode: f64::linear(stored, big)?,
            narrow: O::linear(DType::F64, ByteOrder::NATIVE == ByteOrder::Big)?,
            steps,
        })
    }
}

/// Slope and intercept for each entry; `None` unless the steps are at most one multiplication followed by at most one
/// addition.
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
