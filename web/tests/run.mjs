// node tests/run.mjs [PAGE ..]: makes the data, opens each page of tests/pages in Chromium and prints what it reports. Fails when
// a check fails, when a page reports nothing in time, and when there is no browser or no WebGPU.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { open } from "./chromium.mjs";
import { serve } from "./serve.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const web = dirname(here);
const root = dirname(web);
const target = process.env.WEB_TARGET ?? join(root, "target");
const data = process.env.WEB_DATA ?? join(target, "web-data");
const dist = process.env.WEB_DIST ?? join(web, "dist");
const python = process.env.ORACLE_PYTHON ?? join(root, ".oracle", "env", "bin", "python");
const oracle = process.env.WEB_ORACLE ?? join(root, "target", "oracle");
const LIMIT_MS = Number(process.env.WEB_LIMIT ?? 480_000);

// The measurements are made where they are asked for.
const SEPARATE = ["check.js", "bench.js"];
const all = readdirSync(join(here, "pages")).filter((name) => name.endsWith(".js") && !SEPARATE.includes(name));
const chosen = process.argv.length > 2 ? process.argv.slice(2).map((name) => `${name}.js`) : all;

const made = spawnSync(python, [join(here, "make_data.py"), data, oracle, ...(chosen.includes("bench.js") ? ["bench"] : [])], { stdio: "inherit" });
if (made.status !== 0) {
  console.error(`the data cannot be made with ${python}; ORACLE_PYTHON names another Python with nibabel`);
  process.exit(1);
}

// An index of ours, by the command.
const index = join(data, "large", "series.voxgzi");
if (!existsSync(index)) {
  const programs = process.env.VOXLOAD ? [process.env.VOXLOAD] : ["release", "debug"].map((profile) => join(root, "target", profile, "voxload"));
  const program = programs.find((path) => existsSync(path));
  const { status } = program ? spawnSync(program, ["index", join(data, "large", "series.nii.gz"), "--output", index], { stdio: "inherit" }) : {};
  if (status !== 0) {
    console.error("the index cannot be made: build the command (cargo build -p voxload-cli), or name it by VOXLOAD");
    process.exit(1);
  }
}

// What the measurements compare with, from npm; it is not committed.
const peers = join(target, "web-peers");
if (chosen.includes("bench.js") && !existsSync(join(peers, "node_modules", "nifti-reader-js"))) {
  mkdirSync(peers, { recursive: true });
  writeFileSync(join(peers, "package.json"), '{ "private": true }');
  const { status } = spawnSync("npm", ["install", "--no-audit", "--no-fund", "nifti-reader-js", "fflate"], { cwd: peers, stdio: "inherit" });
  if (status !== 0) process.exit(1);
}

let deliver;
let browser;
const { port, other, close } = await serve(
  { dist, demo: join(web, "demo"), pages: join(here, "pages"), repository: root, app: process.env.WEB_APP ?? join(target, "web-app"), peers, data },
  { result: (result) => deliver?.(result), memory: () => browser?.memory() },
);

const FLAGS = { "memory.js": ["--js-flags=--expose-gc"] };
let failed = 0;
for (const name of chosen) {
  const result = new Promise((resolve) => (deliver = resolve));
  const begun = Date.now();
  browser = open(`http://localhost:${port}/pages/page.html?test=${name}&other=${other}&limit=${LIMIT_MS - 10_000}`, FLAGS[name]);
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(() => resolve({ failures: [`nothing was reported within ${LIMIT_MS / 1000} s`] }), LIMIT_MS);
  });
  try {
    const { checks = 0, failures, facts = {} } = await Promise.race([result, late]);
    for (const [fact, value] of Object.entries(facts)) console.log(`${name}: ${fact}: ${JSON.stringify(value)}`);
    for (const failure of failures.slice(0, 60)) console.error(`${name}: ${failure}`);
    const seconds = ((Date.now() - begun) / 1000).toFixed(1);
    console.log(`${name}: ${checks} checks, ${failures.length} failed, ${seconds} s (${browser.seconds().toFixed(1)} s of processors)`);
    failed += failures.length;
    if (checks === 0 && failures.length === 0) failed += 1;
  } finally {
    clearTimeout(timer);
    browser.close();
  }
}
close();
process.exit(failed === 0 ? 0 : 1);
