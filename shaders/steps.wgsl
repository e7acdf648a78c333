// The answer computed: decode, do the steps, narrow. How doubles are multiplied and added is in `times` and `plus`.

// Digits of 16 bits that the significand of a stored number fills.
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

// The bits of the answer for one voxel.
fn convert(place: Place) -> vec2<u32> {
    let bits = load(place.gathered);
    if COPY == 1u {
        return bits;
    }
    var value = decode(STORED, bits);
    var entry = 0u;
    if TABLES == 1u {
        entry = place.stored / packet[BLOCK];
    }
    value = apply(STEP0, 0u, value, entry, stored_digits());
    value = apply(STEP1, 1u, value, entry, 4u);
    value = apply(STEP2, 2u, value, entry, 4u);
    value = apply(STEP3, 3u, value, entry, 4u);
    switch OUTPUT {
        case F16: { return vec2<u32>(to_f16(value), 0u); }
        case F32: { return vec2<u32>(to_f32(value), 0u); }
        default: { return value; }
    }
}
