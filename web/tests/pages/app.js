// A wgpu program of Rust's that uses the library itself: `app/`.

import init, { sliceSums } from "/app/voxload_app.js";
import { Checks, fetchBytes } from "./check.js";

export default async function run(results) {
  const check = new Checks(results);
  await init({ module_or_path: "/app/voxload_app_bg.wasm" });
  const values = new Float32Array(await fetchBytes("/data/faults/values.f32"));
  for (const name of ["plain.nii", "one.nii.gz"]) {
    const sums = await sliceSums(new Uint8Array(await fetchBytes(`/data/faults/${name}`)));
    check.equal(sums.length, 40, `${name}: slices`);
    for (let k = 0; k < 40; k += 1) {
      let sum = 0;
      for (let at = k * 4096; at < (k + 1) * 4096; at += 1) sum = Math.fround(sum + values[at]);
      check.that(Math.abs(sums[k] - sum) <= 1e-3 * Math.max(1, Math.abs(sum)), `${name}: slice ${k}: ${sums[k]}, expected ${sum}`);
    }
  }
}
