// Double arithmetic by the device's own doubles, between ordinary numbers only: WGSL promises nothing about infinities,
// NaN, zeros' signs and subnormal numbers, so whatever is or becomes one of them is left to double.wgsl.
//
// Needs SHADER_F64 and SHADER_INT64: bitcast<f64>(vec2<u32>) is accepted by naga 30 and gives wrong values.

fn to_native(v: vec2<u32>) -> f64 {
    return bitcast<f64>((u64(v.y) << 32u) | u64(v.x));
}

fn from_native(v: f64) -> vec2<u32> {
    let bits = bitcast<u64>(v);
    // Data begin at a multiple of 4 words, which no compiler knows: these bits are zero, and what is combined with them
    // cannot be fused with the next operation.
    let zero = packet[DATA] & 3u;
    return vec2<u32>(u32(bits) ^ zero, u32(bits >> 32u) ^ zero);
}

// Whether the exponent's field is from `least` to that of the largest numbers.
fn is_ordinary(v: vec2<u32>, least: u32) -> bool {
    let field = (v.y >> 20u) & 0x7ffu;
    return field >= least && field < 0x7ffu;
}

fn times(a: vec2<u32>, b: vec2<u32>, digits: u32) -> vec2<u32> {
    if is_ordinary(a, 1u) && is_ordinary(b, 1u) {
        let product = from_native(to_native(a) * to_native(b));
        // The smallest normal exponent can be that of a subnormal number rounded up.
        if is_ordinary(product, 2u) {
            return product;
        }
    }
    return multiply(a, b, digits);
}

fn plus(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    if is_ordinary(b, 1u) {
        if ((a.y & ~SIGN) | a.x) == 0u {
            return b;
        }
        if is_ordinary(a, 1u) {
            let sum = from_native(to_native(a) + to_native(b));
            if is_ordinary(sum, 2u) {
                return sum;
            }
        }
    }
    return add(a, b);
}
