//! The values as `doc/VALUES.md` defines them, one voxel at a time in plain arithmetic. Nothing here comes from the
//! crate: it is what the crate is compared with.

use std::sync::LazyLock;

use half::f16;
use voxload::{ByteOrder, DType, Float, c64, c128};

/// A stored number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    Int(i128),
    Half(u16),
    Single(u32),
    Double(u64),
    ComplexSingle(u32, u32),
    ComplexDouble(u64, u64),
}

/// Slope and inter in effect; `(1, 0)` leaves stored numbers as they are.
pub type Linear = (f64, f64);

/// What a header's `scl_slope` and `scl_inter` mean (NIfTI's row in `doc/VALUES.md`, section 1), for a legal pair.
pub fn effective((slope, inter): (f64, f64)) -> Linear {
    if slope == 0.0 || !slope.is_finite() {
        (1.0, 0.0)
    } else {
        (slope, inter)
    }
}

/// Reads one stored number.
pub fn decode(dtype: DType, order: ByteOrder, bytes: &[u8]) -> Number {
    let unsigned = |bytes: &[u8]| {
        let append = |word: u64, &byte: &u8| word << 8 | u64::from(byte);
        match order {
            ByteOrder::Big => bytes.iter().fold(0, append),
            ByteOrder::Little => bytes.iter().rev().fold(0, append),
        }
    };
    let word = unsigned(bytes);
    let half = bytes.len() / 2;
    let parts = || (unsigned(&bytes[..half]), unsigned(&bytes[half..]));
    match dtype {
        DType::U8 | DType::U16 | DType::U32 | DType::U64 => Number::Int(i128::from(word)),
        DType::I8 => Number::Int(i128::from(word as u8 as i8)),
        DType::I16 => Number::Int(i128::from(word as u16 as i16)),
        DType::I32 => Number::Int(i128::from(word as u32 as i32)),
        DType::I64 => Number::Int(i128::from(word as i64)),
        DType::F16 => Number::Half(word as u16),
        DType::F32 => Number::Single(word as u32),
        DType::F64 => Number::Double(word),
        DType::C64 => {
            let (re, im) = (unsigned(&bytes[..4]), unsigned(&bytes[4..]));
            Number::ComplexSingle(re as u32, im as u32)
        }
        DType::C128 => Number::ComplexDouble(parts().0, parts().1),
        DType::Rgb24 | DType::Rgba32 => panic!("colours are no numbers"),
    }
}

/// The value of an f16 pattern, from the definition of the format.
pub fn half_value(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let fraction = f64::from(bits & 0x3ff);
    let size = match bits >> 10 & 0x1f {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (1024.0 + fraction) * 2f64.powi(i32::from(exponent) - 25),
    };
    sign * size
}

/// All finite f16 numbers that are not negative, and 2^16 after them.
static HALVES: LazyLock<Vec<f64>> = LazyLock::new(|| {
    let finite = (0..0x7c00u16).map(half_value);
    finite.chain([65536.0]).collect()
});

/// The nearest f16, ties to even: searched among all of them.
pub fn nearest_half(value: f64) -> u16 {
    let sign = if value.is_sign_negative() { 0x8000 } else { 0 };
    if value.is_nan() {
        return sign | 0x7e00;
    }
    let size = value.abs();
    // The last one not above; from 2^16 on all is infinite.
    let above = HALVES.partition_point(|&half| half <= size);
    let low = above - 1;
    if above == HALVES.len() {
        return sign | 0x7c00;
    }
    // A midpoint of two neighbours is exact in f64.
    let middle = (HALVES[low] + HALVES[above]) / 2.0;
    let up = size > middle || (size == middle && low % 2 == 1);
    sign | (low + usize::from(up)) as u16
}

/// A real number as f64, rounded once.
fn wide(number: Number) -> f64 {
    match number {
        Number::Int(value) if value < 0 => -((-value) as u64 as f64),
        Number::Int(value) => value as u64 as f64,
        Number::Half(bits) => half_value(bits),
        Number::Single(bits) => f64::from(f32::from_bits(bits)),
        Number::Double(bits) => f64::from_bits(bits),
        Number::ComplexSingle(..) | Number::ComplexDouble(..) => panic!("not a real number"),
    }
}

fn is_complex(number: Number) -> bool {
    matches!(
        number,
        Number::ComplexSingle(..) | Number::ComplexDouble(..)
    )
}

fn complex(number: Number) -> (f64, f64) {
    match number {
        Number::ComplexSingle(re, im) => (wide(Number::Single(re)), wide(Number::Single(im))),
        Number::ComplexDouble(re, im) => (f64::from_bits(re), f64::from_bits(im)),
        real => (wide(real), 0.0),
    }
}

/// The scaled value in f64: two operations, two roundings, each left out where it changes nothing.
pub fn real(number: Number, (slope, inter): Linear) -> f64 {
    if is_complex(number) {
        return complex_scaled(number, (slope, inter)).0;
    }
    let mut value = wide(number);
    if slope != 1.0 {
        value *= slope;
    }
    if inter != 0.0 {
        value += inter;
    }
    value
}

/// The scaled complex value, without fused multiply-add (`doc/VALUES.md`, section 3).
fn complex_scaled(number: Number, (slope, inter): Linear) -> (f64, f64) {
    let (mut re, mut im) = complex(number);
    if slope != 1.0 {
        (re, im) = (re * slope - im * 0.0, re * 0.0 + im * slope);
    }
    if inter != 0.0 {
        re += inter;
        im += 0.0;
    }
    (re, im)
}

/// What a request for `c128` gives: float data is made complex before it is scaled, integers after.
pub fn as_c128(number: Number, linear: Linear) -> c128 {
    let (re, im) = match number {
        Number::Int(_) => (real(number, linear), 0.0),
        _ => complex_scaled(number, linear),
    };
    c128::new(re, im)
}

/// What a request for `c64` gives: real data is scaled as real data.
pub fn as_c64(number: Number, linear: Linear) -> c64 {
    let (re, im) = match number {
        number if is_complex(number) => complex_scaled(number, linear),
        number => (real(number, linear), 0.0),
    };
    c64::new(re as f32, im as f32)
}

/// A type of real values: its bits, and the naive way to it.
pub trait Out: Float {
    fn bits(self) -> u64;
    fn is_not_a_number(self) -> bool;
    fn narrowed(value: f64) -> Self;
    /// The value of a pattern of this very type.
    fn of_same(number: Number) -> Option<Self>;
    fn from_bits(bits: u64) -> Self;
    /// A value that does not agree with this one: no bit is the same, and it is not NaN where this is.
    fn unlike(self) -> Self {
        Self::from_bits(!self.bits())
    }
}

impl Out for f16 {
    fn bits(self) -> u64 {
        u64::from(self.to_bits())
    }
    fn is_not_a_number(self) -> bool {
        half_value(self.to_bits()).is_nan()
    }
    fn narrowed(value: f64) -> Self {
        Self::from_bits(nearest_half(value))
    }
    fn of_same(number: Number) -> Option<Self> {
        match number {
            Number::Half(bits) => Some(Self::from_bits(bits)),
            _ => None,
        }
    }
    fn from_bits(bits: u64) -> Self {
        Self::from_bits(bits as u16)
    }
}

impl Out for f32 {
    fn bits(self) -> u64 {
        u64::from(self.to_bits())
    }
    fn is_not_a_number(self) -> bool {
        self.is_nan()
    }
    fn narrowed(value: f64) -> Self {
        value as f32
    }
    fn of_same(number: Number) -> Option<Self> {
        match number {
            Number::Single(bits) => Some(Self::from_bits(bits)),
            _ => None,
        }
    }
    fn from_bits(bits: u64) -> Self {
        Self::from_bits(bits as u32)
    }
}

impl Out for f64 {
    fn bits(self) -> u64 {
        self.to_bits()
    }
    fn is_not_a_number(self) -> bool {
        self.is_nan()
    }
    fn narrowed(value: f64) -> Self {
        value
    }
    fn of_same(number: Number) -> Option<Self> {
        match number {
            Number::Double(bits) => Some(Self::from_bits(bits)),
            _ => None,
        }
    }
    fn from_bits(bits: u64) -> Self {
        Self::from_bits(bits)
    }
}

/// The value that a request for `T` gives, and whether every bit of it counts.
pub fn value<T: Out>(number: Number, linear: Linear) -> (T, bool) {
    if linear == (1.0, 0.0)
        && let Some(same) = T::of_same(number)
    {
        return (same, true);
    }
    (T::narrowed(real(number, linear)), false)
}

/// Whether a value is the expected one: the same bits, or any NaN for any NaN unless every bit counts.
pub fn agrees<T: Out>(found: T, (expected, every_bit): (T, bool)) -> bool {
    found.bits() == expected.bits()
        || !every_bit && found.is_not_a_number() && expected.is_not_a_number()
}

#[test]
fn nearest_half_of_known_values() {
    let known = [
        (0.0, 0),
        (-0.0, 0x8000),
        (1.0, 0x3c00),
        (65504.0, 0x7bff),
        (65519.999, 0x7bff),
        (65520.0, 0x7c00),
        (f64::INFINITY, 0x7c00),
        (-1e300, 0xfc00),
        (2f64.powi(-24), 1),
        (2f64.powi(-25), 0),
        (2f64.powi(-25) * 1.0000001, 1),
        (1.0 + 2f64.powi(-11), 0x3c00),
        (1.0 + 3.0 * 2f64.powi(-11), 0x3c02),
    ];
    for (value, bits) in known {
        assert_eq!(nearest_half(value), bits, "{value}");
    }
    for bits in (0..0x7c00).chain(0x8000..0xfc00) {
        assert_eq!(nearest_half(half_value(bits)), bits);
    }
}
