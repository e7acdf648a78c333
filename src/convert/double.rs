//! The functions of `shaders/double.wgsl`, line by line in Rust, so that they can be tested without a device. A double
//! is `[low, high]`.
//!
//! The last functions correspond to those in `shaders/decode.wgsl` that do arithmetic.

#![expect(
    clippy::needless_range_loop,
    clippy::many_single_char_names,
    reason = "kept comparable to the shader"
)]

use crate::core::float::{to_f16, words};
use crate::testing::Rng;

type Words = [u32; 2];

const EXPONENT: u32 = 0x7ff0_0000;
const SIGN: u32 = 0x8000_0000;
const QUIET_NAN: Words = [0, 0x7ff8_0000];

fn shift_left(v: Words, n: u32) -> Words {
    let m = n & 31;
    let carry = (v[0] >> 1) >> (31 - m);
    let near = [v[0] << m, (v[1] << m) | carry];
    if n >= 32 { [0, near[0]] } else { near }
}

fn shift_right_jam(v: Words, n: u32) -> Words {
    let m = n & 31;
    let lost_near = v[0] & ((1 << m) - 1);
    let carry = (v[1] << 1) << (31 - m);
    let near = [(v[0] >> m) | carry, v[1] >> m];
    let lost_far = v[0] | (v[1] & ((1 << m) - 1));
    let far = [near[1], 0];
    let (mut out, mut lost) = if n >= 32 {
        (far, lost_far)
    } else {
        (near, lost_near)
    };
    if n >= 64 {
        out = [0, 0];
        lost = v[0] | v[1];
    }
    [out[0] | u32::from(lost != 0), out[1]]
}

fn leading_zeros(v: Words) -> u32 {
    if v[1] == 0 {
        32 + v[0].leading_zeros()
    } else {
        v[1].leading_zeros()
    }
}

fn is_nan(v: Words) -> bool {
    let magnitude = v[1] & !SIGN;
    magnitude > EXPONENT || (magnitude == EXPONENT && v[0] != 0)
}

fn round_to_double(sign: u32, exponent: i32, significand: Words) -> Words {
    let s = shift_right_jam(significand, (1 - exponent).max(0) as u32);
    let low = (s[0] >> 11) | (s[1] << 21);
    let high = s[1] >> 11;
    let rest = s[0] & 0x7ff;
    let up = u32::from(rest > 0x400 || (rest == 0x400 && low & 1 == 1));
    let rounded = low.wrapping_add(up);
    let field = ((exponent - 1).clamp(0, 0x7fe) as u32) << 20;
    let top = high + field + u32::from(rounded < up);
    if top >= EXPONENT {
        [0, sign | EXPONENT]
    } else {
        [rounded, sign | top]
    }
}

struct Unpacked {
    exponent: i32,
    significand: Words,
}

fn unpack(v: Words) -> Unpacked {
    let field = (v[1] >> 20) & 0x7ff;
    let implicit = if field == 0 { 0 } else { SIGN };
    let raw = [
        v[0] << 11,
        implicit | ((v[1] & 0xf_ffff) << 11) | (v[0] >> 21),
    ];
    let n = leading_zeros(raw);
    Unpacked {
        exponent: field.max(1) as i32 - n as i32,
        significand: shift_left(raw, n),
    }
}

struct Sum {
    d: [u32; 5],
    lost: u32,
}

fn add_product(sum: &Sum, digit: u32, b: Words) -> Sum {
    let c0 = digit * (b[0] & 0xffff) + sum.d[1];
    let c1 = digit * (b[0] >> 16) + sum.d[2] + (c0 >> 16);
    let c2 = digit * (b[1] & 0xffff) + sum.d[3] + (c1 >> 16);
    let c3 = digit * (b[1] >> 16) + sum.d[4] + (c2 >> 16);
    Sum {
        d: [c0 & 0xffff, c1 & 0xffff, c2 & 0xffff, c3 & 0xffff, c3 >> 16],
        lost: sum.lost | sum.d[0],
    }
}

fn multiply(a: Words, b: Words, digits: usize) -> Words {
    let sign = (a[1] ^ b[1]) & SIGN;
    let magnitude_a = a[1] & !SIGN;
    let magnitude_b = b[1] & !SIGN;
    let zero = (magnitude_a | a[0]) == 0 || (magnitude_b | b[0]) == 0;
    if magnitude_a >= EXPONENT || magnitude_b >= EXPONENT {
        let none = is_nan(a) || is_nan(b) || zero;
        return if none {
            QUIET_NAN
        } else {
            [0, sign | EXPONENT]
        };
    }
    if zero {
        return [0, sign];
    }
    let (x, y) = (unpack(a), unpack(b));
    let of_x = [
        x.significand[0] & 0xffff,
        x.significand[0] >> 16,
        x.significand[1] & 0xffff,
        x.significand[1] >> 16,
    ];
    let mut sum = Sum { d: [0; 5], lost: 0 };
    for i in 4 - digits..4 {
        sum = add_product(&sum, of_x[i], y.significand);
    }
    let [d0, d1, d2, d3, d4] = sum.d;
    let product = [d1 | (d2 << 16), d3 | (d4 << 16)];
    let wide = product[1] >> 31;
    let below = [
        (product[0] << 1) | (d0 >> 15),
        (product[1] << 1) | (product[0] >> 31),
    ];
    let top = if wide == 1 { product } else { below };
    let rest = u32::from((sum.lost | d0) != 0);
    round_to_double(
        sign,
        x.exponent + y.exponent - 1023 + wide as i32,
        [top[0] | rest, top[1]],
    )
}

fn divide(a: Words, b: Words) -> Words {
    let sign = (a[1] ^ b[1]) & SIGN;
    let infinite_a = (a[1] & !SIGN) >= EXPONENT;
    let infinite_b = (b[1] & !SIGN) >= EXPONENT;
    let zero_a = ((a[1] & !SIGN) | a[0]) == 0;
    let zero_b = ((b[1] & !SIGN) | b[0]) == 0;
    if is_nan(a) || is_nan(b) || (infinite_a && infinite_b) || (zero_a && zero_b) {
        return QUIET_NAN;
    }
    if infinite_a || zero_b {
        return [0, sign | EXPONENT];
    }
    if zero_a || infinite_b {
        return [0, sign];
    }
    let (x, y) = (unpack(a), unpack(b));
    let mut rest = shift_right_jam(x.significand, 1);
    let by = shift_right_jam(y.significand, 1);
    let small = rest[1] < by[1] || (rest[1] == by[1] && rest[0] < by[0]);
    rest = shift_left(rest, u32::from(small));
    let mut quotient = [0; 2];
    for _ in 0..55 {
        let fits = rest[1] > by[1] || (rest[1] == by[1] && rest[0] >= by[0]);
        let borrow = u32::from(rest[0] < by[0]);
        if fits {
            rest = [rest[0].wrapping_sub(by[0]), rest[1] - by[1] - borrow];
        }
        rest = shift_left(rest, 1);
        quotient = shift_left(quotient, 1);
        quotient[0] |= u32::from(fits);
    }
    let significand = shift_left(quotient, 9);
    let sticky = u32::from((rest[0] | rest[1]) != 0);
    let exponent = x.exponent - y.exponent + 1023 - i32::from(small);
    round_to_double(sign, exponent, [significand[0] | sticky, significand[1]])
}

fn aligned(v: Words) -> Words {
    let implicit = if v[1] & EXPONENT == 0 { 0 } else { 0x4000_0000 };
    [
        v[0] << 10,
        implicit | ((v[1] & 0xf_ffff) << 10) | (v[0] >> 22),
    ]
}

fn add(p: Words, q: Words) -> Words {
    let p_high = p[1] & !SIGN;
    let q_high = q[1] & !SIGN;
    let swap = q_high > p_high || (q_high == p_high && q[0] > p[0]);
    let (a, b) = if swap { (q, p) } else { (p, q) };
    let sign = a[1] & SIGN;
    let opposite = (a[1] ^ b[1]) & SIGN != 0;
    if a[1] & EXPONENT == EXPONENT {
        let cancel = opposite && b[1] & EXPONENT == EXPONENT;
        return if is_nan(a) || cancel { QUIET_NAN } else { a };
    }
    let exponent = ((a[1] >> 20) & 0x7ff).max(1) as i32;
    let exponent_b = ((b[1] >> 20) & 0x7ff).max(1) as i32;
    let x = aligned(a);
    let mut y = shift_right_jam(aligned(b), (exponent - exponent_b) as u32);
    let flip = if opposite { u32::MAX } else { 0 };
    y = [y[0] ^ flip, y[1] ^ flip];
    let low = x[0].wrapping_add(y[0]);
    let carry = u32::from(low < x[0]);
    let low_one = low.wrapping_add(flip & 1);
    let high = x[1].wrapping_add(y[1]).wrapping_add(carry);
    let sum = [low_one, high.wrapping_add(u32::from(low_one < low))];
    if sum == [0, 0] {
        return [0, if opposite { 0 } else { sign }];
    }
    let n = leading_zeros(sum);
    round_to_double(sign, exponent + 1 - n as i32, shift_left(sum, n))
}

fn ordered(v: Words) -> Words {
    if ((v[1] & !SIGN) | v[0]) == 0 {
        return [0, SIGN];
    }
    let flip = if v[1] & SIGN == 0 { SIGN } else { u32::MAX };
    [v[0] ^ if flip == SIGN { 0 } else { u32::MAX }, v[1] ^ flip]
}

fn greater(a: Words, b: Words) -> bool {
    if is_nan(a) || is_nan(b) {
        return false;
    }
    let (x, y) = (ordered(a), ordered(b));
    x[1] > y[1] || (x[1] == y[1] && x[0] > y[0])
}

fn floor_to_u32(v: Words) -> u32 {
    let exponent = (v[1] >> 20) as i32 - 1023;
    let significand = SIGN | ((v[1] & 0xf_ffff) << 11) | (v[0] >> 21);
    if exponent < 0 {
        0
    } else {
        significand >> (31 - exponent)
    }
}

fn narrow(v: Words, fraction: u32, bias: i32) -> u32 {
    let field = (v[1] >> 20) & 0x7ff;
    let infinity = ((2 * bias + 1) as u32) << fraction;
    let exponent = field as i32 - 1023 + bias;
    let implicit = if field == 0 { 0 } else { SIGN };
    let sticky = u32::from(v[0] << 11 != 0);
    let significand = implicit | ((v[1] & 0xf_ffff) << 11) | (v[0] >> 21) | sticky;
    let extra = (1 - exponent).clamp(0, 31) as u32;
    let lost = u32::from(significand & ((1 << extra) - 1) != 0);
    let s = (significand >> extra) | lost;
    let cut = 31 - fraction;
    let half = 1 << (cut - 1);
    let kept = s >> cut;
    let rest = s & ((1 << cut) - 1);
    let up = u32::from(rest > half || (rest == half && kept & 1 == 1));
    let finite = (((exponent - 1).max(0) as u32) << fraction)
        .wrapping_add(kept)
        .wrapping_add(up);
    if is_nan(v) {
        infinity | (1 << (fraction - 1))
    } else if exponent > 2 * bias {
        infinity
    } else {
        finite.min(infinity)
    }
}

fn from_u32(magnitude: u32, sign: u32) -> Words {
    if magnitude == 0 {
        return [0, 0];
    }
    let n = magnitude.leading_zeros();
    let fraction = (magnitude << n) << 1;
    [fraction << 20, sign | ((1054 - n) << 20) | (fraction >> 12)]
}

fn from_u64(magnitude: Words, sign: u32) -> Words {
    if magnitude == [0, 0] {
        return [0, 0];
    }
    let n = leading_zeros(magnitude);
    round_to_double(sign, 1086 - n as i32, shift_left(magnitude, n))
}

fn widen(bits: u32, sign: u32, fraction: u32, bias: u32) -> Words {
    if bits == 0 {
        return [0, sign];
    }
    if bits < 1 << fraction {
        let integer = from_u32(bits, sign);
        return [integer[0], integer[1] - ((bias + fraction - 1) << 20)];
    }
    let infinity = (2 * bias + 1) << fraction;
    let aligned_bits = bits << (23 - fraction);
    let rebias = if bits >= infinity {
        (2047 - (2 * bias + 1)) << 20
    } else {
        (1023 - bias) << 20
    };
    [aligned_bits << 29, sign | ((aligned_bits >> 3) + rebias)]
}

/// Random doubles: any bits; or few bits set, so that sums and products end in ties; or exponents at an edge.
fn double(random: &mut Rng) -> f64 {
    const EDGES: [u64; 8] = [0, 1, 54, 969, 1023, 1076, 2045, 2046];
    let bits = random.bits();
    let sparse = (1 << (bits % 52)) | ((bits >> 7) & 3);
    let fraction = match random.bits() % 3 {
        0 => bits & 0xf_ffff_ffff_ffff,
        1 => sparse,
        _ => 0x10_0000_0000_0000 - sparse,
    } & 0xf_ffff_ffff_ffff;
    let field = match random.bits() % 4 {
        0 => (bits >> 52) & 0x7ff,
        1 => EDGES[(random.bits() % 8) as usize],
        _ => 1023 - 30 + random.bits() % 61,
    };
    f64::from_bits((bits & 1 << 63) | field << 52 | fraction)
}

fn same(got: Words, want: f64) -> bool {
    got == words(want) || (is_nan(got) && want.is_nan())
}

#[test]
fn arithmetic_is_that_of_the_processor() {
    let mut random = Rng::new(1);
    for _ in 0..3_000_000 {
        let (a, b) = (double(&mut random), double(&mut random));
        let (product, sum) = (multiply(words(a), words(b), 4), add(words(a), words(b)));
        assert!(same(product, a * b), "{a:e} * {b:e}: {product:x?}");
        assert!(same(sum, a + b), "{a:e} + {b:e}: {sum:x?}");
        let quotient = divide(words(a), words(b));
        assert!(same(quotient, a / b), "{a:e} / {b:e}: {quotient:x?}");
        assert_eq!(greater(words(a), words(b)), a > b, "{a:e} > {b:e}");
        let f32_bits = (a.to_bits() >> 32) as u32 & SIGN | narrow(words(a), 23, 127);
        let f32_same = f32_bits == (a as f32).to_bits() || a.is_nan();
        assert!(f32_same, "{a:e} to f32: {f32_bits:x}");
        let f16_bits = narrow(words(a), 10, 15) as u16;
        let want = to_f16(a.abs());
        let f16_same = f16_bits == want.to_bits() || a.is_nan();
        assert!(f16_same, "{a:e} to f16: {f16_bits:x}");
    }
}

#[test]
fn ties_and_what_lies_just_beside_them() {
    let ulp = f64::EPSILON;
    let mut checked = 0;
    for k in -4096i32..4096 {
        // a * (1 + ulp) is a plus 1.5 ulps plus k * 2^-52 of one: a tie, or just beside one.
        let a = 1.5 + f64::from(k) * ulp;
        for (a, b) in [(a, 1.0 + ulp), (a, 1.0 - ulp / 2.0), (1.0 + ulp, a)] {
            assert!(
                same(multiply(words(a), words(b), 4), a * b),
                "{a:e} * {b:e}"
            );
            checked += 1;
        }
        let a = 1.0 + f64::from(k.abs()) * ulp;
        for b in [ulp / 2.0, ulp / 4.0, 1e-300, 5e-324] {
            for b in [b, b * (1.0 + ulp), b * (1.0 - ulp / 2.0)] {
                for b in [b, -b] {
                    assert!(same(add(words(a), words(b)), a + b), "{a:e} + {b:e}");
                    checked += 1;
                }
            }
        }
    }
    assert_eq!(checked, 8192 * (3 + 24));
}

/// Quotients that are exact, that lie just beside ties, or that are subnormal; and integer parts.
#[test]
fn quotients_beside_ties_and_whole_parts() {
    let mut random = Rng::new(3);
    for _ in 0..1_000_000 {
        let (a, b) = (random.bits() >> 38, random.bits() >> 38 | 1);
        let (a, b) = (a as f64, b as f64);
        let scale = f64::from_bits((random.bits() % 60) << 52 | 1);
        for (a, b) in [(a * b, b), (a, b), (a * scale, b), (a, b * scale)] {
            assert!(same(divide(words(a), words(b)), a / b), "{a:e} / {b:e}");
        }
        let share = (a / b).min(1.0) * 65535.0 + 0.5;
        assert_eq!(floor_to_u32(words(share)), share.floor() as u32, "{share}");
    }
}

#[test]
fn decoding_is_that_of_the_processor() {
    let mut random = Rng::new(2);
    for _ in 0..1_000_000 {
        let bits = random.bits() >> (random.bits() % 64);
        let pair = [bits as u32, (bits >> 32) as u32];
        assert!(same(from_u32(bits as u32, 0), f64::from(bits as u32)));
        assert!(same(from_u64(pair, 0), bits as f64), "{bits}");
        let few = multiply(from_u32(bits as u32, 0), words(0.1), 2);
        assert!(same(few, f64::from(bits as u32) * 0.1), "{bits}");
        let f32_bits = random.bits() as u32;
        let wide = widen(f32_bits & !SIGN, f32_bits & SIGN, 23, 127);
        assert!(same(wide, f32::from_bits(f32_bits).into()), "{f32_bits:x}");
    }
    for bits in 0..=u16::MAX {
        let sign = u32::from(bits & 0x8000) << 16;
        let wide = widen(u32::from(bits & 0x7fff), sign, 10, 15);
        assert!(same(wide, half::f16::from_bits(bits).to_f64()), "{bits:x}");
        let product = multiply(from_u32(bits.into(), 0), words(0.1), 1);
        assert!(same(product, f64::from(bits) * 0.1), "{bits}");
    }
}
