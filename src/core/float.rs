//! The types that voxels are read as, and how an f64 is rounded to each of them.

use half::f16;
use num_complex::Complex;

use crate::core::array::Element;
use crate::core::dtype::{c64, c128};

mod sealed {
    pub trait Sealed {}
    impl Sealed for half::f16 {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
    impl Sealed for super::c64 {}
    impl Sealed for super::c128 {}
}

/// A type that voxels are read as: `f16`, `f32`, `f64`, [`c64`] or [`c128`]. It cannot be implemented outside this crate.
///
/// Complex voxels read as a real type give their real parts, real voxels read as a complex type have imaginary parts of 0,
/// as in numpy.
pub trait Value: Element + sealed::Sealed {}

impl Value for f16 {}
impl Value for f32 {}
impl Value for f64 {}
impl Value for c64 {}
impl Value for c128 {}

/// A real type that voxels are read as: `f16`, `f32` or `f64`. It cannot be implemented outside this crate.
pub trait Float: Value {
    /// The value rounded once, to nearest, ties to even; a value that is too large becomes infinite.
    fn from_f64(value: f64) -> Self;
    /// The same value as an f64; the conversion is exact.
    fn to_f64(self) -> f64;
}

/// A complex type that voxels are read as: [`c64`] or [`c128`].
pub(crate) trait ComplexFloat: Value {
    /// Both parts rounded once.
    fn from_c128(value: c128) -> Self;
}

impl Float for f16 {
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        to_f16(value)
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        Self::to_f64(self)
    }
}

impl Float for f32 {
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value as f32
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        self.into()
    }
}

impl Float for f64 {
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }
}

impl ComplexFloat for c64 {
    #[inline(always)]
    fn from_c128(value: c128) -> Self {
        Complex::new(value.re as f32, value.im as f32)
    }
}

impl ComplexFloat for c128 {
    #[inline(always)]
    fn from_c128(value: c128) -> Self {
        value
    }
}

/// A double as the shaders represent it: low word, high word.
#[cfg(any(test, feature = "gpu"))]
pub(crate) fn words(value: f64) -> [u32; 2] {
    let bits = value.to_bits();
    [bits as u32, (bits >> 32) as u32]
}

/// An f64 rounded once to f16: to nearest, ties to even. A value that is too large becomes infinite, a NaN becomes a
/// quiet NaN.
///
/// Rounding to the nearest f32 first can give another result: that f32 may lie exactly between two f16 where the f64
/// does not. So the intermediate f32 is rounded to odd: its last bit records whether any bits were cut off. An f32 has
/// 13 more bits than an f16, so the second rounding then gives the right result.
#[inline(always)]
pub(crate) fn to_f16(value: f64) -> f16 {
    f16::from_bits(f32_to_f16_bits(to_f32_odd(value)))
}

/// An f64 rounded to f32 towards zero, with the last bit set if the result is inexact.
#[inline(always)]
fn to_f32_odd(value: f64) -> f32 {
    let nearest = value as f32;
    let bits = nearest.to_bits();
    let back = f64::from(nearest);
    let inexact = back != value && nearest.is_finite();
    // Rounded away from zero: step back towards it.
    let away = back.abs() > value.abs();
    let toward_zero = bits.wrapping_sub(u32::from(inexact && away));
    f32::from_bits(toward_zero | u32::from(inexact))
}

/// An f32 rounded to f16 by integer arithmetic without branches, so that loops over it vectorise.
#[inline(always)]
fn f32_to_f16_bits(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = ((bits >> 16) & 0x8000) as u16;
    let magnitude = bits & 0x7fff_ffff;
    // Normal results: rebias the exponent by adding (15 - 127) << 23, then round to nearest even.
    let rebiased = magnitude.wrapping_sub(112 << 23);
    let normal = (rebiased.wrapping_add(0x0fff + ((magnitude >> 13) & 1)) >> 13) as u16;
    // Subnormal results: the last bit of an f32 near 0.5 is 2^-24, the smallest f16, so adding 0.5 rounds at the right
    // bit.
    let shifted = f32::from_bits(magnitude) + 0.5;
    let subnormal = shifted.to_bits().wrapping_sub(0x3f00_0000) as u16;
    let small = magnitude < (113 << 23);
    let finite = if small { subnormal } else { normal };
    // 65520 and above round to infinity; below that, `normal` is correct.
    let special = if magnitude > 0x7f80_0000 {
        0x7e00
    } else {
        0x7c00
    };
    let out = if magnitude >= 0x477f_f000 {
        special
    } else {
        finite
    };
    out | sign
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The nearest f16, found by searching all of them.
    fn naive(value: f64) -> f16 {
        if value.is_nan() {
            return f16::NAN;
        }
        let magnitude = value.abs();
        let mut bits = 0u16;
        // The largest f16 not above the magnitude.
        while bits < 0x7bff && f16::from_bits(bits + 1).to_f64() <= magnitude {
            bits += 1;
        }
        let low = f16::from_bits(bits).to_f64();
        let high = if bits == 0x7bff {
            65536.0
        } else {
            f16::from_bits(bits + 1).to_f64()
        };
        let up = match (magnitude - low).partial_cmp(&(high - magnitude)) {
            Some(std::cmp::Ordering::Less) => false,
            Some(std::cmp::Ordering::Greater) => true,
            _ => bits & 1 == 1,
        };
        let bits =
            bits + u16::from(up && magnitude.is_finite()) + u16::from(magnitude.is_infinite());
        f16::from_bits(bits | if value.is_sign_negative() { 0x8000 } else { 0 })
    }

    #[test]
    fn to_f16_rounds_once() {
        let mut values = vec![
            0.0,
            1e-300,
            65519.99,
            65520.0,
            1e300,
            f64::INFINITY,
            f64::NAN,
            5.9e-8,
            2.98e-8,
        ];
        for bits in (0..0x7c00u16).step_by(37) {
            let (a, b) = (
                f16::from_bits(bits).to_f64(),
                f16::from_bits(bits + 1).to_f64(),
            );
            let b = if b.is_finite() { b } else { 65536.0 };
            let middle = (a + b) / 2.0;
            values.extend([a, middle, middle * (1.0 - 1e-16), middle * (1.0 + 3e-16)]);
            values.extend([middle + middle * 1e-9, middle - middle * 1e-9]);
        }
        assert!(values.len() > 5000, "the sweep must not be empty");
        for value in values.iter().flat_map(|&v| [v, -v]) {
            let (got, want) = (to_f16(value), naive(value));
            assert!(
                got.to_bits() == want.to_bits() || (got.is_nan() && want.is_nan()),
                "{value:e}: {got:?} instead of {want:?}"
            );
        }
    }
}
