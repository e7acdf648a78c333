// What pages import.

import { Connection } from "./connection.js";
import { VoxloadError } from "./errors.js";
import { Gpu } from "./gpu.js";
import { pieces } from "./pieces.js";
import type { Description, Header, Note, Part, Recipe, Statistics, TextureFormat, ValueType, Values } from "./protocol.js";

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
const TIMEOUT = 300_000;

/** Values that go to a device at a time. */
const PIECE = 2 << 20;

/**
 * Loads an image: reads its header, and no voxel. An image in several files is given by all of them, in any order if they have
 * names, or else the header first.
 */
export async function load(source: Source | Source[], options: LoadOptions = {}): Promise<Image> {
  const { signal } = options;
  signal?.throwIfAborted();
  const sources = Array.isArray(source) ? source : [source];
  const parts = sources.map((source) => partOf(source, options));
  const [connection, gzipIndex] = await Promise.all([Connection.open(), indexBytes(options)]);
  const close = () => connection.close({ kind: "Cancelled", message: "cancelled" });
  try {
    signal?.throwIfAborted();
    // A load that waits for a server cannot look at messages: its worker is ended.
    signal?.addEventListener("abort", close, { once: true });
    const transfer = parts.flatMap((part) => (part.kind === "bytes" ? [part.bytes.buffer as ArrayBuffer] : []));
    const cache = options.cache ?? CACHE_BYTES;
    const described = await connection.call("open", { parts, cache, ...(gzipIndex ? { gzipIndex } : {}) }, { signal, transfer });
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
  if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer());
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (ArrayBuffer.isView(source)) return source as Uint8Array;
  const mode = credentials ? "include" : "same-origin";
  const response = await fetch(source, { credentials: mode, ...(signal ? { signal } : {}), ...(headers ? { headers } : {}) });
  if (!response.ok) {
    const kind = response.status === 404 ? "NotFound" : "Io";
    throw new VoxloadError({ kind, message: `${response.url}: the server answered ${response.status}`, file: String(source) });
  }
  return new Uint8Array(await response.arrayBuffer());
}

function partOf(source: Source, options: LoadOptions): Part {
  const name = options.name;
  if (source instanceof Blob) {
    const own = source instanceof File ? source.name : undefined;
    return named({ kind: "blob", blob: source }, own ?? name);
  }
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) {
    const bytes = source instanceof ArrayBuffer ? new Uint8Array(source) : source;
    // Sent as they are, bytes would be copied twice, with all of the buffer that they are a part of.
    return named({ kind: "bytes", bytes: options.transfer ? bytes : bytes.slice() }, name);
  }
  let url: URL;
  try {
    url = new URL(source, globalThis.document?.baseURI ?? globalThis.location?.href);
  } catch {
    throw new VoxloadError({ kind: "Usage", message: `not a URL: ${String(source)}` });
  }
  const last = decodeURIComponentOr(url.pathname.split("/").at(-1) ?? "");
  const { headers, credentials = false, timeout = TIMEOUT } = options;
  const part: Part = { kind: "url", url: url.href, credentials, timeout };
  if (headers) part.headers = headers;
  return named(part, last || name);
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
    const { dtype = "f32", signal } = options;
    const { data } = await this.#connection.call("fdata", { dtype }, { signal });
    return data as TypedArray<T>;
  }

  /** The values that an index in numpy's notation selects, as `[:, :, 30]`: only their bytes are read. */
  async slice<T extends ValueType = "f32">(index: string, options: ReadOptions & { dtype?: T } = {}): Promise<Values<TypedArray<T>>> {
    const { dtype = "f32", signal } = options;
    const values = await this.#connection.call("slice", { index, dtype }, { signal });
    return values as Values<TypedArray<T>>;
  }

  /** The frames of a series, one after the other; the next one is read while one is used. */
  async *frames<T extends ValueType = "f32">(options: FramesOptions & { dtype?: T } = {}): AsyncGenerator<Frame<TypedArray<T>>, void, void> {
    const { dtype = "f32", start = 0, stop, step = 1, signal } = options;
    const series = await this.#connection.call("framesOpen", { dtype, start, step, ...(stop === undefined ? {} : { stop }) }, { signal });
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
  statistics(options: StatisticsOptions = {}): Promise<Statistics> {
    const { dtype = "f32", bins, window, signal } = options;
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
    gpu.checkLost();
    const { signal } = options;
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

  /** The worker converts, the device gets values. */
  async #convertHere(gpu: Gpu, signal?: AbortSignal): Promise<GPUBuffer> {
    const { device } = gpu;
    const { shape, compressed } = this.#described;
    const bytes = shape.reduce((all, n) => all * n, 4);
    checkLimit("maxBufferSize", bytes, device.limits.maxBufferSize);
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const buffer = await gpu.guarded(bytes, () => device.createBuffer({ label: "voxload array", size: Math.max(4, bytes), usage }));
    try {
      if (compressed && bytes <= 1 << 30) {
        // As a whole it is inflated twice as fast as in pieces.
        const { data } = await this.#connection.call("fdata", { dtype: "f32" }, { signal });
        await gpu.guarded(bytes, () => device.queue.writeBuffer(buffer, 0, data as Float32Array<ArrayBuffer>));
        return buffer;
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
    const { format = "r16float", frame = 0, window, signal, usage = 0 } = options;
    const { device } = gpu;
    gpu.checkLost();
    const [axes, size] = this.#volumeAxes();
    for (const side of size) checkLimit("maxTextureDimension3D", side, device.limits.maxTextureDimension3D);
    if (size.includes(0)) throw new VoxloadError({ kind: "Shape", message: `a texture of an empty volume: ${this.#described.shape}` });
    const texel = { r16float: 2, r32float: 4, r8unorm: 1 }[format];
    const voxels = size[0] * size[1] * size[2];
    const texture = await gpu.guarded(voxels * texel, () =>
      device.createTexture({
        label: "voxload volume",
        size,
        dimension: "3d",
        format,
        usage: usage | GPUTextureUsage.TEXTURE_BINDING | GPUTextureUsage.COPY_SRC | GPUTextureUsage.COPY_DST,
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
    this.#connection.close({ kind: "Usage", message: "the image was freed" });
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

/** Errors of the page's own instance as those of the worker. */
function asVoxloadError(error: unknown): unknown {
  const { kind } = (error ?? {}) as { kind?: unknown };
  if (error instanceof VoxloadError || typeof kind !== "string") return error;
  return new VoxloadError(error as ConstructorParameters<typeof VoxloadError>[0]);
}
