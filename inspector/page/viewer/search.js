// Search: words and filters, as `op:mul module:attn shape:64 grad>0.1 nan`.
import { Model } from "./model.js";
import { isSummary } from "./text.js";

export const FILTERS = "op:softmax   module:h.3   shape:64x32   grad>0.1   grad<1e-6   nan   zero   none   leaf";

const COMPARE = /^grad(<=|>=|<|>)([\d.e+-]+)$/i;

/** @param {string} text @returns {((model: Model, item: number) => boolean)[]} */
export function parsed(text) {
  return text.toLowerCase().trim().split(/\s+/).filter(Boolean).map(test);
}

/** @param {string} word @returns {(model: Model, item: number) => boolean} */
function test(word) {
  const compared = COMPARE.exec(word);
  if (compared && Number.isFinite(Number(compared[2]))) {
    const limit = Number(compared[2]), sign = compared[1];
    return (model, item) => {
      const norm = model.norm(item);
      if (typeof norm !== "number") return false;
      return sign === "<" ? norm < limit : sign === ">" ? norm > limit : sign === "<=" ? norm <= limit : norm >= limit;
    };
  }
  if (word === "nan" || word === "inf") return (model, item) => ["nan", "inf", "-inf"].includes(model.norm(item));
  if (word === "zero") return (model, item) => model.norm(item) === 0;
  if (word === "none") return (model, item) => model.norm(item) === null;
  if (word === "leaf") return (model, item) => !model.isGroup(item) && model.leaf[item] !== null;
  if (word.startsWith("op:")) return (model, item) => !model.isGroup(item) && model.nodes.get("full", item).toLowerCase().includes(word.slice(3));
  if (word.startsWith("module:")) return (model, item) => `${model.module(item)}.`.toLowerCase().includes(word.slice(7));
  if (word.startsWith("shape:")) return (model, item) => shapeOf(model, item).includes(`x${word.slice(6).replace(/[\[\]() ]/g, "").replace(/[,×]/g, "x")}x`);
  return (model, item) => words(model, item).includes(word);
}

/** @param {Model} model @param {number} item */
function words(model, item) {
  if (model.isGroup(item)) return model.name(item).toLowerCase();
  const made = (model.nodes.get("made", item) || []).map((/** @type {number} */ tensor) => model.tensorName(tensor)).join(" ");
  return `${model.name(item)} ${model.nodes.get("full", item)} ${made} ${model.nodes.get("expression", item) || ""}`.toLowerCase();
}

/** The shape of what a node made, as `x64x32x`. @param {Model} model @param {number} item */
function shapeOf(model, item) {
  if (model.isGroup(item)) return "";
  const leaf = model.leaf[item], made = leaf ?? (model.nodes.get("made", item) || [])[0];
  const data = model.nodes.get("data", item), gradient = model.nodes.get("gradient", item);
  const shape = made !== undefined && made !== null ? model.tensors.get("shape", made) : isSummary(data) ? data.shape : isSummary(gradient) ? gradient.shape : [];
  return `x${shape.join("x")}x`;
}

/** The items that pass every filter, groups first. @param {Model} model @param {string} text @returns {number[]} */
export function search(model, text) {
  const tests = parsed(text);
  if (!tests.length) return [];
  const found = [];
  for (let group = 1; group < model.groups.count; group++) if (tests.every((passes) => passes(model, model.item(group)))) found.push(model.item(group));
  for (let node = 0; node < model.nodes.count; node++) if (tests.every((passes) => passes(model, node))) found.push(node);
  return found;
}
