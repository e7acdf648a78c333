// A static server with ranges that counts the bytes it sends, and that can misbehave. What it is to do is in the URL's query:
//
//   norange       ignores ranges
//   status=404    answers so; later: from the second request on
//   short         sends half of what it promises to send in a range, as a range that is complete
//   cut           ends the connection in the middle of an answer; cut=2: of the second answer only
//   stall         sends half of an answer and no more; stall=2: of the second answer only
//   shifted       answers a range by another one, as long and 16 bytes away; shifted=2: the second time only
//   changed       sends another ETag from the second request on; dated: another Last-Modified
//   grown         tells a greater length from the second request on
//   slow=MS       waits before each answer
//   auth          wants an Authorization header
//   cors          lets other origins read; cors=expose: and the headers that ranges need; cors=preflight: and asks for headers

import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { madeFiles } from "./made.mjs";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

/**
 * Serves folders under their names: `{dist: "/path", ..}`, and the made files under `/made/`. `hooks.result` is called with what a
 * page posts, `hooks.memory` gives the browser's memory. Two ports are two origins with the same files.
 */
export async function serve(folders, hooks = {}) {
  const sent = new Map();
  const listener = (request, response) => {
    const url = new URL(request.url, "http://localhost");
    const json = (value) => response.end(JSON.stringify(value));
    if (url.pathname === "/result" && request.method === "POST") {
      const pieces = [];
      request.on("data", (piece) => pieces.push(piece));
      request.on("end", () => {
        hooks.result?.(JSON.parse(Buffer.concat(pieces).toString()));
        response.end();
      });
      return;
    }
    if (url.pathname === "/memory") return void json(hooks.memory?.() ?? null);
    if (url.pathname === "/counts") {
      const path = url.searchParams.get("path");
      json(counted(sent.get(path) ?? []));
      if (url.searchParams.has("reset")) sent.delete(path);
      return;
    }
    setTimeout(() => answer(url, request, response), Number(url.searchParams.get("slow") ?? 0));
  };

  function answer(url, request, response) {
    const asked = url.searchParams;
    const key = url.pathname + url.search;
    const headers = { "Cache-Control": "no-store" };
    const cors = asked.get("cors");
    if (cors !== null) headers["Access-Control-Allow-Origin"] = "*";
    if (cors === "expose") headers["Access-Control-Expose-Headers"] = "Content-Range, ETag";
    if (request.method === "OPTIONS") {
      if (cors === "preflight") headers["Access-Control-Allow-Headers"] = "Authorization, Range";
      return void response.writeHead(204, headers).end();
    }
    const all = sent.get(key) ?? [];
    sent.set(key, all);
    const number = all.length + 1;
    // A fault that has a number is that of one answer.
    const happens = (fault) => asked.has(fault) && [String(number), ""].includes(asked.get(fault));
    const status = asked.get("status");
    if (status && (!asked.has("later") || number > 1)) {
      all.push([0, 0]);
      return void response.writeHead(Number(status), headers).end();
    }
    if (asked.has("auth") && request.headers.authorization !== "Bearer voxload") return void response.writeHead(401, headers).end();

    const file = find(url.pathname);
    if (!file) return void response.writeHead(404, headers).end();
    const { size } = file;
    const again = number > 1;
    headers["Content-Type"] = TYPES[extname(url.pathname)] ?? "application/octet-stream";
    if (!asked.has("dated")) headers.ETag = asked.has("changed") && again ? '"other"' : '"one"';
    headers["Last-Modified"] = new Date(asked.has("dated") && again ? 1e12 : 9e11).toUTCString();
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
    let [start, end] = [0, size];
    let code = 200;
    if (range && !asked.has("norange")) {
      start = Number(range[1]);
      end = range[2] === "" ? size : Math.min(size, Number(range[2]) + 1);
      if (start >= size) return void response.writeHead(416, { ...headers, "Content-Range": `bytes */${size}` }).end();
      code = 206;
      if (happens("shifted")) [start, end] = start > 0 ? [start - 16, end - 16] : [start + 16, Math.min(end + 16, size)];
      headers["Content-Range"] = `bytes ${start}-${end - 1}/${asked.has("grown") && again ? size + 1000 : size}`;
      if (asked.has("short")) end = start + Math.floor((end - start) / 2);
    }
    headers["Content-Length"] = end - start;
    response.writeHead(code, headers);
    if (request.method === "HEAD" || end === start) return void response.end();
    const whole = !happens("cut") && !happens("stall");
    const until = whole ? end : start + Math.ceil((end - start) / 2);
    all.push([start, until]);
    const stop = () => (happens("cut") ? response.destroy() : undefined);
    if (file.bytes) {
      // In pieces, as the connection takes them.
      let at = start;
      const more = () => {
        while (at < until) {
          const next = Math.min(until, at + (1 << 20));
          const piece = file.bytes(at, next);
          at = next;
          if (!response.write(piece) && at < until) return void response.once("drain", more);
        }
        if (whole) response.end();
        else setTimeout(stop, 20);
      };
      return void more();
    }
    const stream = createReadStream(file.path, { start, end: until - 1 });
    stream.pipe(response, { end: whole });
    if (!whole) stream.on("end", () => setTimeout(stop, 20));
  }

  function find(pathname) {
    const [, folder, ...rest] = decodeURIComponent(pathname).split("/");
    if (folder === "made") {
      const file = madeFiles()[rest.join("/")];
      return file && { size: file.length, bytes: (from, to) => file.bytes(from, to) };
    }
    const path = folders[folder] && join(folders[folder], normalize(`/${rest.join("/")}`));
    try {
      const stat = statSync(path);
      return stat.isFile() ? { size: stat.size, path } : undefined;
    } catch {
      return undefined;
    }
  }

  const servers = [createServer(listener), createServer(listener)];
  await Promise.all(servers.map((server) => new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))));
  const [port, other] = servers.map((server) => server.address().port);
  const close = () => {
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
  };
  return { port, other, close };
}

/** What was sent of a file, and how much of it more than once. */
function counted(ranges) {
  const bytes = ranges.reduce((sum, [start, end]) => sum + end - start, 0);
  let [once, reach] = [0, 0];
  for (const [start, end] of [...ranges].sort((a, b) => a[0] - b[0])) {
    once += Math.max(0, end - Math.max(start, reach));
    reach = Math.max(reach, end);
  }
  return { bytes, requests: ranges.length, twice: bytes - once };
}
