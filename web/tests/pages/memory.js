// What a page holds while it walks through 400 MB: the memory of all of the browser's processes, which the server measures. The
// page is not driven by a DevTools client, which would keep what is fetched.
//
// Frames that the page has looked at, and answers of the server that the worker has copied, are garbage, which the browser collects
// when it likes. What is held is measured without it: page and worker collect before each look (--expose-gc). How much there is with
// all garbage, when nobody asks for a collection, is bounded more loosely.

import { load } from "/dist/voxload.js";
import { Checks } from "./check.js";
import { differing, pattern, SHAPE } from "./pattern.mjs";

const MOST_HELD = 128 << 20;
const MOST_WITH_GARBAGE = 640 << 20;
/** Frames between two looks. */
const EACH = 20;

const memory = async () => (await fetch("/memory")).json();
const megabytes = (bytes) => Math.round(bytes / 2 ** 20);

export default async function run(results) {
  const check = new Checks(results);
  if (!check.that(Number.isFinite(await memory()) && typeof gc === "function", "memory can be measured")) return;
  for (const collects of [true, false]) await walk(check, collects);
}

async function walk(check, collects) {
  // A worker that collects its garbage ten times a second, besides what it does.
  const Plain = globalThis.Worker;
  if (collects) {
    globalThis.Worker = class extends Plain {
      constructor(url, options) {
        super("/pages/collecting-worker.mjs", options);
      }
    };
  }
  const stored = pattern();
  const look = async () => {
    if (collects) {
      gc();
      // The worker's turn, and that of the thread that gives memory back.
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    return memory();
  };
  // The module is compiled, and a worker of this kind is ready for the next image.
  for (let k = 0; k < 2; k += 1) (await load("/data/faults/plain.nii")).free();
  await new Promise((resolve) => setTimeout(resolve, 500));

  for (const name of ["series.nii", "series.nii.gz"]) {
    gc();
    const before = await look();
    let most = before;
    const begun = performance.now();
    const image = await load(`/made/${name}?collects=${collects}`);
    check.equal(image.shape, SHAPE, `${name}: shape`);
    let [frames, differ] = [0, 0];
    for await (const { index, data } of image.frames()) {
      differ += differing(stored, index, data);
      frames += 1;
      if (frames % EACH === 0) most = Math.max(most, await look());
    }
    const seconds = Number(((performance.now() - begun) / 1000).toFixed(1));
    check.equal(frames, SHAPE[3], `${name}: frames`);
    check.equal(differ, 0, `${name}: values that differ`);
    const grown = megabytes(most - before);
    const [limit, what] = collects ? [MOST_HELD, "what is held"] : [MOST_WITH_GARBAGE, "memory with all garbage"];
    check.that(most - before <= limit, `${name}: ${what} grew by ${grown} MiB`);
    check.fact(`${name}, ${what}, MiB`, { before: megabytes(before), grewBy: grown, ofThatWasm: megabytes(image.memory), seconds });
    image.free();
  }
  globalThis.Worker = Plain;
}
