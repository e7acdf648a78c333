// What pages import.

import { oneOf, range, shown, signalOf, text, usage, whole } from "./check.js";
import { Connection } from "./connection.js";
import { VoxloadError } from "./errors.js";
import { Gpu } from "./gpu.js";
import { pieces } from "./pieces.js";
import type { Description, Header, Note, Part, PieceOf, Recipe, Statistics, Stored, TextureFormat, ValueType, Values } from "./protocol.js";
import type { Volume } from "./wasm/voxload_web.js";

export { VoxloadError, type ErrorKind } from "./errors.js";
export { Gpu, type Conversion, type GpuOptions, type GpuRequestOptions } from "./gpu.js";
export type { Header, Note, Statistics, TextureFormat, ValueType, Values } from "./protocol.js";

/** A file: bytes in memory, a `File` or `Blob`, or a URL. */
export type Source = ArrayBuffer | Uint8Array | Blob | URL | string;

export interface LoadOptions {
  /**
   * The seek index of a `.nii.gz`, as `voxload index` or indexed_gzip write it: slices then read and inflate only what they need,
   * and are verified. An index of another file is ignored.
   */
  gzipIndex?: Source;
  /** Ends the load; the image that was loaded is not affected by it. */
  signal?: AbortSignal;
  /** The name of bytes or of a blob that has none: says what the file is where only names do, and is in errors. */
  name?: string;
  /**
   * Reads the file as this format, whatever its content: "Analyze 7.5" and "SPM99 Analyze", whose headers look like those of
   * "SPM2 Analyze", or any other format by its name.
   */
  format?: string;
  /** Hands the buffers of bytes over to the worker, instead of copying them: they are empty afterwards. */
  transfer?: boolean;
  /** Bytes of each file or URL that are kept for later reads; 32 MiB by default. */
  cache?: number;
  /** Headers of the requests to a URL. */
  headers?: Record<string, string>;
  /** Whether requests to a URL of another origin have its cookies. */
  credentials?: boolean;
  /**
   * Milliseconds after which a request to a URL fails; five minutes by default, 0 for never. A server without ranges sends the
   * whole file by one request.
   */
  timeout?: number;
}

export interface ReadOptions {
  /** The type of the values; `f32` by default. */
  dtype?: ValueType;
  signal?: AbortSignal;
}

export interface FramesOptions extends ReadOptions {
  start?: number;
  stop?: number;
  step?: number;
}

export interface StatisticsOptions extends ReadOptions {
  /** Bins of a histogram. */
  bins?: number;
  /** The histogram's range; that of the values by default. */
  window?: [number, number];
}

export interface TextureOptions {
  /** `r16float` by default. */
  format?: TextureFormat;
  /** The frame of a series; the first one by default. */
  frame?: number;
  /** The values that become 0 and 255 of `r8unorm`. */
  window?: [number, number];
  /** Usages besides `TEXTURE_BINDING`, `COPY_SRC` and `COPY_DST`. */
  usage?: GPUTextureUsageFlags;
  signal?: AbortSignal;
}

type TypedArray<T extends ValueType> = T extends "f64" ? Float64Array : Float32Array;

/** A frame of a series. */
export interface Frame<A> extends Values<A> {
  /** Its number. */
  index: number;
}

const CACHE_BYTES = 32 << 20;
const MOST_BINS = 1 << 20;
const TIMEOUT = 300_000;

/** Values that go to a device at a time. */
const PIECE = 2 << 20;

/** Stored bytes that go from one worker to another at a time. */
const STORED_PIECE = 1 << 20;

/** Stored bytes from which on two workers are worth while. */
const BY_TWO_BYTES = 16 << 20;

/** Stored bytes up to which a compressed volume is sent to a device faster than it may be converted there. */
const STREAMED_BYTES = 1 << 30;

/**
 * Loads an image: reads its header, and no voxel. An image in several files is given by all of them, in any order if they have
 * names, or else the header first.
 */
export async function load(source: Source | Source[], options: LoadOptions = {}): Promise<Image> {
  options ??= {};
  const signal = signalOf(options.signal);
  signal?.throwIfAborted();
  const sources = Array.isArray(source) ? source : [source];
  if (sources.length === 0) throw usage("no file: a list of the files of one image is needed");
  const parts = sources.map((source) => partOf(source, options));
  const [connection, gzipIndex] = await Promise.all([Connection.open(), indexBytes(options)]);
  const close = () => connection.close({ kind: "Cancelled", message: "cancelled" });
  try {
    signal?.throwIfAborted();
    // A load that waits for a server cannot look at messages: its worker is ended.
    signal?.addEventListener("abort", close, { once: true });
    const transfer = [...new Set(parts.flatMap((part) => (part.kind === "bytes" ? [part.bytes.buffer as ArrayBuffer] : [])))];
    const cache = options.cache ?? CACHE_BYTES;
    const format = options.format === undefined ? {} : { format: text("format", options.format) };
    const described = await connection.call("open", { parts, cache, ...format, ...(gzipIndex ? { gzipIndex } : {}) }, { signal, transfer });
    Connection.prepare();
    return new Image(connection, described);
  } catch (error) {
    close();
    // Whichever of the two was noticed first.
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", close);
  }
}

/** An index as bytes: it is needed as a whole. */
async function indexBytes({ gzipIndex: source, signal, headers, credentials }: LoadOptions): Promise<Uint8Array | undefined> {
  if (source === undefined) return undefined;
  const bytes = bytesOf(source);
  if (bytes) return bytes;
  const failed = (kind: "Io" | "NotFound", message: string) => new VoxloadError({ kind, message, file: String(source) });
  try {
    if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer());
    const url = urlOf(source);
    const mode = credentials ? "include" : "same-origin";
    const response = await fetch(url, { credentials: mode, ...(signal ? { signal } : {}), ...(headers ? { headers } : {}) });
    if (!response.ok) throw failed(response.status === 404 ? "NotFound" : "Io", `${url}: the server answered ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    signal?.throwIfAborted();
    throw error instanceof VoxloadError ? error : failed("Io", `the index cannot be read: ${(error as Error).message}`);
  }
}

function partOf(source: Source, options: LoadOptions): Part {
  const name = options.name;
  if (source instanceof Blob) {
    const own = source instanceof File ? source.name : undefined;
    return named({ kind: "blob", blob: source }, own ?? name);
  }
  const bytes = bytesOf(source);
  // Sent as they are, bytes would be copied twice, with all of the buffer that they are a part of.
  if (bytes) return named({ kind: "bytes", bytes: options.transfer ? bytes : bytes.slice() }, name);
  const url = urlOf(source);
  const last = decodeURIComponentOr(url.pathname.split("/").at(-1) ?? "");
  const { headers, credentials = false, timeout = TIMEOUT } = options;
  const part: Part = { kind: "url", url: url.href, credentials, timeout };
  if (headers) part.headers = headers;
  return named(part, last || name);
}

/** Bytes in memory, if the source is any. */
function bytesOf(source: unknown): Uint8Array | undefined {
  try {
    if (source instanceof ArrayBuffer) return new Uint8Array(source);
    // The bytes of any view, whatever it takes them for.
    if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  } catch {
    throw usage("the buffer was handed over before: it is empty");
  }
  return undefined;
}

function urlOf(source: unknown): URL {
  if (typeof source !== "string" && !(source instanceof URL)) {
    throw usage(`${shown(source)} is no source: a File, a Blob, a URL or bytes are needed`);
  }
  try {
    return new URL(source, globalThis.document?.baseURI ?? globalThis.location?.href);
  } catch {
    throw usage(`not a URL: ${String(source)}`);
  }
}

function named(part: Part, name: string | undefined): Part {
  return name ? { ...part, name } : part;
}

function decodeURIComponentOr(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Ends the workers of images that nobody has any more. */
const forgotten = new FinalizationRegistry<Connection>((connection) => {
  connection.close({ kind: "Usage", message: "the image was freed" });
});

/** An image: a header, and voxels that are read when they are asked for. */
export class Image {
  readonly #connection: Connection;
  readonly #described: Description;

  /** @internal */
  constructor(connection: Connection, described: Description) {
    this.#connection = connection;
    this.#described = described;
    forgotten.register(this, connection, this);
  }

  /** Voxels along each axis. */
  get shape(): number[] {
    return [...this.#described.shape];
  }

  get ndim(): number {
    return this.#described.shape.length;
  }

  /** The type of the stored voxels, by its name in numpy. */
  get dtype(): string {
    return this.#described.dtype;
  }

  /** Voxel index to millimetres (RAS+), as 4 rows; null where the file has none. */
  get affine(): number[][] | null {
    return this.#described.affine?.map((row) => [...row]) ?? null;
  }

  get header(): Header {
    return this.#described.header;
  }

  /** The axis along which frames are counted; null if the image is one frame. */
  get frameAxis(): number | null {
    return this.#described.frameAxis;
  }

  /** Faults of the header that were repaired, and what is unusual about the file. */
  get notes(): Note[] {
    return [...(this.#connection.state.notes ?? this.#described.notes)];
  }

  /** Bytes that were read of files and URLs so far. */
  get bytesRead(): number {
    return this.#connection.state.bytesRead;
  }

  /** Bytes of the worker's WebAssembly memory. */
  get memory(): number {
    return this.#connection.state.memory;
  }

  /** All values, scaled, the first axis fastest. */
  async getFdata<T extends ValueType = "f32">(options: ReadOptions & { dtype?: T } = {}): Promise<TypedArray<T>> {
    const { dtype, signal } = readOptions(options);
    const inTwo = await this.#byTwo(dtype, false, { signal });
    const { data } = inTwo?.values ?? (await this.#connection.call("fdata", { dtype }, { signal }));
    return data as TypedArray<T>;
  }

  /**
   * Reads a large compressed volume by two workers: its own inflates, a second one converts. Undefined, where it is not worth
   * while, or not possible.
   */
  async #byTwo(
    dtype: ValueType,
    inPieces: boolean,
    options: { signal?: AbortSignal | undefined; take?: (piece: PieceOf) => void },
  ): Promise<{ values: Values | undefined } | undefined> {
    const { signal, take } = options;
    const { shape, compressed, itemBytes } = this.#described;
    const count = shape.reduce((all, n) => all * n, 1);
    if (!compressed || count * itemBytes < BY_TWO_BYTES || (globalThis.navigator?.hardwareConcurrency ?? 1) < 2) return undefined;
    const recipe = await this.#connection.call("recipe", {}, { signal });
    if (!recipe) return undefined;
    const helper = await Connection.open();
    const close = () => helper.close({ kind: "Cancelled", message: "cancelled" });
    const { port1, port2 } = new MessageChannel();
    const stop = new AbortController();
    const relay = () => stop.abort(signal!.reason);
    signal?.addEventListener("abort", relay, { once: true });
    if (signal?.aborted) relay();
    const args = { port: port2, count, recipe, dtype, inPieces };
    const converting = helper.call("convert", args, { transfer: [port2], ...(take ? { take } : {}) });
    const most = Math.floor(STORED_PIECE / itemBytes) * itemBytes;
    const sending = this.#connection.call("storedTo", { port: port1, most }, { signal: stop.signal, transfer: [port1] });
    // Whichever of the two fails first says why, and ends the other.
    let failure: { error: unknown } | undefined;
    const fail = (end: () => void) => (error: unknown) => {
      failure ??= { error };
      end();
    };
    converting.catch(fail(() => stop.abort()));
    sending.then((sent) => sent || close(), fail(close));
    const [sent, converted] = await Promise.allSettled([sending, converting]);
    signal?.removeEventListener("abort", relay);
    signal?.throwIfAborted();
    if (sent.status === "fulfilled" && !sent.value) return undefined;
    if (failure || converted.status === "rejected") throw failure?.error;
    helper.free({ kind: "Usage", message: "done" });
    return { values: converted.value };
  }

  /** The values that an index in numpy's notation selects, as `[:, :, 30]`: only their bytes are read. */
  async slice<T extends ValueType = "f32">(index: string, options: ReadOptions & { dtype?: T } = {}): Promise<Values<TypedArray<T>>> {
    const { dtype, signal } = readOptions(options);
    const values = await this.#connection.call("slice", { index: text("index", index), dtype }, { signal });
    return values as Values<TypedArray<T>>;
  }

  /** The frames of a series, one after the other; the next one is read while one is used. */
  async *frames<T extends ValueType = "f32">(options: FramesOptions & { dtype?: T } = {}): AsyncGenerator<Frame<TypedArray<T>>, void, void> {
    const { dtype, signal } = readOptions(options);
    const start = whole("start", options.start ?? 0, 0);
    const step = whole("step", options.step ?? 1, 1);
    const stop = options.stop === undefined ? {} : { stop: whole("stop", options.stop, 0) };
    const series = await this.#connection.call("framesOpen", { dtype, start, step, ...stop }, { signal });
    const next = () => {
      const frame = this.#connection.call("framesNext", { series }, { signal });
      // It is looked at when it is its turn.
      frame.catch(() => {});
      return frame;
    };
    try {
      let coming = next();
      for (;;) {
        const frame = await coming;
        if (!frame) return;
        coming = next();
        yield frame as Frame<TypedArray<T>>;
      }
    } finally {
      this.#connection.call("framesClose", { series }).catch(() => {});
    }
  }

  /** Statistics of all values. */
  async statistics(options: StatisticsOptions = {}): Promise<Statistics> {
    const { dtype, signal } = readOptions(options);
    const window = range("window", options.window);
    const bins = options.bins === undefined ? undefined : whole("bins", options.bins, 1);
    if (bins !== undefined && bins > MOST_BINS) throw usage(`bins is ${bins}: at most ${MOST_BINS} are possible`);
    return this.#connection.call(
      "statistics",
      { dtype, ...(bins === undefined ? {} : { bins }), ...(window ? { window } : {}) },
      { signal },
    );
  }

  /**
   * All values as f32 in a buffer of the device, the first axis fastest: the bits of `getFdata`. The buffer has the usages
   * `STORAGE`, `COPY_SRC` and `COPY_DST`, and outlives the image.
   */
  async getFdataGpu(gpu: Gpu, options: { signal?: AbortSignal } = {}): Promise<GPUBuffer> {
    checkGpu(gpu);
    const signal = signalOf(options.signal);
    const recipe = gpu.usesKernels ? await this.#connection.call("recipe", {}, { signal }) : undefined;
    return recipe ? this.#convertOnDevice(gpu, recipe, signal) : this.#convertHere(gpu, signal);
  }

  /** The worker sends stored bytes, the device converts them. */
  async #convertOnDevice(gpu: Gpu, recipe: Recipe, signal?: AbortSignal): Promise<GPUBuffer> {
    const engine = await gpu.engine();
    const volume = engine.volume(new Uint32Array(recipe.shape), recipe.dtype, new Float64Array(recipe.scaling));
    let buffer: GPUBuffer | undefined;
    try {
      await volume.allocate();
      buffer = volume.buffer() as GPUBuffer;
      if (this.#described.compressed && (await this.#streamTo(volume, recipe.shape, signal))) return buffer;
      const all = slabs(recipe.shape, PIECE);
      for await (const [slab, bytes] of this.#ahead(all, (slab) => this.#connection.call("stored", { index: slab.index }, { signal }))) {
        await volume.put(slab.first, slab.end, bytes);
        signal?.throwIfAborted();
      }
      if (this.#described.compressed) await this.#connection.call("check", {}, { signal });
      return buffer;
    } catch (error) {
      buffer?.destroy();
      throw asVoxloadError(error);
    } finally {
      volume.free();
    }
  }

  /** Has a compressed file inflated as a whole, which is faster than by parts, and converted as it comes; false if it cannot be. */
  async #streamTo(volume: Volume, shape: number[], signal?: AbortSignal): Promise<boolean> {
    const row = shape.slice(0, -1).reduce((all, n) => all * n, this.#described.itemBytes);
    const positions = Math.max(1, Math.floor((PIECE * this.#described.itemBytes) / row));
    if (row === 0) return false;
    const { port1, port2 } = new MessageChannel();
    const stop = new AbortController();
    const relay = () => stop.abort(signal!.reason);
    signal?.addEventListener("abort", relay, { once: true });
    if (signal?.aborted) relay();
    let first = 0;
    let done: Promise<void> = Promise.resolve();
    const put = async (bytes: Uint8Array<ArrayBuffer>) => {
      const end = first + bytes.length / row;
      await volume.put(first, end, bytes);
      first = end;
      port2.postMessage(bytes.buffer, [bytes.buffer]);
    };
    const ended = new Promise<void>((resolve) => {
      port2.onmessage = ({ data }: MessageEvent<Stored>) => {
        if ("end" in data) return resolve();
        done = done.then(() => put(data.bytes));
        done.catch(() => stop.abort());
      };
    });
    try {
      const args = { port: port1, most: positions * row };
      const sent = await this.#connection.call("storedTo", args, { signal: stop.signal, transfer: [port1] });
      if (sent) await ended;
      return sent;
    } finally {
      signal?.removeEventListener("abort", relay);
      port2.close();
      signal?.throwIfAborted();
      await done;
    }
  }

  /** The worker converts, the device gets values. */
  async #convertHere(gpu: Gpu, signal?: AbortSignal): Promise<GPUBuffer> {
    const { device } = gpu;
    const { shape, compressed } = this.#described;
    const bytes = shape.reduce((all, n) => all * n, 4);
    checkLimit("maxBufferSize", bytes, device.limits.maxBufferSize);
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const buffer = await gpu.guarded(bytes, () => device.createBuffer({ label: "voxload array", size: Math.max(4, bytes), usage }));
    try {
      if (compressed) {
        // As a whole it is inflated faster than by parts. What comes is written while the worker goes on.
        const written: Promise<void>[] = [];
        const take = ({ piece, at }: PieceOf) => {
          const write = gpu.guarded(bytes, () => device.queue.writeBuffer(buffer, at * 4, piece));
          // It is looked at below.
          write.catch(() => {});
          written.push(write);
        };
        const sent = (await this.#byTwo("f32", true, { signal, take })) ?? (await this.#connection.call("fdataPieces", { most: PIECE }, { signal, take }));
        await Promise.all(written);
        if (sent) return buffer;
      }
      const read = (index: string) => this.#connection.call("slice", { index, dtype: "f32" }, { signal });
      for await (const [piece, { data }] of this.#ahead(pieces(shape, PIECE), (piece) => read(piece.index))) {
        await gpu.guarded(bytes, () => device.queue.writeBuffer(buffer, piece.at * 4, data as Float32Array<ArrayBuffer>));
      }
      if (compressed) await this.#connection.call("check", {}, { signal });
      return buffer;
    } catch (error) {
      buffer.destroy();
      throw error;
    }
  }

  /** A volume in a 3-D texture: voxel (i, j, k) is texel (i, j, k). It outlives the image. */
  async toTexture(gpu: Gpu, options: TextureOptions = {}): Promise<GPUTexture> {
    checkGpu(gpu);
    const { usage: usages = 0 } = options;
    const signal = signalOf(options.signal);
    const format = oneOf("format", options.format ?? "r16float", ["r16float", "r32float", "r8unorm"]);
    const window = range("window", options.window);
    const frame = whole("frame", options.frame ?? 0, 0);
    const { device } = gpu;
    const [axes, size] = this.#volumeAxes();
    for (const side of size) checkLimit("maxTextureDimension3D", side, device.limits.maxTextureDimension3D);
    if (size.includes(0)) throw new VoxloadError({ kind: "Shape", message: `a texture of an empty volume: ${this.#described.shape}` });
    if (gpu.usesKernels) {
      const made = await this.#textureOnDevice(gpu, axes, frame, options);
      if (made) return made;
    }
    const texel = { r16float: 2, r32float: 4, r8unorm: 1 }[format];
    const voxels = size[0] * size[1] * size[2];
    const texture = await gpu.guarded(voxels * texel, () =>
      device.createTexture({
        label: "voxload volume",
        size,
        dimension: "3d",
        format,
        usage: usages | GPUTextureUsage.TEXTURE_BINDING | GPUTextureUsage.COPY_SRC | GPUTextureUsage.COPY_DST,
      }),
    );
    const read = (slab: { first: number; end: number }) => {
      const index = this.#volumeIndex(axes, frame, slab.first, slab.end);
      return this.#connection.call("texels", { index, format, ...(window ? { window } : {}) }, { signal });
    };
    try {
      for await (const [slab, { data }] of this.#ahead(slabs(size, PIECE), read)) {
        const depth = slab.end - slab.first;
        await gpu.guarded(voxels * texel, () =>
          device.queue.writeTexture(
            { texture, origin: [0, 0, slab.first] },
            data as Uint8Array<ArrayBuffer>,
            { bytesPerRow: size[0] * texel, rowsPerImage: size[1] },
            [size[0], size[1], depth],
          ),
        );
      }
      return texture;
    } catch (error) {
      texture.destroy();
      throw error;
    }
  }

  /** The same by kernels; undefined where the stored voxels of a volume are not one after the other, or the CPU has to convert. */
  async #textureOnDevice(gpu: Gpu, axes: number[], frame: number, options: TextureOptions): Promise<GPUTexture | undefined> {
    const { signal, format = "r16float", window, usage = 0 } = options;
    const { shape, frameAxis, itemBytes } = this.#described;
    const volume = axes.reduce((all, axis) => all * shape[axis]!, 1);
    if (axes.some((axis, k) => axis !== k) || volume * itemBytes > STREAMED_BYTES) return undefined;
    const recipe = await this.#connection.call("recipe", {}, { signal });
    if (!recipe) return undefined;
    const engine = await gpu.engine();
    const index = this.#volumeIndex(axes, frame, 0, shape[axes[2]!] ?? 1);
    const bytes = await this.#connection.call("stored", { index }, { signal });
    // Volumes between two steps along the frames' axis.
    const step = frameAxis === null ? 0 : shape.slice(axes.length, frameAxis).reduce((all, n) => all * n, 1);
    const stored = engine.volume(new Uint32Array(recipe.shape), recipe.dtype, new Float64Array(recipe.scaling));
    try {
      const made = stored.texture(index, frame * step * volume, bytes, format, window && new Float64Array(window), usage);
      return (await made) as GPUTexture;
    } catch (error) {
      throw asVoxloadError(error);
    } finally {
      stored.free();
    }
  }

  /** The axes of a volume, at most three, and its size. */
  #volumeAxes(): [axes: number[], size: [number, number, number]] {
    const { shape, header } = this.#described;
    let axes = header.axes.flatMap((kind, axis) => (kind === "space" ? [axis] : [])).slice(0, 3);
    if (axes.length === 0) axes = [0, 1, 2].filter((axis) => axis < shape.length);
    const side = (k: number) => (axes[k] === undefined ? 1 : (shape[axes[k]] ?? 1));
    return [axes, [side(0), side(1), side(2)]];
  }

  /** The index of a part of a frame: these positions of the third axis of the volume. */
  #volumeIndex(axes: number[], frame: number, first: number, end: number): string {
    const { shape, frameAxis } = this.#described;
    const items = shape.map((_, axis) => {
      if (axis === axes[2]) return `${first}:${end}`;
      if (axes.includes(axis)) return ":";
      return axis === frameAxis ? `${frame}` : "0";
    });
    return items.length > 0 ? items.join(", ") : "...";
  }

  /** Reads one item ahead of the one that is used. */
  async *#ahead<I, R>(items: Iterable<I>, read: (item: I) => Promise<R>): AsyncGenerator<[I, R], void, void> {
    let before: [I, Promise<R>] | undefined;
    for (const item of items) {
      const coming = read(item);
      coming.catch(() => {});
      if (before) yield [before[0], await before[1]];
      before = [item, coming];
    }
    if (before) yield [before[0], await before[1]];
  }

  /** Ends the image's worker, which gives back its memory. Arrays, buffers and textures that were read stay as they are. */
  free(): void {
    forgotten.unregister(this);
    this.#connection.free({ kind: "Usage", message: "the image was freed" });
  }
}

/** Whole positions of the last axis, of about so many values. */
function* slabs(shape: readonly number[], most: number): Generator<{ index: string; first: number; end: number }> {
  const length = shape.at(-1) ?? 1;
  const row = shape.slice(0, -1).reduce((all, n) => all * n, 1);
  if (length === 0 || row === 0) return;
  const step = Math.max(1, Math.floor(most / row));
  for (let first = 0; first < length; first += step) {
    const end = Math.min(length, first + step);
    yield { index: shape.length > 0 ? `[..., ${first}:${end}]` : "...", first, end };
  }
}

function checkLimit(limit: string, needed: number, allowed: number): void {
  if (needed <= allowed) return;
  throw new VoxloadError({ kind: "GpuLimit", field: limit, message: `${limit} of the device is ${allowed}, ${needed} were needed` });
}

function readOptions<T extends ValueType>(options: ReadOptions & { dtype?: T }): { dtype: ValueType; signal: AbortSignal | undefined } {
  const { dtype = "f32", signal } = options ?? {};
  return { dtype: oneOf("dtype", dtype, ["f32", "f64"]), signal: signalOf(signal) };
}

function checkGpu(gpu: unknown): void {
  if (!(gpu instanceof Gpu)) throw usage(`${shown(gpu)} is no Gpu: Gpu.request() and Gpu.fromDevice(device) make one`);
  gpu.checkLost();
}

/** Errors of the page's own instance as those of the worker. */
function asVoxloadError(error: unknown): unknown {
  const { kind } = (error ?? {}) as { kind?: unknown };
  if (error instanceof VoxloadError || typeof kind !== "string") return error;
  return new VoxloadError(error as ConstructorParameters<typeof VoxloadError>[0]);
}
