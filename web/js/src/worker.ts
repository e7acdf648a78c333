// A dedicated worker with one image. Requests are worked off in order; long ones let messages in between their pieces, so that
// they can be cancelled.

import { failureOf, type Failure } from "./errors.js";
import { pieces } from "./pieces.js";
import type { Answer, Description, Name, Note, Operations, Part, Request, State, ValueType, Values } from "./protocol.js";
import { open } from "./readers.js";
import init, { Files, type Frames, type Image, lastPanic, memoryBytes } from "./wasm/voxload_web.js";

/** Values that are read between two looks for messages. */
const PIECE = 4 << 20;

/** Bytes up to which a compressed volume is read by one call of the library, which is the fastest way. */
const WHOLE_BYTES = 1 << 30;

const scope = self as unknown as DedicatedWorkerGlobalScope;
let ready: Promise<unknown> | undefined;
let image: Image | undefined;
let described: Description | undefined;
let ownNotes: Note[] = [];
const series = new Map<number, Frames>();
const cancelled = new Set<number>();
let nextSeries = 0;

type Handler<N extends Name> = (args: Operations[N]["args"], id: number) => Promise<Operations[N]["answer"]> | Operations[N]["answer"];

const handlers: { [N in Name]: Handler<N> } = {
  open: ({ parts, cache, gzipIndex }) => {
    const files = new Files();
    for (const part of parts) add(files, part, cache);
    if (gzipIndex) files.setGzipIndex(gzipIndex);
    image = files.open();
    described = image.describe() as unknown as Description;
    return { ...described, notes: [...ownNotes, ...described.notes] };
  },
  fdata: ({ dtype }, id) => fdata(dtype, id),
  slice: ({ index, dtype }) => opened().slice(index, dtype) as Values,
  stored: ({ index }) => opened().stored(index),
  texels: ({ index, format, window }) =>
    opened().texels(index, format, window && new Float64Array(window)) as Operations["texels"]["answer"],
  recipe: () => opened().recipe() as Operations["recipe"]["answer"],
  check: () => opened().checkToEnd() as undefined,
  statistics: ({ dtype, bins, window }) =>
    opened().statistics(dtype, bins, window && new Float64Array(window)) as unknown as Operations["statistics"]["answer"],
  framesOpen: ({ dtype, start, stop, step }) => {
    const number = nextSeries++;
    series.set(number, opened().frames(dtype, start, stop, step));
    return number;
  },
  framesNext: ({ series: number }) => series.get(number)?.nextFrame() as Operations["framesNext"]["answer"],
  framesClose: ({ series: number }) => {
    series.get(number)?.free();
    series.delete(number);
    return undefined;
  },
};

function opened(): Image {
  if (!image) throw { kind: "Usage", message: "no image was opened" } satisfies Failure;
  return image;
}

function add(files: Files, part: Part, cache: number): void {
  if (part.kind === "bytes") {
    const { bytes, name } = part;
    // Compressed bytes are inflated fastest where they are. Others are best left where they are, and copied as they are read.
    if (isCompressed(bytes)) files.addBytes(name, bytes);
    else files.addReader(name, bytes.length, 0, (offset: number, length: number) => bytes.subarray(offset, offset + length));
    return;
  }
  const reader = open(part);
  ownNotes.push(...reader.notes);
  files.addReader(part.name, reader.length, cache, reader.read);
}

function isCompressed(bytes: Uint8Array): boolean {
  const marks = [[0x1f, 0x8b], [0x42, 0x5a, 0x68], [0x28, 0xb5, 0x2f, 0xfd]];
  return marks.some((mark) => mark.every((byte, k) => bytes[k] === byte));
}

async function fdata(dtype: ValueType, id: number): Promise<Values> {
  const image = opened();
  const { shape, compressed, header } = described!;
  const total = image.valueCount();
  const bytes = total * (dtype === "f32" ? 4 : 8);
  // Pieces of a volume that is stored with its last axis fastest would each be scattered over all of the file.
  const atOnce = compressed || header.layout === "last" || total <= PIECE;
  if (atOnce && bytes <= WHOLE_BYTES) return image.fdata(dtype) as Values;
  const data = allocate(dtype, total);
  for (const piece of pieces(shape, PIECE)) {
    image.sliceInto(piece.index, dtype, data, piece.at);
    await letMessagesIn();
    stopIfCancelled(id);
  }
  if (compressed) image.checkToEnd();
  return { data, shape };
}

function allocate(dtype: ValueType, total: number): Float32Array | Float64Array {
  try {
    return dtype === "f32" ? new Float32Array(total) : new Float64Array(total);
  } catch {
    const needed = total * (dtype === "f32" ? 4 : 8);
    throw { kind: "OutOfMemory", message: `out of memory: ${needed} bytes were needed; read slices or frames` } satisfies Failure;
  }
}

const channel = new MessageChannel();

/** Resolves after the messages that have come so far. */
function letMessagesIn(): Promise<void> {
  return new Promise((resolve) => {
    channel.port1.onmessage = () => resolve();
    channel.port2.postMessage(0);
  });
}

function stopIfCancelled(id: number): void {
  if (cancelled.has(id)) throw { kind: "Cancelled", message: "cancelled" } satisfies Failure;
}

/** Buffers that the page gets without a copy. */
function transferable(value: unknown): Transferable[] {
  if (ArrayBuffer.isView(value)) return [value.buffer as ArrayBuffer];
  const data = (value as { data?: unknown } | undefined)?.data;
  return ArrayBuffer.isView(data) ? [data.buffer as ArrayBuffer] : [];
}

/** None where the module could not be instantiated. */
function memory(): number {
  try {
    return memoryBytes();
  } catch {
    return 0;
  }
}

function state(): State {
  const state: State = { bytesRead: image?.bytesRead() ?? 0, memory: memory() };
  if (image) state.notes = [...ownNotes, ...(image.notes() as unknown as Note[])];
  return state;
}

async function answer(request: Extract<Request, { id: number }>): Promise<void> {
  const { id, name, args } = request;
  let reply: Answer;
  try {
    await ready;
    stopIfCancelled(id);
    const value: unknown = await (handlers[name] as Handler<Name>)(args as never, id);
    reply = { id, value, state: state() };
  } catch (thrown) {
    const failure = failureOf(thrown);
    // After a trap nothing of this instance can be relied on.
    const trapped = failure.kind === "Internal";
    if (trapped) failure.message = lastPanicOr(failure.message);
    reply = { id, failure, state: trapped ? { bytesRead: 0, memory: 0 } : state() };
  }
  cancelled.delete(id);
  try {
    scope.postMessage(reply, "value" in reply ? transferable(reply.value) : []);
  } catch (error) {
    scope.postMessage({ id, failure: failureOf(error), state: reply.state } satisfies Answer);
  }
}

function lastPanicOr(message: string): string {
  try {
    return lastPanic() ?? message;
  } catch {
    return message;
  }
}

let queue: Promise<void> = Promise.resolve();

scope.onmessage = ({ data }: MessageEvent<Request>) => {
  if ("module" in data) {
    const starting = init({ module_or_path: data.module });
    // Whoever waits for it gets the error.
    starting.catch(() => {});
    ready = starting;
  } else if ("cancel" in data) {
    cancelled.add(data.cancel);
  } else {
    queue = queue.then(() => answer(data));
  }
};
