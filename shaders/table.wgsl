// Looks the result up: the CPU has computed those of all 256 or 65536 stored patterns, indexed in the byte order of the
// file.

// f16: two per word; f32: one word; f64: two words.
@group(0) @binding(3) var<storage, read> table: array<u32>;

fn answer(place: Place) -> Answer {
    return Answer(looked_up(load(place.gathered).x), false);
}

fn looked_up(pattern: u32) -> vec2<u32> {
    switch OUTPUT {
        case F16: { return vec2<u32>((table[pattern >> 1u] >> (16u * (pattern & 1u))) & 0xffffu, 0u); }
        case F32: { return vec2<u32>(table[pattern], 0u); }
        default: { return vec2<u32>(table[2u * pattern], table[2u * pattern + 1u]); }
    }
}
