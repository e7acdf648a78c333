// What is read, counted by the server.

import { load } from "/dist/voxload.js";
import { Checks } from "./check.js";

let number = 0;

/** A URL that nothing else asks for, and a function that tells and clears what was sent of it. */
function counted(path) {
  number += 1;
  const url = `${path}?n=${number}`;
  return [url, async () => (await fetch(`/counts?reset&path=${encodeURIComponent(url)}`)).json()];
}

export default async function run(results) {
  const check = new Checks(results);

  const [plain, ofPlain] = counted("/data/large/series.nii");
  const image = await load(plain);
  const header = await ofPlain();
  check.that(header.bytes <= 64 << 10, `a header: ${header.bytes} bytes`);
  const frameBytes = image.shape.slice(0, 3).reduce((all, n) => all * n, 2);
  await image.slice("[..., 3]");
  const frame = await ofPlain();
  check.that(frame.bytes <= frameBytes + (2 << 20), `a frame of ${frameBytes} bytes: ${frame.bytes} bytes`);
  check.equal(image.bytesRead, header.bytes + frame.bytes, "bytesRead");
  await image.slice("[..., 3]");
  const again = await ofPlain();
  check.equal(again.bytes, 0, "the same frame again");
  await image.slice("[60, :, :, 5]");
  const across = await ofPlain();
  check.that(across.requests < 40, `a slice across the rows: ${across.requests} requests`);
  check.fact("nii", { header, frameBytes, frame, across });
  image.free();

  const [packed, ofPacked] = counted("/data/large/series.nii.gz");
  const series = await load(packed);
  const start = await ofPacked();
  check.that(start.bytes <= 64 << 10, `a header of a .gz: ${start.bytes} bytes`);
  await series.slice("[..., 0]");
  const first = await ofPacked();
  const sofar = start.bytes + first.bytes;
  await series.slice("[..., 1]");
  const second = await ofPacked();
  check.that(second.bytes < first.bytes * 1.5, `a second frame: ${second.bytes} bytes, the first ${first.bytes}`);
  series.free();
  const [other, ofOther] = counted("/data/large/series.nii.gz");
  const whole = await load(other);
  let frames = 0;
  for await (const { index } of whole.frames()) {
    check.equal(index, frames, "a frame's number");
    frames += 1;
  }
  check.equal(frames, whole.shape[3], "frames");
  const all = await ofOther();
  const length = Number((await fetch("/data/large/series.nii.gz", { method: "HEAD" })).headers.get("Content-Length"));
  check.that(all.bytes <= length + (1 << 20), `all frames of a file of ${length} bytes: ${all.bytes} bytes`);
  check.fact("nii.gz", { length, start, sofar, second, all });
  whole.free();

  const [indexed, ofIndexed] = counted("/data/large/series.nii.gz");
  const sparse = await load(indexed, { gzipIndex: "/data/large/series.voxgzi" });
  const middle = await sparse.slice("[..., 20]");
  const reads = await ofIndexed();
  const plainMiddle = await load("/data/large/series.nii");
  check.bits(middle.data, (await plainMiddle.slice("[..., 20]")).data, "a frame by an index");
  check.that(reads.bytes <= 4 << 20, `the middle frame of a .gz with an index: ${reads.bytes} bytes`);
  check.fact("with an index", reads);
  sparse.free();
  plainMiddle.free();
}
