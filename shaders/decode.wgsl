// Stored numbers to doubles. All of it is exact, except that 64-bit integers are rounded to nearest even.

// An unsigned number below 2^32, with a sign.
fn from_u32(magnitude: u32, sign: u32) -> vec2<u32> {
    let n = countLeadingZeros(magnitude);
    // Removes the leading bit. Two shifts, because WGSL has no shift by 32.
    let fraction = (magnitude << n) << 1u;
    let double = vec2<u32>(fraction << 20u, sign | ((1054u - n) << 20u) | (fraction >> 12u));
    return select(double, vec2<u32>(0u), magnitude == 0u);
}

fn from_i32(value: u32) -> vec2<u32> {
    let negative = (value & SIGN) != 0u;
    return from_u32(select(value, ~value + 1u, negative), value & SIGN);
}

fn from_u64(magnitude: vec2<u32>, sign: u32) -> vec2<u32> {
    if (magnitude.x | magnitude.y) == 0u {
        return vec2<u32>(0u);
    }
    let n = leading_zeros(magnitude);
    return round_to_double(sign, 1086 - i32(n), shift_left(magnitude, n));
}

fn from_i64(value: vec2<u32>) -> vec2<u32> {
    let low = ~value.x + 1u;
    let negated = vec2<u32>(low, ~value.y + u32(low == 0u));
    return from_u64(select(value, negated, (value.y & SIGN) != 0u), value.y & SIGN);
}

// The bits, without sign, of a narrower float with this many fraction bits and this exponent bias. NaN stays NaN.
fn widen(bits: u32, sign: u32, fraction: u32, bias: u32) -> vec2<u32> {
    let infinity = (2u * bias + 1u) << fraction;
    let tiny = bits < (1u << fraction);
    // A subnormal number is an integer times the smallest subnormal.
    let integer = from_u32(bits, sign);
    let subnormal = vec2<u32>(integer.x, integer.y - ((bias + fraction - 1u) << 20u));
    let aligned_bits = bits << (23u - fraction);
    let rebias = select((1023u - bias) << 20u, (2047u - (2u * bias + 1u)) << 20u, bits >= infinity);
    let normal = vec2<u32>(aligned_bits << 29u, sign | ((aligned_bits >> 3u) + rebias));
    let zero = vec2<u32>(0u, sign);
    return select(select(normal, subnormal, tiny), zero, bits == 0u);
}

fn from_f16(bits: u32) -> vec2<u32> {
    return widen(bits & 0x7fffu, (bits & 0x8000u) << 16u, 10u, 15u);
}

fn from_f32(bits: u32) -> vec2<u32> {
    return widen(bits & ~SIGN, bits & SIGN, 23u, 127u);
}

// Reverses the byte order.
fn swap_bytes(v: u32) -> u32 {
    let pairs = ((v & 0x00ff00ffu) << 8u) | ((v >> 8u) & 0x00ff00ffu);
    return (pairs << 16u) | (pairs >> 16u);
}

// A stored number of type U8, I8, .. as a double, from its bits in native order (up to 32 bits in the low word).
fn decode(stored: u32, bits: vec2<u32>) -> vec2<u32> {
    switch stored {
        case U8, U16, U32: { return from_u32(bits.x, 0u); }
        case I8: { return from_i32(u32(i32(bits.x << 24u) >> 24u)); }
        case I16: { return from_i32(u32(i32(bits.x << 16u) >> 16u)); }
        case I32: { return from_i32(bits.x); }
        case U64: { return from_u64(bits, 0u); }
        case I64: { return from_i64(bits); }
        case F16: { return from_f16(bits.x); }
        case F32: { return from_f32(bits.x); }
        default: { return bits; }
    }
}
