// The files of pages/pattern.mjs: a .nii, and a .nii.gz of one member. Only the repeated part of each is in memory.

import { constants, crc32, deflateRawSync } from "node:zlib";
import { INTER, pattern, SHAPE, SLOPE, VOXELS } from "./pages/pattern.mjs";

/** A file of a start, a part that is repeated, and an end. */
class Made {
  constructor(start, part, times, end) {
    Object.assign(this, { start, part, times, end });
    this.length = start.length + part.length * times + end.length;
  }

  bytes(from, to) {
    const out = Buffer.allocUnsafe(to - from);
    const { start, part, times, end } = this;
    const behind = start.length + part.length * times;
    for (let at = from; at < to; ) {
      let piece;
      if (at < start.length) piece = start.subarray(at);
      else if (at < behind) piece = part.subarray((at - start.length) % part.length);
      else piece = end.subarray(at - behind);
      at += piece.copy(out, at - from, 0, Math.min(piece.length, to - at));
    }
    return out;
  }
}

function header() {
  const bytes = Buffer.alloc(352);
  bytes.writeInt32LE(348, 0);
  [4, ...SHAPE, 1, 1, 1].forEach((n, k) => bytes.writeInt16LE(n, 40 + 2 * k));
  bytes.writeInt16LE(4, 70);
  bytes.writeInt16LE(16, 72);
  [1, 2, 2, 2, 1.5, 0, 0, 0].forEach((n, k) => bytes.writeFloatLE(n, 76 + 4 * k));
  bytes.writeFloatLE(352, 108);
  bytes.writeFloatLE(SLOPE, 112);
  bytes.writeFloatLE(INTER, 116);
  bytes.write("n+1\0", 344);
  return bytes;
}

let made;

/** `series.nii` and `series.nii.gz`. */
export function madeFiles() {
  if (made) return made;
  const part = Buffer.from(pattern().buffer);
  const times = Math.floor((2 * VOXELS) / part.length);
  const rest = part.subarray(0, 2 * VOXELS - part.length * times);
  const plain = new Made(header(), part, times, rest);

  // After a full flush a compressor starts anew: what it makes of the part is the same each time.
  const flushed = (bytes) => deflateRawSync(bytes, { level: 1, finishFlush: constants.Z_FULL_FLUSH });
  const start = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
  let sum = crc32(header());
  for (let k = 0; k < times; k += 1) sum = crc32(part, sum);
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc32(rest, sum), 0);
  trailer.writeUInt32LE(plain.length % 2 ** 32, 4);
  const end = Buffer.concat([deflateRawSync(rest, { level: 1 }), trailer]);
  const packed = new Made(Buffer.concat([start, flushed(header())]), flushed(part), times, end);
  made = { "series.nii": plain, "series.nii.gz": packed };
  return made;
}
