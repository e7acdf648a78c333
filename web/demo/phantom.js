// A series of our own: a head of ellipsoids, in which activity comes and goes.

const SHAPE = [72, 84, 64, 36];

// Centre and radii in -1..1, and how much is added inside.
const ELLIPSOIDS = [
  [0, 0, 0, 0.86, 0.92, 0.88, 420],
  [0, 0, 0, 0.78, 0.85, 0.8, -160],
  [0, -0.02, 0.05, 0.72, 0.78, 0.72, 240],
  [-0.22, 0.05, 0.05, 0.11, 0.34, 0.2, -260],
  [0.22, 0.05, 0.05, 0.11, 0.34, 0.2, -260],
  [-0.34, -0.3, -0.1, 0.18, 0.2, 0.18, 130],
  [0.34, -0.3, -0.1, 0.18, 0.2, 0.18, 130],
  [0, 0.5, 0.2, 0.22, 0.14, 0.2, 90],
  [0, -0.55, -0.35, 0.42, 0.24, 0.24, 110],
];

const ACTIVE = [
  [0.34, -0.3, -0.1, 0.14, 0],
  [-0.3, 0.38, 0.3, 0.12, 2],
];

/** A .nii of int16 with a slope and an intercept. */
export function phantom() {
  const [nx, ny, nz, nt] = SHAPE;
  const bytes = new ArrayBuffer(352 + nx * ny * nz * nt * 2);
  const view = new DataView(bytes);
  const short = (at, value) => view.setInt16(at, value, true);
  const float = (at, value) => view.setFloat32(at, value, true);
  view.setInt32(0, 348, true);
  [4, nx, ny, nz, nt, 1, 1, 1].forEach((n, k) => short(40 + 2 * k, n));
  short(70, 4);
  short(72, 16);
  [1, 2.5, 2.5, 2.5, 2, 0, 0, 0].forEach((n, k) => float(76 + 4 * k, n));
  float(108, 352);
  float(112, 0.5);
  float(116, 10);
  view.setUint8(123, 10);
  short(254, 1);
  [2.5, 0, 0, -89, 0, 2.5, 0, -104, 0, 0, 2.5, -79].forEach((n, k) => float(280 + 4 * k, n));
  new Uint8Array(bytes).set(new TextEncoder().encode("n+1\0"), 344);

  const still = new Float32Array(nx * ny * nz);
  const active = ACTIVE.map(() => new Float32Array(nx * ny * nz));
  const inside = (p, c, r) => ((p[0] - c[0]) / r[0]) ** 2 + ((p[1] - c[1]) / r[1]) ** 2 + ((p[2] - c[2]) / r[2]) ** 2;
  for (let k = 0, at = 0; k < nz; k += 1) {
    for (let j = 0; j < ny; j += 1) {
      for (let i = 0; i < nx; i += 1, at += 1) {
        const p = [(2 * i + 1) / nx - 1, (2 * j + 1) / ny - 1, (2 * k + 1) / nz - 1];
        for (const [x, y, z, a, b, c, value] of ELLIPSOIDS) {
          // Soft edges, as of partial volumes.
          const d = inside(p, [x, y, z], [a, b, c]);
          still[at] += value * Math.min(1, Math.max(0, (1.04 - d) * 12));
        }
        ACTIVE.forEach(([x, y, z, r], n) => {
          active[n][at] = 260 * Math.max(0, 1 - inside(p, [x, y, z], [r, r, r]));
        });
      }
    }
  }
  const voxels = new Int16Array(bytes, 352);
  let seed = 1;
  for (let t = 0, out = 0; t < nt; t += 1) {
    const on = ACTIVE.map(([, , , , phase]) => Math.max(0, Math.sin((2 * Math.PI * t) / 12 - phase)));
    for (let at = 0; at < still.length; at += 1, out += 1) {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      const noise = still[at] > 20 ? (seed / 2 ** 32 - 0.5) * 28 : 0;
      voxels[out] = still[at] + on[0] * active[0][at] + on[1] * active[1][at] + noise;
    }
  }
  return new File([bytes], "phantom.nii");
}
