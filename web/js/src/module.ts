// The WebAssembly module: fetched and compiled once for the page and all its workers.

type Wasm = typeof import("./wasm/voxload_web.js");

let compiled: Promise<WebAssembly.Module> | undefined;
let instance: Promise<Wasm> | undefined;

/** The compiled module. */
export function compile(): Promise<WebAssembly.Module> {
  compiled ??= fetchAndCompile();
  // What failed may be tried again.
  compiled.catch(() => (compiled = undefined));
  return compiled;
}

async function fetchAndCompile(): Promise<WebAssembly.Module> {
  const response = await fetch(new URL("./wasm/voxload_web_bg.wasm", import.meta.url));
  if (!response.ok) throw new Error(`${response.url}: the server answered ${response.status}`);
  // Servers that do not know the type of .wasm cannot have it compiled as it comes.
  if (response.headers.get("Content-Type") === "application/wasm") return WebAssembly.compileStreaming(response);
  return WebAssembly.compile(await response.arrayBuffer());
}

/** The page's own instance, for the kernels; images are in the workers. */
export function onPage(): Promise<Wasm> {
  instance ??= Promise.all([compile(), import("./wasm/voxload_web.js")]).then(async ([module, wasm]) => {
    await wasm.default({ module_or_path: module });
    return wasm;
  });
  instance.catch(() => (instance = undefined));
  return instance;
}
