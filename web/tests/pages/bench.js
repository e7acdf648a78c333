// Times of one volume of 105 MB against what a page would do by itself, and against nifti-reader-js: medians in milliseconds.

import { Gpu, load } from "/dist/voxload.js";
import { Checks } from "./check.js";

const ROUNDS = 5;

export default async function run(results) {
  const check = new Checks(results);
  const plain = await (await fetch("/data/bench/big.nii")).arrayBuffer();
  const packed = await (await fetch("/data/bench/big.nii.gz")).arrayBuffer();
  const files = { plain: new File([plain], "big.nii"), packed: new File([packed], "big.nii.gz") };
  const gpu = await Gpu.request();

  const inflate = async (blob) => new Response(blob.stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
  const scale = (buffer) => {
    const view = new DataView(buffer);
    const [slope, inter] = [view.getFloat32(112, true), view.getFloat32(116, true)];
    const stored = new Int16Array(buffer, 352);
    const out = new Float32Array(stored.length);
    for (let k = 0; k < stored.length; k += 1) out[k] = stored[k] * slope + inter;
    return out;
  };
  const upload = async (values) => {
    const buffer = gpu.device.createBuffer({ size: values.byteLength, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST });
    gpu.device.queue.writeBuffer(buffer, 0, values);
    await gpu.device.queue.onSubmittedWorkDone();
    return buffer;
  };
  // As its readme shows it, with the scaling that it leaves to the page.
  const { decompress, readHeader, readImage } = await import("nifti-reader-js");
  const peer = async (buffer, packed) => {
    const raw = packed ? decompress(buffer) : buffer;
    const header = readHeader(raw);
    const stored = new Int16Array(readImage(header, raw));
    const out = new Float32Array(stored.length);
    for (let k = 0; k < stored.length; k += 1) out[k] = stored[k] * header.scl_slope + header.scl_inter;
    return out;
  };
  const ours = async (source) => {
    const image = await load(source);
    const values = await image.getFdata();
    image.free();
    return values;
  };
  const oursOnDevice = async (source) => {
    const image = await load(source);
    const buffer = await image.getFdataGpu(gpu);
    await gpu.device.queue.onSubmittedWorkDone();
    image.free();
    return buffer;
  };

  const ways = {
    "a worker": async () => {
      const image = await load(plain.slice(0, 4096), { name: "it.nii" });
      image.free();
      return image;
    },
    "nii, buffer: load": async () => {
      const image = await load(plain);
      image.free();
      return image;
    },
    "nii, buffer: loop": () => scale(plain),
    "nii, buffer: nifti-reader-js": () => peer(plain, false),
    "nii, buffer: voxload": () => ours(plain),
    "nii, file: loop": async () => scale(await files.plain.arrayBuffer()),
    "nii, file: voxload": () => ours(files.plain),
    "nii.gz, buffer: DecompressionStream + loop": async () => scale(await inflate(new Blob([packed]))),
    "nii.gz, buffer: nifti-reader-js + fflate": () => peer(packed, true),
    "nii.gz, buffer: voxload": () => ours(packed),
    "nii.gz, file: DecompressionStream + loop": async () => scale(await inflate(files.packed)),
    "nii.gz, file: nifti-reader-js + fflate": async () => peer(await files.packed.arrayBuffer(), true),
    "nii.gz, file: voxload": () => ours(files.packed),
    "nii.gz to GPUBuffer: DecompressionStream + loop": async () => upload(scale(await inflate(new Blob([packed])))),
    "nii.gz to GPUBuffer: nifti-reader-js + fflate": async () => upload(await peer(packed, true)),
    "nii.gz to GPUBuffer: voxload": () => oursOnDevice(packed),
  };
  const right = scale(plain);
  check.bits(await ours(packed), right, "voxload of a .nii.gz");
  check.bits(await ours(files.plain), right, "voxload of a .nii");
  check.bits(await peer(packed, true), right, "nifti-reader-js");
  const times = Object.fromEntries(Object.keys(ways).map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, way] of Object.entries(ways)) {
      const begun = performance.now();
      const made = await way();
      times[name].push(performance.now() - begun);
      made.destroy?.();
    }
  }
  for (const [name, all] of Object.entries(times)) {
    check.fact(name, Math.round(all.sort((a, b) => a - b)[ROUNDS >> 1]));
  }
}
