import { oneOf, shown, usage } from "./check.js";
import { VoxloadError } from "./errors.js";
import { onPage } from "./module.js";
import type { Engine } from "./wasm/voxload_web.js";

/** Where values for a device are computed; the bits are the same. */
export type Conversion =
  /** By kernels on the device, but by the CPU for adapters that compute on the CPU themselves. */
  | "auto"
  | "device"
  | "cpu";

export interface GpuOptions {
  conversion?: Conversion;
}

export interface GpuRequestOptions extends GpuOptions {
  powerPreference?: GPUPowerPreference;
}

const FEATURES: GPUFeatureName[] = ["float32-filterable", "timestamp-query", "subgroups"];

const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxTextureDimension3D",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupsPerDimension",
  "maxStorageBuffersPerShaderStage",
] as const;

/** A device that volumes can be loaded to: one of our own, or the page's. */
export class Gpu {
  /** The device. Buffers and textures that are loaded are its own. */
  readonly device: GPUDevice;
  /** The adapter's own description. */
  readonly info: GPUAdapterInfo | undefined;
  /** Whether the adapter computes on the CPU. */
  readonly isFallback: boolean;
  /** Whether kernels convert, rather than the CPU. */
  readonly usesKernels: boolean;
  /** Set once the device is lost. */
  lost: GPUDeviceLostInfo | undefined;

  #engine: Promise<Engine> | undefined;

  private constructor(device: GPUDevice, info: GPUAdapterInfo | undefined, options: GpuOptions) {
    this.device = device;
    this.info = info;
    this.isFallback = isFallback(info);
    const conversion = conversionOf(options);
    // Without a description of the adapter, which browsers give of a device only lately, wgpu cannot take it.
    const possible = device.adapterInfo !== undefined;
    this.usesKernels = possible && (conversion === "device" || (conversion === "auto" && !this.isFallback));
    void device.lost.then((lost) => {
      this.lost = lost;
      this.#engine?.then((engine) => engine.markLost()).catch(() => {});
    });
  }

  /** A device of the best adapter that the page gets, with the adapter's own limits. */
  static async request(options: GpuRequestOptions = {}): Promise<Gpu> {
    const none = (message: string) => new VoxloadError({ kind: "NoGpu", message: `no usable GPU: ${message}` });
    const gpu = (globalThis.navigator as Navigator | undefined)?.gpu;
    if (!gpu) throw none("this browser has no WebGPU, or the page is not from a secure origin");
    conversionOf(options);
    const { powerPreference } = options;
    if (powerPreference) oneOf("powerPreference", powerPreference, ["low-power", "high-performance"]);
    const adapter = await gpu.requestAdapter(powerPreference ? { powerPreference } : {});
    if (!adapter) throw none("no adapter was found");
    const requiredFeatures = FEATURES.filter((feature) => adapter.features.has(feature));
    const requiredLimits: Record<string, number> = {};
    for (const limit of LIMITS) requiredLimits[limit] = adapter.limits[limit];
    try {
      const device = await adapter.requestDevice({ label: "voxload", requiredFeatures, requiredLimits });
      return new Gpu(device, adapter.info, options);
    } catch (error) {
      throw none(String((error as Error).message));
    }
  }

  /** Works on the page's own device, whatever its features and limits. Nothing is installed on it. */
  static async fromDevice(device: GPUDevice, options: GpuOptions = {}): Promise<Gpu> {
    // Not by `instanceof`: a device of another frame of the page is one, too.
    const { createBuffer, queue, lost } = (device ?? {}) as Partial<GPUDevice>;
    if (typeof createBuffer !== "function" || !queue || !lost) throw usage(`${shown(device)} is no GPUDevice`);
    return new Gpu(device, device.adapterInfo, options);
  }

  /** An error if the device is lost. */
  checkLost(): void {
    if (this.lost) throw new VoxloadError({ kind: "DeviceLost", message: `the device was lost: ${this.lost.message}` });
  }

  /** The library's kernels on this device. */
  engine(): Promise<Engine> {
    this.#engine ??= onPage().then((wasm) => withDevice(this.device, () => wasm.adopt() as Promise<Engine>));
    this.#engine.catch(() => (this.#engine = undefined));
    return this.#engine;
  }

  /** Makes something on the device; what the device has against it is thrown. */
  async guarded<R>(needed: number, make: () => R): Promise<R> {
    this.checkLost();
    const { device } = this;
    device.pushErrorScope("validation");
    device.pushErrorScope("out-of-memory");
    let made: R;
    let complaints: Promise<GPUError | null>[];
    try {
      made = make();
    } catch (error) {
      // What WebGPU cannot make sense of, such as a usage that it does not know.
      throw usage((error as Error).message);
    } finally {
      complaints = [device.popErrorScope(), device.popErrorScope()];
    }
    const [memory, validation] = await Promise.all(complaints);
    this.checkLost();
    if (memory) {
      throw new VoxloadError({ kind: "GpuOutOfMemory", message: `out of device memory: ${needed} bytes were needed` });
    }
    if (validation) {
      throw new VoxloadError({ kind: "Gpu", message: `the device refused a command: ${validation.message}` });
    }
    return made;
  }
}

function conversionOf({ conversion = "auto" }: GpuOptions): Conversion {
  return oneOf("conversion", conversion, ["auto", "device", "cpu"]);
}

function isFallback(info: GPUAdapterInfo | undefined): boolean {
  if (!info) return false;
  return info.isFallbackAdapter === true || info.architecture === "swiftshader";
}

/**
 * Calls something that looks for a device by `navigator.gpu`, and has it find this one.
 *
 * The property is changed only while `look` runs, without a turn of the event loop: no other script can see it. `look` gets
 * plain objects with just what it asks of an adapter.
 */
function withDevice<R>(device: GPUDevice, look: () => R): R {
  const adapter = {
    features: device.features,
    limits: device.limits,
    info: device.adapterInfo,
    requestDevice: async () => device,
  };
  const shown = { requestAdapter: async () => adapter };
  const own = Object.getOwnPropertyDescriptor(navigator, "gpu");
  Object.defineProperty(navigator, "gpu", { configurable: true, value: shown });
  try {
    return look();
  } finally {
    if (own) Object.defineProperty(navigator, "gpu", own);
    else delete (navigator as { gpu?: GPU }).gpu;
  }
}
