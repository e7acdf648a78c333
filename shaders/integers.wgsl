// Double arithmetic in integers: exact on every device, and without optional features.

fn times(a: vec2<u32>, b: vec2<u32>, digits: u32) -> vec2<u32> {
    return multiply(a, b, digits);
}

fn plus(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    return add(a, b);
}
