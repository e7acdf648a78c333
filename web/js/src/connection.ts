// The page's end of a worker.

import { VoxloadError, type Failure } from "./errors.js";
import { compile } from "./module.js";
import type { Answer, Name, Operations, Request, State } from "./protocol.js";

interface Pending {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** A worker with one image. */
export class Connection {
  /** What the worker said of itself last. */
  state: State = { bytesRead: 0, memory: 0 };

  static #spare: Connection | undefined;

  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #next = 0;
  #closed: VoxloadError | undefined;

  private constructor(module: WebAssembly.Module) {
    this.#worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "voxload" });
    this.#worker.onmessage = ({ data }: MessageEvent<Answer>) => this.#take(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#fail({ kind: "Internal", message: event.message || "the worker cannot be started" });
    };
    this.#send({ module });
  }

  /** A worker that has begun already, if there is one: that takes longer than to open most files. */
  static async open(): Promise<Connection> {
    const module = await compile();
    const spare = Connection.#spare;
    Connection.#spare = undefined;
    return spare && !spare.#closed ? spare : new Connection(module);
  }

  /** Has a worker begin for the next image. */
  static prepare(): void {
    void compile().then((module) => (Connection.#spare ??= new Connection(module)));
  }

  /** Asks the worker for something. A signal that is aborted rejects at once, and ends the work at its next step. */
  call<N extends Name>(
    name: N,
    args: Operations[N]["args"],
    options: { signal?: AbortSignal | undefined; transfer?: Transferable[] } = {},
  ): Promise<Operations[N]["answer"]> {
    const { signal, transfer = [] } = options;
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
        resolve: (value) => (done(), resolve(value as Operations[N]["answer"])),
        reject: (error) => (done(), reject(error)),
      });
      signal?.addEventListener("abort", abort, { once: true });
      try {
        this.#send({ id, name, args } as Request, transfer);
      } catch (error) {
        // What cannot be sent, such as a buffer that was transferred before.
        this.#pending.delete(id);
        done();
        reject(error);
      }
    });
  }

  /** Ends the worker, whatever it does, and gives back its memory. */
  close(reason: Failure): void {
    this.#fail(reason);
  }

  #send(request: Request, transfer: Transferable[] = []): void {
    this.#worker.postMessage(request, transfer);
  }

  #take(answer: Answer): void {
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
    this.#closed ??= new VoxloadError(failure);
    this.#worker.terminate();
    for (const pending of this.#pending.values()) pending.reject(this.#closed);
    this.#pending.clear();
  }
}
