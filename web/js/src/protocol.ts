// What page and worker say to each other.

import type { Failure } from "./errors.js";

/** How values are given. */
export type ValueType = "f32" | "f64";

/** The formats of textures. */
export type TextureFormat = "r16float" | "r32float" | "r8unorm";

/** A repaired fault of a header, or something unusual. */
export interface Note {
  field: string;
  message: string;
}

/** The header: what all formats have in common, and the format's own fields. */
export interface Header {
  /** The name of the format, as the option `format` of `load` takes it: "NIfTI-1", "ECAT 7". */
  format: string;
  shape: number[];
  dtype: string;
  byteOrder: "little" | "big";
  layout: "first" | "last";
  /** What each axis means: `space`, `time`, `component` or `other`. */
  axes: string[];
  /** Voxel size along each axis. */
  zooms: number[];
  spaceUnit: string;
  timeUnit: string;
  /** The factor of the stored numbers; null where it is a table. */
  slope: number | null;
  inter: number | null;
  dataOffset: number;
  fields: Record<string, string | number | number[]>;
}

export interface Description {
  shape: number[];
  dtype: string;
  /** Bytes of a stored voxel. */
  itemBytes: number;
  affine: number[][] | null;
  header: Header;
  frameAxis: number | null;
  compressed: boolean;
  notes: Note[];
}

export interface Statistics {
  /** Finite values. */
  count: number;
  /** NaN and infinities. */
  nonFinite: number;
  min: number;
  max: number;
  mean: number;
  std: number;
  histogram?: { edges: number[]; counts: number[] };
}

export interface Values<A = Float32Array | Float64Array> {
  data: A;
  shape: number[];
}

export interface Texels {
  data: Uint8Array;
  shape: [number, number, number];
  /** Whether the texels give back the values that they were made of. */
  exact: boolean;
}

/** What a device needs to convert stored bytes. */
export interface Recipe {
  shape: number[];
  dtype: string;
  /** Bytes of a stored voxel. */
  itemBytes: number;
  scaling: number[];
}

/** A file of an image, as the worker gets it. */
export type Part =
  | { kind: "bytes"; bytes: Uint8Array; name?: string }
  | { kind: "blob"; blob: Blob; name?: string }
  | { kind: "url"; url: string; name?: string; headers?: Record<string, string>; credentials: boolean; timeout: number };

/** What the worker does, and what it answers. */
export interface Operations {
  open: { args: { parts: Part[]; cache: number; gzipIndex?: Uint8Array; format?: string }; answer: Description };
  fdata: { args: { dtype: ValueType }; answer: Values };
  /** Sends all values in pieces ({@link PieceOf}) of so many; false, without a piece, if they are stored in another order. */
  fdataPieces: { args: { most: number }; answer: boolean };
  slice: { args: { index: string; dtype: ValueType }; answer: Values };
  stored: { args: { index: string }; answer: Uint8Array };
  /**
   * Sends the stored bytes of a compressed file to a port, in order, in pieces of so many ({@link Stored}). The other end sends the
   * buffers back, to be filled again. False, without a piece, where only `stored` has them.
   */
  storedTo: { args: { port: MessagePort; most: number }; answer: boolean };
  /** Converts what comes from a port, to one array or, as it comes, to pieces ({@link PieceOf}). Has no image. */
  convert: {
    args: { port: MessagePort; count: number; recipe: Recipe; dtype: ValueType; inPieces: boolean };
    answer: Values | undefined;
  };
  texels: { args: { index: string; format: TextureFormat; window?: [number, number] }; answer: Texels };
  recipe: { args: object; answer: Recipe | undefined };
  check: { args: object; answer: undefined };
  statistics: {
    args: { dtype: ValueType; bins?: number; window?: [number, number] };
    answer: Statistics;
  };
  framesOpen: { args: { dtype: ValueType; start: number; stop?: number; step: number }; answer: number };
  framesNext: { args: { series: number }; answer: (Values & { index: number }) | undefined };
  framesClose: { args: { series: number }; answer: undefined };
}

export type Name = keyof Operations;

export type Request =
  | { module: WebAssembly.Module }
  /** Of the image; another one is opened later. */
  | { forget: true }
  | { cancel: number }
  /** The buffer of a piece that was used: new memory takes longer than what is put there. */
  | { again: ArrayBuffer }
  | { [N in Name]: { id: number; name: N; args: Operations[N]["args"] } }[Name];

/** State of the worker that comes with every answer. */
export interface State {
  bytesRead: number;
  memory: number;
  notes?: Note[];
}

/** Some of the values or bytes of a call, that come before its answer. */
export interface PieceOf<A = Float32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>> {
  id: number;
  piece: A;
  /** The position of the first one among all. */
  at: number;
}

/** What comes to the end of a port where stored bytes are used. */
export type Stored = { bytes: Uint8Array<ArrayBuffer> } | { end: true };

export type Answer = { id: number; state: State } & ({ value: unknown } | { failure: Failure });
