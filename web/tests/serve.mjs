// A static server with ranges that counts the bytes it sends, and that can misbehave.
//
// `?norange` ignores ranges, `?status=404` answers so, `?short` sends half of what it promises to send (in a range),
// `?changed` sends another ETag from the second request on, `?slow=MS` waits before each answer.

import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

/** Serves folders under their names: `{dist: "/path", ..}`. `result` is called with what a page posts. */
export function serve(folders, result) {
  const counts = new Map();
  const requests = new Map();
  const server = createServer((request, response) => {
    const url = new URL(request.url, "http://localhost");
    if (url.pathname === "/result" && request.method === "POST") {
      const pieces = [];
      request.on("data", (piece) => pieces.push(piece));
      request.on("end", () => {
        result(JSON.parse(Buffer.concat(pieces).toString()));
        response.end();
      });
      return;
    }
    if (url.pathname === "/counts") {
      const path = url.searchParams.get("path");
      response.end(JSON.stringify({ bytes: counts.get(path) ?? 0, requests: requests.get(path) ?? 0 }));
      if (url.searchParams.has("reset")) {
        counts.delete(path);
        requests.delete(path);
      }
      return;
    }
    const slow = Number(url.searchParams.get("slow") ?? 0);
    setTimeout(() => answer(url, request, response), slow);
  });

  function answer(url, request, response) {
    const status = url.searchParams.get("status");
    if (status) return void response.writeHead(Number(status)).end();
    const [, folder, ...rest] = decodeURIComponent(url.pathname).split("/");
    const root = folders[folder];
    const path = root && join(root, normalize(`/${rest.join("/")}`));
    let size;
    try {
      const stat = statSync(path);
      if (!stat.isFile()) throw new Error("not a file");
      size = stat.size;
    } catch {
      return void response.writeHead(404).end();
    }
    const key = url.pathname + url.search;
    const before = requests.get(key) ?? 0;
    requests.set(key, before + 1);
    const etag = url.searchParams.has("changed") && before > 0 ? '"other"' : '"one"';
    const headers = { "Content-Type": TYPES[extname(path)] ?? "application/octet-stream", ETag: etag, "Cache-Control": "no-store" };
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
    let [start, end] = [0, size];
    let code = 200;
    if (range && !url.searchParams.has("norange")) {
      start = Number(range[1]);
      end = range[2] === "" ? size : Math.min(size, Number(range[2]) + 1);
      if (start >= size) return void response.writeHead(416, { "Content-Range": `bytes */${size}` }).end();
      code = 206;
      headers["Content-Range"] = `bytes ${start}-${end - 1}/${size}`;
      if (url.searchParams.has("short")) end = start + Math.floor((end - start) / 2);
    }
    headers["Content-Length"] = end - start;
    response.writeHead(code, headers);
    if (request.method === "HEAD" || end === start) return void response.end();
    const stream = createReadStream(path, { start, end: end - 1 });
    stream.on("data", (piece) => counts.set(key, (counts.get(key) ?? 0) + piece.length));
    stream.pipe(response);
  }

  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve({ server, port: server.address().port }));
  });
}
