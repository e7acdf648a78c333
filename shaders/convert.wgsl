// The kernel. Each invocation handles one voxel of a box (or the two or four that share a word): it decodes the
// gathered bytes, scales, narrows, and writes the result to its place in the output.
//
// `answer`, the result for one voxel, is defined in steps.wgsl (with integers.wgsl or native.wgsl) or in table.wgsl.
// What is done is fixed by the constants below when the pipeline is made. Where it is done is described by the head of
// the packet, which precedes the gathered bytes. The words of the head, the kinds of steps (MULTIPLY, ADD, ..) and the
// numbers of the types (U8, I8, ..) are declared in src/convert/packet.rs and src/convert/wgsl.rs, which put their
// declarations before this text.

override WORKGROUP: u32 = 64u;
// The stored type (see decode.wgsl), and whether its byte order must be reversed.
override STORED: u32 = I16;
override SWAPPED: u32 = 0u;
// The type of the result: F16, F32 or F64; U8 or U16 for texels of a window; any integer type for a copy.
override OUTPUT: u32 = F32;
// The result is the stored bits, NaNs included.
override COPY: u32 = 0u;
// The steps, in order.
override STEP0: u32 = 0u;
override STEP1: u32 = 0u;
override STEP2: u32 = 0u;
override STEP3: u32 = 0u;
// Whether any step has a table.
override TABLES: u32 = 0u;
// The box is contiguous and in the same order in the stored voxels and in the output, so no strides are needed.
override DENSE: u32 = 0u;

// Whether to check that each texel represents its value exactly.
override WATCH: u32 = 0u;

@group(0) @binding(0) var<storage, read> packet: array<u32>;
// The same buffer twice: parts of a word can belong to different invocations and are then merged atomically.
@group(0) @binding(1) var<storage, read_write> words: array<u32>;
@group(0) @binding(1) var<storage, read_write> shared_words: array<atomic<u32>>;
// Not 0 if a texel does not represent its value exactly.
@group(0) @binding(2) var<storage, read_write> losses: array<atomic<u32>>;

// The position of a voxel: in the gathered bytes, in the output, and in the stored volume.
struct Place {
    gathered: u32,
    out: u32,
    stored: u32,
}

// The position of the voxel with this number along the axes from `first` on. Strides wrap around, so they can be
// negative.
fn place_of(number: u32, first: u32) -> Place {
    var place = Place(0u, packet[OUT_FIRST], packet[ENTRY_FIRST]);
    if DENSE == 1u {
        return Place(number, place.out + number, place.stored + number);
    }
    var rest = number;
    let axes = packet[AXES];
    for (var k = first; k < axes; k++) {
        let axis = AXIS + 4u * k;
        // The last axis gets the rest: a box with one axis, the usual case, needs no division.
        var next = 0u;
        if k + 1u < axes {
            next = rest / packet[axis];
        }
        let i = rest - next * packet[axis];
        place.gathered += i * packet[axis + 1u];
        place.out += i * packet[axis + 2u];
        place.stored += i * packet[axis + 3u];
        rest = next;
    }
    return place;
}

// The bits of a stored number, in native byte order.
fn load(gathered: u32) -> vec2<u32> {
    let data = packet[DATA];
    switch STORED {
        case U8, I8: {
            return vec2<u32>((packet[data + (gathered >> 2u)] >> (8u * (gathered & 3u))) & 0xffu, 0u);
        }
        case U16, I16, F16: {
            let half = (packet[data + (gathered >> 1u)] >> (16u * (gathered & 1u))) & 0xffffu;
            return vec2<u32>(select(half, swap_bytes(half) >> 16u, SWAPPED == 1u), 0u);
        }
        case U32, I32, F32: {
            let word = packet[data + gathered];
            return vec2<u32>(select(word, swap_bytes(word), SWAPPED == 1u), 0u);
        }
        default: {
            let at = data + 2u * gathered;
            let pair = vec2<u32>(packet[at], packet[at + 1u]);
            return select(pair, vec2<u32>(swap_bytes(pair.y), swap_bytes(pair.x)), SWAPPED == 1u);
        }
    }
}

// The result for one voxel: its bits, and whether they fail to represent the value.
struct Answer {
    bits: vec2<u32>,
    lost: bool,
}

// A number for each invocation, whatever the shape of the grid.
fn invocation(group: vec3<u32>, groups: vec3<u32>, local: u32) -> u32 {
    return ((group.z * groups.y + group.y) * groups.x + group.x) * WORKGROUP + local;
}

// Types of 4 and 8 bytes: one voxel, one or two words. Returns whether a value was lost.
fn write_words(index: u32) -> bool {
    if index >= packet[VOXELS] {
        return false;
    }
    let place = place_of(index, 0u);
    let given = answer(place);
    if OUTPUT == F64 || OUTPUT == U64 {
        words[2u * place.out] = given.bits.x;
        words[2u * place.out + 1u] = given.bits.y;
    } else {
        words[place.out] = given.bits.x;
    }
    return given.lost;
}

// Types of 1 and 2 bytes: one word of a row along the first axis, which has one voxel or an output stride of 1 or -1.
// Returns whether a value was lost.
fn write_parts(index: u32) -> bool {
    if index >= packet[VOXELS] {
        return false;
    }
    let parts = select(2u, 4u, OUTPUT == U8);
    let width = 32u / parts;
    let ones = 0xffffffffu >> (32u - width);
    let count = packet[AXIS];
    var stride = 1u;
    var in_row = index;
    var row = place_of(0u, 1u);
    if DENSE == 0u {
        stride = packet[AXIS + 2u];
        // The largest number of words that a row of this many voxels can touch.
        let per_row = (count + parts - 2u) / parts + 1u;
        let row_number = index / per_row;
        in_row = index - row_number * per_row;
        row = place_of(row_number, 1u);
    }
    let reach = (count - 1u) * stride;
    let lowest = row.out + select(0u, reach, stride == 0xffffffffu);
    let word = lowest / parts + in_row;
    var bits = 0u;
    var mine = 0u;
    var lost = false;
    for (var part = 0u; part < parts; part++) {
        let i = (parts * word + part - row.out) * stride;
        if i < count {
            let place = Place(
                row.gathered + i * packet[AXIS + 1u],
                parts * word + part,
                row.stored + i * packet[AXIS + 3u],
            );
            let given = answer(place);
            bits |= given.bits.x << (width * part);
            mine |= ones << (width * part);
            lost |= given.lost;
        }
    }
    if mine == 0xffffffffu {
        atomicStore(&shared_words[word], bits);
    } else if mine != 0u {
        atomicAnd(&shared_words[word], ~mine);
        atomicOr(&shared_words[word], bits);
    }
    return lost;
}

// The entry points. The `watch` variants have one more binding.

@compute @workgroup_size(WORKGROUP)
fn convert_words(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    _ = write_words(invocation(group, groups, local));
}

@compute @workgroup_size(WORKGROUP)
fn convert_parts(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    _ = write_parts(invocation(group, groups, local));
}

@compute @workgroup_size(WORKGROUP)
fn watch_words(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    if write_words(invocation(group, groups, local)) {
        atomicStore(&losses[0], 1u);
    }
}

@compute @workgroup_size(WORKGROUP)
fn watch_parts(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    if write_parts(invocation(group, groups, local)) {
        atomicStore(&losses[0], 1u);
    }
}
