// What the pages have in common.

/** Milliseconds that a promise may take that is to be rejected: a hang is a failure. */
const REJECTED_WITHIN = 20_000;

/** A promise, or a failure after some time. */
export function within(ms, promise, message) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${message}: nothing within ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Checks and counts. */
export class Checks {
  constructor(results) {
    this.results = results;
  }

  that(condition, message) {
    this.results.checks += 1;
    this.results.last = message;
    if (!condition) this.results.failures.push(message);
    return Boolean(condition);
  }

  equal(found, expected, message) {
    const [a, b] = [JSON.stringify(found), JSON.stringify(expected)];
    return this.that(a === b, `${message}: ${a}, expected ${b}`);
  }

  /** The same bits; NaNs are equal to one another. */
  bits(found, expected, message) {
    const differ = differing(found, expected);
    return this.that(differ === 0, `${message}: ${differ} of ${expected.length} values differ`);
  }

  /** The error that a promise is rejected with. */
  async rejects(promise, kind, message) {
    try {
      await within(REJECTED_WITHIN, promise, "a hang");
    } catch (error) {
      this.that(error?.kind === kind || error?.name === kind, `${message}: ${error?.name} ${error?.kind}: ${error?.message}`);
      return error;
    }
    this.that(false, `${message}: not rejected`);
    return undefined;
  }

  fact(name, value) {
    this.results.facts[name] = value;
  }
}

export function differing(found, expected) {
  if (found?.constructor !== expected.constructor) return Infinity;
  if (found.length !== expected.length) return Infinity;
  let differ = 0;
  for (let i = 0; i < expected.length; i += 1) {
    const same = Object.is(found[i], expected[i]) || (Number.isNaN(found[i]) && Number.isNaN(expected[i]));
    if (!same) differ += 1;
  }
  return differ;
}

/** Makes every NaN the same one: of a NaN only is compared that it is one. */
function withoutPayload(values) {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.byteLength / 4);
  if (values instanceof Float32Array) {
    for (let k = 0; k < words.length; k += 1) if ((words[k] & 0x7fffffff) > 0x7f800000) words[k] = 0x7fc00000;
    return;
  }
  for (let k = 0; k < words.length; k += 2) {
    const high = words[k + 1] & 0x7fffffff;
    if (high > 0x7ff00000 || (high === 0x7ff00000 && words[k] !== 0)) [words[k], words[k + 1]] = [0, 0x7ff80000];
  }
}

/** The SHA-256 that the oracle's scripts give for values, every NaN made the same one. */
export async function sha256(values) {
  const copy = values.slice();
  withoutPayload(copy);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", copy));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The same values with the lowest bit of one number changed; undefined where there is no number. */
export function flipped(values) {
  const at = values.findLastIndex((value) => !Number.isNaN(value));
  if (at < 0) return undefined;
  const copy = values.slice();
  new Uint8Array(copy.buffer)[at * values.BYTES_PER_ELEMENT] ^= 1;
  return copy;
}

export async function fetchBytes(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.arrayBuffer();
}

/** The content of a buffer of a device. */
export async function readBack(device, buffer) {
  const copy = device.createBuffer({ size: buffer.size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, copy, 0, buffer.size);
  device.queue.submit([encoder.finish()]);
  await copy.mapAsync(GPUMapMode.READ);
  const bytes = copy.getMappedRange().slice(0);
  copy.destroy();
  return bytes;
}

/** The texels of a 3-D texture, without the padding of its rows. */
export async function readTexture(device, texture, texelBytes) {
  const { width, height, depthOrArrayLayers: depth } = texture;
  const row = Math.ceil((width * texelBytes) / 256) * 256;
  const copy = device.createBuffer({ size: row * height * depth, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const encoder = device.createCommandEncoder();
  encoder.copyTextureToBuffer({ texture }, { buffer: copy, bytesPerRow: row, rowsPerImage: height }, [width, height, depth]);
  device.queue.submit([encoder.finish()]);
  await copy.mapAsync(GPUMapMode.READ);
  const padded = new Uint8Array(copy.getMappedRange());
  const bytes = new Uint8Array(width * texelBytes * height * depth);
  for (let k = 0; k < height * depth; k += 1) {
    bytes.set(padded.subarray(k * row, k * row + width * texelBytes), k * width * texelBytes);
  }
  copy.destroy();
  return bytes;
}
