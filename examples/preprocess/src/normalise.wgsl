// A frame as z-scores (kind 0) or percent signal change (kind 1). The mean is the sum of two numbers, so that the
// difference to it is rounded relative to its own size, not to the mean's.

struct Params {
    kind: u32,
    count: u32,
    // Invocations along x.
    width: u32,
}

@group(0) @binding(0) var<storage, read> values: array<u32>;
@group(0) @binding(1) var<storage, read> mean_high: array<f32>;
@group(0) @binding(2) var<storage, read> mean_low: array<f32>;
@group(0) @binding(3) var<storage, read> deviation: array<f32>;
@group(0) @binding(4) var<storage, read_write> normal: array<u32>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let i = id.y * params.width + id.x;
    if i >= params.count {
        return;
    }
    let bits = values[i];
    if (bits & 0x7fffffffu) > 0x7f800000u {
        // A NaN is recognised by its bits, because shaders may assume that there are none.
        normal[i] = bits;
        return;
    }
    let difference = (bitcast<f32>(bits) - mean_high[i]) - mean_low[i];
    var result = 0.0;
    if params.kind == 0u {
        if deviation[i] != 0.0 {
            result = difference / deviation[i];
        }
    } else if mean_high[i] != 0.0 {
        result = difference / mean_high[i] * 100.0;
    }
    normal[i] = bitcast<u32>(result);
}
