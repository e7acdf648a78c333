// Random files of all formats by URL, Blob and bytes; random slices; buffers and textures on our device and on the page's: the
// values are nibabel's, to the bit, by their hashes.

import { Gpu, load } from "/dist/voxload.js";
import { Checks, fetchBytes, flipped, readBack, readTexture, sha256 } from "./check.js";

/** Files that are read at the same time. */
const TASKS = 3;

export default async function run(results) {
  const check = new Checks(results);
  const { random, slices } = await (await fetch("/data/manifest.json")).json();
  const adapter = await navigator.gpu.requestAdapter();
  const page = await adapter.requestDevice({ label: "the page's" });
  const own = (await Gpu.request()).device;
  const both = async (device) => [await Gpu.fromDevice(device, { conversion: "device" }), await Gpu.fromDevice(device, { conversion: "cpu" })];
  const [ours, pages] = [await both(own), await both(page)];
  let [sliced, buffers, textures, found, seconds] = [0, 0, 0, 0, performance.now()];

  async function file(volume, number) {
    for (const way of ["url", "blob", "bytes"]) {
      const title = `${volume.files.join(" + ")} by ${way}`;
      let image;
      try {
        image = await load(...(await sourceOf(volume.files, way)));
        check.equal(image.shape, volume.shape, `${title}: shape`);
        if (volume.affine) check.that(near(image.affine, volume.affine), `${title}: affine ${image.affine}, expected ${volume.affine}`);
        const f32 = await image.getFdata();
        await same(f32, volume.f32, `${title}: f32`);
        await same(await image.getFdata({ dtype: "f64" }), volume.f64, `${title}: f64`);
        // Slices and devices by one way of each file; the ways take turns.
        if (["url", "blob", "bytes"][number % 3] !== way) continue;
        for (const { index, dtype, hash } of volume.slices) await slice(image, index, dtype, hash, title);
        // Another bit is found: the comparison can fail.
        const other = flipped(f32);
        if (other) {
          check.that((await sha256(other)) !== volume.f32, `${title}: a flipped bit is not found`);
          found += 1;
        }
        // On both devices, on one of them by kernels: a software device takes most of a second to compile one.
        const turn = number % 2;
        await device(image, ours[turn], f32, `${title} on our device`);
        await device(image, pages[1 - turn], f32, `${title} on the page's device`);
        await texture(image, number % 4 < 2 ? ours[turn] : pages[turn], f32, title);
      } catch (error) {
        check.that(false, `${title}: ${error.kind} ${error.message}`);
      } finally {
        image?.free();
      }
    }
  }

  async function same(values, hash, title) {
    check.that((await sha256(values)) === hash, `${title}: other values`);
  }

  async function slice(image, index, dtype, hash, title, shape) {
    const { data, shape: taken } = await image.slice(index, { dtype });
    if (shape) check.equal(taken, shape, `${title}: shape of ${index}`);
    await same(data, hash, `${title}: ${index} as ${dtype}`);
    sliced += 1;
  }

  async function device(image, gpu, f32, title) {
    const buffer = await image.getFdataGpu(gpu);
    const bytes = await readBack(gpu.device, buffer);
    buffer.destroy();
    const values = new Float32Array(bytes, 0, f32.length);
    check.bits(values, f32, title);
    buffers += 1;
  }

  /** Frame 0 as a texture, against the values where they are frame 0 of. */
  async function texture(image, gpu, f32, title) {
    const { shape, header, frameAxis } = image;
    const space = header.axes.flatMap((kind, axis) => (kind === "space" ? [axis] : []));
    const others = shape.map((_, axis) => axis).filter((axis) => !space.includes(axis));
    if (space.length === 0 || space.length > 3 || shape.includes(0)) return;
    const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((all, n) => all * n, 1));
    const side = (k) => (space[k] === undefined ? 1 : shape[space[k]]);
    // Another frame than the first one, where there are more.
    const frame = frameAxis === null || !others.includes(frameAxis) ? 0 : shape[frameAxis] - 1;
    const base = frameAxis === null ? 0 : frame * strides[frameAxis];
    const expected = new Float32Array(side(0) * side(1) * side(2));
    for (let k = 0, at = 0; k < side(2); k += 1) {
      for (let j = 0; j < side(1); j += 1) {
        for (let i = 0; i < side(0); i += 1, at += 1) {
          const p = [i, j, k];
          expected[at] = f32[base + space.reduce((sum, axis, n) => sum + p[n] * strides[axis], 0)];
        }
      }
    }
    const made = await image.toTexture(gpu, { format: "r32float", frame });
    const texels = await readTexture(gpu.device, made, 4);
    made.destroy();
    check.bits(new Float32Array(texels.buffer), expected, `${title}: texture`);
    textures += 1;
  }

  await each(random, TASKS, file);
  seconds = (performance.now() - seconds) / 1000;
  check.fact("files", `${random.length} in ${seconds.toFixed(1)} s`);
  const ofFiles = sliced;
  await each(slices, TASKS, async ({ files, slices: taken }) => {
    let image;
    try {
      image = await load(...(await sourceOf(files, "url")));
      for (const { index, dtype, shape, hash } of taken) await slice(image, index, dtype, hash, files[0], shape);
    } catch (error) {
      check.that(false, `${files[0]}: ${error.kind} ${error.message}`);
    } finally {
      image?.free();
    }
  });
  check.fact("slices", `${sliced - ofFiles}, and ${ofFiles} of the random files`);
  check.fact("buffers", buffers);
  check.fact("textures", textures);
  check.fact("flipped bits that were found", found);
  check.that(random.length >= 500 && sliced - ofFiles >= 500, "500 files and 500 slices");
}

/** Works on a list, several items at a time. */
async function each(list, tasks, work) {
  let next = 0;
  const task = async () => {
    while (next < list.length) {
      next += 1;
      await work(list[next - 1], next - 1);
    }
  };
  await Promise.all(Array.from({ length: tasks }, task));
}

/** Products of matrices may differ in their last bits. */
function near(affine, expected) {
  const found = affine?.flat() ?? [];
  return expected.map(Number).every((value, k) => Object.is(value, found[k]) || Math.abs(value - found[k]) <= 1e-9 * Math.max(1, Math.abs(value)) || (Number.isNaN(value) && Number.isNaN(found[k])));
}

async function sourceOf(files, way) {
  const urls = files.map((file) => `/data/random/${file.split("/").map(encodeURIComponent).join("/")}`);
  const names = files.map((file) => file.split("/").at(-1));
  if (way === "url") return [urls.length === 1 ? urls[0] : urls, {}];
  const buffers = await Promise.all(urls.map(fetchBytes));
  if (way === "bytes" && buffers.length === 1) return [buffers[0], { name: names[0] }];
  // Bytes have no names, by which the files of one image are told apart.
  const all = buffers.map((buffer, k) => new File([buffer], names[k]));
  return [all.length === 1 ? all[0] : all, {}];
}
