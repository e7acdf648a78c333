/** What went wrong, by name: the library's kinds of errors. */
export type ErrorKind =
  | "NotFound" | "NotAFile" | "Io" | "Changed"
  | "Empty" | "UnknownFormat" | "NotAVolume" | "Truncated" | "Header" | "Integrity" | "Unsupported" | "Limit"
  | "Index" | "Shape" | "DType" | "Usage" | "Cancelled"
  | "OutOfMemory" | "NoGpu" | "GpuUnsupported" | "GpuOutOfMemory" | "GpuLimit" | "DeviceLost" | "Gpu" | "FramesHeld"
  /** A fault of voxload itself; the image cannot be used any more. */
  | "Internal";

/** What an error says of itself on its way from the worker. */
export interface Failure {
  kind: ErrorKind;
  message: string;
  file?: string;
  field?: string;
}

/** An error of voxload. */
export class VoxloadError extends Error {
  override readonly name = "VoxloadError";
  /** What went wrong, to decide by. */
  readonly kind: ErrorKind;
  /** The file concerned, where it has a name. */
  readonly file?: string;
  /** The header's field, the limit or the part of the file concerned. */
  readonly field?: string;

  constructor(failure: Failure) {
    super(failure.message);
    this.kind = failure.kind;
    if (failure.file !== undefined) this.file = failure.file;
    if (failure.field !== undefined) this.field = failure.field;
  }
}

/** Whatever was thrown, as a failure. */
export function failureOf(thrown: unknown): Failure {
  const error = thrown as Partial<Failure> | undefined;
  const message = String(error?.message ?? thrown);
  // What has no kind was not foreseen: a trap of WebAssembly, or an error of the browser's.
  const failure: Failure = { kind: error?.kind ?? "Internal", message };
  if (error?.file !== undefined) failure.file = error.file;
  if (error?.field !== undefined) failure.field = error.field;
  return failure;
}
