// Statistics of converted values, computed as in src/image/statistics/moments.rs and temporal.rs, with doubles in
// integers: every device sums in the same order to the same bits. Uses double.wgsl and decode.wgsl. LANES, BLOCK
// (values in a block), LANE_WORDS (words of a lane's state, LANES words apart) and SERIES_WORDS (words of a series'
// state, adjacent) are declared in Rust and put before this text.

// The type of the values: F16, F32 or F64.
override OUTPUT: u32 = F32;

struct Params {
    // The number of the first value, relative to the start of `state`.
    first: u32,
    // Number of values.
    count: u32,
    // Bins of the histogram, and how many copies of it share the counting.
    bins: u32,
    copies: u32,
}

@group(0) @binding(0) var<storage, read> values: array<u32>;
@group(0) @binding(1) var<storage, read_write> state: array<u32>;
// The edges of the bins, as returned by `ordered`.
@group(0) @binding(2) var<storage, read> edges: array<u32>;
@group(0) @binding(3) var<storage, read_write> counts: array<atomic<u32>>;
@group(0) @binding(4) var<uniform> params: Params;

// Sums of value - pivot over finite values. The pivot is the first finite value.
struct Sums {
    finite: u32,
    pivot: vec2<u32>,
    sum: vec2<u32>,
    squares: vec2<u32>,
}

fn value_at(i: u32) -> vec2<u32> {
    switch OUTPUT {
        case F16: { return from_f16((values[i >> 1u] >> (16u * (i & 1u))) & 0xffffu); }
        case F32: { return from_f32(values[i]); }
        default: { return vec2<u32>(values[2u * i], values[2u * i + 1u]); }
    }
}

fn is_finite(v: vec2<u32>) -> bool {
    return (v.y & EXPONENT) != EXPONENT;
}

fn with_value(sums: Sums, value: vec2<u32>) -> Sums {
    var out = sums;
    if out.finite == 0u {
        out.pivot = value;
    }
    out.finite += 1u;
    let difference = add(value, vec2<u32>(out.pivot.x, out.pivot.y ^ SIGN));
    out.sum = add(out.sum, difference);
    out.squares = add(out.squares, multiply(difference, difference, 4u));
    return out;
}

// Bits with the same order as the doubles, -0 below 0. `from_key` is the inverse.
fn key(v: vec2<u32>) -> vec2<u32> {
    let flip = select(0u, 0xffffffffu, (v.y & SIGN) != 0u);
    return vec2<u32>(v.x ^ flip, v.y ^ (flip | SIGN));
}

fn from_key(k: vec2<u32>) -> vec2<u32> {
    let flip = select(0xffffffffu, 0u, (k.y & SIGN) != 0u);
    return vec2<u32>(k.x ^ flip, k.y ^ (flip | SIGN));
}

fn is_below(a: vec2<u32>, b: vec2<u32>) -> bool {
    return a.y < b.y || (a.y == b.y && a.x < b.x);
}

fn edge(i: u32) -> vec2<u32> {
    return vec2<u32>(edges[2u * i], edges[2u * i + 1u]);
}

// Counts a value that is in the window: in the last bin whose lower edge is not above it.
fn count(value: vec2<u32>, copy: u32) {
    let v = ordered(value);
    if is_below(v, edge(0u)) || is_below(edge(params.bins), v) {
        return;
    }
    var low = 0u;
    var high = params.bins;
    while high - low > 1u {
        let middle = (low + high) / 2u;
        if is_below(v, edge(middle)) {
            high = middle;
        } else {
            low = middle;
        }
    }
    atomicAdd(&counts[copy * params.bins + low], 1u);
}

fn pair(at: u32, apart: u32) -> vec2<u32> {
    return vec2<u32>(state[at], state[at + apart]);
}

fn put(at: u32, apart: u32, v: vec2<u32>) {
    state[at] = v.x;
    state[at + apart] = v.y;
}

// One workgroup handles one block, and each invocation one lane of it.
@compute @workgroup_size(LANES)
fn reduce(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = (group.z * groups.y + group.y) * groups.x + group.x;
    let end = params.first + params.count;
    let block = params.first / BLOCK + number;
    // Some groups only fill the grid: they are beyond the last block.
    if block > (end - 1u) / BLOCK {
        return;
    }
    // Values are assigned to the lanes in turn from the start of the block, wherever the values begin.
    let begin = max(params.first, block * BLOCK);
    let stop = min(end, block * BLOCK + BLOCK);
    let at = block * LANE_WORDS * LANES + lane;
    var sums = Sums(state[at], pair(at + 6u * LANES, LANES), pair(at + 8u * LANES, LANES), pair(at + 10u * LANES, LANES));
    var non_finite = state[at + LANES];
    var low = key(pair(at + 2u * LANES, LANES));
    var high = key(pair(at + 4u * LANES, LANES));
    let copy = number % params.copies;
    for (var i = begin + ((lane + LANES - begin % LANES) % LANES); i < stop; i += LANES) {
        let value = value_at(i - params.first);
        if !is_finite(value) {
            non_finite += 1u;
            continue;
        }
        let k = key(value);
        if sums.finite == 0u || is_below(k, low) {
            low = k;
        }
        if sums.finite == 0u || is_below(high, k) {
            high = k;
        }
        sums = with_value(sums, value);
        if params.bins > 0u {
            count(value, copy);
        }
    }
    state[at] = sums.finite;
    state[at + LANES] = non_finite;
    put(at + 2u * LANES, LANES, from_key(low));
    put(at + 4u * LANES, LANES, from_key(high));
    put(at + 6u * LANES, LANES, sums.pivot);
    put(at + 8u * LANES, LANES, sums.sum);
    put(at + 10u * LANES, LANES, sums.squares);
}

// Each invocation adds one voxel of a frame to its series.
@compute @workgroup_size(LANES)
fn over_time(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = ((group.z * groups.y + group.y) * groups.x + group.x) * LANES + local;
    if i >= params.count {
        return;
    }
    let value = value_at(i);
    if !is_finite(value) {
        return;
    }
    let at = (params.first + i) * SERIES_WORDS;
    let before = Sums(state[at], pair(at + 1u, 1u), pair(at + 3u, 1u), pair(at + 5u, 1u));
    let sums = with_value(before, value);
    state[at] = sums.finite;
    put(at + 1u, 1u, sums.pivot);
    put(at + 3u, 1u, sums.sum);
    put(at + 5u, 1u, sums.squares);
}
