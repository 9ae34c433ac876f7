// A graph of scalars at another point: values, local derivatives and gradients by the rules, from trees, without eval.
import { Model } from "./model.js";

const TOLERANCE = 1e-5;  // of the numbers at the recorded point, which torch may have computed in float32

/** @type {{[name: string]: (...numbers: number[]) => number}} */
const OPERATIONS = {
  "+": (one, other) => one + other, "-": (one, other) => one - other, "*": (one, other) => one * other, "/": (one, other) => one / other, "**": (one, other) => one ** other,
  exp: Math.exp, log: Math.log, sqrt: Math.sqrt, sin: Math.sin, cos: Math.cos, tan: Math.tan, asin: Math.asin, acos: Math.acos, atan: Math.atan, atan2: Math.atan2,
  sinh: Math.sinh, cosh: Math.cosh, tanh: Math.tanh, asinh: Math.asinh, acosh: Math.acosh, atanh: Math.atanh,
  sigmoid: (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x))), softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))), relu: (x) => Math.max(x, 0),
  Abs: Math.abs, sign: Math.sign, Heaviside: (x) => (x > 0 ? 1 : 0), Max: Math.max, Min: Math.min, floor: Math.floor, ceiling: Math.ceil,
};

/** @typedef {{[name: string]: number}} Names  The numbers that a formula is about. */

/** The function of a tree, which is walked once, and not at every point. @param {any} tree @returns {(names: Names) => number} */
function compiled(tree) {
  if (typeof tree === "number") return () => tree;
  if (typeof tree === "string") return (names) => names[tree];
  const operation = OPERATIONS[tree[0]], parts = tree.slice(1).map(compiled), [one, other] = parts;
  if (parts.length > 2) return (names) => operation(...parts.map((/** @type {(names: Names) => number} */ part) => part(names)));
  return other ? (names) => operation(one(names), other(names)) : (names) => operation(one(names));
}

/** @typedef {{values: number[], gradients: number[], edges: number[], locals: number[]}} Point  By node, and by edge. */

export class Live {
  /** @param {Model} model */
  constructor(model) {
    this.model = model;
    this.formulas = /** @type {any[]} */ (model.data.live).map(({ node, operands, value, local }) => (
      { node, operands: Object.entries(operands), value: compiled(value), local: local.map(compiled) }));
    this.leaves = model.leaf.flatMap((tensor, node) => (tensor === null ? [] : [node]));
    this.recorded = this.leaves.map((node) => Number(model.tensors.get("data", model.leaf[node])));
    /** The values of the leaves now. */
    this.at = [...this.recorded];
    this.point = this.compute(this.at);
  }

  /** The live figure of a graph; null where there are no formulas, or where they do not give torch's numbers. @param {Model} model */
  static of(model) {
    if (!model.data.live) return null;
    const live = new Live(model);
    return live.agrees() ? live : null;
  }

  get isMoved() { return this.at.some((value, k) => value !== this.recorded[k]); }

  /** @param {number} node @param {number} value */
  move(node, value) {
    this.at[this.leaves.indexOf(node)] = value;
    this.point = this.compute(this.at);
  }

  reset() { this.at = [...this.recorded]; this.point = this.compute(this.at); }

  /** @param {number} node */
  value(node) { return this.point.values[node]; }

  /** The values of all nodes, and the names in each formula. @param {number[]} at */
  forward(at) {
    const values = new Array(this.model.nodes.count).fill(NaN);
    this.leaves.forEach((node, k) => { values[node] = at[k]; });
    const names = this.formulas.map((row) => {
      /** @type {Names} */
      const known = {};
      for (const [name, held] of row.operands) known[name] = Array.isArray(held) ? values[held[0]] : held;
      known.result = values[row.node] = row.value(known);
      return known;
    });
    return { values, names };
  }

  /** The value of the root. @param {number[]} at */
  root(at) { return this.forward(at).values[this.formulas[this.formulas.length - 1].node]; }

  /** Forward by the formulas, then backward: local derivatives times what arrives, added where edges meet. @param {number[]} at @returns {Point} */
  compute(at) {
    const { model } = this, { values, names } = this.forward(at), gradients = new Array(model.nodes.count).fill(0);
    const edges = new Array(model.from.length).fill(0), locals = new Array(model.from.length).fill(NaN);
    gradients[this.formulas[this.formulas.length - 1].node] = 1;
    for (let k = this.formulas.length - 1; k >= 0; k--) {
      const { node, local } = this.formulas[k];
      for (const edge of model.out[node]) {
        locals[edge] = local[model.edges.get("slot", edge)](names[k]);
        edges[edge] = gradients[node] * locals[edge];
        gradients[model.to[edge]] += edges[edge];
      }
    }
    return { values, gradients, edges, locals };
  }

  /** Whether the rules give torch's gradients at the recorded point. */
  agrees() {
    if (this.formulas.length === 0) return false;
    const isNear = (/** @type {any} */ measured, /** @type {number} */ computed) => typeof measured === "number" && Math.abs(measured - computed) <= TOLERANCE * Math.max(1, Math.abs(measured));
    return this.model.gradientsKnown().every((node) => isNear(this.model.nodes.get("gradient", node), this.point.gradients[node]))
      && this.formulas.every(({ node }) => isNear(this.model.nodes.get("data", node), this.point.values[node]));
  }

  /** The root along one leaf: points, and the slope at the leaf's value. @param {number} node @param {number} low @param {number} high */
  curve(node, low, high) {
    const place = this.leaves.indexOf(node);
    const at = [...this.at], points = [];
    for (let k = 0; k <= 120; k++) {
      at[place] = low + ((high - low) * k) / 120;
      points.push([at[place], this.root(at)]);
    }
    return { points, x: this.at[place], y: this.root(this.at), slope: this.point.gradients[node] };
  }
}
