// The run below the map: the loss as a line, the gradient norms of each layer as colours, and what went wrong.
import { byId, h } from "./dom.js";
import { svg, text } from "./draw.js";
import { number, plural } from "./text.js";

const WIDTH = 1000, LOSS = 34, HEIGHT = 76;  // of the view box, which is stretched to the room there is
const BELOW = 5;  // the loss

/** @typedef {{name: string, values: (number | null)[], broken: number[]}} Series */

/** @param {(number | null)[]} values */
function range(values) {
  const known = /** @type {number[]} */ (values.filter((value) => value !== null));
  return known.length ? [known.reduce((one, other) => Math.min(one, other)), known.reduce((one, other) => Math.max(one, other))] : [0, 1];
}

export class Run {
  /** @param {any} data @param {(row: number) => void} choose */
  constructor(data, choose) {
    this.data = data;
    this.choose = choose;
    this.row = -1;
    this.ends = /** @type {number[]} */ (data.ends);
    this.last = this.ends[this.ends.length - 1];
    byId("run").hidden = false;
    const [loss] = data.roots, low = loss ? range(loss.values) : [0, 1];
    this.isLog = low[0] > 0 && low[1] / low[0] > 1000;
    byId("run-name").replaceChildren(h("b", {}, plural(data.steps, "step")), h("span", {}, loss ? `loss ${number(low[0])} to ${number(low[1])}${this.isLog ? ", log" : ""}` : "no loss"), h("span", {}, data.layers.length ? `gradients of ${plural(data.layers.length, "layer")}` : "no gradients"));
    this.strip = byId("strip");
    this.strip.setAttribute("aria-valuemax", String(data.steps));
    this.mark = svg("path", { class: "run-mark", d: "" });
    this.strip.replaceChildren(...this._layers(), ...data.roots.map((/** @type {Series} */ series) => this._loss(series)), ...this._triggers(), this.mark);
    this.strip.addEventListener("click", (/** @type {MouseEvent} */ event) => {
      const area = this.strip.getBoundingClientRect(), step = ((event.clientX - area.left) / area.width) * this.last;
      this.go(this.ends.findIndex((end) => step <= end));
    });
    this.strip.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      const by = /** @type {{[key: string]: number}} */ ({ ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -1e6, End: 1e6 })[event.key];
      if (!by) return;
      event.preventDefault();
      event.stopPropagation();
      this.go(Math.max(0, Math.min(this.ends.length - 1, this.row + by)));
    });
  }

  /** @param {number} row */
  first(row) { return row ? this.ends[row - 1] + 1 : 1; }

  /** @param {number} row */
  go(row) { if (row >= 0 && row < this.ends.length) this.choose(row); }

  /** Show which row is chosen; -1 for none. @param {number} row */
  select(row) {
    this.row = row;
    this.strip.setAttribute("aria-valuenow", String(row < 0 ? 0 : this.ends[row]));
    this.strip.setAttribute("aria-valuetext", row < 0 ? "no step chosen" : this.title(row));
    const x = this._x(this.first(row) - 1), end = this._x(this.ends[row]);
    this.mark.setAttribute("d", row < 0 ? "" : `M${x} 0H${Math.max(end, x + 2)}V${HEIGHT}H${x}z`);
  }

  /** @param {number} row */
  title(row) {
    const first = this.first(row), last = this.ends[row];
    return first === last ? `step ${last.toLocaleString("en-US")}` : `steps ${first.toLocaleString("en-US")} to ${last.toLocaleString("en-US")}`;
  }

  /** @param {number} step */
  _x(step) { return Math.round((step / this.last) * WIDTH * 10) / 10; }

  /** @param {Series} series */
  _loss(series) {
    const scaled = series.values.map((value) => (value === null ? null : this.isLog && value > 0 ? Math.log10(value) : value)), [low, high] = range(scaled);
    let path = "", isOn = false, end = 0;
    scaled.forEach((value, row) => {
      const isBroken = series.broken.includes(row);
      if (isBroken || (value !== null && this.first(row) - end > this.data.every)) isOn = false;
      if (value === null || isBroken) return;
      const y = 3 + (LOSS - 6) * (high > low ? 1 - (value - low) / (high - low) : 0.5);
      path += `${isOn ? "L" : "M"}${this._x((this.first(row) - 1 + this.ends[row]) / 2)} ${Math.round(y * 10) / 10}`;
      isOn = true; end = this.ends[row];
    });
    return svg("path", { class: "run-loss", d: path || "M0 0" });
  }

  /** One path for each colour: rectangles of rows, equal neighbours together. */
  _layers() {
    const { layers } = this.data, tall = (HEIGHT - LOSS - BELOW) / Math.max(1, layers.length);
    const [low, high] = range(layers.flatMap((/** @type {Series} */ layer) => layer.values.filter((value) => value !== null && value > 0))).map(Math.log10);
    /** @type {Map<string, string>} */
    const paths = new Map();
    layers.forEach((/** @type {Series} */ layer, /** @type {number} */ k) => {
      const colour = (/** @type {number} */ row) => {
        const value = layer.values[row];
        if (layer.broken.includes(row)) return "hx";
        return value === null ? "" : value === 0 ? "hz" : `h${high > low ? Math.min(7, Math.floor((8 * (Math.log10(value) - low)) / (high - low))) : 7}`;
      };
      let row = 0;
      while (row < this.ends.length) {
        const here = colour(row), start = row;
        while (row < this.ends.length && colour(row) === here) row++;
        if (!here) continue;
        const x = this._x(this.first(start) - 1), wide = this._x(this.ends[row - 1]) - x, y = LOSS + BELOW + k * tall;
        paths.set(here, `${paths.get(here) || ""}M${x} ${y.toFixed(1)}h${wide.toFixed(1)}v${(tall * 0.9).toFixed(1)}h${-wide.toFixed(1)}z`);
      }
    });
    return [...paths].map(([name, d]) => svg("path", { class: `body ${name}`, d }));
  }

  _triggers() {
    return this.data.triggers.map((/** @type {{step: number, text: string}} */ found) => svg("path", { class: "run-trigger", d: `M${this._x(found.step - 0.5)} 0V${HEIGHT}` }, svg("title", {}, text(found.text))));
  }

  /** What is known of a row, for the panel at the side. @param {number} row @returns {HTMLElement[]} */
  details(row) {
    const first = this.first(row), last = this.ends[row], { data } = this;
    const window = first === last ? null : data.windows.find((/** @type {any} */ one) => one.first <= last && one.first + one.steps > first);
    const found = data.triggers.filter((/** @type {any} */ one) => one.step >= first && one.step <= last);
    const call = Object.entries(data.calls).find(([step]) => Number(step) >= first && Number(step) <= last);
    return [
      h("p", { class: "kind" }, data.unit === "optimizer" ? "a step of the run" : "a backward call of the run"), h("h2", {}, this.title(row)),
      ...found.map((/** @type {any} */ one) => h("p", { class: "error" }, one.text)),
      first === last ? null : h("p", { class: "quiet" }, `${plural(last - first + 1, "step")} in one row: each number is a median.`),
      call ? h("p", {}, h("a", { href: `backward-${call[1]}.html` }, `call ${call[1]}, recorded in full`)) : null,
      this._table(data, row),
      this.data.layers.some((/** @type {Series} */ layer) => layer.values[row] === null && !layer.broken.includes(row)) ? h("p", { class: "quiet" }, "? was not measured at this step.") : null,
      ...(window ? [h("h3", { class: "apart" }, "Step by step"), this._window(window)] : []),
    ].filter((part) => part !== null);
  }

  /** @param {Series} series @param {number} row */
  _cell(series, row) { return series.broken.includes(row) ? "not finite" : series.values[row] === null ? "?" : number(series.values[row]); }

  /** @param {{roots: Series[], layers: Series[], rates: Series[]}} held @param {number} row */
  _table(held, row) {
    /** @type {[string, Series][]} */
    const named = [...held.roots, ...held.rates].map((series, k) => [k < held.roots.length ? "loss" : "learning rate", series]);
    for (const series of held.layers) named.push([series.name, series]);
    const lines = named.map(([name, series]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", { class: series.broken.includes(row) ? "bad" : "" }, this._cell(series, row))));
    if (held.layers.length) lines.splice(named.length - held.layers.length, 0, h("tr", {}, h("th", { colspan: 2, class: "quiet" }, "gradient norms")));
    return h("table", {}, h("tbody", {}, ...lines));
  }

  /** @param {{first: number, steps: number, roots: Series[], layers: Series[]}} window */
  _window(window) {
    const series = [...window.roots.slice(0, 1), ...window.layers];
    const head = h("tr", {}, ...["step", ...window.roots.slice(0, 1).map(() => "loss"), ...window.layers.map((layer) => layer.name)].map((name) => h("th", { scope: "col" }, name)));
    const rows = Array.from({ length: window.steps }, (_, k) => h("tr", {}, h("th", { scope: "row" }, String(window.first + k)), ...series.map((one) => h("td", {}, one.values[k] === null ? "–" : number(one.values[k])))));
    return h("div", { class: "scroll", tabindex: 0 }, h("table", {}, h("thead", {}, head), h("tbody", {}, ...rows)));
  }
}
