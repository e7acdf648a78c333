//! Small integers scaled to f32 by one fused multiply-add in f32, if that gives the same bits as f64 arithmetic.
//!
//! A value is `f32(f64(f64(stored * slope) + inter))` (doc/VALUES.md). If neither the product nor the sum needs more
//! bits than an f64 has, only the last of these three conversions rounds. A fused multiply-add in f32 rounds the same
//! exact sum once and in the same way, including subnormal numbers, overflow and the signs of zeros. It needs a third
//! of the instructions.

use multiversion::multiversion;

use super::rows::Decode;
use crate::core::array::LinearRow;
use crate::core::dtype::DType;

/// The row function for a stored type and all its slopes and intercepts; `None` if f64 arithmetic is needed.
pub(super) fn fused_row(
    stored: DType,
    big: bool,
    factors: &[(f64, f64)],
) -> Option<LinearRow<f32>> {
    macro_rules! row {
        ($type:ty) => {
            match big {
                true => fused::<$type, true>,
                false => fused::<$type, false>,
            }
        };
    }
    let row: LinearRow<f32> = match stored {
        DType::U8 => row!(u8),
        DType::I8 => row!(i8),
        DType::U16 => row!(u16),
        DType::I16 => row!(i16),
        _ => return None,
    };
    let exact = |&(slope, inter): &(f64, f64)| is_exact(stored, slope, inter);
    (is_fast() && factors.iter().all(exact)).then_some(row)
}

/// Whether this processor has fused multiply-add. Without it, each one would be a call of a library function.
fn is_fast() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx2")
        && std::arch::is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    cfg!(target_arch = "aarch64")
}

/// Whether slope and intercept are exact in f32 and `n * slope + inter` is exact in f64 for every `n` of the stored
/// type. That is so if all bits, from the lowest of slope and intercept to the highest of the sum, fit in an f64.
fn is_exact(stored: DType, slope: f64, inter: f64) -> bool {
    let is_f32 = |value: f64| value.is_finite() && f64::from(value as f32) == value;
    if !is_f32(slope) || !is_f32(inter) {
        return false;
    }
    let stored_bits = 8 * stored.size_bytes() as i32;
    let product = bits(slope).map(|(low, high)| (low, high + stored_bits));
    match (product, bits(inter)) {
        (Some((low, high)), Some((other_low, other_high))) => {
            // One more bit for the carry of the sum.
            high.max(other_high) + 1 - low.min(other_low) <= f64::MANTISSA_DIGITS as i32
        }
        // A product has the bits of the integer and of the f32: at most 40.
        _ => true,
    }
}

/// The exponents of the lowest and of the highest bit of an f32 (the latter exclusive); `None` for 0.
fn bits(value: f64) -> Option<(i32, i32)> {
    if value == 0.0 {
        return None;
    }
    // No f32 except 0 is subnormal as an f64.
    let bits = value.to_bits();
    let high = (bits >> 52 & 0x7ff) as i32 - 1022;
    let fraction = bits & ((1 << 52) - 1) | 1 << 52;
    Some((high - 53 + fraction.trailing_zeros() as i32, high))
}

#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn fused<R: Decode, const BIG: bool>(bytes: &[u8], out: &mut [f32], slope: f64, inter: f64) {
    let (slope, inter) = (slope as f32, inter as f32);
    for (out, &voxel) in out.iter_mut().zip(R::voxels(bytes)) {
        *out = (R::decode::<BIG>(voxel) as f32).mul_add(slope, inter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::rows::float_row;
    use crate::testing::Rng;

    const TYPES: [DType; 4] = [DType::U8, DType::I8, DType::U16, DType::I16];

    /// A number of f32 of up to 24 bits, the lowest of them worth `2^low`.
    fn number(random: &mut Rng, low: i32) -> f64 {
        let bits = random.below_u64(25);
        let odd = random.below_u64(1 << bits) | 1;
        let sign = if random.below_u64(2) == 0 { 1.0 } else { -1.0 };
        sign * odd as f64 * 2f64.powi(low)
    }

    /// The number of stored numbers of a type for which the fused result has other bits than f64 arithmetic.
    fn differing(stored: DType, big: bool, slope: f64, inter: f64) -> usize {
        let voxels: Vec<u8> = match stored.size_bytes() {
            1 => (0..=u8::MAX).collect(),
            _ => (0..=u16::MAX).flat_map(u16::to_le_bytes).collect(),
        };
        let count = voxels.len() / stored.size_bytes();
        let (mut fused, mut steps) = (vec![f32::NAN; count], vec![f32::NAN; count]);
        // Called with slopes and intercepts that may not be exact.
        let row = fused_row(stored, big, &[]).expect("this processor fuses");
        row(&voxels, &mut fused, slope, inter);
        float_row(stored, big).expect("a type that is read")(&voxels, &mut steps, slope, inter);
        let pairs = fused.iter().zip(&steps);
        pairs.filter(|(a, b)| a.to_bits() != b.to_bits()).count()
    }

    #[test]
    fn what_is_exact_has_the_same_bits_fused() {
        if !is_fast() {
            eprintln!("no fused multiply-add here: nothing to compare");
            return;
        }
        let mut random = Rng::new(9);
        let (mut exact, mut others) = (0, 0);
        for n in 0..3000 {
            // The whole range of f32, subnormal numbers and overflow with it, and the sum's bits about as many as an f64 has.
            let low = random.below_u64(230) as i32 - 149;
            let slope = number(&mut random, low);
            let apart = random.below_u64(140) as i32 - 60;
            let inter = match n % 16 {
                0 => 0.0,
                1 => -0.0,
                _ => number(&mut random, (low + apart).clamp(-149, 104)),
            };
            let stored = TYPES[n % 4];
            if is_exact(stored, slope, inter) {
                let differing = differing(stored, random.below_u64(2) == 1, slope, inter);
                assert_eq!(differing, 0, "{stored} * {slope:e} + {inter:e}");
                exact += 1;
            } else {
                others += 1;
            }
        }
        assert!(exact > 500 && others > 500, "{exact} and {others}");
    }

    /// 4097 * 16773121 is 2^36 + 1: its last bit decides on which side of an f32 tie the sum lies, and an f64 cannot
    /// hold it.
    #[test]
    fn what_f64_rounds_is_not_fused() {
        let slope = 16_773_121.0 * 2f64.powi(-60);
        assert!(!is_exact(DType::I16, slope, 1.0));
        if is_fast() {
            assert_ne!(differing(DType::I16, false, slope, 1.0), 0);
        }
    }

    #[test]
    fn exact_ends_where_f64_does() {
        // From 2^-11 to below 2^41 and a carry: 53 bits. Then one more.
        assert!(is_exact(DType::U16, 2f64.powi(24), 2f64.powi(-11)));
        assert!(!is_exact(DType::U16, 2f64.powi(24), 2f64.powi(-12)));
        assert!(!is_exact(DType::I16, 0.1, 0.0), "0.1 is not an f32");
        assert!(!is_exact(DType::I16, f64::NAN, 0.0));
        assert!(!is_exact(DType::I16, 1.0, f64::INFINITY));
        assert!(is_exact(DType::I16, f64::from(0.1f32), 0.0));
    }
}
