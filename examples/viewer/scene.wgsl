// The scene: three slices and a ray cast, and what is written over them. `software.rs` is the same for the CPU.

struct Scene {
    // Left, top, width, height.
    panels: array<vec4f, 4>,
    // Voxels; millimetres from one sample to the next.
    size: vec4f,
    // Millimetres a voxel; 1 for the transfer function.
    zooms: vec4f,
    // The voxel that the slices go through; millimetres a pixel of the slices.
    at: vec4f,
    // The value drawn black, 1 over the window's width, millimetres a pixel of the ray cast, the shortest zoom.
    window: vec4f,
    right: vec4f,
    up: vec4f,
    forward: vec4f,
}

@group(0) @binding(0) var<uniform> scene: Scene;
@group(0) @binding(1) var volume: texture_3d<f32>;
@group(0) @binding(2) var filtering: sampler;
@group(0) @binding(3) var ink: texture_2d<f32>;

const CROSS = vec3f(0.9, 0.75, 0.2);

@vertex
fn corner(@builtin(vertex_index) i: u32) -> @builtin(position) vec4f {
    // One triangle that covers the picture.
    return vec4f(f32(i & 1u) * 4.0 - 1.0, f32(i >> 1u) * 4.0 - 1.0, 0.0, 1.0);
}

@fragment
fn pixel(@builtin(position) position: vec4f) -> @location(0) vec4f {
    var colour = vec3f(0.0);
    for (var panel = 0u; panel < 4u; panel++) {
        let area = scene.panels[panel];
        let inside = position.xy - area.xy;
        if inside.x < 0.0 || inside.y < 0.0 || inside.x >= area.z || inside.y >= area.w {
            continue;
        }
        let centred = vec2f(inside.x - area.z * 0.5, area.w * 0.5 - inside.y);
        switch panel {
            case 0u: { colour = slice(centred, vec3u(1u, 2u, 0u)); }
            case 1u: { colour = slice(centred, vec3u(0u, 2u, 1u)); }
            case 2u: { colour = slice(centred, vec3u(0u, 1u, 2u)); }
            default: { colour = cast_ray(centred * scene.window.z); }
        }
    }
    // Up to 1: shade for text; 1: text.
    let written = textureLoad(ink, vec2i(position.xy), 0).r;
    if written == 1.0 {
        return vec4f(1.0);
    }
    return vec4f(colour * (1.0 - written), 1.0);
}

// Where a value is in the window; what is not a number is black.
fn level(value: f32) -> f32 {
    if !(value == value) {
        return 0.0;
    }
    return clamp((value - scene.window.x) * scene.window.y, 0.0, 1.0);
}

// A slice: the nearest voxel, unfiltered. `axes`: to the right, up, across.
fn slice(centred: vec2f, axes: vec3u) -> vec3f {
    let scale = vec2f(scene.at.w / scene.zooms[axes.x], scene.at.w / scene.zooms[axes.y]);
    let size = vec2f(scene.size[axes.x], scene.size[axes.y]);
    let place = centred * scale + size * 0.5;
    if any(place < vec2f(0.0)) || any(place >= size) {
        return vec3f(0.0);
    }
    let through = vec2f(scene.at[axes.x], scene.at[axes.y]) + 0.5;
    var voxel = vec3i(scene.at.xyz);
    voxel[axes.x] = i32(place.x);
    voxel[axes.y] = i32(place.y);
    let grey = vec3f(level(textureLoad(volume, voxel, 0).r));
    // The lines of the other two slices.
    return select(grey, mix(grey, CROSS, 0.5), any(abs(place - through) < scale * 0.5));
}

fn sample(place: vec3f) -> f32 {
    return textureSampleLevel(volume, filtering, place, 0.0).r;
}

// A ray through the volume; `at` in millimetres from its middle.
fn cast_ray(at: vec2f) -> vec3f {
    let extent = scene.size.xyz * scene.zooms.xyz;
    let forward = scene.forward.xyz;
    let direction = select(forward, vec3f(1e-6), abs(forward) < vec3f(1e-6));
    let origin = scene.right.xyz * at.x + scene.up.xyz * at.y;
    // Where the ray enters and leaves the box.
    let to_low = (-0.5 * extent - origin) / direction;
    let to_high = (0.5 * extent - origin) / direction;
    let enters = min(to_low, to_high);
    let leaves = max(to_low, to_high);
    let start = max(max(enters.x, enters.y), enters.z);
    let end = min(min(leaves.x, leaves.y), leaves.z);
    if start >= end {
        return vec3f(0.0);
    }
    let step = scene.size.w;
    let count = u32((end - start) / step);
    if scene.zooms.w == 0.0 {
        return maximum(origin + direction * (start + 0.5 * step), direction * step, extent, count);
    }
    return transfer(origin + direction * (start + 0.5 * step), direction * step, extent, count);
}

fn maximum(first: vec3f, step: vec3f, extent: vec3f, count: u32) -> vec3f {
    var brightest = 0.0;
    for (var i = 0u; i < count; i++) {
        brightest = max(brightest, level(sample((first + step * f32(i)) / extent + 0.5)));
    }
    return vec3f(brightest);
}

fn transfer(first: vec3f, step: vec3f, extent: vec3f, count: u32) -> vec3f {
    let voxel = 1.0 / scene.size.xyz;
    let length = scene.size.w / scene.window.w;
    var colour = vec3f(0.0);
    var through = 1.0;
    for (var i = 0u; i < count; i++) {
        let place = (first + step * f32(i)) / extent + 0.5;
        let here = level(sample(place));
        if here < 0.08 {
            continue;
        }
        // The slope of the window's levels is the surface's normal; light comes from the camera.
        let slope = vec3f(
            level(sample(place + vec3f(voxel.x, 0.0, 0.0))) - level(sample(place - vec3f(voxel.x, 0.0, 0.0))),
            level(sample(place + vec3f(0.0, voxel.y, 0.0))) - level(sample(place - vec3f(0.0, voxel.y, 0.0))),
            level(sample(place + vec3f(0.0, 0.0, voxel.z))) - level(sample(place - vec3f(0.0, 0.0, voxel.z))),
        ) / scene.zooms.xyz;
        let steepness = max(sqrt(dot(slope, slope)), 1e-6);
        let lit = 0.25 + 0.75 * abs(dot(slope, scene.forward.xyz)) / steepness;
        let opacity = 1.0 - pow(1.0 - 0.6 * here * here, length);
        let tint = mix(vec3f(0.75, 0.45, 0.3), vec3f(1.0, 0.96, 0.88), here);
        colour += through * opacity * lit * tint;
        through *= 1.0 - opacity;
        if through < 0.02 {
            break;
        }
    }
    return colour;
}
