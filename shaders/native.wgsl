// Double arithmetic with the device's native f64, for normal numbers only. WGSL does not specify infinities, NaN, the
// signs of zeros and subnormal numbers, so double.wgsl computes whatever is or becomes one of them.
//
// Needs SHADER_F64 and SHADER_INT64: naga 30 accepts bitcast<f64>(vec2<u32>) but gives wrong values.

fn to_native(v: vec2<u32>) -> f64 {
    return bitcast<f64>((u64(v.y) << 32u) | u64(v.x));
}

fn from_native(v: f64) -> vec2<u32> {
    let bits = bitcast<u64>(v);
    // The data begin at a multiple of 4 words, which no compiler can know. So these bits are zero, and combining the
    // product with them prevents the compiler from fusing it with the next operation.
    let zero = packet[DATA] & 3u;
    return vec2<u32>(u32(bits) ^ zero, u32(bits >> 32u) ^ zero);
}

// Whether the exponent field is from `least` to that of the largest numbers.
fn is_ordinary(v: vec2<u32>, least: u32) -> bool {
    let field = (v.y >> 20u) & 0x7ffu;
    return field >= least && field < 0x7ffu;
}

fn times(a: vec2<u32>, b: vec2<u32>, digits: u32) -> vec2<u32> {
    if is_ordinary(a, 1u) && is_ordinary(b, 1u) {
        let product = from_native(to_native(a) * to_native(b));
        // The smallest normal exponent may be that of a subnormal number that was rounded up.
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
