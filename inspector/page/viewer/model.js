// The graph as the page holds it: columns, the tree of groups, and who sends a gradient to whom.
import { isUnknown } from "./text.js";

/** A table in columns (inspector/graph/columnar.py), all rows with the same keys. */
export class Table {
  /** @param {any} table */
  constructor(table) {
    this.count = /** @type {number} */ (table.count);
    this.columns = table.kinds[0] || {};
  }

  /** @param {string} key @param {number} row @returns {any} */
  get(key, row) {
    const column = this.columns[key];
    if (!column) return null;
    if ("list" in column) return column.list[row];
    return "all" in column ? column.all : column.values[column.codes[row]];
  }

  /** @param {string} key @returns {any[]} */
  all(key) { return Array.from({ length: this.count }, (_, row) => this.get(key, row)); }
}

/**
 * Nodes and groups are items of one numbering: node k is item k, group g is item `nodes.count + g`.
 * Edges point from the root to the leaves, as gradients flow.
 */
export class Model {
  /** @param {any} data */
  constructor(data) {
    this.data = data;
    this.nodes = new Table(data.nodes);
    this.tensors = new Table(data.tensors);
    this.groups = new Table(data.groups);
    this.edges = new Table(data.edges);
    this.group = this.nodes.all("group");
    this.parent = this.groups.all("parent");
    this.kind = this.groups.all("kind");
    this.leaf = this.nodes.all("leaf");
    this.steps = this.nodes.all("step").map((step) => (typeof step === "number" ? step : 0));
    this.norms = this.nodes.all("norm");
    const item = (/** @type {number} */ end) => (end >= 0 ? end : this.nodes.count - 1 - end);
    this.from = this.edges.all("source").map(item);
    this.to = this.edges.all("target").map(item);
    this.out = this._ends(this.from);
    this.in = this._ends(this.to);
    this.childGroups = this._children(this.parent, this.groups.count);
    this.childNodes = this._children(this.group, this.groups.count);
    /** Node k runs at step k; the nodes by step. */
    this.byStep = /** @type {number[]} */ ([]);
    this.steps.forEach((step, node) => { if (step) this.byStep[step] = node; });
    this.lastStep = Math.max(0, this.byStep.length - 1);
    this.membersOf = this._members();
  }

  /** Whether the root stands above the leaves, and not at their left. */
  get isDown() { return this.data.direction === "down"; }

  get count() { return this.nodes.count + this.groups.count; }

  /** @param {number} item */
  isGroup(item) { return item >= this.nodes.count; }

  /** @param {number} group */
  item(group) { return this.nodes.count + group; }

  /** The group that holds an item; -1 for the whole graph. @param {number} item @returns {number} */
  holder(item) { return this.isGroup(item) ? this.parent[item - this.nodes.count] : this.group[item]; }

  /** Whether a node is drawn as a chip on the nodes that use it. @param {number} node */
  isChip(node) { return !this.data.small && this.leaf[node] !== null && this.in[node].length > 0; }

  /** @param {number} item @returns {string} */
  name(item) {
    if (!this.isGroup(item)) {
      const leaf = this.leaf[item];
      return leaf === null ? this.nodes.get("name", item) : this.tensorName(leaf);
    }
    return this.groups.get("label", item - this.nodes.count) || "the whole graph";
  }

  /** @param {number} tensor @returns {string} */
  tensorName(tensor) {
    return this.tensors.get("name", tensor) || this.tensors.get("expression", tensor) || this.tensors.get("id", tensor);
  }

  /** The name that figures give a tensor. @param {number} tensor @returns {string} */
  tensorTitle(tensor) { return this.tensors.get("symbol", tensor) || this.tensorName(tensor); }

  /** The innermost module of an item. @param {number} item @returns {string} */
  module(item) {
    const module = this.isGroup(item) ? this.groups.get("module", item - this.nodes.count) : this.nodes.get("module", item);
    return typeof module === "string" ? module : "";
  }

  /** The tensor of a root that a node made, if any. @param {number} node */
  rootOf(node) { return (this.nodes.get("made", node) || []).find((/** @type {number} */ tensor) => this.data.roots.includes(tensor)); }

  /** The gradient that flows along an edge. @param {number} edge @returns {any} */
  flowing(edge) {
    const found = this.edges.get("gradient", edge);
    return found === "=" ? this.nodes.get("gradient", this.to[edge]) : found;
  }

  /** The norm of the gradient at an item, as the number that colours it. @param {number} item @returns {any} */
  norm(item) { return this.isGroup(item) ? this.groups.get("norm", item - this.nodes.count) : this.norms[item]; }

  /** All items that lead to these (towards the root), or that they lead to (towards the leaves).
   * @param {number[]} starts @param {"root" | "leaves"} side @returns {Set<number>} */
  reach(starts, side) {
    const found = new Set(starts), stack = [...starts];
    while (stack.length) {
      const here = /** @type {number} */ (stack.pop());
      for (const edge of side === "root" ? this.in[here] : this.out[here]) {
        const next = side === "root" ? this.from[edge] : this.to[edge];
        if (!found.has(next)) { found.add(next); stack.push(next); }
      }
    }
    return found;
  }

  /** The nodes inside an item. @param {number} item @returns {number[]} */
  inside(item) { return this.isGroup(item) ? this.membersOf[item - this.nodes.count] : [item]; }

  /** A Python expression that reaches a node or its leaf from the root, as `z.grad_fn.next_functions[0][0]`.
   * @param {number} node @returns {string} */
  expression(node) {
    if (!this._ways) this._ways = this._shortest();
    const steps = [];
    let here = node;
    while (this._ways[here] >= 0) {
      const edge = this._ways[here];
      steps.push(`.next_functions[${this.edges.get("slot", edge)}][0]`);
      here = this.from[edge];
    }
    const root = this._ways[here] === -2 ? this.rootOf(here) : undefined;
    const name = root === undefined ? null : this.tensors.get("name", root);
    if (!name) return "";
    return `${name}.grad_fn${steps.reverse().join("")}${this.leaf[node] === null ? "" : ".variable"}`;
  }

  /** The nodes whose gradient was measured as one number. */
  gradientsKnown() { return this.leaf.flatMap((_, node) => (typeof this.nodes.get("gradient", node) === "number" ? [node] : [])); }

  /** The edge on a shortest way from a root to each node; -2 at roots, -1 where there is none. */
  _shortest() {
    const way = new Int32Array(this.count).fill(-1);
    const queue = this.data.roots.map((/** @type {number} */ root) => this.tensors.get("grad_fn", root)).filter((/** @type {any} */ node) => node !== null && node >= 0);
    for (const node of queue) way[node] = -2;
    for (let head = 0; head < queue.length; head++) {
      for (const edge of this.out[queue[head]]) {
        const next = this.to[edge];
        if (way[next] !== -1 || this.isGroup(next)) continue;
        way[next] = edge;
        queue.push(next);
      }
    }
    return way;
  }

  /** @param {number[]} ends */
  _ends(ends) {
    const found = Array.from({ length: this.count }, () => /** @type {number[]} */ ([]));
    ends.forEach((end, edge) => found[end].push(edge));
    return found;
  }

  /** @param {number[]} parents @param {number} count */
  _children(parents, count) {
    const found = Array.from({ length: count }, () => /** @type {number[]} */ ([]));
    parents.forEach((parent, child) => { if (parent >= 0) found[parent].push(child); });
    return found;
  }

  _members() {
    const found = this.childNodes.map((nodes) => [...nodes]);
    for (let group = this.groups.count - 1; group > 0; group--) for (const node of found[group]) found[this.parent[group]].push(node);
    return found;
  }
}

/** What is known of a run at a moment. step: how many steps of the engine have run; 0 is before backward. */
export class Moment {
  /** @param {Model} model @param {number} step */
  constructor(model, step) { this.model = model; this.step = step; }

  get isEnd() { return this.step >= this.model.lastStep; }

  /** Whether a node has run. Without recorded steps: at the end, if a gradient is known. @param {number} node */
  ran(node) {
    const step = this.model.steps[node];
    if (step) return step <= this.step;
    return this.model.lastStep === 0 && this.step > 0 && !isUnknown(this.model.nodes.get("step", node)) ? false : this.unordered(node);
  }

  /** A node whose step is not known counts as run at the end. @param {number} node */
  unordered(node) { return this.step > 0 && this.isEnd && isUnknown(this.model.nodes.get("step", node)); }

  /** @param {number} node */
  isCurrent(node) { return this.step > 0 && this.step < this.model.lastStep && this.model.steps[node] === this.step; }

  /** The number of edges into a node, and of those along which a gradient has come. @param {number} node */
  arrived(node) {
    const edges = this.model.in[node].filter((edge) => !this.model.isGroup(this.model.from[edge]));
    return { all: edges, come: edges.filter((edge) => this.ran(this.model.from[edge])) };
  }

  /** The sum of the gradients that have come to a node, where it is known in full; undefined otherwise. @param {number} node */
  partialSum(node) {
    const { come } = this.arrived(node);
    let sum = /** @type {any} */ (undefined);
    for (const edge of come) {
      const value = this.model.flowing(edge);
      sum = sum === undefined ? value : added(sum, value);
      if (sum === undefined) return undefined;
    }
    return sum;
  }

  /** A tensor's grad now. @param {number} tensor */
  grad(tensor) {
    const { tensors } = this.model;
    const maker = tensors.get("accumulate", tensor) ?? tensors.get("grad_fn", tensor);
    const done = this.step > 0 && (this.isEnd || (maker !== null && maker >= 0 && !this.model.isGroup(maker) && this.ran(maker)));
    return tensors.get(done ? "grad_after" : "grad", tensor);
  }

  /** A tensor's data now. @param {number} tensor */
  data(tensor) {
    const after = this.model.tensors.get("data_after", tensor);
    return this.step > 0 && this.isEnd && after !== "=" ? after : this.model.tensors.get("data", tensor);
  }
}

/** @param {any} one @param {any} other @returns {any} */
function added(one, other) {
  if (typeof one === "number" && typeof other === "number") return one + other;
  if (!Array.isArray(one) || !Array.isArray(other) || one.length !== other.length) return undefined;
  const sum = one.map((item, k) => added(item, other[k]));
  return sum.some((item) => item === undefined) ? undefined : sum;
}
