// The scene: three slices, a ray cast, and text over them. `software.rs` does the same on the CPU.

struct Scene {
    // Left, top, width, height.
    panels: array<vec4f, 4>,
    // Numbers of voxels; millimetres from one sample to the next.
    size: vec4f,
    // Millimetres per voxel; 1 for the transfer function.
    zooms: vec4f,
    // The voxel through which the slices pass; millimetres per pixel of the slices.
    at: vec4f,
    // The value drawn black, 1 over the window's width, millimetres per pixel of the ray cast, the shortest zoom.
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

struct Corner {
    @builtin(position) position: vec4f,
    @location(0) @interpolate(flat) panel: u32,
}

// One triangle covers the picture, and each panel cuts out its part. Panels have separate entry points, because
// software devices run every branch of a shared one.
@vertex
fn corner(@builtin(vertex_index) i: u32, @builtin(instance_index) panel: u32) -> Corner {
    return Corner(vec4f(f32(i & 1u) * 4.0 - 1.0, f32(i >> 1u) * 4.0 - 1.0, 0.0, 1.0), panel);
}

@fragment
fn words(at: Corner) -> @location(0) vec4f {
    return under_words(vec3f(0.0), at);
}

@fragment
fn slices(at: Corner) -> @location(0) vec4f {
    var axes = vec3u(0u, 1u, 2u);
    if at.panel == 0u {
        axes = vec3u(1u, 2u, 0u);
    } else if at.panel == 1u {
        axes = vec3u(0u, 2u, 1u);
    }
    return under_words(slice(centred(at), axes), at);
}

@fragment
fn maximum(at: Corner) -> @location(0) vec4f {
    let ray = ray(centred(at) * scene.window.z);
    var brightest = 0.0;
    for (var i = 0u; i < ray.count; i++) {
        brightest = max(brightest, level(sample(ray.first + ray.step * f32(i))));
    }
    return under_words(vec3f(brightest), at);
}

@fragment
fn transfer(at: Corner) -> @location(0) vec4f {
    return under_words(composed(ray(centred(at) * scene.window.z)), at);
}

// Pixels to the right of and above the middle of the panel.
fn centred(at: Corner) -> vec2f {
    let area = scene.panels[at.panel];
    let inside = at.position.xy - area.xy;
    return vec2f(inside.x - area.z * 0.5, area.w * 0.5 - inside.y);
}

fn under_words(colour: vec3f, at: Corner) -> vec4f {
    // Up to 1: shade for text; 1: text.
    let written = textureLoad(ink, vec2i(at.position.xy), 0).r;
    return vec4f(select(colour * (1.0 - written), vec3f(1.0), written == 1.0), 1.0);
}

// The position of a value in the window; NaN is black.
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

// The value at a position, relative to the volume's size.
fn sample(place: vec3f) -> f32 {
    return textureSampleLevel(volume, filtering, place, 0.0).r;
}

// Number of samples along a ray through the volume, whose positions are relative to its size.
struct Ray {
    first: vec3f,
    step: vec3f,
    count: u32,
}

// `at` is in millimetres from the middle of the volume.
fn ray(at: vec2f) -> Ray {
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
    let length = scene.size.w;
    let first = origin + direction * (start + 0.5 * length);
    return Ray(first / extent + 0.5, direction * length / extent, u32(max(end - start, 0.0) / length));
}

fn composed(ray: Ray) -> vec3f {
    let voxel = 1.0 / scene.size.xyz;
    let length = scene.size.w / scene.window.w;
    var colour = vec3f(0.0);
    var through = 1.0;
    for (var i = 0u; i < ray.count; i++) {
        let place = ray.first + ray.step * f32(i);
        let here = level(sample(place));
        if here < 0.08 {
            continue;
        }
        // The gradient of the window's levels is the surface normal; the light comes from the camera.
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
