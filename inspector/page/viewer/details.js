// The panel beside the picture: all that is known of one node, tensor or box.
import { h } from "./dom.js";
import { Model, Moment } from "./model.js";
import { bytesText, isSummary, isUnknown, normText, number, plural, textWidth, valueText } from "./text.js";
import { svg } from "./draw.js";
import { surface } from "./surface.js";

/** @typedef {{select: (item: number) => void, light: (items: Set<number> | null, said: string) => void, open: (group: number) => void, focus: (item: number) => void, pick: (part: number) => void, move: (node: number, value: number) => void, live: import("./live.js").Live | null, hidden: (node: number) => boolean, answer: (node: number, value: number) => boolean, isQuiz: boolean}} Actions */

/** @param {Model} model @param {Moment} moment @param {number} item @param {Actions} actions @returns {Node[]} */
export function details(model, moment, item, actions) {
  if (item < 0) return overview(model);
  return model.isGroup(item) ? group(model, item, actions) : node(model, moment, item, actions);
}

/** @param {string} title @param {(Node | string | null)[]} children */
function section(title, ...children) { return h("section", {}, h("h3", {}, title), ...children); }

/** @param {[string, Node | string | null][]} pairs */
function rows(pairs) {
  const list = h("dl");
  for (const [key, value] of pairs) if (value !== null && value !== "") list.append(h("dt", {}, key), h("dd", {}, value));
  return list;
}

/** @param {Model} model */
function overview(model) {
  const { call } = model.data;
  const nodes = model.groups.get("nodes", 0) || model.nodes.count;
  const isHeld = (/** @type {number} */ tensor) => model.tensors.get("leaf", tensor) && model.tensors.get("accumulate", tensor) !== null;
  const leaves = Array.from({ length: model.tensors.count }, (_, tensor) => tensor).filter(isHeld);
  return [
    h("h2", {}, call.code || model.data.title || "graph"),
    rows([
      ["script", model.data.script], ["called at", place(call.location)], ["Nodes", nodes.toLocaleString("en-US")],
      ["leaves", leaves.length.toLocaleString("en-US")], ["engine", model.lastStep ? plural(model.lastStep, "step") : !nodes ? null : model.data.ran ? "order not recorded" : "did not run"],
      ["recording", call.recording], ["GradScaler", call.scale === null ? null : `divided by ${number(call.scale)}`],
    ]),
    call.error ? h("p", { class: "error" }, `backward raised ${call.error}`) : null,
    model.data.left_out.length ? section("Not in this page", h("ul", {}, ...model.data.left_out.map((/** @type {string} */ line) => h("li", {}, line)))) : null,
    h("p", { class: "quiet" }, "Click a box to open it, a Node to see what is known of it. ", h("kbd", {}, "?"), " lists the keys."),
  ].filter((part) => part !== null);
}

/** @param {any} source */
function place(source) {
  if (!source) return null;
  return isUnknown(source) ? `? (${source.unknown})` : `${source.file}:${source.line}`;
}

// ---- a box -----------------------------------------------------------------------------------------------

const KINDS = { module: "module", call: "call of a module", step: "iteration of a loop", equal: "equal parts", line: "source line", rest: "the rest of the graph", joined: "neighbours", views: "a function with its views", whole: "graph" };

/** @param {Model} model @param {number} item @param {Actions} actions */
function group(model, item, actions) {
  const index = item - model.nodes.count, { groups } = model, grads = groups.get("grads", index), steps = groups.get("steps", index);
  const parts = model.kind[index] === "equal" ? model.childGroups[index] : [];
  const outside = [
    grads && grads.nans ? `${plural(grads.nans, "grad")} with NaN or infinities` : "", grads && grads.zeros ? `${plural(grads.zeros, "grad")} all zero` : "",
    grads && grads.none ? `${plural(grads.none, "grad")} None` : "",
  ].filter(Boolean).join(", ");
  return [
    h("p", { class: "kind" }, /** @type {any} */ (KINDS)[model.kind[index]] || model.kind[index]),
    h("h2", {}, model.name(item)),
    bar(model, item, actions),
    rows([
      ["Nodes", groups.get("nodes", index).toLocaleString("en-US")], ["parameters", groups.get("elements", index).toLocaleString("en-US")],
      ["leaves", groups.get("parameters", index).toLocaleString("en-US")], ["saved tensors", bytesText(groups.get("bytes", index))],
      ["gradient", `norm ${normText(groups.get("norm", index))}`],
      ["grads", !grads || grads.low === null ? null : grads.low === grads.high ? normText(grads.low) : `norm ${normText(grads.low)} to ${normText(grads.high)}`],
      ["", outside], ["engine", steps ? `steps ${steps[0]} to ${steps[1]}` : null],
    ]),
    parts.length ? section("Parts", h("div", { class: "parts" }, ...parts.slice(0, 200).map((part) => h("button", { type: "button", onclick: () => actions.pick(part) }, model.groups.get("label", part))))) : null,
    groups.get("sealed", index) ? h("p", { class: "quiet" }, "Its Nodes are not in this page.") : null,
  ].filter((part) => part !== null);
}

/** What can be done with an item. @param {Model} model @param {number} item @param {Actions} actions */
function bar(model, item, actions) {
  const inside = model.isGroup(item) && model.inside(item).length ? model.inside(item) : [item];
  const name = model.name(item);
  const button = (/** @type {string} */ said, /** @type {() => void} */ action) => h("button", { type: "button", onclick: action }, said);
  return h("div", { class: "buttons" },
    model.isGroup(item) && !model.groups.get("sealed", item - model.nodes.count) ? button("Open or close", () => actions.open(item - model.nodes.count)) : null,
    button("Paths to root", () => actions.light(model.reach(inside, "root"), `the paths from the root to ${name}`)),
    button("Paths to leaves", () => actions.light(model.reach(inside, "leaves"), `the paths from ${name} to the leaves`)),
    button("Focus", () => actions.focus(item)));
}

// ---- a node ----------------------------------------------------------------------------------------------

/** @param {Model} model @param {Moment} moment @param {number} item @param {Actions} actions */
function node(model, moment, item, actions) {
  const { nodes } = model, leaf = model.leaf[item], step = nodes.get("step", item);
  const made = leaf !== null ? [leaf] : nodes.get("made", item);
  const code = model.expression(item);
  const attributes = Object.entries(nodes.get("attributes", item)), formula = Object.entries(nodes.get("formula", item)), saved = nodes.get("saved", item);
  return [
    h("p", { class: "kind" }, leaf === null ? "Node" : "leaf"),
    h("h2", {}, model.name(item)),
    bar(model, item, actions),
    rows([
      ["function", nodes.get("full", item)], ["module", isUnknown(nodes.get("module", item)) ? `? (${nodes.get("module", item).unknown})` : nodes.get("module", item)],
      ["engine", typeof step === "number" ? `step ${step} of ${model.lastStep}` : step === null ? (model.data.ran ? "did not run" : "not yet") : `? (${step.unknown})`],
    ]),
    actions.isQuiz ? quizSection(model, item, actions) : null,
    leaf !== null && actions.live && !actions.isQuiz ? liveSection(model, item, actions) : null,
    ...made.map((/** @type {number} */ tensor) => tensorSection(model, moment, tensor, actions, actions.hidden(item))),
    made.length ? null : section("Output", rows([["data", value(nodes.get("data", item))]])),
    gradientSection(model, moment, item, actions),
    sent(model, moment, item, actions),
    saved.length ? section("Saved tensors", savedTable(saved, moment, item)) : null,
    nodes.get("inside", item) ? section("Operations inside", inside(nodes.get("inside", item))) : null,
    attributes.length ? section("Attributes", rows(attributes.map(([key, held]) => [key, valueText(held)]))) : null,
    formula.length ? section("torch's formula", rows(formula.map(([key, held]) => [key, h("code", {}, String(held))]))) : null,
    source(model, nodes.get("source", item) || (leaf === null ? null : model.tensors.get("source", leaf))),
    code ? section("In Python", h("div", { class: "copy" }, h("code", {}, code), h("button", { type: "button", onclick: (/** @type {Event} */ event) => copy(event, code) }, "Copy"))) : null,
  ].filter((part) => part !== null);
}

/** @param {Event} event @param {string} code */
async function copy(event, code) {
  const button = /** @type {HTMLElement} */ (event.currentTarget);
  try { await navigator.clipboard.writeText(code); button.textContent = "Copied"; } catch {
    const range = document.createRange();
    range.selectNodeContents(/** @type {Node} */ (button.previousElementSibling));
    getSelection()?.removeAllRanges(); getSelection()?.addRange(range);
    button.textContent = document.execCommand("copy") ? "Copied" : "Selected";
  }
}

/** @param {Model} model @param {Moment} moment @param {number} tensor @param {Actions} actions @param {boolean} isHidden */
function tensorSection(model, moment, tensor, actions, isHidden) {
  const { tensors } = model, maker = tensors.get("grad_fn", tensor), grad = moment.grad(tensor);
  const known = (/** @type {any} */ fact) => (typeof fact === "boolean" ? (fact ? "True" : "False") : isUnknown(fact) ? `? (${fact.unknown})` : String(fact));
  const derivative = tensors.get("derivative", tensor);
  return section(tensors.get("leaf", tensor) ? "Leaf" : model.data.roots.includes(tensor) ? "Root" : "Tensor", rows([
    ["name", model.tensorName(tensor)], ["shape", `[${tensors.get("shape", tensor).join(", ")}]`], ["dtype", tensors.get("dtype", tensor)], ["device", tensors.get("device", tensor)],
    ["data", value(moment.data(tensor))],
    ["grad", isHidden ? "?" : value(grad)], ["", isHidden ? null : whyNone(model, moment, tensor, grad)],
    ["is_leaf", known(tensors.get("leaf", tensor))], ["requires_grad", known(tensors.get("requires_grad", tensor))],
    ["grad_fn", maker === null || maker < 0 ? (tensors.get("leaf", tensor) ? "None" : "?") : link(model, maker, actions)], ["retains_grad", tensors.get("leaf", tensor) ? null : known(tensors.get("retains", tensor))],
    ["derivative", isHidden ? null : derivative],
  ]));
}

/** Why a grad is None. @param {Model} model @param {Moment} moment @param {number} tensor @param {any} grad */
function whyNone(model, moment, tensor, grad) {
  if (grad !== null) return null;
  const { tensors } = model, maker = tensors.get("accumulate", tensor);
  if (moment.step === 0) return "None: backward has not run yet";
  if (!tensors.get("leaf", tensor)) return tensors.get("retains", tensor) === true ? null : "None: not a leaf; retain_grad() before backward keeps it";
  if (!tensors.get("requires_grad", tensor)) return "None: it does not require a gradient";
  if (maker !== null && !moment.isEnd && !moment.ran(maker)) return "None: its AccumulateGrad has not run yet";
  if (maker !== null && model.nodes.get("step", maker) === null && model.lastStep) return "None: the engine did not run its AccumulateGrad";
  const sent = maker === null ? [] : model.in[maker].map((edge) => model.edges.get("norm", edge));
  return sent.length && sent.every((norm) => norm === null) ? "None: no Node above it sent a gradient" : null;
}

/** @param {Model} model @param {number} item @param {Actions} actions */
function link(model, item, actions) { return h("button", { type: "button", class: "link", onclick: () => actions.select(item) }, model.name(item)); }

/** A question of the quiz: the gradient of a node, with hints. @param {Model} model @param {number} item @param {Actions} actions */
function quizSection(model, item, actions) {
  if (!actions.hidden(item)) return section("Quiz", h("p", {}, `Right: ${valueText(model.nodes.get("gradient", item))}`));
  const name = model.leaf[item] === null ? model.nodes.get("expression", item) || model.tensorTitle(model.nodes.get("made", item)[0] ?? 0) : model.name(item);
  const typed = /** @type {HTMLInputElement} */ (h("input", { type: "number", step: "any", "aria-label": `gradient of ${name}` })), said = h("p", { class: "quiet", role: "status" });
  const check = () => { if (!actions.answer(item, typed.valueAsNumber)) said.textContent = Number.isFinite(typed.valueAsNumber) ? "Not yet." : "Type a number."; };
  const hint = () => {
    const parts = model.in[item].map((edge) => `(gradient of ${model.name(model.from[edge])}) · ${model.edges.get("local", edge) || "its local derivative"}`);
    said.textContent = parts.length ? parts.join(" + ") : "It is the root: its gradient with respect to itself.";
  };
  typed.addEventListener("keydown", (event) => { if (event.key === "Enter") check(); });
  return section("Quiz", h("p", {}, `What is the gradient of the root with respect to ${name}?`), h("div", { class: "move" }, typed, h("button", { type: "button", onclick: check }, "Check"), h("button", { type: "button", onclick: hint }, "Hint")), said);
}

// ---- the live figure --------------------------------------------------------------------------------------

/** A slider and a number that move a leaf, and the root along it with its tangent. @param {Model} model @param {number} item @param {Actions} actions */
function liveSection(model, item, actions) {
  const live = /** @type {import("./live.js").Live} */ (actions.live), start = live.recorded[live.leaves.indexOf(item)], reach = Math.max(2, 1.5 * Math.abs(start));
  const name = model.name(item), low = start - reach, high = start + reach;
  const slider = /** @type {HTMLInputElement} */ (h("input", { type: "range", min: low, max: high, step: "any", "aria-label": `value of ${name}` }));
  const typed = /** @type {HTMLInputElement} */ (h("input", { type: "number", step: "any", "aria-label": `value of ${name} as a number` }));
  const facts = h("dl"), picture = h("div");
  const made = model.nodes.get("made", live.formulas[live.formulas.length - 1].node)[0], rootName = made === undefined ? "root" : model.tensorTitle(made);
  const show = () => {
    const at = live.value(item);
    slider.value = String(at);
    if (document.activeElement !== typed) typed.value = String(Number(at.toPrecision(6)));
    const root = live.formulas[live.formulas.length - 1].node;
    facts.replaceChildren(h("dt", {}, rootName), h("dd", {}, number(live.value(root))), h("dt", {}, "gradient"), h("dd", {}, number(live.point.gradients[item])), h("dt", {}, ""), h("dd", { class: "quiet" }, live.isMoved ? "computed by the rules" : "as torch measured"));
    picture.replaceChildren(rootCurve(live, item, Math.min(low, at - reach / 4), Math.max(high, at + reach / 4)));
    over.show();
  };
  const over = surface(live, item, rootName, (node) => model.name(node), (pairs) => { for (const [node, to] of pairs) actions.move(node, to); show(); });
  const move = (/** @type {number} */ value) => { if (Number.isFinite(value)) { actions.move(item, value); show(); } };
  slider.addEventListener("input", () => move(Number(slider.value)));
  typed.addEventListener("input", () => move(typed.valueAsNumber));
  show();
  return section(`Move ${name}`, h("div", { class: "move" }, slider, typed), facts, picture, ...over.parts);
}

/** @param {import("./live.js").Live} live @param {number} item @param {number} low @param {number} high */
function rootCurve(live, item, low, high) {
  const { points, x, y, slope } = live.curve(item, low, high), width = 270, height = 130;
  const heights = points.map(([, value]) => value).concat(y).filter(Number.isFinite).sort((one, other) => one - other);
  const bottom = heights[0] ?? 0, top = heights[heights.length - 1] ?? 1, room = (top - bottom) * 0.12 || 1;
  const u = (/** @type {number} */ value) => Math.round(((value - low) / (high - low)) * width * 10) / 10, v = (/** @type {number} */ value) => Math.round((1 - (value - bottom + room) / (top - bottom + 2 * room)) * height * 10) / 10;
  let path = "", isOn = false;
  for (const [at, value] of points) {
    if (Number.isFinite(value)) path += `${isOn ? "L" : "M"}${u(at)} ${v(value)}`;
    isOn = Number.isFinite(value);
  }
  const picture = svg("svg", { class: "curve", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": "the root along this leaf, with its tangent" }, svg("path", { class: "root", d: path || "M0 0" }));
  if (Number.isFinite(y) && Number.isFinite(slope)) picture.append(svg("path", { class: "tangent", d: `M${u(low)} ${v(y + slope * (low - x))}L${u(high)} ${v(y + slope * (high - x))}` }), svg("circle", { cx: u(x), cy: v(y), r: 4.5 }));
  return picture;
}

/** The gradient that arrives, as the sum of what each edge brings. @param {Model} model @param {Moment} moment @param {number} item @param {Actions} actions */
function gradientSection(model, moment, item, actions) {
  if (!model.data.ran) return null;
  const { all, come } = moment.arrived(item), done = moment.ran(item);
  if (actions.hidden(item)) return null;
  const list = h("ul", { class: "edges" });
  for (const edge of all.slice(0, 24)) {
    const here = come.includes(edge);
    list.append(h("li", { class: here ? "" : "quiet" }, link(model, model.from[edge], actions), h("span", { class: "num" }, here ? value(model.flowing(edge), true) : "not yet")));
  }
  const sum = done ? model.nodes.get("gradient", item) : moment.partialSum(item);
  const total = done ? value(sum) : sum !== undefined && come.length ? value(sum) : come.length ? `${come.length} of ${all.length} arrived` : "nothing yet";
  return section("Gradient that arrives", all.length ? list : null, rows([[all.length > 1 ? (done ? "sum" : "so far") : "gradient", total]]));
}

/** What a node sends on. @param {Model} model @param {Moment} moment @param {number} item @param {Actions} actions */
function sent(model, moment, item, actions) {
  const edges = model.out[item];
  if (!edges.length || !model.data.ran || actions.isQuiz) return null;
  const list = h("ul", { class: "edges" });
  for (const edge of edges.slice(0, 24)) {
    const said = model.edges.get("text", edge), shown = !moment.ran(item) ? "not yet" : said && said.includes("=") ? said : value(model.flowing(edge), true);
    list.append(h("li", {}, link(model, model.to[edge], actions), h("span", { class: "num" }, shown)));
  }
  return section("Sends to", list);
}

/** @param {any[]} saved @param {Moment} moment @param {number} item */
function savedTable(saved, moment, item) {
  const done = moment.ran(item) || (moment.step > 0 && moment.isEnd);
  return h("table", {}, h("tbody", {}, ...saved.map((row) => h("tr", {}, h("th", { scope: "row" }, row.name), h("td", {}, row.shape ? `${row.dtype}[${row.shape.join(", ")}]` : ""),
    h("td", {}, row.bytes ? bytesText(row.bytes) : ""), h("td", { class: `state ${done ? row.after : row.before}` }, done ? row.after : row.before)))));
}

/** What a compiled function computes in backward, or the Nodes that a checkpoint ran. @param {any} held */
function inside(held) {
  if (isUnknown(held)) return h("p", { class: "quiet" }, `? (${held.unknown})`);
  return h("table", {}, h("tbody", {}, ...held.map((/** @type {string[]} */ [name, of, line]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, of, " ", h("span", { class: "quiet" }, line))))));
}

/** @param {Model} model @param {any} place */
function source(model, place) {
  if (!place || isUnknown(place)) return place ? section("Source", h("p", { class: "quiet" }, `? (${place.unknown})`)) : null;
  const lines = model.data.files[place.file], numbers = lines ? Object.keys(lines).map(Number).filter((at) => Math.abs(at - place.line) <= 4).sort((one, other) => one - other) : [];
  const shown = numbers.length ? numbers.map((at) => [at, lines[at]]) : [[place.line, place.code]];
  return section("Source", h("p", { class: "quiet" }, `${place.file}:${place.line}`),
    h("pre", { tabindex: 0 }, ...shown.map(([at, code]) => h("span", { class: at === place.line ? "line here" : "line", "data-line": at }, `${code}\n`))));
}

// ---- values ----------------------------------------------------------------------------------------------

/** A value: a number, a matrix, or statistics with a histogram. @param {any} held @param {boolean} [inline] @returns {Node | string} */
export function value(held, inline = false) {
  if (isUnknown(held)) return h("span", { class: "quiet", title: held.unknown }, `? (${held.unknown})`);
  if (!isSummary(held)) {
    if (Array.isArray(held) && Array.isArray(held[0]) && !inline) return h("span", { class: "matrix" }, ...held.map((row) => h("span", {}, `${valueText(row)}\n`)));
    return valueText(held);
  }
  const norm = isUnknown(held.norm) || held.norm === null ? "?" : number(held.norm);
  if (inline) return `norm ${norm}`;
  const facts = [`norm ${norm}`];
  for (const key of ["mean", "min", "max"]) if (held[key] !== undefined && held[key] !== null && !isUnknown(held[key])) facts.push(`${key} ${number(held[key])}`);
  const odd = [];
  if (held.zeros) odd.push(`${held.zeros.toLocaleString("en-US")} zeros`);
  if (held.nans) odd.push(`${held.nans.toLocaleString("en-US")} NaN`);
  if (held.infinities) odd.push(`${held.infinities.toLocaleString("en-US")} infinite`);
  return h("div", { class: "summary" }, h("div", {}, `${held.dtype}[${held.shape.join(", ")}]`), h("div", {}, facts.join("  ")),
    odd.length ? h("div", { class: held.nans || held.infinities ? "bad" : "quiet" }, odd.join(", ")) : null, held.elements ? heatMap(held) : null, held.histogram ? histogram(held.histogram) : null,
    held.computed ? h("div", { class: "quiet" }, held.computed) : null);
}

/** The elements of a small tensor as coloured cells, matrix by matrix. @param {{elements: string, shape: number[]}} held */
function heatMap(held) {
  const bytes = Uint8Array.from(atob(held.elements), (letter) => letter.charCodeAt(0)), count = held.shape.reduce((one, other) => one * other, 1);
  const numbers = [...new (bytes.length === 4 * count ? Float32Array : Float64Array)(bytes.buffer)];
  const columns = held.shape[held.shape.length - 1], rows = held.shape.length > 1 ? held.shape[held.shape.length - 2] : 1, area = rows * columns;
  if (Math.max(rows, columns) > 32) return null;
  const side = columns > 16 ? 8 : 12, most = Math.max(0, ...numbers.filter(Number.isFinite).map(Math.abs));
  const across = Math.max(1, Math.min(count / area, Math.floor(200 / (columns * side + 4)))), width = across * (columns * side + 4);
  const picture = svg("svg", { class: "map", width, height: Math.ceil(count / area / across) * (rows * side + 4), role: "img", "aria-label": "heat map" },
    svg("pattern", { id: "odd", width: 4, height: 4, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }, svg("rect", { width: 2, height: 4 })));
  numbers.forEach((one, k) => {
    const tile = Math.floor(k / area), row = Math.floor((k % area) / columns), column = k % columns;
    const fill = Number.isFinite(one) ? `color-mix(in srgb,var(--diverging-${one < 0 ? 0 : 24}) ${most ? (100 * Math.abs(one)) / most : 0}%,var(--ground))` : "url(#odd)";
    picture.append(svg("rect", { x: (tile % across) * (columns * side + 4) + column * side, y: Math.floor(tile / across) * (rows * side + 4) + row * side, width: side - 1, height: side - 1, fill }, svg("title", {}, document.createTextNode(Number.isFinite(one) ? number(one) : String(one)))));
  });
  return h("div", {}, picture, h("div", { class: "quiet" }, `purple ${number(-most)}, green ${number(most)}${numbers.every(Number.isFinite) ? "" : ", hatched: not finite"}`));
}

/** @param {number} exponent */
function power(exponent) { return `2${[...String(exponent)].map((letter) => (letter === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(letter)])).join("")}`; }

/** Magnitudes by powers of two. @param {{counted: number, exponent: number | null, counts: number[]}} held */
function histogram(held) {
  if (held.exponent === null || !held.counts.length) return null;
  const most = Math.max(...held.counts), width = 200, height = 38, step = Math.min(14, width / held.counts.length);
  const picture = svg("svg", { class: "histogram", width, height: height + 14, role: "img", "aria-label": `magnitudes from 2 to the ${held.exponent} to 2 to the ${held.exponent + held.counts.length}` });
  held.counts.forEach((count, k) => {
    const tall = count ? Math.max(1, (height * count) / most) : 0;
    picture.append(svg("rect", { x: k * step, y: height - tall, width: Math.max(1, step - 1), height: tall }, svg("title", {}, document.createTextNode(`${count} of ${held.counted} from 2^${held.exponent === null ? "" : held.exponent + k} on`))));
  });
  const last = power(held.exponent + held.counts.length);
  picture.append(svg("text", { x: 0, y: height + 11 }, document.createTextNode(power(held.exponent))), svg("text", { x: Math.max(held.counts.length * step, textWidth(last, 10) + 40), y: height + 11, "text-anchor": "end" }, document.createTextNode(last)));
  return picture;
}
