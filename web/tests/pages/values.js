// Real volumes by URL, Blob and bytes: shapes, affines, values and slices are nibabel's, to the bit.

import { load } from "/dist/voxload.js";
import { Checks, fetchBytes } from "./check.js";

export default async function run(results) {
  const check = new Checks(results);
  const { volumes } = await (await fetch("/data/manifest.json")).json();
  let slices = 0;
  for (const volume of volumes) {
    const f32 = new Float32Array(await fetchBytes(`/data/values/${volume.f32}`));
    const f64 = new Float64Array(await fetchBytes(`/data/values/${volume.f64}`));
    for (const way of ["url", "blob", "bytes"]) {
      const title = `${volume.files.join(" + ")} by ${way}`;
      let image;
      try {
        const [source, options] = await sourceOf(volume.files, way);
        image = await load(source, options);
        check.equal(image.shape, volume.shape, `${title}: shape`);
        if (volume.affine) {
          const affine = image.affine?.flat() ?? [];
          const far = volume.affine.flat().some((value, k) => !(Math.abs(value - affine[k]) <= 1e-9 * Math.max(1, Math.abs(value))));
          check.that(!far, `${title}: affine ${JSON.stringify(image.affine)}, expected ${JSON.stringify(volume.affine)}`);
        }
        if (way === "blob") {
          const { format } = image.header;
          const again = await load(source, { ...options, format });
          check.equal([again.header.format, again.shape], [format, volume.shape], `${title}: the name of its format opens it`);
          again.free();
        }
        check.bits(await image.getFdata(), f32, `${title}: f32`);
        check.bits(await image.getFdata({ dtype: "f64" }), f64, `${title}: f64`);
        for (const slice of volume.slices) {
          const expected = new Float32Array(await fetchBytes(`/data/values/${slice.values}`));
          const found = await image.slice(slice.index);
          check.equal(found.shape, slice.shape, `${title}: shape of ${slice.index}`);
          check.bits(found.data, expected, `${title}: ${slice.index}`);
          slices += 1;
        }
      } catch (error) {
        check.that(false, `${title}: ${error.kind} ${error.message}`);
      } finally {
        image?.free();
      }
    }
  }
  check.fact("volumes", volumes.length);
  check.fact("slices", slices);
}

async function sourceOf(files, way) {
  const urls = files.map((file) => `/data/files/${encodeURIComponent(file)}`);
  if (way === "url") return [urls.length === 1 ? urls[0] : urls, {}];
  const buffers = await Promise.all(urls.map(fetchBytes));
  const asFiles = buffers.map((buffer, k) => new File([buffer], files[k]));
  if (way === "blob") return [asFiles.length === 1 ? asFiles[0] : asFiles, {}];
  // Bytes have no names: only single files can be told apart.
  return buffers.length === 1 ? [buffers[0], { name: files[0] }] : [asFiles, {}];
}
