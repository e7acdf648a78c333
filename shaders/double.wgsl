// IEEE 754 double arithmetic with 32-bit integers, because WGSL has no f64. A double is vec2<u32>(low word, high word).
// Integer arithmetic in WGSL gives the same result on every device, so these functions give the same bits everywhere.
// src/convert/double.rs has the same functions in Rust, line by line, to test them without a device.

const EXPONENT: u32 = 0x7ff00000u;
const SIGN: u32 = 0x80000000u;
const QUIET_NAN = vec2<u32>(0u, 0x7ff80000u);

// Shifts a 64-bit number (low, high) left by 0..=63 bits. WGSL takes shift amounts modulo 32, so 32 and more are a
// separate case.
fn shift_left(v: vec2<u32>, n: u32) -> vec2<u32> {
    let m = n & 31u;
    let carry = (v.x >> 1u) >> (31u - m);
    let near = vec2<u32>(v.x << m, (v.y << m) | carry);
    return select(near, vec2<u32>(0u, near.x), n >= 32u);
}

// Shifts right by any number of bits. If a 1 bit is shifted out, the last bit of the result is set (a sticky bit), so
// that a later rounding sees that the number was larger. Berkeley SoftFloat calls this a jamming shift.
fn shift_right_jam(v: vec2<u32>, n: u32) -> vec2<u32> {
    let m = n & 31u;
    let lost_near = v.x & ((1u << m) - 1u);
    let carry = (v.y << 1u) << (31u - m);
    let near = vec2<u32>((v.x >> m) | carry, v.y >> m);
    let lost_far = v.x | (v.y & ((1u << m) - 1u));
    let far = vec2<u32>(near.y, 0u);
    var out = select(near, far, n >= 32u);
    var lost = select(lost_near, lost_far, n >= 32u);
    if n >= 64u {
        out = vec2<u32>(0u);
        lost = v.x | v.y;
    }
    return vec2<u32>(out.x | u32(lost != 0u), out.y);
}

fn leading_zeros(v: vec2<u32>) -> u32 {
    return select(countLeadingZeros(v.y), 32u + countLeadingZeros(v.x), v.y == 0u);
}

fn is_nan(v: vec2<u32>) -> bool {
    let magnitude = v.y & ~SIGN;
    return magnitude > EXPONENT || (magnitude == EXPONENT && v.x != 0u);
}

// Rounds to nearest, ties to even. The value is significand * 2^(exponent - 1023 - 63). Bit 63 of the significand must
// be set. Bit 0 is a sticky bit: it is also set if any lower bit of the exact value was 1. An exponent below 1 gives a
// subnormal number; an exponent that is too large gives infinity.
fn round_to_double(sign: u32, exponent: i32, significand: vec2<u32>) -> vec2<u32> {
    let s = shift_right_jam(significand, u32(max(1 - exponent, 0)));
    let low = (s.x >> 11u) | (s.y << 21u);
    let high = s.y >> 11u;
    // Round up if what is cut off is more than half of the last kept bit, or exactly half and that bit is 1.
    let rest = s.x & 0x7ffu;
    let up = u32(rest > 0x400u || (rest == 0x400u && (low & 1u) == 1u));
    let rounded = low + up;
    // `high` still has the leading bit of a normal number, which adds one to the exponent field; hence `exponent - 1`.
    // If rounding up carries out of the significand, it adds one too, as it should.
    let field = u32(clamp(exponent - 1, 0, 0x7fe)) << 20u;
    let top = high + field + u32(rounded < up);
    return select(vec2<u32>(rounded, sign | top), vec2<u32>(0u, sign | EXPONENT), top >= EXPONENT);
}

// A finite number that is not zero: its significand, shifted so that the leading 1 is bit 63, and its biased exponent,
// which is below 1 for subnormal numbers.
struct Unpacked {
    exponent: i32,
    significand: vec2<u32>,
}

fn unpack(v: vec2<u32>) -> Unpacked {
    let field = (v.y >> 20u) & 0x7ffu;
    let implicit = select(0u, SIGN, field != 0u);
    let raw = vec2<u32>(v.x << 11u, implicit | ((v.y & 0xfffffu) << 11u) | (v.x >> 21u));
    let n = leading_zeros(raw);
    return Unpacked(i32(max(field, 1u)) - i32(n), shift_left(raw, n));
}

// The sum in a long multiplication, in 16-bit digits, d0 the lowest. `lost` is not 0 if a 1 bit was shifted out.
struct Sum {
    d0: u32,
    d1: u32,
    d2: u32,
    d3: u32,
    d4: u32,
    lost: u32,
}

// One step of a long multiplication: (sum >> 16) + digit * b.
fn add_product(sum: Sum, digit: u32, b: vec2<u32>) -> Sum {
    // The product of two 16-bit digits plus two more digits is at most 2^32 - 1, so nothing overflows.
    let c0 = digit * (b.x & 0xffffu) + sum.d1;
    let c1 = digit * (b.x >> 16u) + sum.d2 + (c0 >> 16u);
    let c2 = digit * (b.y & 0xffffu) + sum.d3 + (c1 >> 16u);
    let c3 = digit * (b.y >> 16u) + sum.d4 + (c2 >> 16u);
    return Sum(c0 & 0xffffu, c1 & 0xffffu, c2 & 0xffffu, c3 & 0xffffu, c3 >> 16u, sum.lost | sum.d0);
}

// a * b, rounded once. Only the highest `digits` of the four 16-bit digits of a's significand are used; the caller must
// know that the others are zero. Stored types of up to 32 bits need one or two digits, which saves work.
fn multiply(a: vec2<u32>, b: vec2<u32>, digits: u32) -> vec2<u32> {
    let sign = (a.y ^ b.y) & SIGN;
    let magnitude_a = a.y & ~SIGN;
    let magnitude_b = b.y & ~SIGN;
    let zero = (magnitude_a | a.x) == 0u || (magnitude_b | b.x) == 0u;
    if magnitude_a >= EXPONENT || magnitude_b >= EXPONENT {
        // Infinity times zero is NaN.
        let none = is_nan(a) || is_nan(b) || zero;
        return select(vec2<u32>(0u, sign | EXPONENT), QUIET_NAN, none);
    }
    if zero {
        return vec2<u32>(0u, sign);
    }
    let x = unpack(a);
    let y = unpack(b);
    var sum = Sum(0u, 0u, 0u, 0u, 0u, 0u);
    if digits > 3u {
        sum = add_product(sum, x.significand.x & 0xffffu, y.significand);
    }
    if digits > 2u {
        sum = add_product(sum, x.significand.x >> 16u, y.significand);
    }
    if digits > 1u {
        sum = add_product(sum, x.significand.y & 0xffffu, y.significand);
    }
    sum = add_product(sum, x.significand.y >> 16u, y.significand);
    // The product of two numbers in [1, 2) is in [1, 4), so the leading 1 of `product` is bit 63 or bit 62.
    let product = vec2<u32>(sum.d1 | (sum.d2 << 16u), sum.d3 | (sum.d4 << 16u));
    let wide = product.y >> 31u;
    let below = vec2<u32>((product.x << 1u) | (sum.d0 >> 15u), (product.y << 1u) | (product.x >> 31u));
    let top = select(below, product, wide == 1u);
    let rest = u32((sum.lost | sum.d0) != 0u);
    return round_to_double(sign, x.exponent + y.exponent - 1023 + i32(wide), vec2<u32>(top.x | rest, top.y));
}

// a / b, rounded once.
fn divide(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let sign = (a.y ^ b.y) & SIGN;
    let infinite_a = (a.y & ~SIGN) >= EXPONENT;
    let infinite_b = (b.y & ~SIGN) >= EXPONENT;
    let zero_a = ((a.y & ~SIGN) | a.x) == 0u;
    let zero_b = ((b.y & ~SIGN) | b.x) == 0u;
    if is_nan(a) || is_nan(b) || (infinite_a && infinite_b) || (zero_a && zero_b) {
        return QUIET_NAN;
    }
    if infinite_a || zero_b {
        return vec2<u32>(0u, sign | EXPONENT);
    }
    if zero_a || infinite_b {
        return vec2<u32>(0u, sign);
    }
    let x = unpack(a);
    let y = unpack(b);
    // Long division. Both integers are below 2^63, so that doubling the remainder cannot overflow. If the dividend is
    // smaller it is doubled, so that the quotient is in [1, 2). The quotient gets 55 bits: 53 of the result and two for
    // the rounding. A remainder sets the sticky bit.
    var rest = shift_right_jam(x.significand, 1u);
    let by = shift_right_jam(y.significand, 1u);
    let small = rest.y < by.y || (rest.y == by.y && rest.x < by.x);
    rest = shift_left(rest, u32(small));
    var quotient = vec2<u32>(0u);
    for (var bit = 0u; bit < 55u; bit++) {
        let fits = rest.y > by.y || (rest.y == by.y && rest.x >= by.x);
        let less = vec2<u32>(rest.x - by.x, rest.y - by.y - u32(rest.x < by.x));
        rest = shift_left(select(rest, less, fits), 1u);
        quotient = shift_left(quotient, 1u);
        quotient.x |= u32(fits);
    }
    let significand = shift_left(quotient, 9u);
    let sticky = u32((rest.x | rest.y) != 0u);
    let exponent = x.exponent - y.exponent + 1023 - i32(small);
    return round_to_double(sign, exponent, vec2<u32>(significand.x | sticky, significand.y));
}

// The significand with the implicit bit at bit 62, so that the sum of two fits in 64 bits.
fn aligned(v: vec2<u32>) -> vec2<u32> {
    let implicit = select(0u, 0x40000000u, (v.y & EXPONENT) != 0u);
    return vec2<u32>(v.x << 10u, implicit | ((v.y & 0xfffffu) << 10u) | (v.x >> 22u));
}

// p + q, rounded once.
fn add(p: vec2<u32>, q: vec2<u32>) -> vec2<u32> {
    // a has the larger magnitude.
    let p_high = p.y & ~SIGN;
    let q_high = q.y & ~SIGN;
    let swap = q_high > p_high || (q_high == p_high && q.x > p.x);
    let a = select(p, q, swap);
    let b = select(q, p, swap);
    let sign = a.y & SIGN;
    let opposite = ((a.y ^ b.y) & SIGN) != 0u;
    if (a.y & EXPONENT) == EXPONENT {
        let cancel = opposite && (b.y & EXPONENT) == EXPONENT;
        return select(a, QUIET_NAN, is_nan(a) || cancel);
    }
    let exponent = i32(max((a.y >> 20u) & 0x7ffu, 1u));
    let exponent_b = i32(max((b.y >> 20u) & 0x7ffu, 1u));
    let x = aligned(a);
    var y = shift_right_jam(aligned(b), u32(exponent - exponent_b));
    // Subtraction adds the complement.
    let flip = select(0u, 0xffffffffu, opposite);
    y = y ^ vec2<u32>(flip);
    let low = x.x + y.x;
    let carry = u32(low < x.x);
    let low_one = low + (flip & 1u);
    let sum = vec2<u32>(low_one, x.y + y.y + carry + u32(low_one < low));
    if (sum.x | sum.y) == 0u {
        // Zeros of the same sign keep it; numbers that cancel give +0.
        return vec2<u32>(0u, select(sign, 0u, opposite));
    }
    let n = leading_zeros(sum);
    return round_to_double(sign, exponent + 1 - i32(n), shift_left(sum, n));
}

// Whether a > b. False if either is NaN; the two zeros are equal.
fn greater(a: vec2<u32>, b: vec2<u32>) -> bool {
    if is_nan(a) || is_nan(b) {
        return false;
    }
    let x = ordered(a);
    let y = ordered(b);
    return x.y > y.y || (x.y == y.y && x.x > y.x);
}

// Maps doubles to unsigned 64-bit integers that have the same order. Both zeros give the same integer.
fn ordered(v: vec2<u32>) -> vec2<u32> {
    if ((v.y & ~SIGN) | v.x) == 0u {
        return vec2<u32>(0u, SIGN);
    }
    let flip = select(SIGN, 0xffffffffu, (v.y & SIGN) != 0u);
    return vec2<u32>(v.x ^ select(0u, 0xffffffffu, flip != SIGN), v.y ^ flip);
}

// Whether both are the same number, or both are NaN.
fn same(a: vec2<u32>, b: vec2<u32>) -> bool {
    let zero = ((a.y & ~SIGN) | a.x | (b.y & ~SIGN) | b.x) == 0u;
    return all(a == b) || zero || (is_nan(a) && is_nan(b));
}

// The integer part of a number in [0, 2^31).
fn floor_to_u32(v: vec2<u32>) -> u32 {
    let exponent = i32(v.y >> 20u) - 1023;
    let significand = SIGN | ((v.y & 0xfffffu) << 11u) | (v.x >> 21u);
    return select(significand >> u32(31 - exponent), 0u, exponent < 0);
}

// numpy.clip: the larger of v and lo, then the smaller of that and hi. NaN stays.
fn clip(v: vec2<u32>, lo: vec2<u32>, hi: vec2<u32>) -> vec2<u32> {
    var out = v;
    if !is_nan(out) && !greater(out, lo) {
        out = lo;
    }
    if !is_nan(out) && !greater(hi, out) {
        out = hi;
    }
    return out;
}

// Rounds a double, to nearest with ties to even, to a smaller float type with this many fraction bits and this exponent
// bias. Returns the bits of the result without the sign.
fn narrow(v: vec2<u32>, fraction: u32, bias: i32) -> u32 {
    let field = (v.y >> 20u) & 0x7ffu;
    let infinity = u32(2 * bias + 1) << fraction;
    let exponent = i32(field) - 1023 + bias;
    // The top 32 bits of the significand are enough: f32 keeps 24 of them, and the others decide the rounding. The last
    // one is a sticky bit for all bits below it.
    let implicit = select(0u, SIGN, field != 0u);
    let sticky = u32((v.x << 11u) != 0u);
    let significand = implicit | ((v.y & 0xfffffu) << 11u) | (v.x >> 21u) | sticky;
    let extra = u32(clamp(1 - exponent, 0, 31));
    let lost = u32((significand & ((1u << extra) - 1u)) != 0u);
    let s = (significand >> extra) | lost;
    let cut = 31u - fraction;
    let half = 1u << (cut - 1u);
    let kept = s >> cut;
    let rest = s & ((1u << cut) - 1u);
    let up = u32(rest > half || (rest == half && (kept & 1u) == 1u));
    let finite = (u32(max(exponent - 1, 0)) << fraction) + kept + up;
    var out = select(min(finite, infinity), infinity, exponent > 2 * bias);
    if is_nan(v) {
        out = infinity | (1u << (fraction - 1u));
    }
    return out;
}

fn to_f32(v: vec2<u32>) -> u32 {
    return (v.y & SIGN) | narrow(v, 23u, 127);
}

fn to_f16(v: vec2<u32>) -> u32 {
    return ((v.y & SIGN) >> 16u) | narrow(v, 10u, 15);
}
