// What a newcomer tries, and what nobody should: each call gives the right values or an error with a kind, and the image goes on.

import { Gpu, load, VoxloadError } from "/dist/voxload.js";
import { Checks, fetchBytes, readBack, within } from "./check.js";

const WITHIN = 20_000;
const PLAIN = "/data/faults/plain.nii";
const PACKED = "/data/faults/members.nii.gz";

export default async function run(results) {
  const check = new Checks(results);
  const values = new Float32Array(await fetchBytes("/data/faults/values.f32"));
  const bytes = await fetchBytes(PLAIN);
  const seen = {};

  /** Rejected with a kind, one of these where they are given; nothing of ours is at fault. */
  const refused = async (call, message, kinds) => {
    try {
      await within(WITHIN, (async () => call())(), "a hang");
    } catch (error) {
      const typed = error instanceof VoxloadError && error.kind !== "Internal" && (!kinds || kinds.includes(error.kind));
      check.that(typed, `${message}: ${error?.name} ${error?.kind}: ${error?.message}, expected ${kinds ?? "a kind"}`);
      seen[message] = error?.kind;
      return;
    }
    check.that(false, `${message}: not refused`);
  };
  /** Refused as above, or what `test` finds right. */
  const either = async (call, test, message) => {
    try {
      const found = await within(WITHIN, (async () => call())(), "a hang");
      check.that(test(found), `${message}: another value`);
      seen[message] = "values";
    } catch (error) {
      check.that(error instanceof VoxloadError && error.kind !== "Internal", `${message}: ${error?.name} ${error?.kind}: ${error?.message}`);
      seen[message] = error?.kind;
    }
  };
  const loads = async (source, options) => {
    const image = await load(source, options);
    try {
      return await image.getFdata();
    } finally {
      image.free();
    }
  };
  const right = (found) => found.length === values.length && found.every((value, k) => value === values[k]);

  // ---- sources ----
  for (const source of [undefined, null, 5, true, {}, () => 0, [], [undefined], [[PLAIN]], new Date(), Symbol("s")]) {
    await refused(() => loads(source), `load(${Array.isArray(source) ? JSON.stringify(source) : String(source)})`, ["Usage"]);
  }
  await refused(() => loads(""), 'load("")');
  await refused(() => loads("/"), 'load("/")');
  await refused(() => loads("/data/faults/"), "a folder's URL", ["NotFound"]);
  await refused(() => loads("http://["), "no URL", ["Usage"]);
  await refused(() => loads("file:///etc/passwd"), "a file: URL");
  await refused(() => loads("mailto:a@b.c"), "a mailto: URL");
  await refused(() => loads("javascript:1"), "a javascript: URL");
  await refused(() => loads("data:text/plain,hello"), "a data: URL of text");
  await refused(() => loads("/pages/page.html"), "a web page");
  await refused(() => loads("/data/manifest.json"), "JSON");
  await refused(() => loads(new File(["hello\n"], "a.nii")), "text named .nii");
  await refused(() => loads(new File(["hello\n"], "a.nii.gz")), "text named .nii.gz");
  await refused(() => loads(new File([], "a.nii")), "an empty file", ["Empty"]);
  await refused(() => loads(new Uint8Array(0)), "no bytes", ["Empty"]);
  await refused(() => loads(new Uint8Array(3)), "three bytes");
  await refused(() => loads(bytes.slice(0, 348)), "a header alone");
  await refused(() => loads(bytes.slice(0, 100)), "a part of a header");
  await refused(() => loads(new Uint8Array([0x1f, 0x8b])), "two bytes of gzip");
  await refused(() => loads([PLAIN, PLAIN]), "the same file twice");
  await refused(() => loads([PLAIN, PLAIN, PLAIN, PLAIN]), "four files", ["Usage"]);
  await refused(() => loads([PLAIN, "/data/faults/missing.img"]), "a pair without its second file");
  const detached = bytes.slice(0);
  structuredClone(detached, { transfer: [detached] });
  await refused(() => loads(detached), "a detached ArrayBuffer", ["Usage"]);
  const view = new Uint8Array(bytes.slice(0));
  structuredClone(view.buffer, { transfer: [view.buffer] });
  await refused(() => loads(view), "a view of a detached ArrayBuffer", ["Usage"]);
  const given = bytes.slice(0);
  check.that(right(await loads(given, { transfer: true })), "bytes handed over");
  await refused(() => loads(given, { transfer: true }), "the same bytes handed over again", ["Usage"]);
  const twice = bytes.slice(0);
  await either(() => loads([twice, twice], { transfer: true }), right, "a buffer that is two files");
  const shifted = new Uint8Array(bytes.byteLength + 5);
  shifted.set(new Uint8Array(bytes), 5);
  check.that(right(await loads(shifted.subarray(5))), "a part of a buffer");
  const words = new Uint8Array(Math.ceil(bytes.byteLength / 4) * 4);
  words.set(new Uint8Array(bytes));
  await either(() => loads(new DataView(bytes)), right, "a DataView");
  await either(() => loads(new Float32Array(words.buffer)), right, "a Float32Array");
  await either(() => loads(new Uint8ClampedArray(bytes)), right, "a Uint8ClampedArray");
  const link = URL.createObjectURL(new Blob([bytes]));
  check.that(right(await loads(link)), "a blob: URL");
  URL.revokeObjectURL(link);
  await refused(() => loads(link), "a blob: URL that was revoked");
  check.that(right(await loads(new URL(PLAIN, location.href))), "a URL object");
  check.that(right(await loads(new Request(PLAIN).url)), "a request's URL");
  await refused(() => loads(new Response("hello")), "a Response", ["Usage"]);
  check.that(right(await loads(new Blob([bytes]), { name: "../../ü .nii" })), "an odd name");
  check.that(right(await loads(new File([bytes], "x.mgz"))), "a name that says something else");
  check.that(right(await loads(new Blob([bytes]), { name: "" })), "an empty name");

  // ---- options ----
  for (const cache of [-1, 0, 1, NaN, Infinity, "many", null]) await either(() => loads(PLAIN, { cache }), right, `cache: ${cache}`);
  for (const timeout of [-1, NaN, Infinity, "soon", null]) await either(() => loads(PLAIN, { timeout }), right, `timeout: ${timeout}`);
  await either(() => loads(PLAIN, { headers: { "a b": "c" } }), right, "a header with an impossible name");
  await either(() => loads(PLAIN, { headers: { Range: "bytes=5-6" } }), right, "a Range header of the page's");
  await either(() => loads(PLAIN, { headers: { Cookie: "a" } }), right, "a forbidden header");
  await either(() => loads(PLAIN, { headers: 5 }), right, "headers: 5");
  await either(() => loads(PLAIN, null), right, "options: null");
  await either(() => loads(PLAIN, { signal: "no signal" }), right, "a signal that is none");
  for (const [gzipIndex, what] of [[new Blob(["no index"]), "text"], [new Uint8Array(0), "nothing"], ["/data/large/series.gzidx", "another file's index"], [bytes, "a volume"]]) {
    await either(() => loads(PACKED, { gzipIndex }), right, `an index that is ${what}`);
    await either(() => loads(PLAIN, { gzipIndex }), right, `an index of a plain file that is ${what}`);
  }
  await refused(() => loads(PACKED, { gzipIndex: "/data/missing.voxgzi" }), "an index that is missing", ["NotFound"]);
  await refused(() => loads(PACKED, { gzipIndex: "http://localhost:9/x" }), "an index of no server", ["Io"]);
  await refused(() => loads(PACKED, { gzipIndex: 5 }), "gzipIndex: 5");

  // ---- indexes ----
  const image = await load(PLAIN);
  const [nx, ny, nz] = image.shape;
  const goesOn = async (message) => {
    const { data } = await image.slice("[1, 2, 3]");
    check.equal([...data], [values[1 + nx * (2 + ny * 3)]], `a slice after ${message}`);
  };
  const column = (k) => (found) => found.data.length === 1 && found.data[0] === values[k];
  for (const index of [
    "", "[", "]", "[]]", "[a]", "[1.5]", "[1e3]", "[0x10]", "[;]", "[,]", "[,,]", "[::0]", "[0, 0, 0, 0]", "[64, :, :]", "[-65]", "[..., ...]",
    "[99999999999999999999999]", "[-99999999999999999999999]", "[9223372036854775807]", "[-9223372036854775808]", "[:, :, 4294967296]",
    "[True]", "[[1, 2]]", "[\u0000]", "[٣]", `[${"0, ".repeat(50_000)}0]`,
  ]) {
    await refused(() => image.slice(index), `slice(${JSON.stringify(index).slice(0, 40)})`, ["Index", "Usage"]);
  }
  for (const index of [undefined, null, 5, {}, ["[0]"], true, Symbol("i"), new Date()]) {
    await refused(() => image.slice(index), `slice(${String(index)})`, ["Index", "Usage"]);
    await goesOn(`slice(${String(index)})`);
  }
  await either(() => image.slice("0, 0, 0"), column(0), "an index without brackets");
  await either(() => image.slice("  [ 0 ,0,\t0 ]\n"), column(0), "an index with spaces");
  await either(() => image.slice("[-1, -1, -1]"), column(values.length - 1), "negative numbers");
  await either(() => image.slice("[::-1, ::-1, ::-1]"), ({ data }) => data.every((value, k) => value === values[values.length - 1 - k]), "negative steps");
  await either(() => image.slice("[5:5]"), ({ data, shape }) => data.length === 0 && shape[0] === 0, "an empty range");
  await either(() => image.slice("[99999999999999:, 0, 0]"), ({ data }) => data.length === 0, "a range behind the end");
  await either(() => image.slice("[:99999999999999999999, 0, 0]"), ({ data }) => data.length === nx, "a range with a huge end");
  await either(() => image.slice("[::99999999999, 0, 0]"), column(0), "a huge step");
  await either(() => image.slice("[0, 0, 0, None]"), ({ shape }) => shape.length === 1, "None");
  for (const dtype of ["i8", "", null, 5, "F32", {}, Symbol("d")]) {
    await refused(() => image.getFdata({ dtype }), `dtype ${String(dtype)}`, ["Usage"]);
    await refused(() => image.slice("[0]", { dtype }), `dtype ${String(dtype)} of a slice`, ["Usage"]);
  }
  await goesOn("wrong types");

  // ---- frames ----
  const series = await load("/data/large/series.nii");
  const numbers = async (options) => {
    const found = [];
    for await (const { index } of series.frames(options)) found.push(index);
    return found;
  };
  const all = Array.from({ length: 40 }, (_, t) => t);
  check.equal(await numbers({ start: 30, step: 4 }), [30, 34, 38], "frames from 30 in steps of 4");
  check.equal(await numbers({ start: 5, stop: 5 }), [], "no frames");
  for (const options of [{ step: 0 }, { step: -1 }, { step: 1.5 }, { step: NaN }, { step: "2x" }, { start: -1 }, { start: 1.5 }, { start: NaN }, { start: 1e12 }, { start: 2 ** 32 }, { start: 41 }, { stop: -1 }, { stop: 2.5 }, { stop: NaN }, { stop: 2 ** 32 + 3 }, { stop: 1e12 }, { step: 2 ** 32 + 1 }, { start: 10, stop: 5 }]) {
    const { start = 0, stop, step = 1 } = options;
    // What numpy's range takes, or an error.
    const length = 40;
    const wholes = [start, stop ?? length, step].every(Number.isInteger) && step !== 0;
    const clip = (n) => (n < 0 ? Math.max(0, n + length) : Math.min(n, length));
    const expected = all.filter((t) => step > 0 && t >= clip(start) && t < clip(stop ?? length) && (t - clip(start)) % step === 0);
    await either(() => numbers(options), (found) => wholes && step > 0 && JSON.stringify(found) === JSON.stringify(expected), `frames(${JSON.stringify(options)})`);
  }
  const [one, two] = [series.frames(), series.frames({ start: 20, dtype: "f64" })];
  for (let t = 0; t < 5; t += 1) {
    const [a, b] = await Promise.all([one.next(), two.next()]);
    check.equal([a.value.index, b.value.index, b.value.data.constructor.name], [t, 20 + t, "Float64Array"], "two walks at a time");
  }
  await one.return();
  await two.return();
  check.equal((await one.next()).done, true, "a walk that was ended");
  for await (const { index } of series.frames()) if (index === 2) break;
  const stop = new AbortController();
  let walked = 0;
  const walk = (async () => {
    for await (const { index } of series.frames({ signal: stop.signal })) {
      walked = index;
      if (index === 3) stop.abort();
    }
  })();
  await check.rejects(walk, "AbortError", "a walk that is aborted");
  check.equal(walked, 3, "frames before it was aborted");
  check.equal((await numbers({ start: 38 })), [38, 39], "frames afterwards");
  const freed = await load("/data/large/series.nii");
  const frames = freed.frames();
  await frames.next();
  freed.free();
  freed.free();
  await refused(async () => { for (;;) if ((await frames.next()).done) return; }, "frames of an image that was freed", ["Usage"]);
  for (const [what, call] of Object.entries({
    getFdata: () => freed.getFdata(), slice: () => freed.slice("[0]"), statistics: () => freed.statistics(), frames: () => freed.frames().next(),
  })) await refused(call, `${what} after free`, ["Usage"]);
  check.equal([freed.shape.length, freed.dtype, freed.ndim], [4, "int16", 4], "what is known of an image that was freed");

  // ---- statistics ----
  for (const options of [{ bins: 0 }, { bins: -1 }, { bins: 1.5 }, { bins: NaN }, { bins: 2 ** 32 + 4 }, { bins: 4e9 }, { bins: "x" }, { window: [5, 1] }, { window: [NaN, 1] }, { window: [1] }, { window: 5 }, { window: [1, 1] }, { window: "ab" }, { bins: 4, window: [-Infinity, Infinity] }, { dtype: "f16" }]) {
    await either(() => image.statistics(options), ({ count, histogram }) => count === values.length && (options.bins === undefined || histogram.counts.length === options.bins), `statistics(${JSON.stringify(options)})`);
    await goesOn(`statistics(${JSON.stringify(options)})`);
  }

  // ---- devices ----
  const gpu = await Gpu.request();
  const second = await Gpu.request({ conversion: "device" });
  for (const device of [undefined, null, {}, 5, gpu.device]) {
    await refused(() => image.getFdataGpu(device), `getFdataGpu(${String(device)})`, ["Usage", "NoGpu"]);
    await refused(() => image.toTexture(device), `toTexture(${String(device)})`, ["Usage", "NoGpu"]);
  }
  for (const device of [undefined, null, {}, 5, gpu]) await refused(() => Gpu.fromDevice(device), `fromDevice(${String(device)})`, ["Usage", "NoGpu"]);
  await refused(() => Gpu.request({ powerPreference: "much" }), "a power preference that is none", ["Usage", "NoGpu"]);
  await refused(() => Gpu.request({ conversion: "magic" }), "a conversion that is none", ["Usage"]);
  for (const options of [{ format: "rgba8unorm" }, { format: "" }, { format: "r8unorm" }, { format: "r8unorm", window: [1] }, { format: "r8unorm", window: [3, 3] }, { format: "r8unorm", window: [NaN, 1] }, { format: "r8unorm", window: "ab" }, { usage: -1 }, { usage: 1 << 20 }, { frame: "x" }, { frame: {} }]) {
    await refused(() => image.toTexture(gpu, options), `toTexture(${JSON.stringify(options)})`);
    await goesOn(`toTexture(${JSON.stringify(options)})`);
  }
  for (const frame of [40, -41, 1.5, NaN, 1e12]) await refused(() => series.toTexture(gpu, { frame }), `frame ${frame} as a texture`, ["Index", "Usage"]);
  // Both devices at the same time, and their buffers after the image was freed.
  const buffers = await Promise.all([image.getFdataGpu(gpu), image.getFdataGpu(second), image.getFdataGpu(gpu), image.getFdataGpu(second)]);
  for (const [k, buffer] of buffers.entries()) {
    const found = new Float32Array(await readBack([gpu, second][k % 2].device, buffer), 0, values.length);
    check.bits(found, values, `buffer ${k} of two devices at a time`);
  }

  // ---- many calls at a time ----
  const calls = Array.from({ length: 60 }, (_, n) => {
    if (n % 3 === 0) return image.slice(`[:, :, ${n % nz}]`).then(({ data }) => check.bits(data, values.slice((n % nz) * nx * ny, ((n % nz) + 1) * nx * ny), `slice ${n} of many`));
    if (n % 3 === 1) return image.getFdata().then((found) => check.bits(found, values, `read ${n} of many`));
    return refusedQuietly(image.slice("[9999]"));
  });
  await within(60_000, Promise.all(calls), "many calls");
  const many = await within(60_000, Promise.all(Array.from({ length: 24 }, (_, n) => load(n % 2 ? PLAIN : PACKED))), "24 images");
  const read = await within(60_000, Promise.all(many.map((image) => image.getFdata())), "24 images");
  read.forEach((found, n) => check.bits(found, values, `image ${n} of 24`));
  for (const one of many) one.free();
  // Arrays are the page's own: what it does to them changes nothing.
  const mine = await image.getFdata();
  mine.fill(7);
  check.bits(await image.getFdata(), values, "values after the page changed its own");
  image.shape.push(9);
  image.affine[0][0] = 99;
  check.equal([image.shape.length, image.affine[0][0] !== 99], [3, true], "shape and affine after the page changed its own");
  image.free();
  series.free();
  check.fact("kinds", Object.entries(seen).reduce((all, [, kind]) => ({ ...all, [kind]: (all[kind] ?? 0) + 1 }), {}));
}

async function refusedQuietly(promise) {
  try {
    await promise;
  } catch (error) {
    if (error.kind === "Index") return;
    throw error;
  }
  throw new Error("an index out of range was taken");
}
