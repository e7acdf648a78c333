// Damaged files, servers that misbehave, other origins, lost devices, and calls that are ended: the right values or a rejected
// promise, and never a hang.

import { Gpu, load, VoxloadError } from "/dist/voxload.js";
import { Checks, differing, fetchBytes, within } from "./check.js";

const at = (name) => `/data/faults/${name}`;
const other = new URLSearchParams(location.search).get("other");
/** The same file of another origin. */
const away = (name) => `http://localhost:${other}/data/faults/${name}`;

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
  /** The right values or an error; which of the two is told. */
  const either = async (promise, message) => {
    try {
      const found = await within(20_000, promise, message);
      check.bits(found, values, message);
      return "values";
    } catch (error) {
      check.that(error instanceof VoxloadError && error.kind !== "Internal", `${message}: ${error}`);
      return error.kind;
    }
  };

  // ---- whole files in several forms ----
  for (const name of ["plain.nii", "one.nii.gz", "members.nii.gz", "padded.nii.gz"]) {
    check.bits(await read(at(name)), values, name);
    check.bits(await read(await fetchBytes(at(name))), values, `${name} from bytes`);
    check.bits(await read(new Blob([await fetchBytes(at(name))]), { name }), values, `${name} from a blob`);
    check.bits(await read(`${at(name)}?norange`), values, `${name} without ranges`);
  }
  const whole = await load(`${at("plain.nii")}?norange`);
  check.that(whole.notes.some(({ field }) => field === "url"), "a server without ranges is in the notes");
  whole.free();

  // ---- damage ----
  for (const name of ["flipped.nii.gz", "stored-flipped.nii.gz", "members-flipped.nii.gz", "length.nii.gz"]) {
    await check.rejects(read(at(name)), "Integrity", name);
    await check.rejects(read(await fetchBytes(at(name))), "Integrity", `${name} from bytes`);
    await check.rejects(walk(at(name)), "Integrity", `frames of ${name}`);
  }
  for (const name of ["cut.nii", "cut.nii.gz", "members-cut.nii.gz"]) {
    await check.rejects(read(at(name)), "Truncated", name);
    await check.rejects(read(await fetchBytes(at(name))), "Truncated", `${name} from bytes`);
    await check.rejects(walk(at(name)), "Truncated", `frames of ${name}`);
  }
  // Voxels that are compressed within their file, or in a file of their own.
  const packed = new Float32Array(await fetchBytes(at("packed.f32")));
  for (const endings of [["nrrd"], ["mha"], ["nhdr", "raw.gz"], ["mhd", "zraw"]]) {
    const sources = async (name, way) => {
      const names = endings.map((ending) => `${name}.${ending}`);
      const all = way === "url" ? names.map(at) : await Promise.all(names.map(async (name) => new File([await fetchBytes(at(name))], name)));
      return all.length === 1 ? all[0] : all;
    };
    for (const way of ["url", "file"]) {
      const title = `${endings.join(" + ")} by ${way}`;
      check.bits(await read(await sources("packed", way)), packed, title);
      await check.rejects(read(await sources("packed-flipped", way)), "Integrity", `a flipped bit in ${title}`);
      await check.rejects(walk(await sources("packed-flipped", way)), "Integrity", `frames of a flipped bit in ${title}`);
      for (const conversion of ["cpu", "device"]) {
        const converts = await Gpu.request({ conversion });
        const image = await load(await sources("packed-flipped", way));
        await check.rejects(image.getFdataGpu(converts), "Integrity", `a flipped bit in ${title} to a device, ${conversion}`);
        image.free();
        converts.device.destroy();
      }
    }
  }
  const few = new Float32Array(await fetchBytes(at("well-packed.f32")));
  const wellPacked = await fetchBytes(at("well-packed.nrrd"));
  for (const source of [at("well-packed.nrrd"), new File([wellPacked], "well-packed.nrrd"), wellPacked]) {
    check.bits(await read(source), few, "a file that is much shorter than its voxels");
  }
  await check.rejects(load(at("packed.nhdr")), "Usage", "a header whose voxels are not given");

  const gpu = await Gpu.request();
  const damaged = await load(at("flipped.nii.gz"));
  await check.rejects(damaged.getFdataGpu(gpu), "Integrity", "a damaged file to a device");
  await check.rejects(damaged.statistics(), "Integrity", "statistics of a damaged file");
  damaged.free();

  // ---- servers ----
  const missing = await check.rejects(load(at("missing.nii")), "NotFound", "404");
  check.that(missing instanceof VoxloadError, "errors are VoxloadErrors");
  check.equal(missing?.file, "missing.nii", "the error's file");
  await check.rejects(load(`${at("plain.nii")}?status=500`), "Io", "500");
  await check.rejects(load(`${at("plain.nii")}?status=403`), "Io", "403");
  await check.rejects(load(`${at("plain.nii")}?short`), "Io", "a wrong length");
  await check.rejects(load(`${at("plain.nii")}?cut`), "Io", "a connection that ends within the first answer");
  await check.rejects(load(`${at("plain.nii")}?stall`, { timeout: 500 }), "Io", "a server that stops sending");
  await check.rejects(load(`${at("plain.nii")}?slow=5000`, { timeout: 300 }), "Io", "a server that is too slow");
  await check.rejects(load(`http://localhost:9/plain.nii`), "Io", "no server");
  await check.rejects(read(`${at("plain.nii")}?changed`), "Changed", "a file that changes, by its ETag");
  await check.rejects(read(`${at("plain.nii")}?dated`), "Changed", "a file that changes, by its date");
  await check.rejects(read(`${at("plain.nii")}?grown`), "Changed", "a file that changes, by its length");
  await check.rejects(read(`${at("plain.nii")}?status=503&later`), "Io", "a server that fails later on");
  // Another part of the file than was asked for.
  for (const fault of ["shifted", "shifted=2", "cut=2"]) {
    const outcome = await either(read(`${at("plain.nii")}?${fault}`), fault);
    check.equal(outcome, "Io", `a server with ${fault}`);
  }
  // What failed once is fetched again when it is asked for again.
  for (const fault of ["cut=2", "shifted=2"]) {
    const image = await load(`${at("plain.nii")}?${fault}&again`);
    await check.rejects(image.getFdata(), "Io", `${fault}, the first time`);
    check.bits(await image.getFdata(), values, `${fault}, the second time`);
    image.free();
  }

  // ---- other origins ----
  await check.rejects(load(away("plain.nii")), "Io", "another origin that does not let us");
  for (const cors of ["", "=expose"]) {
    for (const name of ["plain.nii", "one.nii.gz"]) {
      check.bits(await read(`${away(name)}?cors${cors}`), values, `${name} of another origin, cors${cors}`);
    }
  }
  const lazy = await load(`${away("plain.nii")}?cors=expose&lazy`);
  check.that(lazy.bytesRead <= 64 << 10, `a header of another origin: ${lazy.bytesRead} bytes`);
  lazy.free();
  await check.rejects(load(`${away("plain.nii")}?cors=expose&auth`), "Io", "another origin that wants a name");
  await check.rejects(load(`${away("plain.nii")}?cors&auth`, { headers: { Authorization: "Bearer voxload" } }), "Io", "headers that another origin does not take");
  const headers = { Authorization: "Bearer voxload" };
  check.bits(await read(`${away("plain.nii")}?cors=preflight&auth`, { headers }), values, "headers that another origin takes");
  check.bits(await read(`${at("plain.nii")}?auth`, { headers }), values, "headers to our own origin");
  const again = await load(`${away("plain.nii")}?cors=expose&cut=2`);
  await check.rejects(again.getFdata(), "Io", "an answer of another origin that was cut");
  check.bits(await again.getFdata(), values, "the same once more");
  again.free();
  // It is seen by Content-Range, which the server has to show to other origins.
  await check.rejects(read(`${away("plain.nii")}?cors=expose&shifted=2`), "Io", "another part of a file of another origin");

  // ---- signals ----
  const image = await load(at("plain.nii"));
  const controller = new AbortController();
  controller.abort();
  await check.rejects(image.getFdata({ signal: controller.signal }), "AbortError", "aborted before");
  await check.rejects(load(at("plain.nii"), { signal: controller.signal }), "AbortError", "a load aborted before");
  const during = new AbortController();
  const reading = image.getFdata({ signal: during.signal });
  during.abort();
  await check.rejects(reading, "AbortError", "aborted during a read");
  check.bits(await image.getFdata(), values, "a read after one that was aborted");
  const reason = new Error("a reason of the page's");
  const own = new AbortController();
  own.abort(reason);
  check.that((await image.slice("[0]", { signal: own.signal }).catch((error) => error)) === reason, "the signal's own reason");
  image.free();

  for (const fault of ["slow=5000", "stall"]) {
    const loading = new AbortController();
    const begun = performance.now();
    setTimeout(() => loading.abort(), 100);
    await check.rejects(load(`${at("plain.nii")}?${fault}&aborted`, { signal: loading.signal }), "AbortError", `a load that is aborted, ${fault}`);
    check.that(performance.now() - begun < 2000, `a load ends when it is aborted, ${fault}`);
  }
  let stalls = 0;
  // The server stops in the middle of a read: the signal ends the wait, and the page goes on.
  for (const call of [(image, signal) => image.getFdata({ signal }), (image, signal) => image.slice("[..., 30]", { signal }), (image, signal) => image.statistics({ signal })]) {
    stalls += 1;
    const stalled = await load(`${at("plain.nii")}?stall=2&n=${stalls}`);
    const stop = new AbortController();
    const begun = performance.now();
    setTimeout(() => stop.abort(), 100);
    await check.rejects(call(stalled, stop.signal), "AbortError", "a read of a server that stopped");
    check.that(performance.now() - begun < 2000, "a read ends when it is aborted");
    stalled.free();
  }
  const stalled = await load(`${at("plain.nii")}?stall=2&timeout`, { timeout: 500 });
  await check.rejects(stalled.getFdata(), "Io", "a read of a server that stopped, with a time limit");
  check.bits(await stalled.getFdata(), values, "the same once more");
  stalled.free();
  const slow = await load(`${at("plain.nii")}?stall=2&freed`);
  const waiting = slow.getFdata();
  setTimeout(() => slow.free(), 100);
  await check.rejects(waiting, "Usage", "free() ends a read that waits");

  // ---- lost devices ----
  const { device } = gpu;
  const lost = await load(at("plain.nii"));
  const buffer = await lost.getFdataGpu(gpu);
  check.equal(buffer.size, values.byteLength, "a buffer's size");
  device.destroy();
  await device.lost;
  await check.rejects(lost.getFdataGpu(gpu), "DeviceLost", "a buffer of a lost device");
  await check.rejects(lost.toTexture(gpu), "DeviceLost", "a texture of a lost device");
  check.equal(differing(await lost.getFdata(), values), 0, "values after a device was lost");
  for (const conversion of ["device", "cpu"]) {
    const dying = await Gpu.request({ conversion });
    const converting = lost.getFdataGpu(dying);
    dying.device.destroy();
    await check.rejects(converting, "DeviceLost", `a device that is lost meanwhile, conversion by ${conversion}`);
    const texturing = await Gpu.request({ conversion });
    const coming = lost.toTexture(texturing);
    setTimeout(() => texturing.device.destroy(), 5);
    const outcome = await within(20_000, coming.then(() => "a texture", (error) => error.kind), "a texture of a dying device");
    check.that(["a texture", "DeviceLost"].includes(outcome), `a texture of a device that is lost meanwhile: ${outcome}`);
  }
  const fresh = await Gpu.request();
  const made = await lost.getFdataGpu(fresh);
  check.equal(made.size, values.byteLength, "a buffer of another device afterwards");
  lost.free();
}
