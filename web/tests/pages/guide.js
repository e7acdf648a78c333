// The examples in README and in the guide: every script runs as a module of its own, with what the pages say is there.

import { load } from "/dist/voxload.js";
import { Checks, within } from "./check.js";

const PAGES = ["README.md", "doc/guide/web-page.md"];
const LIMIT_MS = 60_000;
const VOLUME = "/data/faults/one.nii.gz";
const LIBRARY = `${location.origin}/dist/voxload.js`;

// What later checks look at.
const NAMES = ["data", "shape", "means", "texture", "buffer"];

// JavaScript blocks, and the scripts of HTML blocks.
const SCRIPTS = /^```js\n(.*?)^```$|^```html\n.*?<script type="module">\n(.*?)<\/script>/gms;

export default async function run(results) {
  const check = new Checks(results);
  const adapter = await navigator.gpu?.requestAdapter();
  if (!check.that(adapter, "WebGPU has no adapter")) return;
  // A series of real frames, where there is one; the data is that of the other tests.
  const { volumes } = await (await fetch("/data/manifest.json")).json();
  const series = volumes.find(({ files, shape }) => files.length === 1 && shape.length === 4 && shape[3] > 2);
  const content = await (await fetch(VOLUME)).blob();
  Object.assign(globalThis, {
    file: new File([content], "one.nii.gz"),
    url: series ? new URL(`/data/files/${encodeURIComponent(series.files[0])}`, location.href).href : new URL(VOLUME, location.href).href,
    canvas: document.createElement("canvas"),
    device: await adapter.requestDevice(),
  });

  // README's page has these.
  const [input, out] = [document.createElement("input"), document.createElement("pre")];
  Object.assign(input, { type: "file", id: "file" });
  out.id = "out";
  document.body.append(input, out);

  const expected = await load(VOLUME);
  const found = {};
  for (const page of PAGES) {
    const text = await (await fetch(`/repository/${page}`)).text();
    const blocks = [...text.matchAll(SCRIPTS)].map(([, script, ofPage]) => script ?? ofPage);
    check.that(blocks.length > 0, `${page} has no JavaScript`);
    for (const [k, block] of blocks.entries()) {
      const title = `${page}, block ${k + 1}`;
      // A module made of text is nowhere, so names of files mean nothing in it.
      const source = block.replace(/from "[^"]*voxload(\.js)?"/g, `from "${LIBRARY}"`);
      const seen = NAMES.map((name) => `${name}: typeof ${name} === "undefined" ? undefined : ${name}`);
      const module = URL.createObjectURL(new Blob([source, `\nexport const seen = { ${seen.join(", ")} };\n`], { type: "text/javascript" }));
      try {
        const { seen } = await within(LIMIT_MS, import(module), title);
        check.that(true, title);
        for (const name of NAMES) found[name] = seen[name] ?? found[name];
      } catch (error) {
        check.that(false, `${title}: ${error.kind ?? ""} ${error.stack ?? error}`);
      } finally {
        URL.revokeObjectURL(module);
      }
    }
  }

  const files = new DataTransfer();
  files.items.add(globalThis.file);
  input.files = files.files;
  input.dispatchEvent(new Event("change"));
  const written = async () => {
    while (out.textContent === "") await new Promise((resolve) => setTimeout(resolve, 20));
    return out.textContent;
  };
  const { data: slice, shape } = await expected.slice("[:, :, 10]");
  check.equal(await within(LIMIT_MS, written(), "README's page"), `${expected.shape}: ${shape}, first ${slice[0]}`, "README's page");

  const [width, height, depth] = expected.shape;
  check.equal([globalThis.canvas.width, globalThis.canvas.height], [width, height], "the canvas");
  const { data } = globalThis.canvas.getContext("2d").getImageData(0, 0, width, height);
  const greys = new Set(data.filter((_, k) => k % 4 === 0));
  check.that(greys.has(0) && greys.has(255), "the slice spans all greys");
  if (series) {
    const frame = await (await load(globalThis.url)).slice("[..., 2]");
    const mean = frame.data.reduce((sum, value) => sum + value, 0) / frame.data.length;
    check.equal([found.means?.length, found.means?.[2]], [series.shape[3], mean], "the means of frames");
  }
  check.equal([found.texture?.width, found.texture?.format], [width, "r16float"], "the texture");
  check.equal(found.buffer?.size, 4 * width * height * depth, "the buffer");
  expected.free();
}
