// A dedicated worker with one image. Requests are worked off in order; long ones let messages in between their pieces, so that
// they can be cancelled.

import { failureOf, type Failure } from "./errors.js";
import { pieces, type Piece } from "./pieces.js";
import type { Answer, Description, Name, Note, Operations, Part, PieceOf, Request, State, Stored, ValueType, Values } from "./protocol.js";
import { bytesRead, open, type Reader, resetBytesRead } from "./readers.js";
import init, { Converter, Files, type Frames, type Image, lastPanic, memoryBytes, offer, withdraw } from "./wasm/voxload_web.js";

/** Stored bytes that are read between two looks for messages. */
const PIECE_BYTES = 2 << 20;

/** Bytes of values up to which a compressed volume is read by one call of the library. */
const WHOLE_BYTES = 1 << 30;

const scope = self as unknown as DedicatedWorkerGlobalScope;
let ready: Promise<unknown> | undefined;
let image: Image | undefined;
let described: Description | undefined;
let ownNotes: Note[] = [];
let sources: Source[] = [];
const series = new Map<number, Frames>();
const cancelled = new Set<number>();
let nextSeries = 0;

interface Source {
  reader: Reader;
  /** The library's number of it. */
  number: number;
}

type Handler<N extends Name> = (args: Operations[N]["args"], id: number) => Promise<Operations[N]["answer"]> | Operations[N]["answer"];

const handlers: { [N in Name]: Handler<N> } = {
  open: ({ parts, cache, gzipIndex, format }) => {
    const files = new Files();
    for (const part of parts) add(files, part, cache);
    if (gzipIndex) files.setGzipIndex(gzipIndex);
    if (format !== undefined) files.setFormat(format);
    image = files.open();
    described = image.describe() as unknown as Description;
    return { ...described, notes: [...ownNotes, ...described.notes] };
  },
  fdata: ({ dtype }, id) => fdata(dtype, id),
  fdataPieces: async ({ most }, id) => {
    let sent = false;
    await wholeFiles(() => void (sent = opened().fdataPieces(most, sender(id))));
    return sent;
  },
  slice: ({ index, dtype }) => opened().slice(index, dtype) as Values,
  stored: ({ index }) => opened().stored(index),
  storedTo: ({ port, most }, id) => storedTo(port, most, id),
  convert: (args, id) => convert(args, id),
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

/** Sends pieces to the page as they come. */
function sender(id: number) {
  return (piece: PieceOf["piece"], at: number) => scope.postMessage({ id, piece, at } satisfies PieceOf, [piece.buffer]);
}

function opened(): Image {
  if (!image) throw { kind: "Usage", message: "no image was opened" } satisfies Failure;
  return image;
}

function add(files: Files, part: Part, cache: number): void {
  if (part.kind === "bytes") {
    // They stay where they are, and are copied as they are read.
    const { bytes, name } = part;
    const number = files.addReader(name, bytes.length, 0, (offset: number, length: number) => bytes.subarray(offset, offset + length));
    offer(number, 0, bytes);
    return;
  }
  const reader = open(part);
  ownNotes.push(...reader.notes);
  sources.push({ reader, number: files.addReader(part.name, reader.length, cache, reader.read) });
}

async function fdata(dtype: ValueType, id: number): Promise<Values> {
  const image = opened();
  const { shape, compressed, header, itemBytes } = described!;
  const total = image.valueCount();
  const bytes = total * (dtype === "f32" ? 4 : 8);
  // Pieces of a volume that is stored with its last axis fastest would each be scattered over all of the file.
  if (header.layout === "last" && bytes <= WHOLE_BYTES) return image.fdata(dtype) as Values;
  const data = allocate(dtype, total);
  const most = Math.max(1, Math.floor(PIECE_BYTES / itemBytes));
  if ((compressed && bytes <= WHOLE_BYTES) || total <= most) {
    await wholeFiles(() => void (image.fdataInto(dtype, data) || image.sliceInto("...", dtype, data, 0)));
    return { data, shape };
  }
  const bytesOf = ({ count }: Piece) => count * itemBytes;
  // A header may name several files.
  const isInOne = sources.some(({ reader }) => header.dataOffset + total * itemBytes <= reader.length);
  for await (const piece of withBytes(pieces(shape, most), bytesOf, compressed || !isInOne ? undefined : header.dataOffset)) {
    image.sliceInto(piece.index, dtype, data, piece.at);
    stopIfCancelled(id);
  }
  if (compressed) image.checkToEnd();
  return { data, shape };
}

/** Does something that reads all of the files. What can be is read before: by one request it is read several times faster. */
async function wholeFiles(work: () => void | Promise<void>): Promise<void> {
  const whole = async ({ reader, number }: Source): Promise<number | undefined> => {
    if (!reader.forwards || reader.length > WHOLE_BYTES) return undefined;
    const bytes = reader.forwards(0);
    offer(number, 0, await bytes.next(reader.length));
    bytes.close();
    return number;
  };
  const offered = await Promise.all(sources.map(whole));
  try {
    await work();
  } finally {
    for (const number of offered) if (number !== undefined) withdraw(number);
  }
}

/**
 * Gives items one by one, with messages in between. Where the voxels are uncompressed, from a byte of the longest file on, the
 * bytes of the next item are read while one is worked on.
 */
async function* withBytes<I>(items: Iterable<I>, bytesOf: (item: I) => number, from?: number): AsyncGenerator<I, void, void> {
  const [voxels] = [...sources].sort((a, b) => b.reader.length - a.reader.length);
  if (from === undefined || !voxels?.reader.forwards) {
    for (const item of items) {
      yield item;
      await letMessagesIn();
    }
    return;
  }
  const forwards = voxels.reader.forwards(from);
  const left = items[Symbol.iterator]();
  const next = () => {
    const { value: item, done } = left.next();
    if (done) return undefined;
    const bytes = forwards.next(bytesOf(item));
    // It is looked at when it is its turn.
    bytes.catch(() => {});
    return { item, bytes };
  };
  try {
    for (let now = next(), at = from; now; ) {
      const bytes = await now.bytes;
      const then = next();
      offer(voxels.number, at, bytes);
      try {
        yield now.item;
      } finally {
        withdraw(voxels.number);
      }
      at += bytes.length;
      now = then;
      await letMessagesIn();
    }
  } finally {
    forwards.close();
  }
}

/** Buffers of stored bytes that are on their way to where they are used, or back. */
const BUFFERS = 4;

/** Buffers of pieces that the page has used, while more are made. */
let used: ArrayBuffer[] | undefined;

async function storedTo(port: MessagePort, most: number, id: number): Promise<boolean> {
  const reader = opened().storedReader();
  if (!reader) return false;
  const returned: ArrayBuffer[] = [];
  port.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
    returned.push(data);
    wake();
  };
  let made = 0;
  const compressed = comingFile();
  let sent = 0;
  const send = async () => {
    for (;;) {
      let buffer = returned.pop();
      if (!buffer && made < BUFFERS) {
        buffer = new ArrayBuffer(most);
        made += 1;
      }
      if (!buffer) {
        await new Promise<void>((resolve) => (wake = resolve));
        stopIfCancelled(id);
        continue;
      }
      await compressed?.need(sent + buffer.byteLength);
      const count = reader.read(new Uint8Array(buffer));
      if (count === 0) break;
      sent += count;
      port.postMessage({ bytes: new Uint8Array(buffer, 0, count) } satisfies Stored, [buffer]);
      await letMessagesIn();
      stopIfCancelled(id);
    }
    port.postMessage({ end: true } satisfies Stored);
  };
  try {
    await (compressed ? send() : wholeFiles(send));
  } finally {
    reader.free();
    compressed?.close();
  }
  return true;
}

/** Bytes of a compressed file that are read at a time. */
const COMING_BYTES = 2 << 20;

/** Bytes that are read before they are needed: of headers, and what the library reads ahead. */
const COMING_AHEAD = 1 << 20;

/** Reads a compressed file while it is inflated; undefined if there is no single one that can be read so. */
function comingFile(): { need(inflated: number): Promise<void>; close(): void } | undefined {
  const [source, ...others] = sources;
  if (!source?.reader.forwards || others.length > 0 || source.reader.length > WHOLE_BYTES) return undefined;
  const { reader, number } = source;
  const forwards = reader.forwards!(0, true);
  let [at, asked] = [0, 0];
  let coming: Promise<Uint8Array> | undefined;
  const ask = () => {
    const length = Math.min(COMING_BYTES, reader.length - asked);
    if (length === 0) return (coming = undefined);
    asked += length;
    coming = forwards.next(length);
    // It is looked at when it is needed.
    coming.catch(() => {});
    return coming;
  };
  ask();
  return {
    // Deflate makes nothing much larger: so much of it is needed at most.
    async need(inflated) {
      while (coming && at < inflated + inflated / 1000 + COMING_AHEAD) {
        const bytes = await coming;
        ask();
        offer(number, at, bytes);
        at += bytes.length;
      }
    },
    close() {
      forwards.close();
      withdraw(number);
    },
  };
}

async function convert({ port, count, recipe, dtype, inPieces }: Operations["convert"]["args"], id: number): Promise<Values | undefined> {
  const converter = new Converter(count, recipe.dtype, new Float64Array(recipe.scaling), dtype);
  const data = inPieces ? undefined : allocate(dtype, count);
  used = [];
  const send = sender(id);
  let at = 0;
  const pieceOf = (values: number) => {
    const again = used?.pop();
    return again?.byteLength === values * 4 ? new Float32Array(again) : new Float32Array(values);
  };
  const next = (bytes: Uint8Array<ArrayBuffer>) => {
    if (data) {
      at += converter.next(bytes, data, at);
    } else {
      const piece = pieceOf(Math.floor(bytes.length / recipe.itemBytes));
      const done = converter.next(bytes, piece, 0);
      send(piece, at);
      at += done;
    }
    port.postMessage(bytes.buffer, [bytes.buffer]);
  };
  try {
    await new Promise<void>((resolve, reject) => {
      port.onmessage = ({ data: stored }: MessageEvent<Stored>) => {
        if ("end" in stored) return resolve();
        try {
          next(stored.bytes);
        } catch (error) {
          reject(error);
        }
      };
    });
  } finally {
    converter.free();
    port.close();
    used = undefined;
  }
  return data && { data, shape: [count] };
}

function allocate(dtype: ValueType, total: number): Float32Array | Float64Array {
  try {
    return dtype === "f32" ? new Float32Array(total) : new Float64Array(total);
  } catch {
    const needed = total * (dtype === "f32" ? 4 : 8);
    throw { kind: "OutOfMemory", message: `out of memory: ${needed} bytes were needed; read slices or frames` } satisfies Failure;
  }
}

/** Has a call that waits look whether it was cancelled. */
let wake = () => {};

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
  const state: State = { bytesRead, memory: memory() };
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

/** Gives back the image: nothing is asked of it any more. */
function forget(): void {
  for (const frames of series.values()) frames.free();
  series.clear();
  image?.free();
  [image, described, ownNotes, sources] = [undefined, undefined, [], []];
  resetBytesRead();
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
  } else if ("again" in data) {
    if (used && used.length < BUFFERS) used.push(data.again);
  } else if ("forget" in data) {
    forget();
  } else if ("cancel" in data) {
    cancelled.add(data.cancel);
    wake();
  } else {
    queue = queue.then(() => answer(data));
  }
};
