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
  return { close, memory: () => memoryOf(child.pid), seconds: () => secondsOf(child.pid) };
}

/** Bytes that a process group holds; what processes share is counted once. Linux only, undefined elsewhere. */
function memoryOf(group) {
  const all = processes(group).map(({ name }) => {
    try {
      return Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${name}/smaps_rollup`, "latin1"))?.[1] ?? 0) * 1024;
    } catch {
      // It has ended meanwhile.
      return 0;
    }
  });
  return all.length > 0 ? all.reduce((sum, bytes) => sum + bytes, 0) : undefined;
}

/** Seconds of processors that the processes of a group have used. */
function secondsOf(group) {
  return processes(group).reduce((sum, { stat }) => sum + Number(stat[11]) + Number(stat[12]), 0) / 100;
}

function processes(group) {
  if (!existsSync("/proc/self/stat")) return [];
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      // The name of the program, in brackets, may contain spaces.
      const stat = readFileSync(`/proc/${name}/stat`, "latin1").replace(/^.*\) /s, "").split(" ");
      return Number(stat[2]) === group ? [{ name, stat }] : [];
    } catch {
      return [];
    }
  });
}
