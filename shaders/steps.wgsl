// Computes the result: decode, apply the steps, narrow. `times` and `plus` multiply and add doubles.

// Number of 16-bit digits in the significand of a stored number.
fn stored_digits() -> u32 {
    switch STORED {
        case U8, I8, U16, I16, F16: { return 1u; }
        case U32, I32, F32: { return 2u; }
        default: { return 4u; }
    }
}

fn number(at: u32) -> vec2<u32> {
    return vec2<u32>(packet[at], packet[at + 1u]);
}

fn apply(kind: u32, index: u32, value: vec2<u32>, entry: u32, digits: u32) -> vec2<u32> {
    let at = packet[STEPS + 2u * index] + entry * packet[STEPS + 2u * index + 1u];
    switch kind {
        case MULTIPLY: { return times(value, number(at), digits); }
        case ADD: { return plus(value, number(at)); }
        case CLIP: { return clip(value, number(at), number(at + 2u)); }
        case ROUND_TO_F32: { return from_f32(to_f32(value)); }
        default: { return value; }
    }
}

// The value after all steps.
fn scaled(stored: vec2<u32>, place: Place) -> vec2<u32> {
    var value = decode(STORED, stored);
    var entry = 0u;
    if TABLES == 1u {
        entry = place.stored / packet[BLOCK];
    }
    value = apply(STEP0, 0u, value, entry, stored_digits());
    value = apply(STEP1, 1u, value, entry, 4u);
    value = apply(STEP2, 2u, value, entry, 4u);
    return apply(STEP3, 3u, value, entry, 4u);
}

// The largest texel as a double: 65535 or 255.
fn largest_texel() -> vec2<u32> {
    return vec2<u32>(0u, select(0x406fe000u, 0x40efffe0u, OUTPUT == U16));
}

// floor(clamp((value - lo) / (hi - lo), 0, 1) * largest + 0.5); 0 for NaN.
fn to_texel(value: vec2<u32>) -> u32 {
    if is_nan(value) {
        return 0u;
    }
    let at = packet[WINDOW];
    let share = divide(add(value, number(at)), number(at + 2u));
    let clamped = clip(share, vec2<u32>(0u), vec2<u32>(0u, 0x3ff00000u));
    let half = vec2<u32>(0u, 0x3fe00000u);
    return floor_to_u32(add(multiply(clamped, largest_texel(), 4u), half));
}

// texel * (hi - lo) / largest + lo.
fn from_texel(texel: u32) -> vec2<u32> {
    let at = packet[WINDOW];
    let lo = number(at) ^ vec2<u32>(0u, SIGN);
    return add(divide(multiply(from_u32(texel, 0u), number(at + 2u), 1u), largest_texel()), lo);
}

fn answer(place: Place) -> Answer {
    let stored = load(place.gathered);
    if COPY == 1u {
        return Answer(stored, false);
    }
    let value = scaled(stored, place);
    var bits = value;
    var back = value;
    switch OUTPUT {
        case U8, U16: {
            bits = vec2<u32>(to_texel(value), 0u);
            if WATCH == 1u {
                back = from_texel(bits.x);
            }
        }
        case F16: {
            bits = vec2<u32>(to_f16(value), 0u);
            back = from_f16(bits.x);
        }
        case F32: {
            bits = vec2<u32>(to_f32(value), 0u);
            back = from_f32(bits.x);
        }
        default: {}
    }
    return Answer(bits, WATCH == 1u && !same(value, back));
}
