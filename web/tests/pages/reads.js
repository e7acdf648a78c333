// What is read, counted by the server.

import { load } from "/dist/voxload.js";
import { Checks } from "./check.js";
import { differing, FRAME, pattern, SHAPE } from "./pattern.mjs";

const KIB = 1 << 10;
const MIB = 1 << 20;

let number = 0;

/** A URL that nothing else asks for, and a function that tells and clears what was sent of it. */
function counted(path) {
  number += 1;
  const url = `${path}?n=${number}`;
  return [url, async (keep) => (await fetch(`/counts?${keep ? "" : "reset&"}path=${encodeURIComponent(url)}`)).json()];
}

export default async function run(results) {
  const check = new Checks(results);

  const [plain, ofPlain] = counted("/data/large/series.nii");
  const image = await load(plain);
  const header = await ofPlain();
  check.that(header.bytes <= 64 * KIB, `a header: ${header.bytes} bytes`);
  check.equal(header.requests, 1, "requests of a header");
  const frameBytes = image.shape.slice(0, 3).reduce((all, n) => all * n, 2);
  await image.slice("[..., 3]");
  const frame = await ofPlain();
  check.that(frame.bytes <= frameBytes + 2 * MIB, `a frame of ${frameBytes} bytes: ${frame.bytes} bytes`);
  check.equal(image.bytesRead, header.bytes + frame.bytes, "bytesRead");
  await image.slice("[..., 3]");
  const again = await ofPlain();
  check.equal(again.bytes, 0, "the same frame again");
  await image.slice("[60, :, :, 5]");
  const across = await ofPlain();
  check.that(across.requests < 40, `a slice across the rows: ${across.requests} requests`);
  check.fact("nii", { header, frameBytes, frame, across });
  image.free();

  // 400 MB, and a frame in the middle of them.
  const stored = pattern();
  const [big, ofBig] = counted("/made/series.nii");
  const huge = await load(big);
  check.equal(huge.shape, SHAPE, "the shape of 400 MB");
  const start = await ofBig();
  check.that(start.bytes <= 64 * KIB, `a header of 400 MB: ${start.bytes} bytes`);
  const { data } = await huge.slice("[..., 117]");
  check.equal(differing(stored, 117, data), 0, "values of a frame of 400 MB");
  const middle = await ofBig();
  check.that(middle.bytes <= 2 * FRAME + 2 * MIB, `a frame of 400 MB: ${middle.bytes} bytes`);
  const point = await huge.slice("[5, 6, 7, :]");
  const at = 5 + SHAPE[0] * (6 + SHAPE[1] * 7);
  const wrong = point.data.filter((value, t) => value !== stored[(at + t * FRAME) % stored.length] * 0.5 + 3);
  check.equal([point.shape, wrong.length], [[SHAPE[3]], 0], "the course of a voxel in 400 MB");
  check.fact("400 MB", { header: start, frame: middle, voxel: await ofBig() });
  huge.free();

  const [packed, ofPacked] = counted("/data/large/series.nii.gz");
  const series = await load(packed);
  const opened = await ofPacked("keep");
  check.that(opened.bytes <= 64 * KIB, `a header of a .gz: ${opened.bytes} bytes`);
  await series.slice("[..., 0]");
  const first = await ofPacked("keep");
  await series.slice("[..., 1]");
  const second = await ofPacked("keep");
  const [ofFirst, ofSecond] = [first.bytes - opened.bytes, second.bytes - first.bytes];
  check.that(ofSecond < ofFirst * 1.5, `a second frame: ${ofSecond} bytes, the first ${ofFirst}`);
  check.equal(second.twice, 0, "bytes of a .gz that were fetched twice");
  // And back: all of it is kept.
  await series.slice("[..., 0]");
  check.equal((await ofPacked("keep")).bytes, second.bytes, "bytes for the first frame again");
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
  check.that(all.bytes <= length + MIB, `all frames of a file of ${length} bytes: ${all.bytes} bytes`);
  check.equal(all.twice, 0, "bytes that frames() fetched twice");
  check.fact("nii.gz", { length, opened, ofFirst, ofSecond, all });
  whole.free();

  // By an index. indexed_gzip's has no checksums, so all of the file is read, to be compared with its trailer.
  const expected = await (await load("/data/large/series.nii")).slice("[..., 20]");
  for (const ending of ["gzidx", "voxgzi"]) {
    const [indexed, ofIndexed] = counted("/data/large/series.nii.gz");
    const sparse = await load(indexed, { gzipIndex: `/data/large/series.${ending}` });
    const found = await sparse.slice("[..., 20]");
    const reads = await ofIndexed();
    check.bits(found.data, expected.data, `a frame by an index, ${ending}`);
    check.that(ending === "gzidx" || reads.bytes <= 4 * MIB, `the middle frame of a .gz with an index, ${ending}: ${reads.bytes} bytes`);
    check.fact(`with an index, ${ending}`, reads);
    sparse.free();
  }

  // Without ranges all of it is read, once.
  const [unranged, ofUnranged] = counted("/data/faults/plain.nii");
  const once = await load(`${unranged}&norange`);
  await once.getFdata();
  await once.slice("[..., 3]");
  const counts = await (await fetch(`/counts?path=${encodeURIComponent(`${unranged}&norange`)}`)).json();
  check.equal([counts.requests, counts.bytes], [1, once.bytesRead], "requests and bytes without ranges");
  void ofUnranged;
  once.free();
}
