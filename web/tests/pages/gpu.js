// Buffers and textures of our own device and of the page's: the bits of the CPU's values, converted by the kernels and by the CPU.

import { Gpu, load } from "/dist/voxload.js";
import { Checks, fetchBytes, readBack, readTexture } from "./check.js";

const VOLUMES = 12;

export default async function run(results) {
  const check = new Checks(results);
  const before = navigator.gpu;
  check.that(before !== undefined, "the browser has no WebGPU");
  const adapter = await before.requestAdapter();
  if (!check.that(adapter !== null, "WebGPU has no adapter")) return;
  check.fact("adapter", `${adapter.info.vendor} ${adapter.info.architecture} ${adapter.info.description}`);

  const own = await Gpu.request();
  check.that(own.device instanceof GPUDevice, "gpu.device is a GPUDevice");
  const device = await adapter.requestDevice({ label: "the page's" });
  let uncaptured = 0;
  device.onuncapturederror = () => (uncaptured += 1);
  const handler = device.onuncapturederror;
  const gpus = {
    "our device": own,
    "our device, kernels": await Gpu.request({ conversion: "device" }),
    "the page's device": await Gpu.fromDevice(device, { conversion: "cpu" }),
    "the page's device, kernels": await Gpu.fromDevice(device, { conversion: "device" }),
  };
  check.that(gpus["the page's device, kernels"].device === device, "the page's device is the same object");

  const { volumes } = await (await fetch("/data/manifest.json")).json();
  const kept = [];
  for (const volume of volumes.filter(({ files }) => files.length === 1).slice(0, VOLUMES)) {
    const expected = new Float32Array(await fetchBytes(`/data/values/${volume.f32}`));
    for (const [title, gpu] of Object.entries(gpus)) {
      const name = `${volume.files[0]} on ${title}`;
      try {
        const image = await load(`/data/files/${encodeURIComponent(volume.files[0])}`);
        const buffer = await image.getFdataGpu(gpu);
        image.free();
        const bytes = await readBack(gpu.device, buffer);
        check.bits(new Float32Array(bytes, 0, expected.length), expected, name);
        kept.push(buffer);
      } catch (error) {
        check.that(false, `${name}: ${error.kind} ${error.stack ?? error.message}`);
      }
    }
  }
  check.that(navigator.gpu === before, "navigator.gpu is the same object as before");
  check.that(!Object.hasOwn(navigator, "gpu"), "navigator has no property of its own left");
  check.that(device.onuncapturederror === handler, "the page's handler is still there");
  check.equal(uncaptured, 0, "uncaptured errors on the page's device");

  const values = new Float32Array(await fetchBytes("/data/faults/values.f32"));
  const image = await load("/data/faults/one.nii.gz");
  const texture = await image.toTexture(gpus["the page's device"], { format: "r32float" });
  const texels = await readTexture(device, texture, 4);
  check.bits(new Float32Array(texels.buffer), values, "texels of r32float");
  const bytes = await image.toTexture(own, { format: "r8unorm", window: [-20, 10] });
  const found = await readTexture(own.device, bytes, 1);
  // Computed from the f64 value in the library; values that f32 rounds across a step may differ here by one.
  const far = values.filter((value, k) => Math.abs(Math.floor(Math.min(1, Math.max(0, (value + 20) / 30)) * 255 + 0.5) - found[k]) > 1);
  check.equal(far.length, 0, "texels of r8unorm");
  const half = await image.toTexture(own);
  check.equal([half.format, half.width, half.height, half.depthOrArrayLayers], ["r16float", 64, 64, 40], "a texture");
  await check.rejects(image.toTexture(own, { format: "r8unorm" }), "Usage", "r8unorm without a window");
  image.free();
  for (const buffer of kept) buffer.destroy();
}
