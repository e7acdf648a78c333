// What a caller has given, before it goes to a worker: what is wrong there would end the worker, or mean something else.

import { VoxloadError } from "./errors.js";

/** An error of the caller's. */
export function usage(message: string): VoxloadError {
  return new VoxloadError({ kind: "Usage", message });
}

/** A value as it is shown in a message. */
export function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 100));
  if (typeof value === "object" && value !== null) return Object.prototype.toString.call(value);
  return String(value);
}

/** The largest number that the library is given of counts. */
const MOST = 2 ** 32 - 1;

/** A whole number from `least` on; one that is larger than any count is as good as the largest. */
export function whole(name: string, value: unknown, least: number): number {
  if (typeof value === "number" && Number.isFinite(value) && Math.floor(value) === value && value >= least) return Math.min(value, MOST);
  throw usage(`${name} is ${shown(value)}: a whole number from ${least} on is needed`);
}

/** One of some names. */
export function oneOf<N extends string>(name: string, value: unknown, names: readonly N[]): N {
  if (names.includes(value as N)) return value as N;
  throw usage(`${name} is ${shown(value)}: ${names.map((name) => JSON.stringify(name)).join(" or ")} is needed`);
}

export function text(name: string, value: unknown): string {
  if (typeof value === "string") return value;
  throw usage(`${name} is ${shown(value)}: a text is needed`);
}

/** `[lo, hi]`, if anything. */
export function range(name: string, value: unknown): [number, number] | undefined {
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.length === 2 && value.every((end) => typeof end === "number")) return value as [number, number];
  throw usage(`${name} is ${shown(value)}: [lo, hi] is needed`);
}

/** A signal, if anything; also one of another frame. */
export function signalOf(value: unknown): AbortSignal | undefined {
  if (value === undefined || value === null) return undefined;
  const signal = value as Partial<AbortSignal>;
  if (typeof signal.aborted === "boolean" && typeof signal.addEventListener === "function") return value as AbortSignal;
  throw usage(`signal is ${shown(value)}: an AbortSignal is needed`);
}
