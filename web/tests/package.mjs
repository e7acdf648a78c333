// node tests/package.mjs: packs dist/ as npm would publish it, installs it in a new page of Vite's, checks its types, builds the
// page, and opens it in Chromium. Packages of npm are kept in target/web-package; nothing of them is committed.

import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { open } from "./chromium.mjs";
import { serve } from "./serve.mjs";

const VITE = "^8.0.0";
const LIMIT_MS = 60_000;

const here = dirname(fileURLToPath(import.meta.url));
const web = dirname(here);
const target = process.env.WEB_TARGET ?? join(dirname(web), "target");
const data = process.env.WEB_DATA ?? join(target, "web-data");
const dist = process.env.WEB_DIST ?? join(web, "dist");
const folder = join(target, "web-package");
const page = join(folder, "page");

function run(command, args, cwd) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (status === 0) return stdout;
  console.error(`${command} ${args.join(" ")} failed\n${stdout}${stderr}`);
  process.exit(1);
}

mkdirSync(page, { recursive: true });
const packed = JSON.parse(run("npm", ["pack", "--json", "--pack-destination", folder], dist))[0];
renameSync(join(folder, packed.filename), join(folder, "voxload.tgz"));
const names = packed.files.map(({ path }) => path);
for (const needed of ["package.json", "README.md", "LICENSE-MIT", "LICENSE-APACHE", "voxload.js", "voxload.d.ts", "worker.js", "wasm/voxload_web_bg.wasm"]) {
  if (names.includes(needed)) continue;
  console.error(`the package has no ${needed}`);
  process.exit(1);
}

cpSync(join(here, "vite"), page, { recursive: true });
writeFileSync(join(page, "package.json"), readFileSync(join(here, "vite", "package.json"), "utf8").replace("VITE", VITE));
// npm takes a package with the same name and version for the same, whatever is in it.
rmSync(join(page, "node_modules", "voxload"), { recursive: true, force: true });
rmSync(join(page, "node_modules", ".vite"), { recursive: true, force: true });
rmSync(join(page, "package-lock.json"), { force: true });
run("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline"], page);
run("npx", ["tsc"], page);
run("npx", ["vite", "build"], page);
if (!existsSync(join(page, "dist", "index.html"))) throw new Error("Vite has built nothing");

let deliver;
const { port, close } = await serve({ assets: join(page, "dist", "assets"), page: join(page, "dist"), data }, { result: (result) => deliver(result) });

async function check(title, url) {
  const result = new Promise((resolve) => (deliver = resolve));
  const browser = open(url);
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, LIMIT_MS, { checks: 0, failures: [`nothing was reported within ${LIMIT_MS / 1000} s`] });
  });
  const { checks, failures } = await Promise.race([result, late]);
  clearTimeout(timer);
  browser.close();
  for (const failure of failures) console.error(`package, ${title}: ${failure}`);
  console.log(`package, ${title}: ${checks} checks, ${failures.length} failed`);
  return checks > 0 && failures.length === 0;
}

const built = await check("a page that Vite has built", `http://localhost:${port}/page/index.html`);
// Vite's own server gives the package's files one by one.
const vite = spawn("npx", ["vite", "--port", "0"], { cwd: page, env: { ...process.env, TEST_SERVER: `http://localhost:${port}` }, detached: true });
const address = await new Promise((resolve, reject) => {
  let said = "";
  const hear = (piece) => {
    said += piece;
    const found = /http:\/\/localhost:\d+/.exec(said.replace(/\u001b\[\d+m/g, ""));
    if (found) resolve(found[0]);
  };
  vite.stdout.on("data", hear);
  vite.stderr.on("data", hear);
  setTimeout(() => reject(new Error(`Vite's server has not begun: ${said}`)), LIMIT_MS).unref();
});
const served = await check("a page of Vite's server", `${address}/index.html`);
process.kill(-vite.pid, "SIGTERM");
close();
console.log(`package: ${packed.name} ${packed.version}, ${names.length} files, ${packed.size} bytes`);
process.exit(built && served ? 0 : 1);
