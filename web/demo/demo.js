// The demo: opens a volume, shows three slices and a ray cast of it, and plays a series while it loads.

import { Gpu, load } from "../dist/voxload.js";
import { CENTRE, phantom } from "./phantom.js";
import { Renderer } from "./render.js";

const asked = new URLSearchParams(location.search);

/** Bytes of frames that are kept, to be played again: `?keep=MiB` in the page's address. */
const KEPT_BYTES = (Number(asked.get("keep")) || 768) * 2 ** 20;
const FRAMES_PER_SECOND = 10;

const $ = (selector) => document.querySelector(selector);
const stage = $("#stage");
const figures = [...document.querySelectorAll("figure")];

/** Which world axes (0 right, 1 anterior, 2 superior) go along a view, and which one through it. */
const VIEWS = { axial: [0, 1, 2], coronal: [0, 2, 1], sagittal: [1, 2, 0] };
const LETTERS = [["L", "R"], ["P", "A"], ["I", "S"]];

let gpu;
let renderer;
let surfaces;
/** The volume that is shown. */
let shown;
let loading;
/** From the front and a little above. */
let turn = { yaw: 0.6, pitch: -0.3 };
let playing = false;
let redraw = false;
/** Whether voxels are drawn as boxes, or between their values. */
let boxes = false;

class Shown {
  constructor(image, name) {
    this.image = image;
    this.name = name;
    const { shape, header } = image;
    // The axes of space, as the library counts them for textures; missing ones have one voxel.
    let axes = header.axes.flatMap((kind, axis) => (kind === "space" ? [axis] : [])).slice(0, 3);
    if (axes.length === 0) axes = [0, 1, 2].filter((axis) => axis < shape.length);
    this.axes = axes;
    this.size = [0, 1, 2].map((k) => shape[axes[k]] ?? 1);
    this.frameAxis = image.frameAxis;
    this.count = this.frameAxis === null ? 1 : shape[this.frameAxis];
    this.orient(image.affine, header.zooms);
    this.cross = this.size.map((n) => Math.floor(n / 2));
    this.frames = new Map();
    this.keptBytes = 0;
    /** Frames that were read so far, whether they are kept or not. */
    this.walked = 0;
    this.frame = 0;
    this.window = [0, 1];
    this.surface = false;
    /** The voxel's values over time, where frames are missing: `{cross, values}`. */
    this.ofVoxel = undefined;
  }

  /** Finds for each world axis the voxel axis that is closest to it, and whether it runs the other way. */
  orient(affine, zooms) {
    const rows = affine ?? [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]];
    const length = (axis) => Math.hypot(rows[0][axis], rows[1][axis], rows[2][axis]);
    const left = new Set([0, 1, 2]);
    this.along = [0, 1, 2];
    this.flipped = [false, false, false];
    // The clearest directions choose first.
    const pairs = [0, 1, 2].flatMap((world) => [0, 1, 2].map((axis) => [Math.abs(rows[world][axis]) / (length(axis) || 1), world, axis]));
    const done = new Set();
    for (const [, world, axis] of pairs.sort((a, b) => b[0] - a[0])) {
      if (done.has(world) || !left.has(axis)) continue;
      done.add(world);
      left.delete(axis);
      this.along[world] = axis;
      this.flipped[world] = rows[world][axis] < 0;
    }
    this.spacing = [0, 1, 2].map((axis) => (affine ? length(axis) : zooms[this.axes[axis]]) || 1);
    this.named = affine !== null;
  }

  /** Millimetres along a world axis. */
  extent(world) {
    const axis = this.along[world];
    return this.size[axis] * this.spacing[axis];
  }

  /** The cross along a world axis, 0 to 1. */
  place(world) {
    const axis = this.along[world];
    const t = (this.cross[axis] + 0.5) / this.size[axis];
    return this.flipped[world] ? 1 - t : t;
  }

  put(world, t) {
    const axis = this.along[world];
    const at = Math.floor((this.flipped[world] ? 1 - t : t) * this.size[axis]);
    this.cross[axis] = Math.max(0, Math.min(this.size[axis] - 1, at));
  }

  /** A place in the world, each axis 0 to 1, as texture coordinates. */
  texel(place) {
    const p = [0, 0, 0];
    for (let world = 0; world < 3; world += 1) {
      p[this.along[world]] = this.flipped[world] ? 1 - place[world] : place[world];
    }
    return p;
  }

  keep(index, data) {
    if (this.keptBytes + data.byteLength > KEPT_BYTES && this.frames.size > 0) return;
    this.frames.set(index, data);
    this.keptBytes += data.byteLength;
  }

  /** The value under the cross, in a frame that is kept or by a read of the voxel alone. */
  value(index) {
    const [i, j, k] = this.cross;
    const kept = this.frames.get(index)?.[i + this.size[0] * (j + this.size[1] * k)];
    return kept ?? (this.ofVoxel?.cross.every((at, axis) => at === this.cross[axis]) ? this.ofVoxel.values[index] : undefined);
  }

  /** The index of a frame, or of the voxel under the cross in all frames. */
  index(frame) {
    const items = this.image.shape.map((_, axis) => {
      if (axis === this.frameAxis) return frame ?? ":";
      const k = this.axes.indexOf(axis);
      if (k < 0) return 0;
      return frame === undefined ? this.cross[k] : ":";
    });
    return `[${items.join(", ")}]`;
  }
}

// ---- opening ----

async function open(source, name, { cross, surface = false } = {}) {
  loading?.abort();
  const controller = (loading = new AbortController());
  pause();
  $("#error").hidden = true;
  document.body.dataset.busy = "true";
  delete document.body.dataset.loaded;
  try {
    await start();
    const image = await load(source, { signal: controller.signal });
    if (controller.signal.aborted) return void image.free();
    shown?.image.free();
    shown = new Shown(image, name);
    wanted = undefined;
    if (shown.size.includes(0)) throw new Error("the volume is empty");
    if (cross) shown.cross = cross;
    setMode(surface);
    renderer.resize(shown.size);
    stage.dataset.state = "shown";
    $("#player").hidden = shown.count < 2;
    $("#window").hidden = false;
    $("#frame").max = shown.count - 1;
    label();
    facts();
    let first = true;
    for await (const frame of image.frames({ signal: controller.signal })) {
      const data = frame.data;
      shown.keep(frame.index, data);
      shown.walked += 1;
      progress(shown.walked / shown.count);
      if (first) {
        autoWindow(data);
        show(frame.index);
        // A series plays as it comes.
        if (shown.count > 1) play();
        first = false;
      }
      facts();
      course();
    }
    moved();
    document.body.dataset.loaded = "true";
  } catch (error) {
    if (!controller.signal.aborted) fail(error, name);
  } finally {
    if (loading === controller) {
      delete document.body.dataset.busy;
      progress(0);
    }
  }
}

function progress(share) {
  $("#progress").style.transform = `scaleX(${share})`;
}

async function start() {
  if (renderer) return;
  gpu = await Gpu.request();
  renderer = new Renderer(gpu.device);
  surfaces = figures.map((figure) => {
    const kind = figure.dataset.view === "rays" ? "rays" : "slice";
    return renderer.surface(figure.querySelector("canvas"), kind);
  });
  gpu.device.lost.then((lost) => {
    if (lost.reason !== "destroyed") fail(new Error(`the GPU was lost: ${lost.message}`));
  });
}

function fail(error, name) {
  pause();
  stage.dataset.state = shown ? "shown" : "failed";
  const box = $("#error");
  const title = Object.assign(document.createElement("strong"), { textContent: name ? `${name} cannot be shown` : "This cannot be shown" });
  const text = Object.assign(document.createElement("p"), { textContent: error.message });
  const kind = Object.assign(document.createElement("p"), { textContent: error.kind ? `${error.kind}${error.field ? `, ${error.field}` : ""}` : "" });
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: shown ? "Back" : "Close" });
  button.onclick = () => {
    box.hidden = true;
    if (!shown) stage.dataset.state = "empty";
  };
  kind.className = "kind";
  box.replaceChildren(title, text, kind, button);
  box.hidden = false;
  button.focus();
}

// ---- showing ----

function show(index) {
  const data = shown.frames.get(index);
  wanted = undefined;
  if (data) put(index, data);
  else if (shown.walked === shown.count) void fetchFrame(index);
}

/** Frames beyond what is kept are read again when they are looked at, one at a time. Of those asked for meanwhile the last one is next. */
let fetching = false;
let wanted;

async function fetchFrame(index) {
  wanted = index;
  if (fetching) return;
  fetching = true;
  try {
    while (wanted !== undefined) {
      const [of, frame] = [shown, wanted];
      const { data, error } = await of.image.slice(of.index(frame)).catch((error) => ({ error }));
      // Another frame is wanted by now, or another file is open.
      if (of !== shown || wanted !== frame) continue;
      wanted = undefined;
      if (error) fail(error, of.name);
      else put(frame, data);
    }
  } finally {
    fetching = false;
  }
}

function put(index, data) {
  shown.frame = index;
  renderer.upload(data);
  $("#frame").value = index;
  $("#frame-number").textContent = `${index + 1} / ${shown.count}`;
  course();
  facts();
  update();
}

/** The sizes of the canvases in pixels of the screen: drawn with another size, a slice would be blurred. */
const pixels = new Map();
const sizes = new ResizeObserver((entries) => {
  for (const { target, devicePixelContentBoxSize } of entries) {
    const box = devicePixelContentBoxSize?.[0];
    if (box) pixels.set(target, [box.inlineSize, box.blockSize]);
  }
  update();
});
for (const figure of figures) {
  try {
    sizes.observe(figure.querySelector("canvas"), { box: "device-pixel-content-box" });
  } catch {
    // A browser that does not tell: its sizes are rounded.
  }
}

/** Draws in the next animation frame, once. */
function update() {
  if (redraw || !shown) return;
  redraw = true;
  requestAnimationFrame(() => {
    redraw = false;
    draw();
  });
}

function draw() {
  const ratio = devicePixelRatio || 1;
  figures.forEach((figure, n) => {
    const canvas = surfaces[n].canvas;
    const [width, height] = pixels.get(canvas) ?? [figure.clientWidth * ratio, figure.clientHeight * ratio].map(Math.round);
    if (width === 0 || height === 0) return;
    const [w, h] = [width / ratio, height / ratio];
    // Rays are what costs: on a CPU they are drawn with fewer pixels.
    const share = figure.dataset.view === "rays" && gpu.isFallback ? 0.5 : 1;
    resize(canvas, Math.max(1, Math.round(width * share)), Math.max(1, Math.round(height * share)));
    const { uniforms, where } = figure.dataset.view === "rays" ? rays(w, h) : slice(figure.dataset.view, w, h);
    renderer.draw(surfaces[n], uniforms);
    const text = figure.querySelector(".where");
    if (text) text.textContent = where;
  });
}

/** Setting a canvas's size clears it, even to the same size. */
function resize(canvas, width, height) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}

/** How a view lies on its canvas: the share of it that is taken along each side. */
function fit(view, w, h) {
  const [x, y] = VIEWS[view];
  const [mx, my] = [shown.extent(x), shown.extent(y)];
  const scale = 0.94 * Math.min(w / mx, h / my);
  return [(mx * scale) / w, (my * scale) / h];
}

function slice(view, w, h) {
  const [x, y, z] = VIEWS[view];
  const [sx, sy] = fit(view, w, h);
  const corner = (tx, ty) => {
    const place = [0, 0, 0];
    place[x] = 0.5 + (tx - 0.5) / sx;
    place[y] = 0.5 + (ty - 0.5) / sy;
    place[z] = shown.place(z);
    return shown.texel(place);
  };
  const [o, px, py] = [corner(0, 0), corner(1, 0), corner(0, 1)];
  const minus = (a, b) => a.map((v, k) => v - b[k]);
  const cross = [0.5 + (shown.place(x) - 0.5) * sx, 0.5 + (shown.place(y) - 0.5) * sy];
  const uniforms = [...o, 0, ...minus(px, o), 0, ...minus(py, o), 0, ...shown.window, boxes ? 1 : 0, w / h, ...cross, 1 / w, 1 / h];
  return { uniforms, where: `${shown.cross[shown.along[z]] + 1} / ${shown.size[shown.along[z]]}` };
}

function rays(w, h) {
  const { yaw, pitch } = turn;
  const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
  // In the world, looking from the front; then along the voxel axes.
  const world = { right: [-cy, -sy, 0], up: [-sy * sp, cy * sp, cp], forward: [sy * cp, -cy * cp, sp] };
  const turned = (v) => {
    const out = [0, 0, 0];
    v.forEach((value, k) => (out[shown.along[k]] = shown.flipped[k] ? -value : value));
    return out;
  };
  const sides = shown.size.map((n, axis) => n * shown.spacing[axis]);
  const most = Math.max(...sides);
  const uniforms = [
    ...turned(world.right), 0, ...turned(world.up), 0, ...turned(world.forward), 0,
    ...shown.window, shown.surface ? 1 : 0, w / h,
    ...sides.map((side) => side / most), 0,
  ];
  return { uniforms, where: shown.surface ? "surface" : "projection" };
}

function label() {
  for (const figure of figures) {
    figure.querySelectorAll("span").forEach((span) => span.remove());
    const add = (className, text) => figure.append(Object.assign(document.createElement("span"), { className, textContent: text }));
    add("where", "");
    const axes = VIEWS[figure.dataset.view];
    if (!axes || !shown.named) continue;
    add("left", LETTERS[axes[0]][0]);
    add("right", LETTERS[axes[0]][1]);
    add("bottom", LETTERS[axes[1]][0]);
    add("top", LETTERS[axes[1]][1]);
  }
}

/** From the 2nd to the 99.8th of a hundred, of some of the values, and some room above for what gets brighter. */
function autoWindow(data) {
  const step = Math.max(1, Math.floor(data.length / 60000));
  const some = [];
  for (let k = 0; k < data.length; k += step) if (Number.isFinite(data[k])) some.push(data[k]);
  const sorted = Float32Array.from(some).sort();
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  const [low, high] = [at(0.02), at(0.998)];
  setWindow(low, high > low ? high + 0.15 * (high - low) : low + 1);
}

function setWindow(low, high) {
  if (!(high > low)) return;
  shown.window = [low, high];
  const rounded = (value) => Number(value.toPrecision(5));
  for (const [id, value] of [["#low", low], ["#high", high]]) {
    $(id).value = rounded(value);
    $(id).dataset.exact = value;
  }
  update();
}

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 1)} MB`;

function facts() {
  const { image, name, frames, count } = shown;
  const { header } = image;
  const round = (zoom) => Number(zoom.toFixed(3));
  const zooms = shown.axes.map((axis) => round(header.zooms[axis] ?? 1)).join(" × ");
  const step = count > 1 ? header.zooms[shown.frameAxis] : 0;
  const adapter = [gpu.info?.vendor, gpu.info?.architecture, gpu.info?.description].filter(Boolean).join(" ") || "unnamed";
  const rows = {
    File: name,
    Format: `${header.format}, ${image.dtype}`,
    Shape: image.shape.join(" × "),
    Voxels: `${zooms} ${header.spaceUnit}`,
    Every: step > 0 ? `${round(step)} ${header.timeUnit}` : "",
    Value: String(shown.value(shown.frame)?.toPrecision(6) ?? ""),
    Frames: count > 1 ? `${shown.walked} of ${count} read, ${frames.size} kept` : "",
    Read: megabytes(image.bytesRead),
    Memory: `${megabytes(image.memory + shown.keptBytes)} (worker ${megabytes(image.memory)})`,
    Adapter: `${adapter}${gpu.isFallback ? " (computes on the CPU)" : ""}`,
  };
  const list = $("#facts");
  list.replaceChildren();
  for (const [term, text] of Object.entries(rows)) {
    if (!text) continue;
    list.append(Object.assign(document.createElement("dt"), { textContent: term }), Object.assign(document.createElement("dd"), { textContent: text }));
  }
  $("#notes").replaceChildren(...image.notes.map(({ field, message }) => Object.assign(document.createElement("li"), { textContent: `${field}: ${message}` })));
}

/** The time course of the voxel under the cross, of the frames that are here. */
function course() {
  if (!shown || shown.count < 2) return;
  const canvas = $("#course");
  const ratio = devicePixelRatio || 1;
  const [w, h] = [canvas.clientWidth, canvas.clientHeight];
  canvas.width = w * ratio;
  canvas.height = h * ratio;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  const points = [];
  for (let t = 0; t < shown.count; t += 1) {
    const value = shown.value(t);
    if (Number.isFinite(value)) points.push([t, value]);
  }
  if (points.length === 0) return;
  const values = points.map(([, value]) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const x = (t) => 6 + ((w - 12) * t) / Math.max(1, shown.count - 1);
  const y = (value) => h - 10 - ((h - 26) * (value - low)) / (high - low || 1);
  context.strokeStyle = "#2c313a";
  context.beginPath();
  context.moveTo(x(shown.frame), 0);
  context.lineTo(x(shown.frame), h);
  context.stroke();
  context.strokeStyle = "#6db3f2";
  context.lineWidth = 1.5;
  context.beginPath();
  points.forEach(([t, value], n) => (n === 0 ? context.moveTo(x(t), y(value)) : context.lineTo(x(t), y(value))));
  context.stroke();
  context.fillStyle = "#98a1b0";
  context.font = "11px system-ui";
  context.fillText(`${high.toPrecision(5)}`, 6, 11);
  context.fillText(`${low.toPrecision(5)}`, 6, h - 1);
  // How long the series is.
  const { zooms, timeUnit } = shown.image.header;
  const span = (zooms[shown.frameAxis] ?? 0) * (shown.count - 1);
  if (span > 0) {
    context.textAlign = "right";
    context.fillText(`${Number(span.toPrecision(4))} ${timeUnit}`, w - 6, h - 1);
  }
}

/** Where frames are not kept, the voxel's own values are read, once it stays. */
let courseTimer;

function readCourse() {
  clearTimeout(courseTimer);
  if (!shown || shown.walked < shown.count || shown.frames.size === shown.count) return;
  courseTimer = setTimeout(async () => {
    const [of, cross] = [shown, [...shown.cross]];
    try {
      const { data } = await of.image.slice(of.index());
      if (of !== shown) return;
      of.ofVoxel = { cross, values: data };
      course();
      facts();
    } catch (error) {
      if (of === shown) fail(error, of.name);
    }
  }, 150);
}

// ---- playing ----

let timer;

function play() {
  if (playing) return;
  playing = true;
  $("#play").textContent = "Pause";
  $("#play").setAttribute("aria-pressed", "true");
  timer = setInterval(() => {
    // Past the frames that are here it goes on with the first one.
    const next = (shown.frame + 1) % shown.count;
    show(shown.frames.has(next) || shown.walked === shown.count ? next : 0);
  }, 1000 / FRAMES_PER_SECOND);
}

function pause() {
  playing = false;
  clearInterval(timer);
  $("#play").textContent = "Play";
  $("#play").setAttribute("aria-pressed", "false");
}

function step(by) {
  if (!shown || shown.count < 2) return;
  pause();
  show((shown.frame + by + shown.count) % shown.count);
}

// ---- mouse and keys ----

function moved() {
  if (!shown) return;
  update();
  course();
  facts();
  readCourse();
}

function point(figure, event) {
  const view = figure.dataset.view;
  const box = figure.getBoundingClientRect();
  const [sx, sy] = fit(view, box.width, box.height);
  const [x, y] = VIEWS[view];
  shown.put(x, 0.5 + ((event.clientX - box.left) / box.width - 0.5) / sx);
  shown.put(y, 0.5 + (1 - (event.clientY - box.top) / box.height - 0.5) / sy);
  moved();
}

for (const figure of figures) {
  const canvas = figure.querySelector("canvas");
  const isRays = figure.dataset.view === "rays";
  let drag;
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("pointerdown", (event) => {
    if (!shown) return;
    canvas.setPointerCapture(event.pointerId);
    const windows = event.button === 2 || event.shiftKey;
    drag = { windows, x: event.clientX, y: event.clientY, window: shown.window, turn: { ...turn } };
    if (!windows && !isRays) point(figure, event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag || !shown) return;
    const [dx, dy] = [event.clientX - drag.x, event.clientY - drag.y];
    if (drag.windows) {
      const [low, high] = drag.window;
      const [centre, width] = [(low + high) / 2, high - low];
      const wide = width * Math.exp(dx / 200);
      const level = centre + (dy / 300) * width;
      setWindow(level - wide / 2, level + wide / 2);
    } else if (isRays) {
      turn = { yaw: drag.turn.yaw + dx / 120, pitch: Math.max(-1.55, Math.min(1.55, drag.turn.pitch + dy / 120)) };
      update();
    } else point(figure, event);
  });
  canvas.addEventListener("pointerup", () => (drag = undefined));
  canvas.addEventListener("pointercancel", () => (drag = undefined));
  canvas.addEventListener("wheel", (event) => {
    if (!shown || isRays) return;
    event.preventDefault();
    through(figure, event.deltaY < 0 ? 1 : -1);
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    if (!shown) return;
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [0, 0];
    if (dx || dy) {
      event.preventDefault();
      if (isRays) {
        turn = { yaw: turn.yaw + dx * 0.12, pitch: Math.max(-1.55, Math.min(1.55, turn.pitch - dy * 0.12)) };
        return update();
      }
      const [x, y] = VIEWS[figure.dataset.view];
      nudge(x, dx);
      nudge(y, dy);
      return moved();
    }
    if (!isRays && (event.key === "PageUp" || event.key === "PageDown")) {
      event.preventDefault();
      through(figure, event.key === "PageUp" ? 1 : -1);
    }
  });
}

function nudge(world, by) {
  const axis = shown.along[world];
  const at = shown.cross[axis] + (shown.flipped[world] ? -by : by);
  shown.cross[axis] = Math.max(0, Math.min(shown.size[axis] - 1, at));
}

function through(figure, by) {
  nudge(VIEWS[figure.dataset.view][2], by);
  moved();
}

addEventListener("keydown", (event) => {
  if (!shown || /^(INPUT|BUTTON)$/.test(event.target.tagName) || event.ctrlKey || event.metaKey) return;
  const act = {
    " ": () => (playing ? pause() : shown.count > 1 && play()),
    "[": () => step(-1),
    "]": () => step(1),
    m: mode,
    n: smoothness,
    a: automatic,
  }[event.key.toLowerCase()];
  if (!act) return;
  event.preventDefault();
  act();
});

function mode() {
  setMode(!shown.surface);
}

function setMode(surface) {
  shown.surface = surface;
  $("#mode").textContent = shown.surface ? "Projection" : "Surface";
  update();
}

function smoothness() {
  boxes = !boxes;
  $("#boxes").setAttribute("aria-pressed", String(boxes));
  update();
}

function automatic() {
  const data = shown.frames.get(shown.frame) ?? shown.frames.values().next().value;
  if (data) autoWindow(data);
}

$("#play").onclick = () => (playing ? pause() : play());
$("#mode").onclick = () => mode();
$("#boxes").onclick = () => smoothness();
$("#auto").onclick = () => automatic();
$("#frame").oninput = (event) => {
  pause();
  show(Number(event.target.value));
};
for (const id of ["#low", "#high"]) $(id).onchange = () => setWindow(Number($("#low").value), Number($("#high").value));

function openFiles(files) {
  const all = [...files];
  if (all.length > 0) void open(all.length === 1 ? all[0] : all, all.map((file) => file.name).join(" + "));
}

$("#file").onchange = (event) => openFiles(event.target.files);
const openPhantom = () => void open(phantom(), "phantom.nii", { cross: CENTRE, surface: true });
$("#phantom").onclick = openPhantom;
$("#try").onclick = openPhantom;
$("#open").onsubmit = (event) => {
  event.preventDefault();
  const url = $("#url").value.trim();
  if (url) void open(url, url.split("/").at(-1));
};
addEventListener("dragover", (event) => {
  event.preventDefault();
  stage.classList.add("dropping");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) stage.classList.remove("dropping");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  stage.classList.remove("dropping");
  openFiles(event.dataTransfer.files);
});
new ResizeObserver(() => {
  update();
  course();
}).observe(stage);

if (asked.has("url")) void open(asked.get("url"), asked.get("url").split("/").at(-1));
else if (asked.has("phantom")) openPhantom();
