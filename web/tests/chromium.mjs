// Starts Chromium on a page, without a DevTools client: such a client keeps what the page fetches.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PROGRAM = process.env.CHROMIUM ?? "/usr/lib/chromium/chromium";

const FLAGS = [
  "--headless=new",
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

/** Opens a page. Returns a function that ends the browser and all its processes. */
export function open(url, flags = []) {
  if (!existsSync(PROGRAM)) throw new Error(`no Chromium at ${PROGRAM}: apt-get install chromium, or set CHROMIUM`);
  const profile = mkdtempSync(join(tmpdir(), "voxload-chromium-"));
  const child = spawn(PROGRAM, [...FLAGS, ...flags, `--user-data-dir=${profile}`, url], {
    detached: true,
    stdio: ["ignore", "ignore", process.env.VERBOSE ? "inherit" : "ignore"],
  });
  return () => {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  };
}
