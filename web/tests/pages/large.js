// A compressed volume that is large enough for two workers: the right values or a typed error, whatever happens on the way.

import { Gpu, load } from "/dist/voxload.js";
import { Checks, fetchBytes, readBack, sha256, within } from "./check.js";

const at = (name) => `/data/big/${name}.nii.gz`;
/** Milliseconds after which a read is ended: before it begins, within it, near its end. */
const TIMES = [0, 5, 30, 100, 250];
const WITHIN = 30_000;

export default async function run(results) {
  const check = new Checks(results);
  const hashes = await (await fetch("/data/big/hashes.json")).json();
  const right = async (values, dtype, message) => check.that((await sha256(values)) === hashes[dtype], `${message}: other values`);
  const sourceOf = async (name, way) => {
    if (way === "url") return at(name);
    const bytes = await fetchBytes(at(name));
    return way === "file" ? new File([bytes], `${name}.nii.gz`) : bytes;
  };
  // Kernels take a software device seconds for a volume of this size: they have a few of the cases.
  const gpus = [await Gpu.request({ conversion: "cpu" }), await Gpu.request({ conversion: "device" })];

  for (const name of ["one", "members", "padded"]) {
    for (const way of ["url", "file", "bytes"]) {
      const image = await load(await sourceOf(name, way));
      for (const dtype of ["f32", "f64"]) await right(await within(WITHIN, image.getFdata({ dtype }), name), dtype, `${name} by ${way}`);
      image.free();
    }
  }
  for (const gpu of gpus) {
    const image = await load(at("one"));
    const buffer = await within(WITHIN, image.getFdataGpu(gpu), "a buffer");
    image.free();
    await right(new Float32Array(await readBack(gpu.device, buffer)), "f32", `a buffer, kernels ${gpu.usesKernels}`);
    buffer.destroy();
  }

  const damaged = { flipped: "Integrity", "stored-flipped": "Integrity", "sum-flipped": "Integrity", cut: "Truncated", "cut-late": "Truncated" };
  for (const [name, kind] of Object.entries(damaged)) {
    for (const way of ["url", "file", "bytes"]) {
      const image = await load(await sourceOf(name, way));
      const title = `${name} by ${way}`;
      await check.rejects(image.getFdata(), kind, title);
      if (way !== "url") {
        image.free();
        continue;
      }
      await check.rejects(image.getFdata({ dtype: "f64" }), kind, `${title}, again`);
      for (const gpu of name === "flipped" ? gpus : [gpus[0]]) await check.rejects(image.getFdataGpu(gpu), kind, `${title} to a device, kernels ${gpu.usesKernels}`);
      await check.rejects(image.statistics(), kind, `${title}, statistics`);
      const frames = async () => {
        for await (const frame of image.frames()) void frame;
      };
      await check.rejects(frames(), kind, `${title}, frames`);
      image.free();
    }
  }

  // Calls that are ended, and images that are freed, at any time.
  const packed = await fetchBytes(at("one"));
  for (const source of [at("one"), new File([packed], "one.nii.gz"), packed]) {
    const way = source.constructor.name;
    const image = await load(source);
    for (const time of TIMES) {
      const calls = [(signal) => image.getFdata({ signal }), (signal) => image.getFdataGpu(gpus[0], { signal })];
      if (time === 100) calls.push((signal) => image.getFdataGpu(gpus[1], { signal }));
      for (const call of calls) {
        const stop = new AbortController();
        const reading = call(stop.signal);
        setTimeout(() => stop.abort(), time);
        const outcome = await within(WITHIN, reading.then(() => "values", (error) => error.name), `aborted after ${time} ms`).catch((error) => error.message);
        check.that(["values", "AbortError"].includes(outcome), `aborted after ${time} ms by ${way}: ${outcome}`);
      }
    }
    await right(await within(WITHIN, image.getFdata(), "a read after many that were aborted"), "f32", `a read after many that were aborted, by ${way}`);
    image.free();
    for (const time of TIMES) {
      const doomed = await load(source);
      const readings = [doomed.getFdata(), doomed.getFdata({ dtype: "f64" }), doomed.getFdataGpu(gpus[time === 100 ? 1 : 0])];
      setTimeout(() => doomed.free(), time);
      const outcomes = readings.map((reading) => within(WITHIN, reading, "a hang").then(() => "values", (error) => error.kind ?? error.message));
      for (const outcome of await Promise.all(outcomes)) check.that(["values", "Usage", "Cancelled"].includes(outcome), `freed after ${time} ms by ${way}: ${outcome}`);
    }
  }

  // Several calls at a time, of one image and of several.
  const image = await load(at("members"));
  const other = await load(packed);
  const reads = [image, other, image, other].flatMap((image) => [image.getFdata(), image.slice("[0, 0, :]"), image.getFdata({ dtype: "f64" })]);
  const found = await within(60_000, Promise.all(reads), "many reads at a time");
  for (const [k, values] of found.entries()) {
    if (k % 3 === 1) check.equal(values.shape, [160], "a slice among other reads");
    else await right(values, k % 3 === 0 ? "f32" : "f64", "many reads at a time");
  }
  image.free();
  other.free();

  // Servers.
  await check.rejects((await load(`${at("one")}?cut=2`)).getFdata(), "Io", "a connection that ends");
  await check.rejects((await load(`${at("one")}?status=500&later`)).getFdata(), "Io", "a server that fails later on");
  await check.rejects((await load(`${at("one")}?changed`)).getFdata(), "Changed", "a file that changes");
  await check.rejects((await load(`${at("one")}?shifted=2`)).getFdata(), "Io", "another part of the file");
  const stalled = await load(`${at("one")}?stall=2`);
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 100);
  await check.rejects(stalled.getFdata({ signal: stop.signal }), "AbortError", "a server that stops sending");
  stalled.free();
  const unranged = await load(`${at("one")}?norange`);
  await right(await unranged.getFdata(), "f32", "a server without ranges");
  unranged.free();
}
