// A page that takes voxload from npm: what the README shows, with its types.

import { Gpu, load, VoxloadError, type Image, type Note } from "voxload";

// TypeScript's own declarations of WebGPU have no constants yet.
declare const GPUBufferUsage: { MAP_READ: number; COPY_DST: number };
declare const GPUMapMode: { READ: number };

const results: { checks: number; failures: string[]; facts: Record<string, unknown> } = { checks: 0, failures: [], facts: {} };

function check(condition: boolean, message: string): void {
  results.checks += 1;
  if (!condition) results.failures.push(message);
}

async function run(): Promise<void> {
  const expected = new Float32Array(await (await fetch("/data/faults/values.f32")).arrayBuffer());
  const same = (found: Float32Array) => found.length === expected.length && found.every((value, k) => value === expected[k]);

  const image: Image = await load("/data/faults/one.nii.gz");
  const notes: Note[] = image.notes;
  check(notes.length === 0, "notes");
  check(image.shape.join() === "64,64,40" && image.dtype === "int16", "shape and type");
  const values: Float32Array = await image.getFdata();
  check(same(values), "values");
  const doubles: Float64Array = await image.getFdata({ dtype: "f64" });
  check(doubles.length === expected.length, "doubles");
  const { data, shape } = await image.slice("[:, :, 30]");
  check(shape.join() === "64,64" && data[0] === expected[30 * 4096], "a slice");
  let frames = 0;
  for await (const frame of image.frames()) frames += frame.data.length / expected.length;
  check(frames === 1, "frames");
  const { min, max } = await image.statistics();
  check(min < max, "statistics");

  const gpu = await Gpu.request();
  const buffer: GPUBuffer = await image.getFdataGpu(gpu);
  check(buffer.size === expected.byteLength, "a buffer");
  const texture: GPUTexture = await image.toTexture(gpu, { format: "r8unorm", window: [-20, 10] });
  check(texture.width === 64, "a texture");
  // The kernels are in another file of the package than the worker.
  const kernels = await Gpu.fromDevice(gpu.device, { conversion: "device" });
  const converted = await image.getFdataGpu(kernels);
  const copy = gpu.device.createBuffer({ size: converted.size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const encoder = gpu.device.createCommandEncoder();
  encoder.copyBufferToBuffer(converted, 0, copy, 0, converted.size);
  gpu.device.queue.submit([encoder.finish()]);
  await copy.mapAsync(GPUMapMode.READ);
  check(same(new Float32Array(copy.getMappedRange())), "values on the device");
  image.free();

  const error: unknown = await load("/data/faults/flipped.nii.gz").then((damaged) => damaged.getFdata()).catch((error) => error);
  check(error instanceof VoxloadError && error.kind === "Integrity", `a damaged file: ${error}`);
}

try {
  await run();
} catch (error) {
  results.failures.push(`thrown: ${(error as Error).stack ?? error}`);
}
await fetch("/result", { method: "POST", body: JSON.stringify(results) });
