// The panel on the left: search, the outline of the graph, findings and calls.
import { byId, h } from "./dom.js";
import { Model } from "./model.js";
import { Opened } from "./view.js";
import { FILTERS, search } from "./search.js";
import { normText, plural } from "./text.js";

const MOST_ROWS = 400;

/** @typedef {{select: (item: number, jump?: boolean) => void, toggle: (group: number) => void, finding: (index: number) => void, matched: (items: Set<number> | null) => void}} SideActions */

export class Side {
  /** @param {Model} model @param {Opened} opened @param {SideActions} actions */
  constructor(model, opened, actions) {
    this.model = model; this.opened = opened; this.actions = actions;
    this.selected = -1;
    this.tree = byId("outline");
    this.tree.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this._key(event));
    this.tree.addEventListener("click", (/** @type {MouseEvent} */ event) => this._click(event));
    byId("search").addEventListener("input", () => this.search());
    byId("search").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Enter") /** @type {HTMLElement | null} */ (byId("results").querySelector("button"))?.click();
      if (event.key === "ArrowDown") { /** @type {HTMLElement | null} */ (byId("results").querySelector("button"))?.focus(); event.preventDefault(); }
    });
    for (const name of ["outline", "findings", "calls"]) byId(`tab-${name}`).addEventListener("click", () => this.show(name));
    this._findings();
    this._calls();
    byId("filters").textContent = FILTERS;
    if (model.data.findings.length) this.show("findings");
    this.update();
  }

  /** @param {string} name */
  show(name) {
    for (const other of ["outline", "findings", "calls"]) {
      byId(`tab-${other}`).setAttribute("aria-selected", String(other === name));
      byId(`panel-${other}`).hidden = other !== name;
    }
  }

  // ---- outline ----

  /** The rows of the outline: what is open, as in the picture. */
  update() {
    const rows = [];
    const { model, opened } = this;
    /** @type {[number, number][]} */
    const stack = this._children(0).reverse().map((item) => [item, 1]);
    let more = 0;
    while (stack.length) {
      const [item, level] = /** @type {[number, number]} */ (stack.pop());
      if (rows.length >= MOST_ROWS) { more++; continue; }
      const group = item - model.nodes.count, isGroup = model.isGroup(item), canOpen = isGroup && opened.canOpen(group), isOpen = isGroup && opened.groups.has(group);
      rows.push(h("li", { role: "treeitem", "data-item": item, "aria-level": level, "aria-expanded": canOpen ? String(isOpen) : null, "aria-selected": String(item === this.selected), tabindex: "-1", class: `level-${Math.min(level, 12)}` },
        h("span", { class: "twist", "aria-hidden": "true" }, canOpen ? (isOpen ? "▾" : "▸") : ""), h("span", { class: isGroup ? "name group" : model.leaf[item] !== null ? "name leaf" : "name" }, this._label(item, level)),
        isGroup ? h("span", { class: "count" }, model.kind[group] === "equal" ? `×${model.childGroups[group].length}` : model.groups.get("nodes", group).toLocaleString("en-US")) : null));
      if (isOpen) for (const child of this._children(group).reverse()) stack.push([child, level + 1]);
    }
    if (more) rows.push(h("li", { role: "treeitem", "aria-level": 1, class: "quiet" }, `${plural(more, "row")} more: search finds them`));
    const had = this.tree.contains(document.activeElement);
    this.tree.replaceChildren(...rows);
    const current = this.tree.querySelector("[aria-selected=true]") || this.tree.firstElementChild;
    if (current) current.tabIndex = 0;
    if (had) current?.focus();
  }

  /** @param {number} item @param {number} level */
  _label(item, level) {
    const name = this.model.name(item);
    if (!this.model.isGroup(item)) return name;
    const above = this.model.parent[item - this.model.nodes.count], outer = above > 0 ? this.model.name(this.model.item(above)) : "";
    return level > 1 && outer && name.startsWith(`${outer}.`) ? name.slice(outer.length + 1) : name;
  }

  /** Groups and nodes of a group, in the order of their first nodes. @param {number} group */
  _children(group) {
    const { model } = this;
    const first = (/** @type {number} */ item) => (model.isGroup(item) ? (model.inside(item).length ? model.inside(item).reduce((one, other) => Math.min(one, other), Infinity) : item) : item);
    const items = [...model.childGroups[group].map((child) => model.item(child)), ...model.childNodes[group]];
    return items.map((item) => [first(item), item]).sort((one, other) => one[0] - other[0]).map(([, item]) => item);
  }

  /** @param {number} item */
  select(item) {
    this.selected = item;
    for (const row of this.tree.children) {
      const is = row.dataset.item === String(item);
      row.setAttribute("aria-selected", String(is));
      row.tabIndex = is ? 0 : -1;
      if (is) row.scrollIntoView({ block: "nearest" });
    }
    if (!this.tree.querySelector("[tabindex='0']") && this.tree.firstElementChild) this.tree.firstElementChild.tabIndex = 0;
  }

  /** @param {MouseEvent} event */
  _click(event) {
    const row = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest("[data-item]"));
    if (!row) return;
    const item = Number(row.dataset.item);
    if (/** @type {Element} */ (event.target).closest(".twist") && this.model.isGroup(item)) this.actions.toggle(item - this.model.nodes.count);
    else this.actions.select(item, true);
  }

  /** @param {KeyboardEvent} event */
  _key(event) {
    const row = /** @type {any} */ (document.activeElement)?.closest?.("[data-item]");
    if (!row) return;
    const item = Number(row.dataset.item), group = item - this.model.nodes.count, isOpen = row.getAttribute("aria-expanded") === "true";
    const go = (/** @type {any} */ other) => { if (other?.dataset.item) { row.tabIndex = -1; other.tabIndex = 0; other.focus(); } };
    if (event.key === "ArrowDown") go(row.nextElementSibling);
    else if (event.key === "ArrowUp") go(row.previousElementSibling);
    else if (event.key === "ArrowRight" && this.model.isGroup(item)) { if (isOpen) go(row.nextElementSibling); else this.actions.toggle(group); }
    else if (event.key === "ArrowLeft") { if (isOpen) this.actions.toggle(group); else go(this.tree.querySelector(`[data-item="${this.model.item(this.model.holder(item))}"]`)); }
    else if (event.key === "Enter" || event.key === " ") this.actions.select(item, true);
    else if (event.key === "Home") go(this.tree.firstElementChild);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // ---- search ----

  search() {
    const text = byId("search").value, isOn = text.trim() !== "";
    byId("results").hidden = !isOn;
    byId("tabs").hidden = isOn;
    if (!isOn) { this.actions.matched(null); return; }
    const found = search(this.model, text);
    this.actions.matched(new Set(found));
    byId("results").replaceChildren(h("p", { class: "quiet", role: "status" }, found.length ? plural(found.length, "result") : "nothing found; filters:"), found.length ? "" : h("p", { class: "mono quiet" }, FILTERS),
      ...found.slice(0, 200).map((item) => h("button", { type: "button", class: "result", onclick: () => this.actions.select(item, true) }, h("span", { class: "name" }, this.model.name(item)), h("span", { class: "quiet" }, this._where(item)))));
  }

  /** @param {number} item */
  _where(item) {
    const module = this.model.module(item), norm = this.model.norm(item);
    return [this.model.isGroup(item) ? plural(this.model.groups.get("nodes", item - this.model.nodes.count), "Node") : module, norm === "unknown" ? "" : `‖g‖ ${normText(norm)}`].filter(Boolean).join("  ");
  }

  // ---- findings and calls ----

  _findings() {
    const { findings } = this.model.data;
    byId("tab-findings").textContent = `Findings ${findings.length || ""}`.trim();
    byId("panel-findings").replaceChildren(...(findings.length ? findings.map((/** @type {any} */ row, /** @type {number} */ index) => h("article", { class: `finding ${row.severity}` },
      h("p", { class: "kind" }, `${row.severity}  ${row.rule}`), h("p", {}, row.message), row.location && row.location.file ? h("p", { class: "mono quiet" }, `${row.location.file}:${row.location.line}  ${row.location.code}`) : null,
      h("p", {}, h("b", {}, "Fix: "), row.advice), row.parameters.length ? h("p", { class: "quiet" }, `affects ${row.parameters.slice(0, 4).join(", ")}${row.parameters.length > 4 ? ` and ${row.parameters.length - 4} more` : ""}`) : null,
      row.nodes.length || row.tensors.length ? h("button", { type: "button", onclick: () => this.actions.finding(index) }, "Show in the graph") : h("p", { class: "quiet" }, "not a place in this graph")))
      : [h("p", { class: "quiet" }, "No findings in this call.")]));
  }

  _calls() {
    const { calls, call } = this.model.data;
    byId("tab-calls").hidden = !calls;
    if (!calls) return;
    const head = h("tr", {}, h("th", { scope: "col" }, "norm of grad"), ...calls.indexes.map((/** @type {number} */ index) => h("th", { scope: "col" }, index !== call.index && calls.drawn.includes(index) ? h("a", { href: `backward-${index}.html` }, `call ${index}`) : `call ${index}`)));
    const lines = calls.parameters.map((/** @type {[string, any[]]} */ [name, norms]) => h("tr", {}, h("th", { scope: "row" }, name), ...norms.map((/** @type {any} */ norm) => h("td", { class: norm === "nan" || norm === "inf" ? "bad" : "" }, normText(norm)))));
    byId("panel-calls").replaceChildren(h("p", { class: "quiet" }, `${plural(calls.indexes.length, "recorded call")}; this page shows call ${call.index}`),
      calls.parameters.length ? h("div", { class: "scroll" }, h("table", {}, h("thead", {}, head), h("tbody", {}, ...lines))) : h("p", { class: "quiet" }, "No parameters of modules."),
      calls.more ? h("p", { class: "quiet" }, `${calls.more} more parameters in report.json`) : "");
  }
}
