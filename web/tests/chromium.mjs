// Starts Chromium on a page, without a DevTools client: such a client keeps what the page fetches.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const PROGRAM = process.env.CHROMIUM ?? "/usr/lib/chromium/chromium";

export const FLAGS = [
  "--no-sandbox",
  // Without it headless Chromium has no WebGPU. The adapter is then SwiftShader, which computes on the CPU.
  "--enable-unsafe-webgpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
  "--disable-quic",
  "--disable-dev-shm-usage",
];

/** Without these a canvas of WebGPU stays empty in headless Chromium, or takes the device down with it. */
export const CANVAS_FLAGS = ["--use-vulkan=swiftshader", "--enable-features=Vulkan", "--use-angle=swiftshader"];

/** Opens a page. `close` ends the browser and all its processes, `memory` is what they hold together. */
export function open(url, flags = []) {
  if (!existsSync(PROGRAM)) throw new Error(`no Chromium at ${PROGRAM}: apt-get install chromium, or set CHROMIUM`);
  const profile = mkdtempSync(join(tmpdir(), "voxload-chromium-"));
  const child = spawn(PROGRAM, ["--headless=new", ...FLAGS, ...flags, `--user-data-dir=${profile}`, url], {
    detached: true,
    stdio: ["ignore", "ignore", process.env.VERBOSE ? "inherit" : "ignore"],
  });
  const close = () => {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  return { close, memory: () => memoryOf(child.pid) };
}

/** Bytes that a process group holds; what processes share is counted once. Linux only, undefined elsewhere. */
function memoryOf(group) {
  let bytes = 0;
  let found = false;
  for (const name of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      // The name of the program, in brackets, may contain spaces.
      const stat = readFileSync(`/proc/${name}/stat`, "latin1").replace(/^.*\) /s, "").split(" ");
      if (Number(stat[2]) !== group) continue;
      const pss = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${name}/smaps_rollup`, "latin1"));
      bytes += Number(pss?.[1] ?? 0) * 1024;
      found = true;
    } catch {
      // It has ended meanwhile.
    }
  }
  return found ? bytes : undefined;
}
