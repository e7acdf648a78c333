//! The 80-bit floats of the x87, in integers: 64 significant bits, each operation rounded to nearest, ties to even.
//!
//! nibabel computes qforms in them, so affines can only have its bits if they are computed in them too. There
//! are no infinities and no NaN, and the exponent is not limited: unit quaternions never come near its ends.

/// `±significand * 2^exponent`; the top bit of the significand is set, unless the number is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extended {
    negative: bool,
    significand: u64,
    exponent: i32,
}

impl Extended {
    pub const ZERO: Self = Self {
        negative: false,
        significand: 0,
        exponent: 0,
    };
    pub const ONE: Self = Self {
        negative: false,
        significand: 1 << 63,
        exponent: -63,
    };

    /// An f64, exactly; `None` for infinities and NaN.
    pub fn new(value: f64) -> Option<Self> {
        let bits = value.to_bits();
        let fraction = bits & ((1 << 52) - 1);
        let (significand, exponent) = match (bits >> 52 & 0x7ff) as i32 {
            0x7ff => return None,
            0 => (fraction, -1074),
            biased => (fraction | 1 << 52, biased - 1075),
        };
        Some(Self::rounded(
            value.is_sign_negative(),
            u128::from(significand),
            exponent,
        ))
    }

    /// The nearest f64, ties to even.
    pub fn to_f64(self) -> f64 {
        // The last bit of a normal f64 is worth 2^(exponent + 11), of a subnormal one 2^-1074.
        let last = self.exponent.saturating_add(11).max(-1074);
        let drop = last.saturating_sub(self.exponent).clamp(0, 127) as u32;
        let kept = shift_right_even(u128::from(self.significand), drop) as f64;
        let size = scale(kept, last);
        if self.negative { -size } else { size }
    }

    pub fn abs(self) -> Self {
        Self {
            negative: false,
            ..self
        }
    }

    /// Whether the number is below a finite limit.
    pub fn is_below(self, limit: f64) -> bool {
        Self::new(limit).is_some_and(|limit| self.sub(limit).negative)
    }

    pub fn add(self, other: Self) -> Self {
        if self.significand == 0 {
            return other;
        }
        if other.significand == 0 {
            return self;
        }
        let (large, small) = if self.exponent >= other.exponent {
            (self, other)
        } else {
            (other, self)
        };
        // 62 bits below the larger number hold all that can matter of the smaller one, but for a sticky bit.
        let below = 62;
        let shift = large.exponent.saturating_sub(small.exponent) as u32;
        let large_bits = u128::from(large.significand) << below;
        let small_bits = shift_right_sticky(u128::from(small.significand) << below, shift);
        let exponent = large.exponent - below;
        if large.negative == small.negative {
            Self::rounded(large.negative, large_bits + small_bits, exponent)
        } else {
            let difference = large_bits.abs_diff(small_bits);
            // An exact zero is positive.
            let negative = (large_bits < small_bits) ^ large.negative && difference != 0;
            Self::rounded(negative, difference, exponent)
        }
    }

    pub fn sub(self, other: Self) -> Self {
        self.add(Self {
            negative: !other.negative,
            ..other
        })
    }

    pub fn mul(self, other: Self) -> Self {
        Self::rounded(
            self.negative ^ other.negative,
            u128::from(self.significand) * u128::from(other.significand),
            self.exponent.saturating_add(other.exponent),
        )
    }

    /// The quotient; 0 for a divisor of 0, which a unit quaternion's norm is not.
    pub fn div(self, other: Self) -> Self {
        let divisor = u128::from(other.significand);
        if divisor == 0 {
            return Self::ZERO;
        }
        // The 64 or 65 bits of the quotient, three more to round by, and a sticky bit.
        let high = (u128::from(self.significand) << 64) / divisor;
        let remainder = (u128::from(self.significand) << 64) % divisor;
        let low = (remainder << 3) / divisor;
        let sticky = u128::from((remainder << 3) % divisor != 0);
        Self::rounded(
            self.negative ^ other.negative,
            ((high << 3) | low) << 1 | sticky,
            self.exponent.saturating_sub(other.exponent) - 68,
        )
    }

    /// The square root; `None` of a negative number.
    pub fn sqrt(self) -> Option<Self> {
        if self.negative {
            return None;
        }
        // An even exponent, and 126 or 127 significant bits: a root of 63 or 64 bits.
        let odd = self.exponent & 1;
        let bits = u128::from(self.significand) << (62 + odd);
        let exponent = (self.exponent - 62 - odd) / 2;
        // Two more bits of root, and a sticky bit for the rest, say how to round.
        let root = bits.isqrt();
        let rest = bits - root * root;
        // (4 root + more)^2 <= 16 bits, for the largest `more` of 0..4
        let fits = |more: u128| 8 * root * more + more * more <= 16 * rest;
        let more = (0..4).rev().find(|&more| fits(more)).unwrap_or(0);
        let exact = 8 * root * more + more * more == 16 * rest;
        let significand = (4 * root + more) << 1 | u128::from(!exact);
        Some(Self::rounded(false, significand, exponent - 3))
    }

    /// Rounds to 64 significant bits.
    fn rounded(negative: bool, bits: u128, exponent: i32) -> Self {
        if bits == 0 {
            return Self {
                negative,
                ..Self::ZERO
            };
        }
        let drop = 64 - bits.leading_zeros() as i32;
        let kept = if drop > 0 {
            shift_right_even(bits, drop as u32)
        } else {
            bits << -drop
        };
        let exponent = exponent.saturating_add(drop);
        // Rounding up may have carried into a 65th bit, and then all others are 0.
        let carry = (kept >> 64) as i32;
        Self {
            negative,
            significand: (kept >> carry) as u64,
            exponent: exponent.saturating_add(carry),
        }
    }
}

/// Shifts right and rounds to nearest, ties to even.
fn shift_right_even(bits: u128, shift: u32) -> u128 {
    if shift == 0 {
        return bits;
    }
    let kept = bits >> shift;
    let half = 1u128 << (shift - 1);
    let dropped = bits & ((half << 1).wrapping_sub(1));
    let up = dropped > half || (dropped == half && kept & 1 == 1);
    kept + u128::from(up)
}

/// Shifts right; a set bit among those shifted out sets the last one that stays.
fn shift_right_sticky(bits: u128, shift: u32) -> u128 {
    let kept = bits.checked_shr(shift).unwrap_or(0);
    let lost = kept.checked_shl(shift).unwrap_or(0) != bits;
    kept | u128::from(lost)
}

/// `value * 2^exponent` for a whole number below 2^53, exactly or overflowing; `exponent` is -1074 or more.
fn scale(value: f64, exponent: i32) -> f64 {
    let power = |exponent: i32| f64::from_bits(((exponent + 1023) as u64) << 52);
    let mut value = value;
    let mut exponent = exponent.min(2000);
    while exponent > 1000 {
        value *= power(1000);
        exponent -= 1000;
    }
    while exponent < -1000 {
        value *= power(-74);
        exponent += 74;
    }
    value * power(exponent)
}
