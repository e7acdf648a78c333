// The page's end of a worker.

import { VoxloadError, type Failure } from "./errors.js";
import { compile } from "./module.js";
import type { Answer, Name, Operations, PieceOf, Request, State } from "./protocol.js";

interface Pending {
  /** Takes a piece, and is done with it when it returns. */
  take?: ((piece: PieceOf) => void) | undefined;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** Workers that are kept for images to come. */
const SPARE = 2;

/** Bytes of WebAssembly memory up to which a worker is kept: it cannot be given back in part. */
const SPARE_BYTES = 32 << 20;

/** A worker with one image. */
export class Connection {
  /** What the worker said of itself last. */
  state: State = { bytesRead: 0, memory: 0 };

  static readonly #spare: Worker[] = [];
  static #starting: Promise<void> | undefined;

  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  /** Calls that the worker has not answered, with those that nobody waits for any more. */
  #unanswered = 0;
  #next = 0;
  #closed: VoxloadError | undefined;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<Answer | PieceOf>) => this.#take(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#fail({ kind: "Internal", message: event.message || "the worker cannot be started" });
    };
  }

  /** A worker that has begun already, if there is one: that takes longer than to open most files. */
  static async open(): Promise<Connection> {
    const module = await compile();
    return new Connection(Connection.#spare.pop() ?? start(module));
  }

  /** Has a worker begin for the next image. */
  static prepare(): void {
    if (Connection.#spare.length > 0) return;
    Connection.#starting ??= compile().then((module) => {
      Connection.#starting = undefined;
      Connection.#keep(start(module));
    });
    Connection.#starting.catch(() => (Connection.#starting = undefined));
  }

  static #keep(worker: Worker): void {
    worker.onmessage = null;
    // One that cannot begin is of no use.
    worker.onerror = (event) => {
      event.preventDefault();
      const place = Connection.#spare.indexOf(worker);
      if (place >= 0) Connection.#spare.splice(place, 1);
      worker.terminate();
    };
    if (Connection.#spare.length < SPARE) Connection.#spare.push(worker);
    else worker.terminate();
  }

  /** Asks the worker for something. A signal that is aborted rejects at once, and ends the work at its next step. */
  call<N extends Name>(
    name: N,
    args: Operations[N]["args"],
    options: { signal?: AbortSignal | undefined; transfer?: Transferable[]; take?: (piece: PieceOf) => void } = {},
  ): Promise<Operations[N]["answer"]> {
    const { signal, transfer = [], take } = options;
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#closed) return Promise.reject(this.#closed);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const abort = () => {
        if (!this.#pending.delete(id)) return;
        this.#send({ cancel: id });
        reject(signal!.reason);
      };
      const done = () => signal?.removeEventListener("abort", abort);
      this.#pending.set(id, {
        take,
        resolve: (value) => (done(), resolve(value as Operations[N]["answer"])),
        reject: (error) => (done(), reject(error)),
      });
      signal?.addEventListener("abort", abort, { once: true });
      try {
        this.#send({ id, name, args } as Request, transfer);
        this.#unanswered += 1;
      } catch (error) {
        // What cannot be sent, such as a buffer that was transferred before.
        this.#pending.delete(id);
        done();
        reject(new VoxloadError({ kind: "Usage", message: `this cannot be sent to a worker: ${(error as Error).message}` }));
      }
    });
  }

  /** Ends the use of the image, and gives back its memory. A worker that does nothing and has little of it is kept. */
  free(reason: Failure): void {
    if (this.#closed || this.#unanswered > 0 || this.state.memory > SPARE_BYTES) {
      this.#fail(reason);
      return;
    }
    this.#closed = new VoxloadError(reason);
    this.#send({ forget: true });
    Connection.#keep(this.#worker);
  }

  /** Ends the worker, whatever it does. */
  close(reason: Failure): void {
    this.#fail(reason);
  }

  #send(request: Request, transfer: Transferable[] = []): void {
    this.#worker.postMessage(request, transfer);
  }

  #take(answer: Answer | PieceOf): void {
    if ("piece" in answer) {
      // Of a call that was aborted there is nobody to take it.
      this.#pending.get(answer.id)?.take?.(answer);
      const { buffer } = answer.piece;
      if (!this.#closed) this.#send({ again: buffer }, [buffer]);
      return;
    }
    this.#unanswered -= 1;
    if (!("failure" in answer && answer.failure.kind === "Internal")) this.state = answer.state;
    const pending = this.#pending.get(answer.id);
    // Of a call that was aborted.
    if (!pending) return;
    this.#pending.delete(answer.id);
    if ("value" in answer) {
      pending.resolve(answer.value);
      return;
    }
    pending.reject(new VoxloadError(answer.failure));
    // After a fault of ours nothing of the instance can be relied on.
    if (answer.failure.kind === "Internal") this.#fail(answer.failure);
  }

  #fail(failure: Failure): void {
    // A worker that was given away is another's.
    if (this.#closed) return;
    this.#closed = new VoxloadError(failure);
    this.#worker.terminate();
    for (const pending of this.#pending.values()) pending.reject(this.#closed);
    this.#pending.clear();
  }
}

function start(module: WebAssembly.Module): Worker {
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "voxload" });
  worker.postMessage({ module } satisfies Request);
  return worker;
}
