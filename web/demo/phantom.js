// A series of our own: a head of ellipsoids, in which activity comes and goes.

const SHAPE = [72, 84, 64, 36];

// Centre and radii in -1..1, and a value: skin, a nose, ears.
const SKIN = [
  [0, -0.04, 0, 0.82, 0.86, 0.94, 300],
  [0, 0.8, -0.34, 0.13, 0.19, 0.2, 290],
  [0, 0.46, -0.7, 0.36, 0.36, 0.26, 290],
  [-0.84, -0.08, -0.18, 0.06, 0.14, 0.18, 290],
  [0.84, -0.08, -0.18, 0.06, 0.14, 0.18, 290],
];

// And how much is added inside: the skull is dark.
const ELLIPSOIDS = [
  [0, -0.05, 0.08, 0.74, 0.78, 0.8, -250],
  // Ventricles, deep nuclei, cerebellum, eyes.
  [-0.15, 0.02, 0.12, 0.08, 0.3, 0.16, -260],
  [0.15, 0.02, 0.12, 0.08, 0.3, 0.16, -260],
  [-0.33, 0.06, 0.05, 0.1, 0.2, 0.16, -70],
  [0.33, 0.06, 0.05, 0.1, 0.2, 0.16, -70],
  [-0.3, 0.68, -0.14, 0.13, 0.13, 0.13, -130],
  [0.3, 0.68, -0.14, 0.13, 0.13, 0.13, -130],
];

// The brain: grey matter, and in it the white, whose border is folded.
const BRAIN = [0, -0.06, 0.1, 0.67, 0.73, 0.7];
const GREY = 200;
const WHITE = 80;

// Centre, radius and phase of what comes and goes.
const ACTIVE = [
  [0.4, -0.4, 0.1, 0.16, 0],
  [-0.42, 0.3, 0.32, 0.14, 2],
];

/** A voxel in the first of them. */
export const CENTRE = [50, 25, 35];

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
  // Soft edges, as of partial volumes.
  const soft = (within) => Math.min(1, Math.max(0, within * 10));
  const inside = (p, c, r) => ((p[0] - c[0]) / r[0]) ** 2 + ((p[1] - c[1]) / r[1]) ** 2 + ((p[2] - c[2]) / r[2]) ** 2;
  for (let k = 0, at = 0; k < nz; k += 1) {
    for (let j = 0; j < ny; j += 1) {
      for (let i = 0; i < nx; i += 1, at += 1) {
        const p = [(2 * i + 1) / nx - 1, (2 * j + 1) / ny - 1, (2 * k + 1) / nz - 1];
        for (const [x, y, z, a, b, c, value] of SKIN) {
          still[at] = Math.max(still[at], value * soft(1.04 - inside(p, [x, y, z], [a, b, c])));
        }
        for (const [x, y, z, a, b, c, value] of ELLIPSOIDS) {
          still[at] += value * soft(1.04 - inside(p, [x, y, z], [a, b, c]));
        }
        const fold = Math.sin(19 * p[0] + 4 * p[1]) * Math.sin(17 * p[1] - 4 * p[2]) * Math.sin(18 * p[2] + 3 * p[0]);
        const d = inside(p, BRAIN.slice(0, 3), BRAIN.slice(3));
        const gap = Math.abs(p[0]) < 0.018 && p[2] > 0.3 ? -0.3 : 0;
        still[at] += GREY * soft(1 + 0.16 * fold + gap - d) + WHITE * soft(0.66 + 0.34 * fold + gap - d);
        ACTIVE.forEach(([x, y, z, r], n) => {
          active[n][at] = 240 * Math.max(0, 1 - inside(p, [x, y, z], [r, r, r]));
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
