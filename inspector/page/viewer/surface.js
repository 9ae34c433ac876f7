// The root over two leaves as contour lines, with the gradient as an arrow and the way of steepest descent.
import { h } from "./dom.js";
import { svg, text } from "./draw.js";
import { Live } from "./live.js";
import { number } from "./text.js";

const WIDE = 270, TALL = 200, COLUMNS = 36, ROWS = 27;
const LEVELS = 11;
const DOWN_STEPS = 60;

/** @typedef {{x: number, y: number, w: number, h: number}} Area  Of the two leaves' values; one unit is as long in both directions. */

export class Surface {
  /** @param {Live} live @param {number} node @param {number} other @param {(names: [number, number]) => void} move @param {(node: number) => string} name */
  constructor(live, node, other, move, name) {
    this.live = live; this.nodes = [node, other];
    const at = this.nodes.map((one) => live.recorded[live.leaves.indexOf(one)]), reach = Math.max(2, ...at.map((value) => 1.2 * Math.abs(value)));
    /** @type {Area} */
    this.area = { w: (2 * reach * WIDE) / TALL, h: 2 * reach, x: at[0] - (reach * WIDE) / TALL, y: at[1] - reach };
    this.known = "";
    this.lines = svg("g"); this.now = svg("g");
    const label = `the root over ${name(node)} and ${name(other)} as contour lines, with the gradient`;
    this.picture = svg("svg", { class: "surface", viewBox: `0 0 ${WIDE} ${TALL}`, role: "img", "aria-label": label }, this.lines, this.now,
      svg("text", { x: WIDE - 5, y: TALL - 6, "text-anchor": "end" }, text(name(node))), svg("text", { x: 5, y: 13 }, text(name(other))));
    const follow = (/** @type {PointerEvent} */ event) => {
      const box = this.picture.getBoundingClientRect(), { x, y, w, h } = this.area;
      move([x + ((event.clientX - box.left) / box.width) * w, y + (1 - (event.clientY - box.top) / box.height) * h]);
    };
    this.picture.addEventListener("pointerdown", (event) => { this.picture.setPointerCapture(/** @type {PointerEvent} */ (event).pointerId); follow(/** @type {PointerEvent} */ (event)); event.preventDefault(); });
    this.picture.addEventListener("pointermove", (event) => { if (/** @type {PointerEvent} */ (event).buttons & 1) follow(/** @type {PointerEvent} */ (event)); });
    this.show();
  }

  /** The values of the leaves, with these two. @param {number} x @param {number} y */
  _at(x, y) {
    const at = [...this.live.at], { leaves } = this.live;
    at[leaves.indexOf(this.nodes[0])] = x; at[leaves.indexOf(this.nodes[1])] = y;
    return at;
  }

  /** The contour lines stay while the other leaves do. */
  show() {
    const { area, live } = this, [x, y] = this.nodes.map((node) => live.value(node));
    const others = JSON.stringify(this._at(0, 0));
    if (others !== this.known) { this.known = others; this.lines.replaceChildren(...this._contours()); }
    const u = ((x - area.x) / area.w) * WIDE, v = (1 - (y - area.y) / area.h) * TALL;
    const slope = this.nodes.map((node) => live.point.gradients[node]), steep = Math.hypot(...slope);
    const parts = [svg("path", { class: "descent", d: this._descent(x, y) })];
    if (Number.isFinite(steep) && steep > 0) {
      const long = 18 + 26 * Math.min(1, steep / 4), du = (slope[0] / steep) * long, dv = (-slope[1] / steep) * long;
      const tip = `M${u + du} ${v + dv}l${-0.26 * du - 0.13 * dv} ${-0.26 * dv + 0.13 * du}l${0.26 * dv} ${-0.26 * du}z`;
      parts.push(svg("path", { class: "tangent", d: `M${u} ${v}L${u + 0.8 * du} ${v + 0.8 * dv}` }), svg("path", { class: "head", d: tip }));
    }
    this.now.replaceChildren(...parts, svg("circle", { cx: u, cy: v, r: 4.5 }));
  }

  _contours() {
    const { area } = this;
    /** @type {number[][]} */
    const grid = Array.from({ length: ROWS + 1 }, (_, row) => Array.from({ length: COLUMNS + 1 }, (_, column) => this.live.root(this._at(area.x + (column / COLUMNS) * area.w, area.y + (1 - row / ROWS) * area.h))));
    const sorted = grid.flat().filter(Number.isFinite).sort((one, other) => one - other);
    if (sorted.length < 4) return [];
    const low = sorted[Math.floor(sorted.length * 0.02)], high = sorted[Math.floor(sorted.length * 0.98)];
    return Array.from({ length: LEVELS }, (_, k) => low + ((k + 0.5) / LEVELS) * (high - low)).map((level, k) =>
      svg("path", { class: "contour", "stroke-opacity": (0.3 + (0.7 * k) / LEVELS).toFixed(2), d: contour(grid, level) || "M0 0" }, svg("title", {}, text(number(level)))));
  }

  /** The way against the gradient from a point, as far as it goes. @param {number} x @param {number} y */
  _descent(x, y) {
    const { area, live, nodes } = this, step = area.h / 100;
    let path = "";
    for (let k = 0; k < DOWN_STEPS; k++) {
      path += `${path ? "L" : "M"}${(((x - area.x) / area.w) * WIDE).toFixed(1)} ${((1 - (y - area.y) / area.h) * TALL).toFixed(1)}`;
      const { gradients } = live.compute(this._at(x, y)), steep = Math.hypot(gradients[nodes[0]], gradients[nodes[1]]);
      if (!Number.isFinite(steep) || steep < 1e-9) break;
      const long = Math.min(step, steep / 4);  // shorter near a minimum, so that it ends there
      x -= (gradients[nodes[0]] / steep) * long; y -= (gradients[nodes[1]] / steep) * long;
    }
    return path || "M0 0";
  }
}

/** The lines at one level: in every cell of the grid from side to side. @param {number[][]} grid @param {number} level */
function contour(grid, level) {
  let path = "";
  const wide = WIDE / COLUMNS, tall = TALL / ROWS;
  for (let row = 0; row < ROWS; row++) for (let column = 0; column < COLUMNS; column++) {
    const corners = [grid[row][column], grid[row][column + 1], grid[row + 1][column + 1], grid[row + 1][column]];
    if (!corners.every(Number.isFinite)) continue;
    const x = column * wide, y = row * tall;
    /** @type {[number, number][]} */
    const ends = [];
    corners.forEach((value, k) => {
      const next = corners[(k + 1) % 4];
      if (value < level === next < level) return;
      const part = (level - value) / (next - value);
      ends.push(/** @type {[number, number][]} */ ([[x + part * wide, y], [x + wide, y + part * tall], [x + (1 - part) * wide, y + tall], [x, y + (1 - part) * tall]])[k]);
    });
    const place = (/** @type {number} */ k) => ends[k].map((value) => value.toFixed(1)).join(" ");
    for (let k = 0; k + 1 < ends.length; k += 2) path += `M${place(k)}L${place(k + 1)}`;
  }
  return path;
}

/** A surface of a leaf and another one, which can be chosen where there are several. @param {Live} live @param {number} node
 * @param {string} root @param {(node: number) => string} name @param {(pairs: [number, number][]) => void} move @returns {{parts: HTMLElement[], show: () => void}} */
export function surface(live, node, root, name, move) {
  const others = live.leaves.filter((leaf) => leaf !== node);
  if (!others.length) return { parts: [], show: () => {} };
  const made = (/** @type {number} */ other) => new Surface(live, node, other, ([x, y]) => move([[node, x], [other, y]]), name);
  let now = made(others[0]);
  const held = h("div"), choice = h("select", { "aria-label": "the other leaf" }, ...others.map((other) => h("option", { value: other }, name(other))));
  held.append(now.picture);
  choice.addEventListener("change", () => { now = made(Number(/** @type {HTMLSelectElement} */ (choice).value)); held.replaceChildren(now.picture); });
  const said = h("p", { class: "quiet over" }, `${root} over ${name(node)} and `, others.length > 1 ? choice : name(others[0]), "; arrow: gradient, dashed: steepest descent");
  return { parts: [said, held], show: () => now.show() };
}
