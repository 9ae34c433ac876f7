// What is open, what is therefore drawn, and where: boxes with sizes, groups laid out from the inside out.
import { layout } from "./layout.js";
import { Model } from "./model.js";
import { isSummary, isUnknown, number, plural, shortened, shortenedName, textWidth, valueText } from "./text.js";

const PAD = 18;
const HEADER = 30;
const MOST_CHIPS = 4;
const LONGEST_TEXT = 230;
const LONGEST_FRAME_NAME = 360;
const MOST_PORTS = 16;
const CHIP = 20;

/**
 * @typedef {object} Line  A text in a box. x, y: from the corner of the box, on the baseline.
 * @property {string} text
 * @property {number} x
 * @property {number} y
 * @property {number} size
 * @property {string} face
 * @property {string} ink
 * @property {"start" | "middle" | "end"} [anchor]
 * @property {string} [live]  What stands before the value, in a line that shows one.
 */

/**
 * @typedef {object} Drawn  A box or frame in the picture.
 * @property {string} key
 * @property {number} number  Its place among all boxes.
 * @property {"node" | "card" | "box" | "frame" | "port"} shape
 * @property {number} item  Its item; of a run of equal parts, the first.
 * @property {number[]} parts  The groups of a run of equal parts; else empty.
 * @property {number} frame  The group in whose frame it lies; -1 for none.
 * @property {number} x
 * @property {number} y
 * @property {number} w
 * @property {number} h
 * @property {Line[]} lines
 * @property {{leaf: number, x: number, y: number, w: number, text: string}[]} chips
 * @property {number | null} bar  How full its bar is, from 0 to 1; null for no bar.
 * @property {number} body  The height without chips.
 * @property {string} [far]  Its outline from afar, once drawn.
 */

/**
 * @typedef {object} Segment  A part of a wire within one frame.
 * @property {number} frame
 * @property {number[]} edges
 * @property {string} from  Keys of its ends.
 * @property {string} to
 * @property {number[]} points
 * @property {boolean} back
 * @property {boolean} stub
 * @property {string} label
 * @property {number[] | null} at
 * @property {number[]} bounds  Left, top, right, bottom.
 * @property {string} [far]  Its line from afar, once drawn.
 */

/** Which groups are open, and which parts of stacks stand by themselves. */
export class Opened {
  /** @param {Model} model */
  constructor(model) {
    this.model = model;
    const where = (/** @type {string} */ key) => model.groups.all(key).flatMap((is, group) => (is ? [group] : []));
    this.groups = new Set(where("open"));
    /** Parts of stacks that stand by themselves. @type {Set<number>} */
    this.parts = new Set(where("alone"));
    this.start = this.text();
  }

  /** @param {number} group */
  canOpen(group) { return !this.model.groups.get("sealed", group) && group > 0; }

  /** @param {number} group */
  open(group) {
    if (!this.canOpen(group)) return;
    this.groups.add(group);
    if (this.model.kind[group] === "equal" && !this.model.childGroups[group].some((part) => this.parts.has(part))) this.pick(this.model.childGroups[group][0]);
  }

  /** Show one of several equal parts, opened. @param {number} part */
  pick(part) {
    this.groups.add(this.model.parent[part]);
    this.parts.add(part);
    if (this.canOpen(part)) this.groups.add(part);
  }

  /** @param {number} group */
  close(group) {
    this.groups.delete(group);
    const stack = this.model.parent[group];
    if (stack < 0 || this.model.kind[stack] !== "equal") return;
    this.parts.delete(group);
    if (!this.model.childGroups[stack].some((part) => this.parts.has(part))) this.groups.delete(stack);
  }

  /** Open all that holds an item. @param {number} item */
  reveal(item) {
    const above = [];
    for (let group = this.model.holder(item); group > 0; group = this.model.parent[group]) above.push(group);
    for (const group of above.reverse()) {
      if (this.model.kind[this.model.parent[group]] === "equal") this.parts.add(group);
      this.groups.add(group);
    }
    const own = item - this.model.nodes.count;
    if (own > 0 && this.model.kind[this.model.parent[own]] === "equal") this.parts.add(own);
  }

  all() {
    for (let group = 1; group < this.model.groups.count; group++) {
      if (this.canOpen(group)) this.groups.add(group);
      if (this.model.kind[this.model.parent[group]] === "equal") this.parts.add(group);
    }
  }

  none() { this.groups = new Set([0]); this.parts.clear(); }

  /** The state as two lists of numbers. */
  text() { return `${[...this.groups].sort((one, other) => one - other).join(".")}_${[...this.parts].sort((one, other) => one - other).join(".")}`; }

  /** @param {string} text */
  restore(text) {
    const [groups, parts] = text.split("_").map((list) => list.split(".").filter((word) => /^\d+$/.test(word)).map(Number).filter((group) => group < this.model.groups.count));
    if (!groups || !parts) return;
    this.groups = new Set([0, ...groups.filter((group) => this.canOpen(group))]);
    this.parts = new Set(parts.filter((group) => this.model.kind[this.model.parent[group]] === "equal"));
    for (const group of this.groups) if (this.model.kind[group] === "equal" && !this.model.childGroups[group].some((part) => this.parts.has(part))) this.groups.delete(group);
  }
}

/** A picture: every box and wire with its place. Laying out the same contents again costs nothing. */
export class View {
  /** @param {Model} model @param {Opened} opened */
  constructor(model, opened) {
    this.model = model;
    this.opened = opened;
    /** @type {Map<string, import("./layout.js").Placed>} */
    this.known = new Map();
    /** Which box hides each group; null for an open one. @type {(string | null)[]} */
    this.hidden = [];
    /** The group in whose frame the contents of a group lie. */
    this.frame = new Int32Array(0);
    this.depth = new Int32Array(0);
    /** @type {Map<string, Drawn>} */
    this.drawn = new Map();
    /** @type {Map<number, Map<string, Segment>>} */
    this.byFrame = new Map();
    /** The leaves at each box and how often it uses them. @type {Map<string, Map<number, number>>} */
    this.chips = new Map();
    /** @type {Map<number, {top: Map<string, string>, bottom: Map<string, string>}>} */
    this.ports = new Map();
    /** @type {Segment[]} */
    this.segments = [];
    this.width = this.height = 0;
    /** The segments of each edge, once asked for. @type {Map<number, Segment[]> | null} */
    this._ofEdge = null;
    const norms = model.norms.concat(model.groups.all("norm")).filter((norm) => typeof norm === "number" && norm > 0).map(Math.log10);
    this.range = [Math.min(...norms), Math.max(...norms)];
    this.update();
  }

  /** From 0 to 1 on the logarithmic scale of all gradients; null for none. @param {any} norm */
  heat(norm) {
    if (typeof norm !== "number" || norm <= 0) return null;
    const [low, high] = this.range;
    return high > low ? (Math.log10(norm) - low) / (high - low) : 1;
  }

  update() {
    this._ofEdge = null;
    this._find();
    this._wires();
    this._place();
  }

  /** The drawn box that shows an item. @param {number} item @returns {Drawn | undefined} */
  shows(item) {
    if (!this.model.isGroup(item)) {
      const hidden = this.hidden[this.model.group[item]];
      return this.drawn.get(hidden || `n${item}`);
    }
    const group = item - this.model.nodes.count;
    return this.drawn.get(this.hidden[group] || `g${group}`);
  }

  /** The name of a frame, cut to a width. @param {number} item */
  frameName(item) { return shortenedName(this.model.name(item), LONGEST_FRAME_NAME, 13, "bold"); }

  /** The segments of an edge. @param {number} edge @returns {Segment[]} */
  segmentsOf(edge) {
    if (!this._ofEdge) {
      this._ofEdge = new Map();
      for (const segment of this.segments) for (const one of segment.edges) this._ofEdge.set(one, [...(this._ofEdge.get(one) || []), segment]);
    }
    return this._ofEdge.get(edge) || [];
  }

  /** Find the boxes and frames that are shown. */
  _find() {
    const { model, opened } = this, count = model.groups.count;
    this.hidden = new Array(count).fill(null);
    this.frame = new Int32Array(count);
    this.drawn = new Map();
    for (let group = 1; group < count; group++) {
      const parent = model.parent[group];
      this.frame[group] = this.frame[parent];
      if (this.hidden[parent]) { this.hidden[group] = this.hidden[parent]; continue; }
      const isPart = model.kind[parent] === "equal";
      if (isPart && !opened.parts.has(group)) { this.hidden[group] = this._run(parent, group); continue; }
      if (!opened.groups.has(group)) {
        this.hidden[group] = `g${group}`;
        this._add(`g${group}`, "box", model.item(group), this.frame[parent], model.kind[group] === "equal" ? model.childGroups[group] : []);
      } else if (model.kind[group] !== "equal") {
        this.frame[group] = group;
        this._add(`g${group}`, "frame", model.item(group), this.frame[parent], []);
      }
    }
    for (let node = 0; node < model.nodes.count; node++) {
      const group = model.group[node];
      if (this.hidden[group] || model.isChip(node)) continue;
      this._add(`n${node}`, model.leaf[node] !== null ? "card" : "node", node, this.frame[group], []);
    }
  }

  /** The box of a run of equal parts that do not stand by themselves. @param {number} stack @param {number} part */
  _run(stack, part) {
    const parts = this.model.childGroups[stack], at = parts.indexOf(part);
    if (at > 0 && !this.opened.parts.has(parts[at - 1])) {
      const key = /** @type {string} */ (this.hidden[parts[at - 1]]);
      /** @type {Drawn} */ (this.drawn.get(key)).parts.push(part);
      return key;
    }
    this._add(`r${part}`, "box", this.model.item(part), this.frame[stack], [part]);
    return `r${part}`;
  }

  /** @param {string} key @param {Drawn["shape"]} shape @param {number} item @param {number} frame @param {number[]} parts */
  _add(key, shape, item, frame, parts) {
    this.drawn.set(key, { key, number: this.drawn.size, shape, item, parts, frame, x: 0, y: 0, w: 0, h: 0, lines: [], chips: [], bar: null, body: 0 });
  }

  /** The box at an end of an edge, and the leaves that become chips. */
  _wires() {
    const { model } = this;
    this.byFrame = new Map();
    this.chips = new Map();
    this.ports = new Map();
    this.depth = new Int32Array(model.groups.count);
    for (let group = 1; group < model.groups.count; group++) this.depth[group] = this.depth[model.parent[group]] + 1;
    for (let edge = 0; edge < model.from.length; edge++) {
      const from = this._key(model.from[edge]);
      const target = model.to[edge];
      if (!model.isGroup(target) && model.isChip(target)) {
        if (this.hidden[model.group[target]] !== from) {
          const held = this.chips.get(from) || new Map();
          held.set(target, (held.get(target) || 0) + 1);
          this.chips.set(from, held);
        }
        continue;
      }
      const to = this._key(target);
      if (from !== to) this._edge(edge, from, to);
    }
  }

  /** @param {number} item */
  _key(item) {
    if (!this.model.isGroup(item)) return this.hidden[this.model.group[item]] || `n${item}`;
    const group = item - this.model.nodes.count;
    return this.hidden[group] || `g${group}`;
  }

  /** @param {number} edge @param {string} from @param {string} to */
  _edge(edge, from, to) {
    let one = /** @type {Drawn} */ (this.drawn.get(from)), other = /** @type {Drawn} */ (this.drawn.get(to));
    /** @type {Drawn[]} */
    const outOf = [], into = [];
    while (one.frame !== other.frame) {
      if (this.depth[one.frame] >= this.depth[other.frame]) {
        outOf.push(one);
        one = /** @type {Drawn} */ (this.drawn.get(`g${one.frame}`));
      } else {
        into.push(other);
        other = /** @type {Drawn} */ (this.drawn.get(`g${other.frame}`));
      }
    }
    this._segment(one.frame, edge, one.key, other.key);
    for (const inner of outOf) this._segment(inner.frame, edge, inner.key, this._port(inner.frame, "bottom", other.key));
    for (const inner of into) this._segment(inner.frame, edge, this._port(inner.frame, "top", one.key), inner.key);
  }

  /** The port of a frame for a box outside of it. @param {number} frame @param {"top" | "bottom"} side @param {string} outside */
  _port(frame, side, outside) {
    let ports = this.ports.get(frame);
    if (!ports) this.ports.set(frame, ports = { top: new Map(), bottom: new Map() });
    let key = ports[side].get(outside);
    if (key === undefined) {
      const number = Math.min(ports[side].size, MOST_PORTS - 1);
      key = `p${frame}${side === "top" ? "i" : "o"}${number}`;
      ports[side].set(outside, key);
    }
    return key;
  }

  /** @param {number} frame @param {number} edge @param {string} from @param {string} to */
  _segment(frame, edge, from, to) {
    let segments = this.byFrame.get(frame);
    if (!segments) this.byFrame.set(frame, segments = new Map());
    const key = `${from}>${to}`;
    const known = segments.get(key);
    if (known) known.edges.push(edge);
    else segments.set(key, { frame, edges: [edge], from, to, points: [], back: false, stub: false, label: "", at: null, bounds: [0, 0, 0, 0] });
  }

  /** Sizes and layouts from the innermost group out, then places from the outermost in. */
  _place() {
    const inner = new Map();
    /** @type {Map<number, Drawn[]>} */
    const contents = new Map();
    for (const drawn of this.drawn.values()) {
      if (!contents.has(drawn.frame)) contents.set(drawn.frame, []);
      /** @type {Drawn[]} */ (contents.get(drawn.frame)).push(drawn);
      if (drawn.shape !== "frame") this._measure(drawn);
    }
    const groups = [...contents.keys()].sort((one, other) => other - one);
    for (const group of groups) inner.set(group, this._layOut(group, /** @type {Drawn[]} */ (contents.get(group)), inner));
    this.segments = [];
    for (const group of groups.reverse()) {
      const { placed, boxes, segments, isDown } = inner.get(group);
      const frame = group ? /** @type {Drawn} */ (this.drawn.get(`g${group}`)) : { x: -PAD, y: -HEADER };
      const left = frame.x + PAD, top = frame.y + HEADER;
      boxes.forEach((/** @type {Drawn} */ box, /** @type {number} */ k) => {
        const [x, y] = placed.positions[k];
        box.x = left + (isDown ? x : y); box.y = top + (isDown ? y : x);
      });
      segments.forEach((/** @type {Segment} */ segment, /** @type {number} */ k) => {
        const path = placed.paths[k];
        segment.points = path.points.map((/** @type {number} */ value, /** @type {number} */ at) => {
          const other = isDown ? value : path.points[at % 2 ? at - 1 : at + 1];
          return (at % 2 ? top : left) + other;
        });
        segment.stub = path.stub;
        this._toBorder(segment, frame, isDown);
        segment.back = path.back || segment.edges.some((edge) => this.model.edges.get("back", edge));
        segment.at = path.label && (isDown ? [left + path.label[0], top + path.label[1]] : [left + path.label[1], top + path.label[0]]);
        segment.bounds = bounds(segment.points);
        this.segments.push(segment);
      });
    }
    const whole = inner.get(0);
    this.width = whole ? (whole.isDown ? whole.placed.width : whole.placed.height) : 0;
    this.height = whole ? (whole.isDown ? whole.placed.height : whole.placed.width) : 0;
  }

  /** Prolong a wire from or to a port over the margin of the frame, to its border. @param {Segment} segment @param {{x: number, y: number, w?: number, h?: number}} frame @param {boolean} isDown */
  _toBorder(segment, frame, isDown) {
    const { points } = segment;
    if (segment.from.startsWith("p")) {
      const [x, y] = points, start = isDown ? [x, frame.y] : [frame.x, y];
      if (segment.stub) points.splice(0, 2, ...start);
      else points.unshift(...start, ...start, x, y);
    }
    if (segment.to.startsWith("p")) {
      const [x, y] = points.slice(-2), end = isDown ? [x, frame.y + (frame.h || 0)] : [frame.x + (frame.w || 0), y];
      if (segment.stub) points.splice(-2, 2, ...end);
      else points.push(x, y, ...end, ...end);
    }
  }

  /** @param {number} group @param {Drawn[]} contents @param {Map<number, any>} inner */
  _layOut(group, contents, inner) {
    const isDown = this.model.isDown;
    const segments = [...(this.byFrame.get(group)?.values() || [])];
    const ports = this.ports.get(group);
    const names = [...new Set([...(ports?.top.values() || []), ...(ports?.bottom.values() || [])])];
    const boxes = contents.map((drawn) => drawn);
    /** @type {Map<string, number>} */
    const index = new Map();
    boxes.forEach((box, k) => index.set(box.key, k));
    names.forEach((name, k) => index.set(name, boxes.length + k));
    for (const box of boxes) {
      if (box.shape !== "frame") continue;
      const { placed, isDown } = inner.get(box.item - this.model.nodes.count);
      const label = textWidth(this.frameName(box.item), 13, "bold") + 64;
      box.w = Math.max(label, (isDown ? placed.width : placed.height) + 2 * PAD);
      box.h = (isDown ? placed.height : placed.width) + HEADER + PAD;
    }
    const sizes = boxes.map((box) => (isDown ? { w: box.w, h: box.h } : { w: box.h, h: box.w }));
    for (const _ of names) sizes.push({ w: 12, h: 0 });
    const pins = { top: [...new Set(ports?.top.values() || [])].map((name) => /** @type {number} */ (index.get(name))),
      bottom: [...new Set(ports?.bottom.values() || [])].map((name) => /** @type {number} */ (index.get(name))) };
    const wires = segments.map((segment) => this._wire(segment, index, inner, isDown));
    const text = JSON.stringify([sizes, wires, pins]);
    let placed = this.known.get(text);
    if (!placed) this.known.set(text, placed = layout(sizes, wires, pins));
    return { placed, boxes, segments, index, isDown };
  }

  /** @param {Segment} segment @param {Map<string, number>} index @param {Map<number, any>} inner @param {boolean} isDown */
  _wire(segment, index, inner, isDown) {
    /** @type {import("./layout.js").Wire} */
    const wire = { a: /** @type {number} */ (index.get(segment.from)), b: /** @type {number} */ (index.get(segment.to)) };
    const a = this._offset(segment.from, "bottom", segment.to, inner), b = this._offset(segment.to, "top", segment.from, inner);
    if (a !== undefined) wire.ax = a;
    if (b !== undefined) wire.bx = b;
    segment.label = this.model.data.small && segment.edges.length === 1 ? this.model.edges.get("text", segment.edges[0]) : "";
    if (segment.label) {
      const wide = textWidth(segment.label, 12, "bold") + 4;
      wire.label = isDown ? { w: wide, h: 16 } : { w: 16, h: wide };
    }
    return wire;
  }

  /** Where a wire meets the border of a frame: at the port of the box at its other end, or of the port it leads to.
   * @param {string} key @param {"top" | "bottom"} side @param {string} other @param {Map<number, any>} inner */
  _offset(key, side, other, inner) {
    const box = this.drawn.get(key);
    if (!box || box.shape !== "frame") return undefined;
    const group = box.item - this.model.nodes.count;
    const ports = this.ports.get(group);
    const name = ports?.[side].get(other.startsWith("p") ? this._outside(other) : other);
    const { placed, index, isDown } = inner.get(group);
    const at = name === undefined ? undefined : index.get(name);
    return at === undefined ? undefined : placed.positions[at][0] + 6 + (isDown ? PAD : HEADER);
  }

  /** The box outside that a port stands for. @param {string} port */
  _outside(port) {
    const [, frame, side] = /** @type {RegExpMatchArray} */ (/^p(\d+)([io])/.exec(port));
    const ports = /** @type {any} */ (this.ports.get(Number(frame)))[side === "i" ? "top" : "bottom"];
    for (const [outside, name] of ports) if (name === port) return outside;
    return "";
  }

  // ---- what a box says ----

  /** @param {Drawn} drawn */
  _measure(drawn) {
    if (drawn.shape === "box") this._box(drawn);
    else if (drawn.shape === "card") this._card(drawn);
    else this._node(drawn);
    this._addMark(drawn);
    drawn.body = drawn.h;
    if (drawn.parts.length > 1 && !this.chips.has(drawn.key)) drawn.h += 8;
    this._addChips(drawn);
  }

  /** @param {Drawn} drawn */
  _node(drawn) {
    const { model } = this, node = drawn.item;
    const title = shortened(model.nodes.get("name", node), LONGEST_TEXT, 14);
    const below = this._below(node);
    const equals = below.indexOf(" = "), longest = equals > 0 && model.data.live ? `${below.slice(0, equals + 3)}−0.0000` : "";  // once a leaf is moved
    drawn.w = Math.max(textWidth(title, 14) + 32, below ? Math.max(...[below, longest].map((line) => textWidth(line, 12, "mono"))) + 32 : 0, 76);
    drawn.h = below ? 48 : 34;
    drawn.lines.push({ text: title, x: drawn.w / 2, y: below ? 20 : 22, size: 14, face: "medium", ink: "ink", anchor: "middle" });
    if (below) drawn.lines.push({ ...(equals > 0 ? { live: below.slice(0, equals + 3) } : {}), text: below, x: drawn.w / 2, y: 37, size: 12, face: "mono", ink: "value", anchor: "middle" });
  }

  /** What a node made, with its value where that is short. @param {number} node */
  _below(node) {
    const { model } = this;
    const made = model.nodes.get("made", node)[0];
    const named = made === undefined ? "" : model.tensorTitle(made);
    const name = named || (model.data.small ? model.nodes.get("expression", node) : "") || "";
    const value = made === undefined ? model.nodes.get("data", node) : model.tensors.get("data", made);
    const isShort = !isUnknown(value) && !isSummary(value) && value !== null && value !== undefined;
    if (!name) return "";
    const text = isShort ? valueText(value) : "";
    return shortened(text && text.length < 24 ? `${name} = ${text}` : name, LONGEST_TEXT, 12, "mono");
  }

  /** @param {Drawn} drawn */
  _card(drawn) {
    const { model } = this, tensor = model.leaf[drawn.item];
    const name = shortenedName(model.tensorTitle(tensor), LONGEST_TEXT, 14, "bold");
    const rows = [["data", this._short(model.tensors.get("data", tensor))], ["grad", this._widest(tensor)]];
    const kind = model.tensors.get("leaf", tensor) ? "leaf" : "";
    const wide = Math.max(...rows.map(([key, value]) => textWidth(key, 12) + textWidth(value, 13, "bold") + 40), textWidth(name, 14, "bold") + textWidth(kind, 12) + 44);
    drawn.w = Math.max(110, wide);
    drawn.h = 78;
    drawn.lines.push({ text: name, x: 12, y: 20, size: 14, face: "bold", ink: "value" });
    drawn.lines.push({ text: kind, x: drawn.w - 12, y: 20, size: 11.5, face: "regular", ink: "quiet", anchor: "end" });
    rows.forEach(([key, value], k) => {
      drawn.lines.push({ text: key, x: 12, y: 46 + 20 * k, size: 12, face: "regular", ink: "quiet" });
      if (key === "data") drawn.lines.push({ live: "", text: value, x: drawn.w - 12, y: 46, size: 13, face: "medium", ink: "ink", anchor: "end" });
    });
  }

  /** The longest text that the grad of a leaf will have. @param {number} tensor */
  _widest(tensor) {
    const texts = [this.model.tensors.get("grad", tensor), this.model.tensors.get("grad_after", tensor)].map((value) => this._short(value));
    return `${texts[0]} → ${texts[1]}`;
  }

  /** @param {any} value */
  _short(value) {
    if (isSummary(value)) return `‖·‖ ${isUnknown(value.norm) || value.norm === null ? "?" : number(value.norm)}`;
    const text = valueText(value);
    return text.length > 26 ? `${text.slice(0, 25)}…` : text;
  }

  /** @param {Drawn} drawn */
  _box(drawn) {
    const { model } = this, group = drawn.item - model.nodes.count, { groups } = model;
    const label = drawn.key.startsWith("r") ? runLabel(model, drawn.parts) : groups.get("label", group);
    const times = drawn.parts.length > 1 ? `×${drawn.parts.length}` : "";
    const sum = (/** @type {string} */ key) => (drawn.key.startsWith("r") ? drawn.parts.reduce((total, part) => total + groups.get(key, part), 0) : groups.get(key, group));
    const title = shortenedName(label, LONGEST_TEXT, 14, "bold");
    const nodes = plural(sum("nodes"), "Node"), elements = sum("elements");
    const held = elements ? `${elements.toLocaleString("en-US")} ${elements === 1 ? "parameter" : "parameters"}` : "";
    const norm = this.boxNorm(drawn);
    drawn.w = Math.max(170, textWidth(title, 14, "bold") + (times ? textWidth(times, 13, "bold") + 22 : 0) + 28, textWidth(nodes, 12, "regular") + textWidth(held, 12.5) + 44);
    drawn.h = model.data.ran ? 74 : 52;
    drawn.bar = this.heat(norm);
    drawn.lines.push({ text: title, x: 12, y: 20, size: 14, face: "bold", ink: "ink" });
    if (times) drawn.lines.push({ text: times, x: drawn.w - 12, y: 20, size: 13, face: "bold", ink: "quiet", anchor: "end" });
    drawn.lines.push({ text: nodes, x: 12, y: 44, size: 12, face: "regular", ink: "quiet" });
    if (held) drawn.lines.push({ text: held, x: drawn.w - 12, y: 44, size: 12.5, face: "medium", ink: "value", anchor: "end" });
    if (model.data.ran) drawn.lines.push({ text: "gradient", x: 12, y: 62, size: 12, face: "regular", ink: "quiet" });
  }

  /** The largest norm that arrives at a box; of a run of equal parts, the largest of them. @param {Drawn} drawn */
  boxNorm(drawn) {
    if (!drawn.key.startsWith("r")) return this.model.norm(drawn.item);
    const norms = drawn.parts.map((part) => this.model.groups.get("norm", part));
    const bad = norms.find((norm) => norm === "nan" || norm === "inf");
    const known = norms.filter((norm) => typeof norm === "number");
    return bad || (known.length ? Math.max(...known) : norms[0]);
  }

  /** The rules that found something in a box. @param {Drawn} drawn */
  _addMark(drawn) {
    const items = drawn.key.startsWith("r") ? drawn.parts.map((part) => this.model.item(part)) : [drawn.item];
    const marks = new Set(items.flatMap((item) => this.model.inside(item)).map((node) => this.model.nodes.get("mark", node)).filter(Boolean));
    if (!marks.size) return;
    const text = `! ${[...marks].join(", ")}`;
    const wide = textWidth(text, 12, "bold") + 24;
    if (wide > drawn.w) for (const line of drawn.lines) line.x += line.anchor === "middle" ? (wide - drawn.w) / 2 : line.anchor === "end" ? wide - drawn.w : 0;
    drawn.w = Math.max(drawn.w, wide);
    drawn.lines.push({ text, x: drawn.w / 2, y: drawn.h + 8, size: 12, face: "bold", ink: "error", anchor: "middle" });
    drawn.h += 16;
  }

  /** Leaves that a box uses and that lie outside of it. @param {Drawn} drawn */
  _addChips(drawn) {
    const held = this.chips.get(drawn.key);
    if (!held) return;
    const leaves = [...held.keys()], shown = leaves.slice(0, leaves.length > MOST_CHIPS ? MOST_CHIPS - 1 : MOST_CHIPS);
    const texts = shown.map((leaf) => {
      const uses = this.model.in[leaf].length;
      return `${shortenedName(this.model.tensorTitle(this.model.leaf[leaf]), 130, 11.5)}${uses > 1 ? ` ×${uses}` : ""}`;
    });
    if (shown.length < leaves.length) texts.push(`+${leaves.length - shown.length} leaves`);
    const widths = texts.map((text) => textWidth(text, 11.5) + 16);
    const room = Math.max(drawn.w, 190);
    let x = 0, y = drawn.h + (drawn.parts.length > 1 ? 12 : 5), row = 0;
    /** @type {Drawn["chips"][]} */
    const rows = [[]];
    texts.forEach((text, k) => {
      if (x && x + widths[k] > room) { x = 0; y += CHIP + 4; row++; rows.push([]); }
      rows[row].push({ leaf: k < shown.length ? shown[k] : -1, x, y, w: widths[k], text });
      x += widths[k] + 4;
    });
    const wide = Math.max(...rows.map((chips) => chips[chips.length - 1].x + chips[chips.length - 1].w));
    drawn.w = Math.max(drawn.w, wide);
    for (const chips of rows) {
      const used = chips[chips.length - 1].x + chips[chips.length - 1].w;
      for (const chip of chips) drawn.chips.push({ ...chip, x: chip.x + (drawn.w - used) / 2 });
    }
    for (const line of drawn.lines) if (line.anchor === "middle") line.x = drawn.w / 2; else if (line.anchor === "end") line.x = drawn.w - 12;
    drawn.h = y + CHIP;
  }
}

/** @param {number[]} points */
function bounds(points) {
  const found = [Infinity, Infinity, -Infinity, -Infinity];
  for (let k = 0; k < points.length; k += 2) {
    found[0] = Math.min(found[0], points[k]); found[2] = Math.max(found[2], points[k]);
    found[1] = Math.min(found[1], points[k + 1]); found[3] = Math.max(found[3], points[k + 1]);
  }
  return found;
}

/** One name for several parts: `blocks.0–10`. @param {Model} model @param {number[]} parts */
export function runLabel(model, parts) {
  const first = model.groups.get("label", parts[parts.length - 1]), last = model.groups.get("label", parts[0]);
  if (parts.length === 1) return first;
  let shared = 0;
  for (let k = 0; k < Math.min(first.length, last.length) && first[k] === last[k]; k++) if (". ".includes(first[k])) shared = k + 1;
  return `${first}–${last.slice(shared)}`;
}
