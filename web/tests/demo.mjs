// node tests/demo.mjs [FOLDER]: the demo as people see it. Its pictures are compared with what the library computes, pixel by pixel,
// and written to FOLDER to be looked at. Fails where a pixel differs, where the page reports an error, and where a key does nothing.

import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { CANVAS_FLAGS, FLAGS, PROGRAM } from "./chromium.mjs";
import { serve } from "./serve.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const web = dirname(here);
const { chromium } = createRequire(join(web, "js", "package.json"))("playwright-core");
const target = process.env.WEB_TARGET ?? join(dirname(web), "target");
const data = process.env.WEB_DATA ?? join(target, "web-data");
const dist = process.env.WEB_DIST ?? join(web, "dist");
const folder = process.argv[2] ?? join(target, "web-shots");
mkdirSync(folder, { recursive: true });

const { port, close } = await serve({ dist, demo: join(web, "demo"), pages: join(here, "pages"), data });
const browser = await chromium.launch({ executablePath: PROGRAM, args: [...FLAGS, ...CANVAS_FLAGS] });
const problems = [];
let checks = 0;

function check(condition, message) {
  checks += 1;
  if (!condition) problems.push(message);
}

async function open(size, query, touch = false) {
  const page = await browser.newPage({ viewport: size, hasTouch: touch });
  page.setDefaultTimeout(120_000);
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") problems.push(message.text());
  });
  await page.goto(`http://localhost:${port}/demo/index.html${query}`);
  return page;
}
const loaded = (page) => page.waitForFunction(() => document.body.dataset.loaded === "true");
/** Two frames of the screen: what was asked for is drawn. */
const drawn = (page) => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 150)))));
const shot = async (page, name) => {
  await drawn(page);
  return page.screenshot({ path: join(folder, `${name}.png`) });
};
const fact = (page, term) =>
  page.evaluate((term) => [...document.querySelectorAll("#facts dt")].find((dt) => dt.textContent === term)?.nextSibling.textContent, term);

/**
 * Compares the three slices in a picture with the library's values of the phantom, whose axes are those of the world: each pixel
 * is the voxel under it, by the window, but for a step of rounding. Pixels on the border of two voxels may be either's.
 */
async function compare(page, title, state) {
  const bare = await page.addStyleTag({ content: "figure span { display: none !important } canvas { outline: none !important }" });
  await drawn(page);
  const picture = (await page.screenshot()).toString("base64");
  await bare.evaluate((element) => element.remove());
  const found = await page.evaluate(comparison, { picture, ...state });
  for (const { view, pixels, differ, worst, spread } of found) {
    check(pixels > 5_000 && spread > 100, `${title}, ${view}: ${pixels} pixels with ${spread} greys are no picture`);
    check(differ === 0, `${title}, ${view}: ${differ} of ${pixels} pixels differ, by ${worst} greys at most`);
  }
  return found;
}

/** Runs in the page. */
async function comparison({ picture, frame, cross, smooth, change = 0 }) {
  const { load } = await import("/dist/voxload.js");
  const { phantom } = await import("/demo/phantom.js");
  const image = await load(phantom());
  const [nx, ny, nz] = image.shape;
  const size = [nx, ny, nz];
  const spacing = image.header.zooms;
  const { data } = await image.slice(`[..., ${frame}]`);
  image.free();
  const [low, high] = ["#low", "#high"].map((id) => Number(document.querySelector(id).dataset.exact));
  const grey = (value) => 255 * Math.min(1, Math.max(0, (value - low) / (high - low))) + change;
  const decoded = await createImageBitmap(await (await fetch(`data:image/png;base64,${picture}`)).blob());
  const context = new OffscreenCanvas(decoded.width, decoded.height).getContext("2d");
  context.drawImage(decoded, 0, 0);
  const pixels = context.getImageData(0, 0, decoded.width, decoded.height).data;

  const views = { axial: [0, 1, 2], coronal: [0, 2, 1], sagittal: [1, 2, 0] };
  return Object.entries(views).map(([view, [x, y, z]]) => {
    // A canvas is drawn on whole pixels.
    const canvas = document.querySelector(`[data-view="${view}"] canvas`);
    const [left, top] = [canvas.getBoundingClientRect().left, canvas.getBoundingClientRect().top].map(Math.round);
    const box = { left, top, width: canvas.width, height: canvas.height, right: left + canvas.width, bottom: top + canvas.height };
    const [mx, my] = [size[x] * spacing[x], size[y] * spacing[y]];
    const scale = 0.94 * Math.min(box.width / mx, box.height / my);
    const place = (axis) => (cross[axis] + 0.5) / size[axis];
    const at = (p) => data[p[0] + nx * (p[1] + ny * p[2])];
    let [count, differ, worst] = [0, 0, 0];
    const greys = new Set();
    for (let py = Math.ceil(box.top) + 1; py < box.bottom - 1; py += 1) {
      for (let px = Math.ceil(box.left) + 1; px < box.right - 1; px += 1) {
        // From the middle of the canvas, in millimetres; up is up.
        const u = 0.5 + (px + 0.5 - box.left - box.width / 2) / (mx * scale);
        const v = 0.5 - (py + 0.5 - box.top - box.height / 2) / (my * scale);
        if (u < 0 || v < 0 || u >= 1 || v >= 1) continue;
        // The cross.
        if (Math.abs(u - place(x)) * mx * scale < 2 || Math.abs(v - place(y)) * my * scale < 2) continue;
        const p = [0, 0, 0];
        p[z] = cross[z];
        const shown = pixels[4 * (py * decoded.width + px)];
        const border = 0.02;
        let nearest = Infinity;
        if (smooth) {
          // Between the middles of four voxels.
          const mix = (t, n) => {
            const q = Math.min(n - 1, Math.max(0, t * n - 0.5));
            const k = Math.min(n - 2, Math.floor(q));
            return [k, q - k];
          };
          const [[a, s], [b, t]] = [mix(u, size[x]), mix(v, size[y])];
          let value = 0;
          for (const [da, wa] of [[0, 1 - s], [1, s]]) {
            for (const [db, wb] of [[0, 1 - t], [1, t]]) {
              p[x] = a + da;
              p[y] = b + db;
              value += wa * wb * at(p);
            }
          }
          nearest = Math.abs(grey(value) - shown);
        } else {
          for (const du of [-border, border]) {
            for (const dv of [-border, border]) {
              p[x] = Math.min(size[x] - 1, Math.max(0, Math.floor(u * size[x] + du)));
              p[y] = Math.min(size[y] - 1, Math.max(0, Math.floor(v * size[y] + dv)));
              nearest = Math.min(nearest, Math.abs(grey(at(p)) - shown));
            }
          }
        }
        count += 1;
        greys.add(shown);
        worst = Math.max(worst, nearest);
        // A device mixes with weights of eight bits.
        if (nearest > (smooth ? 3 : 1)) differ += 1;
      }
    }
    return { view, pixels: count, differ, worst, spread: greys.size };
  });
}

try {
  const wide = await open({ width: 1280, height: 820 }, "");
  await shot(wide, "empty");
  await wide.click("#try");
  await loaded(wide);
  await wide.waitForTimeout(600);
  const playing = await wide.textContent("#frame-number");
  await shot(wide, "playing");
  await wide.waitForTimeout(300);
  check((await wide.textContent("#frame-number")) !== playing, "the phantom does not play");
  check((await wide.textContent("#play")) === "Pause", "the button says that it plays");
  const cross = [50, 25, 35];
  await wide.click("#play");
  // What computes pixels here is a CPU: fewer of them.
  await wide.setViewportSize({ width: 900, height: 640 });
  // Frame 6, voxels as boxes.
  await wide.evaluate(() => document.activeElement.blur());
  for (let k = 0; k < 40 && (await wide.textContent("#frame-number")) !== "6 / 36"; k += 1) await wide.keyboard.press("]");
  check((await wide.textContent("#frame-number")) === "6 / 36", "the key for the next frame");
  await wide.keyboard.press("n");
  const frame = 5;
  await compare(wide, "boxes", { frame, cross });
  // Another value is seen: the comparison can fail.
  const other = await wide.evaluate(comparison, { picture: (await wide.screenshot()).toString("base64"), frame, cross, change: 2 });
  check(other.every(({ differ, pixels }) => differ > pixels / 4), "pixels that are off by two greys are not found");
  const later = await wide.evaluate(comparison, { picture: (await wide.screenshot()).toString("base64"), frame: frame + 3, cross });
  check(later.every(({ differ }) => differ > 100), "another frame is not found");

  // Keys move the cross, and the value is the library's.
  await wide.focus('[data-view="axial"] canvas');
  await wide.keyboard.press("ArrowLeft");
  await wide.keyboard.press("ArrowUp");
  await wide.keyboard.press("PageDown");
  const moved = [49, 26, 34];
  await compare(wide, "moved by keys", { frame, cross: moved });
  const value = await wide.evaluate(async ([i, j, k, t]) => {
    const { load } = await import("/dist/voxload.js");
    const { phantom } = await import("/demo/phantom.js");
    const image = await load(phantom());
    const { data } = await image.slice(`[${i}, ${j}, ${k}, ${t}]`);
    image.free();
    return data[0].toPrecision(6);
  }, [...moved, frame]);
  check((await fact(wide, "Value")) === value, `the value under the cross: ${await fact(wide, "Value")}, expected ${value}`);

  // The window, by mouse.
  const before = await wide.inputValue("#high");
  await wide.mouse.move(200, 200);
  await wide.mouse.down({ button: "right" });
  await wide.mouse.move(260, 230, { steps: 3 });
  await wide.mouse.up({ button: "right" });
  check((await wide.inputValue("#high")) !== before, "the mouse changes the window");
  await compare(wide, "another window", { frame, cross: moved });
  await wide.evaluate(() => document.activeElement.blur());
  await wide.keyboard.press("a");
  check((await wide.inputValue("#high")) === before, "the automatic window is what it was");
  await wide.keyboard.press("n");
  await compare(wide, "smooth", { frame, cross: moved, smooth: true });

  await wide.setViewportSize({ width: 1280, height: 820 });
  await shot(wide, "series");
  await wide.keyboard.press("m");
  await shot(wide, "projection");
  check((await wide.textContent("#mode")) === "Surface", "the key for the projection");
  const known = problems.length;
  await wide.fill("#url", "/demo/missing.nii");
  await wide.keyboard.press("Enter");
  await wide.waitForSelector("#error:not([hidden])");
  await shot(wide, "error");
  check((await wide.textContent("#error")).includes("NotFound"), "the kind of an error");
  // The browser itself complains of the 404.
  problems.splice(known);
  await wide.setViewportSize({ width: 900, height: 640 });
  await wide.keyboard.press("Enter");
  check(await wide.isHidden("#error"), "the button of an error has the focus, and closes it");
  await compare(wide, "after an error", { frame, cross: moved, smooth: true });
  await wide.close();

  // A series from a slow server plays while it comes.
  const slow = await open({ width: 900, height: 640 }, `?url=${encodeURIComponent("/data/large/series.nii?slow=60")}`);
  await slow.waitForFunction(() => Number(document.querySelector("#frame")?.value) >= 2);
  check((await slow.getAttribute("body", "data-loaded")) === null, "a series plays before it is there");
  await shot(slow, "loading");
  await loaded(slow);
  check((await fact(slow, "Frames")) === "40 of 40 read, 40 kept", `frames that were read: ${await fact(slow, "Frames")}`);
  check(/^44\./.test((await fact(slow, "Read")) ?? ""), `bytes that were read: ${await fact(slow, "Read")}`);
  check((await fact(slow, "Adapter"))?.includes("swiftshader") || process.env.CHROMIUM, "the adapter");
  await slow.close();

  // Frames beyond those that are kept are read when they are looked at, and the voxel's course by itself.
  const small = await open({ width: 900, height: 640 }, "?phantom&keep=4");
  await loaded(small);
  await small.click("#play");
  check((await fact(small, "Frames")) === "36 of 36 read, 2 kept", `frames that are kept: ${await fact(small, "Frames")}`);
  // The second is asked for while the first is read.
  await small.evaluate(() => {
    for (const frame of [14, 29]) {
      document.querySelector("#frame").value = frame;
      document.querySelector("#frame").dispatchEvent(new Event("input"));
    }
  });
  await small.waitForFunction(() => document.querySelector("#frame-number").textContent === "30 / 36");
  await small.keyboard.press("a");
  await small.click("#boxes");
  await compare(small, "a frame that was not kept", { frame: 29, cross });
  await small.waitForFunction(() => [...document.querySelectorAll("#facts dt")].some((dt) => dt.textContent === "Value"));
  await small.close();

  const phone = await open({ width: 390, height: 844 }, "?phantom", true);
  await loaded(phone);
  await phone.tap("#play");
  await phone.evaluate(() => {
    document.querySelector("#frame").value = 5;
    document.querySelector("#frame").dispatchEvent(new Event("input"));
  });
  await shot(phone, "phone");
  check(await phone.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "a phone's page is wider than the phone");
  await phone.tap("#boxes");
  await compare(phone, "phone", { frame, cross });
  await phone.close();

  // A file that is changed on disk after it was chosen.
  const disk = mkdtempSync(join(tmpdir(), "voxload-file-"));
  const path = join(disk, "chosen.nii");
  const page = await open({ width: 400, height: 300 }, "");
  const bytes = await page.evaluate(async () => [...new Uint8Array(await (await fetch("/data/faults/plain.nii")).arrayBuffer())].map((byte) => String.fromCharCode(byte)).join(""));
  writeFileSync(path, bytes, "latin1");
  await page.evaluate(() => document.body.append(Object.assign(document.createElement("input"), { type: "file", id: "chosen" })));
  await page.setInputFiles("#chosen", path);
  const opened = await page.evaluate(async () => {
    const { load } = await import("/dist/voxload.js");
    globalThis.image = await load(document.querySelector("#chosen").files[0]);
    return [globalThis.image.shape.join(), (await globalThis.image.slice("[0, 0, 0]")).data.length];
  });
  check(opened.join() === "64,64,40,1", `a file on disk: ${opened}`);
  writeFileSync(path, `${bytes.slice(0, -1)}x`, "latin1");
  utimesSync(path, new Date(), new Date(Date.now() + 5000));
  const read = () => page.evaluate(() => globalThis.image.getFdata().then(() => "values", (error) => error.kind));
  check((await read()) === "Changed", `a file that was changed on disk: ${await read()}`);
  rmSync(disk, { recursive: true });
  check(["NotFound", "Changed"].includes(await read()), `a file that was deleted: ${await read()}`);
  await page.close();
} catch (error) {
  problems.push(error.stack ?? String(error));
} finally {
  await browser.close();
  close();
}
for (const problem of problems) console.error(`demo: ${problem}`);
console.log(`demo: ${checks} checks, ${problems.length} failed; pictures in ${folder}`);
process.exit(problems.length === 0 ? 0 : 1);
