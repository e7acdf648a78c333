// Readers for a dedicated worker, where files and URLs can be read at once: (offset, length) => bytes.

import type { Failure, ErrorKind } from "./errors.js";
import type { Note, Part } from "./protocol.js";

export type Read = (offset: number, length: number) => Uint8Array;

export interface Reader {
  name?: string;
  length: number;
  read: Read;
  /** Reads from a byte on while other work goes on, where that is faster. What it gives can be kept, or for a while only. */
  forwards?: (offset: number, kept?: boolean) => Forwards;
  notes: Note[];
}

/** A reader that goes on from where it is. */
export interface Forwards {
  /** The next bytes. If they are not to be kept, they stay what they are until the call after the next. */
  next(length: number): Promise<Uint8Array<ArrayBuffer>>;
  close(): void;
}

/** Bytes that the readers have read. */
export let bytesRead = 0;

/** Counts from 0 again. */
export function resetBytesRead(): void {
  bytesRead = 0;
}

/** Bytes of the first request to a URL: most headers are in them. */
const FIRST = 64 << 10;

function failure(kind: ErrorKind, message: string, file?: string): Failure {
  return file === undefined ? { kind, message } : { kind, message, file };
}

export function open(part: Exclude<Part, { kind: "bytes" }>): Reader {
  return part.kind === "blob" ? openBlob(part.blob, part.name) : openUrl(part);
}

function openBlob(blob: Blob, name?: string): Reader {
  const sync = new FileReaderSync();
  // A file that was changed or deleted since it was chosen cannot be read.
  const unreadable = ({ name: reason, message }: DOMException) =>
    failure(reason === "NotFoundError" ? "NotFound" : "Changed", message, name);
  const counted = (buffer: ArrayBuffer, length = buffer.byteLength) => {
    bytesRead += length;
    return new Uint8Array(buffer, 0, length);
  };
  const read = (offset: number, length: number) => {
    try {
      return counted(sync.readAsArrayBuffer(blob.slice(offset, offset + length)));
    } catch (error) {
      throw unreadable(error as DOMException);
    }
  };
  // A stream, and buffers that are used again: to read by slices takes twice as long, and new memory as long as to read.
  const forwards = (offset: number, kept = false): Forwards => {
    const stream = blob.slice(offset).stream().getReader({ mode: "byob" });
    const buffers = [new ArrayBuffer(0), new ArrayBuffer(0)];
    let turn = 0;
    const next = async (length: number) => {
      turn = 1 - turn;
      let buffer = buffers[turn]!;
      if (kept || buffer.byteLength < length) buffer = new ArrayBuffer(length);
      let have = 0;
      try {
        while (have < length) {
          const { value, done } = await stream.read(new Uint8Array(buffer, have, length - have));
          if (done || !value) throw failure("Truncated", `${offset + have} bytes came where ${offset + length} were asked for`, name);
          buffer = value.buffer;
          have += value.byteLength;
        }
      } catch (error) {
        // A stream of a file that was changed ends with a TypeError.
        throw (error as Partial<Failure>).kind ? error : unreadable(error as DOMException);
      }
      buffers[turn] = buffer;
      offset += length;
      return counted(buffer, length);
    };
    return { next, close: () => void stream.cancel().catch(() => {}) };
  };
  return { name, length: blob.size, read, forwards, notes: [] };
}

function openUrl(part: Extract<Part, { kind: "url" }>): Reader {
  const { url, name } = part;
  const file = name ?? url;
  const request = (method: string, range?: [number, number]) => {
    const xhr = new XMLHttpRequest();
    xhr.open(method, url, false);
    xhr.responseType = "arraybuffer";
    xhr.withCredentials = part.credentials;
    xhr.timeout = part.timeout;
    try {
      for (const [key, value] of Object.entries(part.headers ?? {})) {
        if (key.toLowerCase() === "range") throw new Error("Range is for the reader to set");
        xhr.setRequestHeader(key, value);
      }
    } catch (error) {
      throw failure("Usage", `headers: ${(error as Error).message}`);
    }
    if (range) xhr.setRequestHeader("Range", `bytes=${range[0]}-${range[1] - 1}`);
    try {
      xhr.send();
    } catch (error) {
      throw failure("Io", `${url} cannot be fetched: ${(error as Error).message}`, file);
    }
    bytesRead += (xhr.response as ArrayBuffer | null)?.byteLength ?? 0;
    return xhr;
  };
  const refuse = (status: number): never => {
    const gone = status === 404 || status === 410;
    throw failure(gone ? "NotFound" : "Io", `${url}: the server answered ${status}`, file);
  };

  const first = request("GET", [0, FIRST]);
  const start = new Uint8Array((first.response as ArrayBuffer | null) ?? new ArrayBuffer(0));
  if (first.status === 200) {
    // A server without ranges sends all of it. It is here now, and is kept.
    const message = "the server does not serve ranges: the whole file was read";
    const notes = start.length > FIRST ? [{ field: "url", message }] : [];
    return { name, length: start.length, read: whole(start), notes };
  }
  // Of a file without bytes there is no range.
  if (first.status === 416) return { name, length: 0, read: whole(new Uint8Array(0)), notes: [] };
  if (first.status !== 206) refuse(first.status);

  const shown = contentRange(first);
  const other = () => failure("Io", `${url}: the server answered with another part of the file`, file);
  if (shown && shown.start !== 0) throw other();
  const length = shown?.total ?? lengthByHead(request("HEAD"));
  if (length === undefined) {
    // The server hides the length of a file of another origin.
    const all = request("GET");
    if (all.status !== 200) refuse(all.status);
    const bytes = new Uint8Array(all.response as ArrayBuffer);
    const message = "the server does not tell the length (Access-Control-Expose-Headers: Content-Range): the whole file was read";
    return { name, length: bytes.length, read: whole(bytes), notes: [{ field: "url", message }] };
  }
  if (start.length !== Math.min(FIRST, length)) {
    throw failure("Io", `${url}: ${start.length} bytes came where ${Math.min(FIRST, length)} were asked for`, file);
  }
  const tag = validator(first);
  const read = (offset: number, count: number) => {
    if (offset + count <= start.length) return start.subarray(offset, offset + count);
    const xhr = request("GET", [offset, offset + count]);
    if (xhr.status === 200 || xhr.status === 412) throw failure("Changed", `${url} was changed while it was in use`, file);
    if (xhr.status !== 206) refuse(xhr.status);
    const bytes = new Uint8Array(xhr.response as ArrayBuffer);
    const shown = contentRange(xhr);
    if (validator(xhr) !== tag || (shown?.total ?? length) !== length) {
      throw failure("Changed", `${url} was changed while it was in use`, file);
    }
    if (shown && (shown.start !== offset || shown.end !== offset + count)) throw other();
    if (bytes.length !== count) {
      throw failure("Io", `${url}: ${bytes.length} bytes came where ${count} were asked for`, file);
    }
    return bytes;
  };
  return { name, length, read, notes: [] };
}

/** Reads from bytes that are here. */
function whole(bytes: Uint8Array): Read {
  return (offset, length) => bytes.subarray(offset, offset + length);
}

/** What `Content-Range: bytes 0-99/1234` says. Other origins show it only where the server exposes it. */
function contentRange(xhr: XMLHttpRequest): { start: number; end: number; total?: number } | undefined {
  if (!hasHeader(xhr, "content-range")) return undefined;
  const said = /^bytes (\d+)-(\d+)\/(?:(\d+)|\*)$/.exec(xhr.getResponseHeader("Content-Range") ?? "");
  if (!said) return undefined;
  const [start, end] = [Number(said[1]), Number(said[2]) + 1];
  return said[3] === undefined ? { start, end } : { start, end, total: Number(said[3]) };
}

function lengthByHead(xhr: XMLHttpRequest): number | undefined {
  // The length of what was compressed for the way is not that of the file.
  if (xhr.status !== 200 || hasHeader(xhr, "content-encoding") || !hasHeader(xhr, "content-length")) return undefined;
  return Number(xhr.getResponseHeader("Content-Length"));
}

/** What tells two versions of a file apart, as far as it is shown. */
function validator(xhr: XMLHttpRequest): string {
  const of = (name: string) => (hasHeader(xhr, name) ? xhr.getResponseHeader(name) : "");
  return `${of("etag")} ${of("last-modified")}`;
}

/** Asked first, as browsers complain in the console of headers that are hidden. */
function hasHeader(xhr: XMLHttpRequest, name: string): boolean {
  return new RegExp(`^${name}:`, "im").test(xhr.getAllResponseHeaders());
}
