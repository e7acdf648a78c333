// node tests/shots.mjs FOLDER: the demo as people see it, as pictures. Fails where the page reports an error.

import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { serve } from "./serve.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const web = dirname(here);
const { chromium } = createRequire(join(web, "js", "package.json"))("playwright-core");
const folder = process.argv[2] ?? join(dirname(web), "target", "web-shots");
mkdirSync(folder, { recursive: true });

const { server, port } = await serve({ dist: join(web, "dist"), demo: join(web, "demo") }, () => {});
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/lib/chromium/chromium",
  args: [
    "--no-sandbox",
    "--enable-unsafe-webgpu",
    // Without these three a canvas of WebGPU stays empty in headless Chromium, or takes the device down with it.
    "--use-vulkan=swiftshader",
    "--enable-features=Vulkan",
    "--use-angle=swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
  ],
});
const problems = [];

async function page(size, query) {
  const page = await browser.newPage({ viewport: size });
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") problems.push(message.text());
  });
  await page.goto(`http://localhost:${port}/demo/index.html${query}`);
  return page;
}
const loaded = (page) => page.waitForFunction(() => document.body.dataset.loaded === "true", null, { timeout: 60_000 });
const shot = (page, name) => page.screenshot({ path: join(folder, `${name}.png`) });

try {
  const wide = await page({ width: 1280, height: 820 }, "");
  await shot(wide, "empty");
  await wide.click("#phantom");
  await loaded(wide);
  await wide.waitForTimeout(500);
  await shot(wide, "playing");
  await wide.click("#play");
  await wide.click('figure[data-view="axial"] canvas', { position: { x: 300, y: 150 } });
  await wide.keyboard.press("m");
  await wide.keyboard.press("]");
  await wide.waitForTimeout(800);
  await shot(wide, "surface");
  const before = problems.length;
  await wide.fill("#url", "/demo/missing.nii");
  await wide.keyboard.press("Enter");
  await wide.waitForSelector("#error:not([hidden])");
  await shot(wide, "error");
  // The browser itself complains of the 404.
  problems.splice(before);
  await wide.close();
  const phone = await page({ width: 390, height: 844 }, "?phantom");
  await loaded(phone);
  await phone.waitForTimeout(800);
  await shot(phone, "phone");
} finally {
  await browser.close();
  server.close();
  server.closeAllConnections();
}
for (const problem of problems) console.error(problem);
console.log(`pictures in ${folder}`);
process.exit(problems.length === 0 ? 0 : 1);
