// Slices and rays of one 3-D texture, each on a canvas of its own.

const SHADER = /* wgsl */ `
struct View {
  // Slices: texture coordinates at the lower left, and along the sides. Rays: right, up, forward.
  a: vec4f, b: vec4f, c: vec4f,
  // Low and high of the window; slices: 1 for boxes, rays: 1 for a surface; the ratio of the canvas's sides.
  window: vec4f,
  // Slices: where the cross is, and the size of a pixel. Rays: half the sides of the box.
  d: vec4f,
};
@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var volume: texture_3d<f32>;
@group(0) @binding(2) var near: sampler;

struct Corner { @builtin(position) position: vec4f, @location(0) uv: vec2f };

@vertex fn corner(@builtin(vertex_index) k: u32) -> Corner {
  let uv = vec2f(f32((k << 1u) & 2u), f32(k & 2u));
  return Corner(vec4f(uv * 2.0 - 1.0, 0.0, 1.0), uv);
}

fn shade(value: f32) -> f32 {
  return clamp((value - view.window.x) / (view.window.y - view.window.x), 0.0, 1.0);
}

fn at(p: vec3f) -> f32 { return textureSampleLevel(volume, near, p, 0.0).r; }

@fragment fn slice(in: Corner) -> @location(0) vec4f {
  var p = view.a.xyz + view.b.xyz * in.uv.x + view.c.xyz * in.uv.y;
  if (any(p < vec3f(0.0)) || any(p > vec3f(1.0))) { return vec4f(0.0, 0.0, 0.0, 1.0); }
  if (view.window.z > 0.5) {
    // Each voxel as a box: the value in its middle.
    let size = vec3f(textureDimensions(volume));
    p = (floor(p * size) + 0.5) / size;
  }
  var colour = vec3f(shade(at(p)));
  let off = abs(in.uv - view.d.xy) / view.d.zw;
  if (min(off.x, off.y) < 0.75 && max(off.x, off.y) > 8.0) { colour = mix(colour, vec3f(0.43, 0.70, 0.95), 0.75); }
  return vec4f(colour, 1.0);
}

const STEPS = 192;

@fragment fn rays(in: Corner) -> @location(0) vec4f {
  let extent = view.d.xyz;
  let q = (in.uv * 2.0 - 1.0) * vec2f(max(view.window.w, 1.0), max(1.0 / view.window.w, 1.0)) * 1.15;
  let ray = view.c.xyz;
  let from_ = view.a.xyz * q.x + view.b.xyz * q.y - ray * 3.0;
  let inverse = 1.0 / select(ray, vec3f(1e-6), abs(ray) < vec3f(1e-6));
  let t0 = (-extent - from_) * inverse;
  let t1 = (extent - from_) * inverse;
  let lo = min(t0, t1);
  let hi = max(t0, t1);
  let first = max(max(lo.x, lo.y), lo.z);
  let last = min(min(hi.x, hi.y), hi.z);
  if (first >= last) { return vec4f(0.0, 0.0, 0.0, 1.0); }
  let step = (last - first) / f32(STEPS);
  var most = 0.0;
  var colour = vec3f(0.0);
  var clear = 1.0;
  // Each ray begins at another depth, so that steps are not seen as rings.
  let jitter = fract(sin(dot(in.position.xy, vec2f(12.9898, 78.233))) * 43758.5453);
  for (var k = 0; k < STEPS; k += 1) {
    let p = (from_ + ray * (first + step * (f32(k) + jitter))) / extent * 0.5 + 0.5;
    let value = shade(at(p));
    most = max(most, value);
    if (view.window.z > 0.5 && value > 0.12) {
      let e = 0.012;
      let slope = vec3f(at(p + vec3f(e, 0.0, 0.0)) - at(p - vec3f(e, 0.0, 0.0)),
                        at(p + vec3f(0.0, e, 0.0)) - at(p - vec3f(0.0, e, 0.0)),
                        at(p + vec3f(0.0, 0.0, e)) - at(p - vec3f(0.0, 0.0, e)));
      let steep = length(slope) / (view.window.y - view.window.x);
      let light = abs(dot(slope / max(length(slope), 1e-9), ray));
      let dense = smoothstep(0.12, 0.9, value) * min(1.0, 0.1 + steep * 2.0) * 0.28;
      colour += clear * dense * mix(vec3f(0.55, 0.36, 0.28), vec3f(1.0, 0.96, 0.9), value) * (0.35 + 0.75 * light);
      clear *= 1.0 - dense;
      if (clear < 0.02) { break; }
    }
  }
  if (view.window.z > 0.5) { return vec4f(colour, 1.0); }
  return vec4f(vec3f(most), 1.0);
}
`;

/** Draws a texture on canvases of one device. */
export class Renderer {
  constructor(device) {
    this.device = device;
    this.filters = device.features.has("float32-filterable");
    const type = this.filters ? "filtering" : "non-filtering";
    this.layout = device.createBindGroupLayout({
      entries: [
        { binding: 0, visibility: GPUShaderStage.FRAGMENT, buffer: {} },
        {
          binding: 1,
          visibility: GPUShaderStage.FRAGMENT,
          texture: { sampleType: this.filters ? "float" : "unfilterable-float", viewDimension: "3d" },
        },
        { binding: 2, visibility: GPUShaderStage.FRAGMENT, sampler: { type } },
      ],
    });
    const filter = this.filters ? "linear" : "nearest";
    this.sampler = device.createSampler({ magFilter: filter, minFilter: filter });
    this.format = navigator.gpu.getPreferredCanvasFormat();
    const module = device.createShaderModule({ code: SHADER });
    const layout = device.createPipelineLayout({ bindGroupLayouts: [this.layout] });
    const pipeline = (entryPoint) =>
      device.createRenderPipeline({
        layout,
        vertex: { module, entryPoint: "corner" },
        fragment: { module, entryPoint, targets: [{ format: this.format }] },
      });
    this.pipelines = { slice: pipeline("slice"), rays: pipeline("rays") };
    this.texture = undefined;
  }

  /** Room for volumes of this size. */
  resize(size) {
    this.texture?.destroy();
    this.texture = this.device.createTexture({
      size,
      dimension: "3d",
      format: "r32float",
      usage: GPUTextureUsage.TEXTURE_BINDING | GPUTextureUsage.COPY_DST,
    });
  }

  /** The voxels of a frame, f32, the first axis fastest. */
  upload(values) {
    const { width, height, depthOrArrayLayers: depth } = this.texture;
    this.device.queue.writeTexture({ texture: this.texture }, values, { bytesPerRow: width * 4, rowsPerImage: height }, [width, height, depth]);
  }

  /** A canvas that slices or rays are drawn on. */
  surface(canvas, kind) {
    const context = canvas.getContext("webgpu");
    context.configure({ device: this.device, format: this.format, alphaMode: "opaque" });
    const uniform = this.device.createBuffer({ size: 80, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
    return { canvas, context, kind, uniform };
  }

  /** Draws one surface with 20 numbers, the fields of `View`. */
  draw(surface, numbers) {
    const { device } = this;
    device.queue.writeBuffer(surface.uniform, 0, new Float32Array(numbers));
    const group = device.createBindGroup({
      layout: this.layout,
      entries: [
        { binding: 0, resource: { buffer: surface.uniform } },
        { binding: 1, resource: this.texture.createView({ dimension: "3d" }) },
        { binding: 2, resource: this.sampler },
      ],
    });
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginRenderPass({
      colorAttachments: [{ view: surface.context.getCurrentTexture().createView(), loadOp: "clear", storeOp: "store", clearValue: [0, 0, 0, 1] }],
    });
    pass.setPipeline(this.pipelines[surface.kind]);
    pass.setBindGroup(0, group);
    pass.draw(3);
    pass.end();
    device.queue.submit([encoder.finish()]);
  }
}
