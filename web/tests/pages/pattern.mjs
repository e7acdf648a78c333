// A series of 400 MB that is on no disk: the server makes its bytes as they are asked for, and the page knows its values.

export const SHAPE = [128, 128, 64, 200];
export const FRAME = SHAPE[0] * SHAPE[1] * SHAPE[2];
export const VOXELS = FRAME * SHAPE[3];
export const SLOPE = 0.5;
export const INTER = 3;

/** A prime, so that no two frames are the same. */
const PERIOD = 500_009;

/** Stored numbers that repeat: noise of ten bits, which compresses as that of a scanner. */
export function pattern() {
  const stored = new Int16Array(PERIOD);
  let seed = 18;
  for (let k = 0; k < PERIOD; k += 1) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    stored[k] = seed >>> 22;
  }
  return stored;
}

/** The values of a frame that are not the series' own: 0 is right. */
export function differing(stored, frame, values) {
  let differ = Math.abs(FRAME - values.length);
  let at = (frame * FRAME) % PERIOD;
  for (let k = 0; k < values.length; k += 1) {
    if (values[k] !== stored[at] * SLOPE + INTER) differ += 1;
    at += 1;
    if (at === PERIOD) at = 0;
  }
  return differ;
}
