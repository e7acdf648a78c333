// Damaged files, servers that misbehave, and calls that are ended: the right values or a rejected promise, and never a hang.

import { load, VoxloadError } from "/dist/voxload.js";
import { Checks, fetchBytes } from "./check.js";

const at = (name) => `/data/faults/${name}`;

export default async function run(results) {
  const check = new Checks(results);
  const values = new Float32Array(await fetchBytes(at("values.f32")));
  const read = async (source, options) => {
    const image = await load(source, options);
    try {
      return await image.getFdata();
    } finally {
      image.free();
    }
  };
  const walk = async (source) => {
    const image = await load(source);
    try {
      for await (const frame of image.frames()) void frame.data;
    } finally {
      image.free();
    }
  };

  for (const name of ["plain.nii", "one.nii.gz", "members.nii.gz", "padded.nii.gz"]) {
    check.bits(await read(at(name)), values, name);
    check.bits(await read(await fetchBytes(at(name))), values, `${name} from bytes`);
    check.bits(await read(`${at(name)}?norange`), values, `${name} without ranges`);
  }
  const whole = await load(`${at("plain.nii")}?norange`);
  check.that(whole.notes.some(({ field }) => field === "url"), "a server without ranges is in the notes");
  whole.free();

  for (const name of ["flipped.nii.gz", "stored-flipped.nii.gz"]) {
    await check.rejects(read(at(name)), "Integrity", name);
    await check.rejects(walk(at(name)), "Integrity", `frames of ${name}`);
  }
  for (const name of ["cut.nii", "cut.nii.gz"]) {
    await check.rejects(read(at(name)), "Truncated", name);
    await check.rejects(walk(at(name)), "Truncated", `frames of ${name}`);
  }
  const missing = await check.rejects(load(at("missing.nii")), "NotFound", "404");
  check.that(missing instanceof VoxloadError, "errors are VoxloadErrors");
  check.equal(missing?.file, "missing.nii", "the error's file");
  await check.rejects(load(`${at("plain.nii")}?status=500`), "Io", "500");
  await check.rejects(load(`${at("plain.nii")}?short`), "Io", "a wrong length");
  await check.rejects(read(`${at("plain.nii")}?changed`), "Changed", "a file that changes");
  await check.rejects(load("http://[", {}), "Usage", "no URL");
  await check.rejects(load(new ArrayBuffer(0)), "Empty", "no bytes");
  await check.rejects(load(new Uint8Array(1000)), "UnknownFormat", "no volume");
  await check.rejects(load(`${at("plain.nii")}?slow=5000`, { timeout: 300 }), "Io", "a server that is too slow");

  const image = await load(at("plain.nii"));
  const index = await check.rejects(image.slice("[99, :, :]"), "Index", "an index out of range");
  check.that(index instanceof VoxloadError, "errors of the worker are VoxloadErrors");
  await check.rejects(image.slice("[nonsense"), "Index", "no index");
  await check.rejects(image.getFdata({ dtype: "i8" }), "Usage", "another type");
  check.bits((await image.slice("[:, :, 7]")).data, values.slice(7 * 4096, 8 * 4096), "a slice after errors");

  const controller = new AbortController();
  controller.abort();
  await check.rejects(image.getFdata({ signal: controller.signal }), "AbortError", "aborted before");
  const during = new AbortController();
  const reading = image.getFdata({ signal: during.signal });
  during.abort();
  await check.rejects(reading, "AbortError", "aborted during a read");
  check.bits(await image.getFdata(), values, "a read after one that was aborted");
  const loading = new AbortController();
  const begun = performance.now();
  setTimeout(() => loading.abort(), 100);
  await check.rejects(load(`${at("plain.nii")}?slow=5000`, { signal: loading.signal }), "AbortError", "a load that is aborted");
  check.that(performance.now() - begun < 2000, "a load ends when it is aborted");
  image.free();
  await check.rejects(image.getFdata(), "Usage", "an image that was freed");
}
