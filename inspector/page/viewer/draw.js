// The picture in the DOM: only what is in view, with fewer details from afar.
import { Model, Moment } from "./model.js";
import { View } from "./view.js";
import { isSummary, isUnknown, normText, number, shortened, textWidth, valueText } from "./text.js";

const SVG = "http://www.w3.org/2000/svg";
const FULL = 0.42, NAMES = 0.2, TINY = 0.06;  // scales from which details, names, and outlines are drawn
const MOST_ELEMENTS = 900;
const MOST_CURVES = 3000;  // above, wires are straight from afar
const MARGIN = 80, FAR_MARGIN = 250;  // pixels around the view that are drawn, too, so that a drag need not draw
const CELL = 256;  // pixels
const MOST_ADDED = 400;  // elements that playback adds from afar before all is drawn again

/** @param {string} name @param {{[key: string]: string | number}} [attributes] @param {Node[]} children */
export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}

/** @param {number} value */
const short = (value) => Math.round(value * 10) / 10;

/** @param {number[]} points */
export function pathData(points) {
  let text = `M${short(points[0])} ${short(points[1])}`;
  for (let k = 2; k + 5 < points.length; k += 6) text += `C${points.slice(k, k + 6).map(short).join(" ")}`;
  return text;
}

/** @param {number[]} points */
function line(points) { return `M${Math.round(points[0])} ${Math.round(points[1])}L${Math.round(points[points.length - 2])} ${Math.round(points[points.length - 1])}`; }

/** A stub has two curves, which do not meet. @param {number[]} points */
function stubData(points) { return `${pathData(points.slice(0, 8))}M${short(points[8])} ${short(points[9])}C${points.slice(10, 16).map(short).join(" ")}`; }

/** @param {import("./view.js").Drawn} box */
function outline(box) { return `M${short(box.x)} ${short(box.y)}h${short(box.w)}v${short(box.body || box.h)}h${-short(box.w)}z`; }

/** @typedef {{x: number, y: number, k: number}} Camera  A point (u, v) of the picture is at (x + k u, y + k v). */

/** The outlines of many elements as few paths: one for each class and cell of a grid, since a browser paints a picture in
 * tiles, and goes through all of a path for each tile that it touches. */
class Cells {
  /** @param {number} scale */
  constructor(scale) {
    this.side = CELL / scale;
    /** @type {Map<string, {name: string, outlines: string[]}>} */
    this.cells = new Map();
  }

  /** @param {string} name @param {number} x @param {number} y @param {string} outline */
  add(name, x, y, outline) {
    const key = `${name} ${Math.floor(x / this.side)} ${Math.floor(y / this.side)}`, cell = this.cells.get(key);
    if (cell) cell.outlines.push(outline); else this.cells.set(key, { name, outlines: [outline] });
  }

  paths() { return [...this.cells.values()].map(({ name, outlines }) => svg("path", { class: name, d: outlines.join("") })); }
}

export class Stage {
  /** @param {SVGSVGElement} root @param {Model} model @param {View} view */
  constructor(root, model, view) {
    this.root = root; this.model = model; this.view = view;
    /** @type {Camera} */
    this.camera = { x: 0, y: 0, k: 1 };
    this.moment = new Moment(model, model.lastStep);
    this.heat = false;
    /** The live figure, where there is one. @type {import("./live.js").Live | null} */
    this.live = null;
    this.hidden = false;  // whether gradients are hidden, for the quiz
    /** The nodes whose gradients were found in the quiz. @type {Set<number>} */
    this.solved = new Set();
    /** The selected item; -1 for none. */
    this.selected = -1;
    /** Items that are lit; null for no highlight. @type {Set<number> | null} */
    this.lit = null;
    this.world = svg("g", { class: "world" });
    this.layers = ["frames", "wires", "titles", "boxes"].map((name) => svg("g", { class: name }));
    this.world.append(...this.layers);
    const defs = svg("defs");
    for (const [id, name] of root.id !== "stage" ? [] : [["arrow", "tip"], ["arrow-g", "tip ran"], ["arrow-d", "tip dim"]]) {
      defs.append(svg("marker", { id, viewBox: "0 0 10 10", refX: 9, refY: 5, markerWidth: 8, markerHeight: 8, markerUnits: "userSpaceOnUse", orient: "auto" }, svg("path", { d: "M0 .8 9.5 5 0 9.2z", class: name })));
    }
    root.replaceChildren(defs, this.world);
    this._waiting = false;
    /** What is drawn: which part of the picture, at which scale, up to which step; null if it must be drawn again.
     * @type {{left: number, top: number, right: number, bottom: number, k: number, step: number, added: number} | null} */
    this.drawn = null;
    this.detail = 2;
    /** Called after each drawing. @type {(() => void) | null} */
    this.follower = null;
    /** Whether the last drawing drew all anew. */
    this.isFresh = false;
  }

  /** @param {View} view */
  show(view) { this.view = view; this.redraw(); }

  /** Draw again in the next frame. */
  redraw() { this.drawn = null; this.schedule(); }

  /** Draw another moment in the next frame. */
  redrawMoment() { if (this.detail || this.heat || !this.drawn || this.moment.step < this.drawn.step) this.drawn = null; this.schedule(); }

  schedule() {
    if (this._waiting) return;
    this._waiting = true;
    requestAnimationFrame(() => { this._waiting = false; this.draw(); });
  }

  get size() { const box = this.root.getBoundingClientRect(); return { w: box.width || 800, h: box.height || 600 }; }

  /** The part of the picture in view, with a margin in pixels. @param {number} pixels */
  area(pixels) {
    const { x, y, k } = this.camera, { w, h } = this.size, margin = pixels / k;
    return { left: -x / k - margin, top: -y / k - margin, right: (w - x) / k + margin, bottom: (h - y) / k + margin };
  }

  draw() {
    const { x, y, k } = this.camera;
    this.world.setAttribute("transform", `translate(${short(x)} ${short(y)}) scale(${Math.round(k * 1e5) / 1e5})`);
    const { drawn } = this, view = this.area(0);
    const isHeld = drawn && view.left >= drawn.left && view.top >= drawn.top && view.right <= drawn.right && view.bottom <= drawn.bottom;
    this.isFresh = !drawn || drawn.step !== this.moment.step;
    if (!drawn || !isHeld || k > drawn.k * 1.25 || (k < NAMES) !== (drawn.k < NAMES) || (k < FULL) !== (drawn.k < FULL)) this._drawAll();
    else if (drawn.step < this.moment.step) this._add(drawn);
    this.follower?.();
  }

  /** Draw what is in view, and a margin around it. */
  _drawAll() {
    const { k } = this.camera;
    let area = this.area(k < NAMES ? FAR_MARGIN : MARGIN), boxes = this._within(area);
    const detail = boxes.length > MOST_ELEMENTS || k < NAMES ? 0 : k < FULL ? 1 : 2;
    if (!detail && k >= NAMES) { area = this.area(FAR_MARGIN); boxes = this._within(area); }
    const segments = this.view.segments.filter(({ bounds }) => bounds[0] < area.right && bounds[2] > area.left && bounds[1] < area.bottom && bounds[3] > area.top);
    this.drawn = { ...area, k, step: this.moment.step, added: 0 };
    this.detail = detail;
    const [frames, wires, titles, all] = this.layers;
    const open = boxes.filter((box) => box.shape === "frame");
    frames.replaceChildren(...(detail ? open.map((box) => this._frame(box)) : this._manyFrames(open)));
    titles.replaceChildren(...(detail ? open.map((box) => this._title(box)) : []));
    wires.replaceChildren(...(detail ? segments.map((segment) => this._wire(segment, detail)) : this._manyWires(segments)));
    const solid = boxes.filter((box) => box.shape !== "frame");
    all.replaceChildren(...(detail ? solid.map((box) => this._box(box, detail)) : this._manyBoxes(solid)));
    this.root.dataset.detail = String(detail);
    this.root.classList.toggle("heat", this.heat && detail > 0);
    this.root.classList.toggle("tiny", k < TINY);
  }

  /** @param {{left: number, top: number, right: number, bottom: number}} area */
  _within(area) { return [...this.view.drawn.values()].filter((box) => box.x < area.right && box.x + box.w > area.left && box.y < area.bottom && box.y + box.h > area.top); }

  /** From afar: draw the Nodes that have run since, over what is drawn. @param {NonNullable<Stage["drawn"]>} drawn */
  _add(drawn) {
    const nodes = this.model.byStep.slice(drawn.step + 1, this.moment.step + 1);
    drawn.step = this.moment.step;
    drawn.added += 2;
    if (drawn.added > MOST_ADDED || this.moment.isEnd) { this._drawAll(); return; }
    const boxes = new Set(nodes.flatMap((node) => this.view.shows(node) || []));
    const segments = nodes.flatMap((node) => this.model.out[node].flatMap((edge) => this.view.segmentsOf(edge)));
    this.layers[1].append(...this._manyWires(segments));
    this.layers[3].append(...this._manyBoxes([...boxes]));
  }

  // ---- from afar ----

  /** @param {import("./view.js").Segment[]} segments */
  _manyWires(segments) {
    const cells = new Cells(this.camera.k);
    for (const segment of segments) {
      const { bounds } = segment;
      segment.far ??= this.view.segments.length > MOST_CURVES ? line(segment.points) : segment.stub ? stubData(segment.points) : pathData(segment.points);
      cells.add(`${this._wireClass(segment)} far`, (bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2, segment.far);
    }
    return cells.paths();
  }

  /** @param {import("./view.js").Drawn[]} frames */
  _manyFrames(frames) { return frames.length ? [svg("path", { class: "frame-body far", d: frames.map(outline).join("") })] : []; }

  /** @param {import("./view.js").Drawn[]} boxes */
  _manyBoxes(boxes) {
    const cells = new Cells(this.camera.k);
    for (const box of boxes) cells.add(`${this._class(box)} h${this._heatStep(box)} far body`, box.x + box.w / 2, box.y + box.h / 2, box.far ??= outline(box));
    return cells.paths();
  }

  // ---- wires ----

  /** @param {import("./view.js").Segment} segment */
  _wireClass(segment) {
    const ran = segment.edges.some((edge) => this._sent(edge));
    const lit = this.lit === null ? "" : segment.edges.some((edge) => this.lit?.has(this.model.from[edge]) && this.lit.has(this.model.to[edge])) ? " lit" : " dim";
    const current = segment.edges.some((edge) => !this.model.isGroup(this.model.from[edge]) && this.moment.isCurrent(this.model.from[edge]));
    return `wire${ran ? " ran" : ""}${lit}${segment.back ? " back" : ""}${segment.stub ? " stub" : ""}${current ? " current" : ""}`;
  }

  /** Whether a gradient has come along an edge. @param {number} edge */
  _sent(edge) {
    const from = this.model.from[edge];
    if (this.model.edges.get("norm", edge) === null) return false;
    return this.model.isGroup(from) ? this.moment.step > 0 && this.moment.isEnd && this.model.data.ran : this.moment.ran(from);
  }

  /** @param {import("./view.js").Segment} segment @param {number} detail */
  _wire(segment, detail) {
    const name = this._wireClass(segment);
    const ends = detail === 2 && !segment.to.startsWith("p") && this.view.drawn.get(segment.to)?.shape !== "frame";
    const norms = segment.edges.map((edge) => this.model.edges.get("norm", edge));
    const known = norms.filter((norm) => typeof norm === "number");
    const heat = known.length ? this.view.heat(Math.max(...known)) : null;
    const bad = norms.some((norm) => norm === "nan" || norm === "inf");
    const wide = name.includes("ran") ? 1.6 + (this.model.data.small || heat === null ? 0.2 : 3 * heat) : 1.4;
    const path = svg("path", {
      class: `${name}${bad && name.includes("ran") ? " bad" : ""}`, d: segment.stub ? stubData(segment.points) : pathData(segment.points),
      "stroke-width": short(wide), ...(ends ? { "marker-end": `url(#${name.includes("dim") ? "arrow-d" : name.includes("ran") ? "arrow-g" : "arrow"})` } : {}),
    });
    if (segment.edges.length > 1) path.append(svg("title", {}, text(`${segment.edges.length} edges`)));
    const group = svg("g", { "data-edge": segment.edges[0] }, path);
    if (segment.stub && detail === 2) group.append(...this._stubNames(segment));
    if (segment.at && segment.label && name.includes("ran") && !this._hides(this.model.to[segment.edges[0]]) && detail === 2) {
      const [x, y] = segment.at, label = this._edgeText(segment);
      const room = textWidth(label, 12, "bold") + 8;
      group.append(svg("rect", { class: "edge-ground", x: short(x - room / 2), y: short(y - 8), width: short(room), height: 16, rx: 4 }), svg("text", { class: "edge-text", x: short(x), y: short(y + 4), "text-anchor": "middle" }, text(label)));
    }
    return group;
  }

  /** Whether the quiz hides the gradient of a node. @param {number} node */
  _hides(node) { return this.hidden && !this.solved.has(node); }

  /** @param {import("./view.js").Segment} segment */
  _edgeText(segment) {
    if (!this.live?.isMoved) return segment.label;
    const [edge] = segment.edges, { locals, edges, gradients } = this.live.point, arriving = number(gradients[this.model.from[edge]]);
    return Math.abs(locals[edge]) === 1 ? number(edges[edge]) : `${number(locals[edge])} · ${arriving.startsWith("−") ? `(${arriving})` : arriving} = ${number(edges[edge])}`;
  }

  /** @param {import("./view.js").Segment} segment */
  _stubNames(segment) {
    const { points } = segment;
    const name = (/** @type {string} */ key) => { const box = this.view.drawn.get(key); return box ? shortened(this.model.name(box.item), 110, 11) : "outside"; };
    return [["to", 6, segment.to, "→ "], ["from", 8, segment.from, "← "]].map(([, at, key, arrow]) => svg("text", {
      class: "stub-text", x: points[Number(at)] + 5, y: points[Number(at) + 1] + 4, "data-jump": String(key),
    }, text(`${arrow}${name(String(key))}`)));
  }

  // ---- boxes ----

  /** @param {import("./view.js").Drawn} box */
  _items(box) { return box.parts.length && box.key.startsWith("r") ? box.parts.map((part) => this.model.item(part)) : [box.item]; }

  /** @param {import("./view.js").Drawn} box */
  _class(box) {
    const items = this._items(box), { moment, model } = this;
    const nodes = box.shape === "box" ? items.flatMap((item) => model.inside(item)) : [box.item];
    const ran = nodes.length ? nodes.some((node) => moment.ran(node)) : moment.step > 0 && model.data.ran;
    const lit = this.lit === null ? "" : (box.shape === "box" ? items.some((item) => this.lit?.has(item)) || nodes.some((node) => this.lit?.has(node)) : this.lit.has(box.item)) ? " lit" : " dim";
    const current = nodes.some((node) => moment.isCurrent(node));
    const selected = this.selected >= 0 && (items.includes(this.selected) || (box.shape === "box" && nodes.includes(this.selected)));
    return `item ${box.shape}${ran ? " ran" : ""}${lit}${current ? " current" : ""}${selected ? " selected" : ""}`;
  }

  /** The colour class of the gradient at a box, 0 to 7; "n", "z", "x", "u" for None, zero, NaN and unknown. @param {import("./view.js").Drawn} box */
  _heatStep(box) {
    if (!this.heat || this.hidden) return "u";
    const norm = this.view.boxNorm(box);
    const nodes = box.shape === "box" ? this.model.inside(box.item) : [box.item];
    if (nodes.length && !nodes.some((node) => this.moment.ran(node))) return "u";
    if (norm === null) return "n";
    if (norm === 0) return "z";
    if (norm === "nan" || norm === "inf" || norm === "-inf") return "x";
    const heat = this.view.heat(norm);
    return heat === null ? "u" : String(Math.min(7, Math.floor(heat * 8)));
  }

  /** @param {import("./view.js").Drawn} box */
  _frame(box) {
    const group = svg("g", { class: this._class(box), "data-key": box.key, transform: `translate(${short(box.x)} ${short(box.y)})` },
      svg("rect", { class: "frame-body", width: short(box.w), height: short(box.h), rx: 10 }));
    return group;
  }

  /** The name of a frame, above the wires. @param {import("./view.js").Drawn} box */
  _title(box) {
    const name = this.view.frameName(box.item), wide = Math.min(box.w - 16, textWidth(name, 13, "bold") + 28);
    return svg("g", { class: `item frame${this._class(box).includes("dim") ? " dim" : ""}`, "data-key": box.key, transform: `translate(${short(box.x)} ${short(box.y)})` },
      svg("rect", { class: "frame-title", x: 6, y: 5, width: short(wide), height: 21, rx: 5 }), svg("path", { class: "twist", d: "M12 13.5l4 4 4-4" }), svg("text", { class: "frame-name", x: 26, y: 20 }, text(name)));
  }

  /** @param {import("./view.js").Drawn} box @param {number} detail */
  _box(box, detail) {
    const { w, body } = box, step = this._heatStep(box);
    const group = svg("g", { class: `${this._class(box)} h${step}`, "data-key": box.key, transform: `translate(${short(box.x)} ${short(box.y)})` });
    const radius = box.shape === "node" ? Math.min(17, body / 2) : 7;
    if (box.parts.length > 1) for (const shift of [8, 4]) group.append(svg("rect", { class: "body behind", x: shift, y: shift, width: short(w), height: body, rx: radius }));
    group.append(svg("rect", { class: "body", width: short(w), height: body, rx: radius }));
    if (box.shape !== "node") group.append(svg("path", { class: "head", d: `M1.3 28V7a5.7 5.7 0 0 1 5.7-5.7H${short(w - 7)}a5.7 5.7 0 0 1 5.7 5.7V28z` }));
    const lines = detail === 2 ? box.lines : box.lines.slice(0, 1);
    for (const line of lines) group.append(svg("text", { x: short(line.x), y: line.y, class: `${line.face} ${line.ink}`, "font-size": line.size, ...(line.anchor ? { "text-anchor": line.anchor } : {}) }, text(this._moved(box, line))));
    if (detail === 2) {
      group.append(...this._live(box));
      for (const chip of box.chips) group.append(this._chip(chip));
      if (box.shape === "box" && this.model.groups.get("sealed", box.item - this.model.nodes.count)) group.append(svg("title", {}, text("its Nodes are not in this page")));
    }
    const glyph = this._glyph(box);
    if (glyph) group.append(glyph);
    const badge = detail === 2 ? this._badge(box) : null;
    if (badge) group.append(badge);
    return group;
  }

  /** The text of a line, with the computed value where a leaf was moved. @param {import("./view.js").Drawn} box @param {import("./view.js").Line} line */
  _moved(box, line) {
    if (!this.live?.isMoved) return line.text;
    return line.live !== undefined ? `${line.live}${number(this.live.value(box.item))}` : line.text === "grad" && box.shape === "card" ? "gradient" : line.text;
  }

  /** What changes with time: the grad of a leaf, the gradient of a box. @param {import("./view.js").Drawn} box */
  _live(box) {
    const { model, moment } = this;
    if (box.shape === "card" && this.live?.isMoved) {
      return [svg("text", { class: "bold gradient", x: short(box.w - 12), y: 66, "font-size": 13, "text-anchor": "end" }, text(number(this.live.point.gradients[box.item])))];
    }
    if (box.shape === "card") {
      const tensor = model.leaf[box.item], before = model.tensors.get("grad", tensor), now = moment.grad(tensor);
      const changed = moment.ran(box.item) && JSON.stringify(before) !== JSON.stringify(now);
      const isHidden = this._hides(box.item), said = isHidden ? "?" : this.view._short(now);
      const row = svg("text", { class: changed ? "bold gradient" : "medium quiet", x: short(box.w - 12), y: 66, "font-size": 13, "text-anchor": "end" }, text(changed && !isHidden ? `${this.view._short(before)} → ${said}` : said));
      return changed ? [svg("rect", { class: "changed", x: 1, y: 52, width: short(box.w - 2), height: 20 }), svg("text", { class: "regular quiet", x: 12, y: 66, "font-size": 12 }, text("grad")), row] : [row];
    }
    if (box.shape !== "box" || !model.data.ran) return [];
    const nodes = this._items(box).flatMap((item) => model.inside(item));
    const done = nodes.filter((node) => moment.ran(node)).length;
    const norm = this.view.boxNorm(box), isReached = nodes.length ? done > 0 : moment.step > 0;
    const parts = [];
    const said = !isReached || this.hidden ? "–" : normText(norm);
    parts.push(svg("text", { class: isReached ? "bold gradient" : "medium quiet", x: short(box.w - 12), y: 62, "font-size": 13, "text-anchor": "end" }, text(said)));
    const full = nodes.length && !moment.isEnd ? done / nodes.length : 1;
    parts.push(svg("rect", { class: "track", x: 12, y: 67, width: short(box.w - 24), height: 3, rx: 1.5 }));
    if (isReached && box.bar !== null && !this.hidden) parts.push(svg("rect", { class: moment.isEnd ? "bar" : "bar moving", x: 12, y: 67, width: short(Math.max(3, (box.w - 24) * (moment.isEnd ? 0.06 + 0.94 * box.bar : full))), height: 3, rx: 1.5 }));
    return parts;
  }

  /** @param {import("./view.js").Drawn["chips"][number]} chip */
  _chip(chip) {
    const lit = chip.leaf < 0 || this.lit === null ? "" : this.lit.has(chip.leaf) ? " lit" : " dim";
    const glyph = chip.leaf >= 0 && this.moment.step > 0 && !this.hidden ? glyphOf(this.model.norms[chip.leaf], this.moment.ran(chip.leaf)) : "";
    const group = svg("g", { class: `chip${lit}${chip.leaf >= 0 && this.selected === chip.leaf ? " selected" : ""}`, transform: `translate(${short(chip.x)} ${chip.y})`, ...(chip.leaf >= 0 ? { "data-leaf": chip.leaf } : {}) },
      svg("rect", { width: short(chip.w), height: 20, rx: 5 }), svg("text", { x: short(chip.w / 2), y: 14, "text-anchor": "middle" }, text(chip.text)));
    if (glyph) group.append(dot(chip.w, 0, glyph));
    return group;
  }

  /** NaN, zero and None by a sign besides the colour. @param {import("./view.js").Drawn} box */
  _glyph(box) {
    if (this.moment.step === 0 || this._hides(box.item)) return null;
    const nodes = box.shape === "box" ? this._items(box).flatMap((item) => this.model.inside(item)) : [box.item];
    const ran = nodes.some((node) => this.moment.ran(node)) || (box.shape !== "box" && this.moment.isEnd);
    let said = glyphOf(this.view.boxNorm(box), ran);
    if (!said && box.shape === "box" && ran) {
      const bad = nodes.filter((node) => this.moment.ran(node)).map((node) => this.model.norms[node]).filter((norm) => norm === "nan" || norm === "inf");
      if (bad.length) said = bad.includes("nan") ? "NaN" : "inf";
    }
    return said ? dot(box.w - 4, 0, said) : null;
  }

  /** The step of the engine. @param {import("./view.js").Drawn} box */
  _badge(box) {
    if (this.moment.step === 0 || this.hidden) return null;
    const step = box.shape === "box" ? 0 : this.model.steps[box.item];
    if (!step || step > this.moment.step || !(this.model.data.small || step === this.moment.step || this.selected === box.item)) return null;
    const said = String(step), width = Math.max(18, said.length * 6.5 + 9);
    return svg("g", { class: "badge", transform: `translate(${-width / 2 + 4} -9)` }, svg("rect", { width: short(width), height: 18, rx: 9 }), svg("text", { x: short(width / 2), y: 13, "text-anchor": "middle" }, text(said)));
  }
}

/** @param {any} norm @param {boolean} ran @returns {string} */
function glyphOf(norm, ran) {
  if (norm === "nan" || norm === "inf") return ran ? (norm === "nan" ? "NaN" : "inf") : "";
  if (norm === 0) return ran ? "0" : "";
  return norm === null ? "None" : "";
}

/** @param {number} x @param {number} y @param {string} said */
function dot(x, y, said) {
  const width = said.length * 6.6 + 9;
  return svg("g", { class: `glyph ${said === "NaN" || said === "inf" ? "bad" : ""}`, transform: `translate(${short(x - width / 2)} ${y - 8})` }, svg("rect", { width: short(width), height: 16, rx: 8 }), svg("text", { x: short(width / 2), y: 12, "text-anchor": "middle" }, text(said)));
}

/** @param {string} said */
export function text(said) { return document.createTextNode(said); }

/** A tensor or gradient in words, for a screen reader. @param {any} value */
export function spoken(value) {
  if (value === null || value === undefined) return "None";
  if (isUnknown(value)) return "not known";
  return isSummary(value) ? `norm ${value.norm === null || isUnknown(value.norm) ? "not known" : number(value.norm)}` : valueText(value);
}
