// The view as SVG and PNG, the subgraph in view as DOT and JSON.
import { byId } from "./dom.js";
import { svg, Stage } from "./draw.js";
import { Model } from "./model.js";
import { shortened } from "./text.js";
import { View } from "./view.js";

const STYLES = ["fill", "stroke", "stroke-width", "stroke-dasharray", "font-family", "font-size", "font-weight", "opacity", "text-anchor"];
const LARGEST = 16_384;  // pixels a side that a canvas may have

/** The picture, or both where two stand side by side, as one file. @param {Stage[]} stages @returns {{text: string, w: number, h: number}} */
export function asSvg(stages) {
  const places = stages.map((stage) => stage.root.getBoundingClientRect());
  const left = Math.min(...places.map((place) => place.left)), top = Math.min(...places.map((place) => place.top));
  const w = Math.max(...places.map((place) => place.right)) - left, h = Math.max(...places.map((place) => place.bottom)) - top;
  const style = svg("style");
  style.textContent = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]).filter((rule) => rule instanceof CSSFontFaceRule).map((rule) => rule.cssText).join("\n");
  const file = svg("svg", { xmlns: "http://www.w3.org/2000/svg", width: w, height: h, viewBox: `0 0 ${w} ${h}` });
  file.append(style, svg("rect", { width: w, height: h, fill: getComputedStyle(/** @type {Element} */ (stages[0].root.parentElement)).backgroundColor }));
  stages.forEach((stage, k) => file.append(picture(stage, places[k].left - left, places[k].top - top)));
  if (stages.length > 1) file.append(...["half-1", "half-2"].map((id) => heading(byId(id), left, top)));
  if (!byId("caption").hidden) file.append(...["slide-title", "slide-words"].map((id, k) => slideText(byId(id), w, h - 56 + 30 * k)));
  return { text: new XMLSerializer().serializeToString(file), w, h };
}

/** A copy of a picture with its styles written into it. @param {Stage} stage @param {number} x @param {number} y */
function picture(stage, x, y) {
  const copy = /** @type {SVGSVGElement} */ (stage.root.cloneNode(true)), { w, h } = stage.size;
  copy.querySelectorAll(".cursor").forEach((element) => element.remove());
  const from = [...stage.root.querySelectorAll("path, rect, text")].filter((element) => !element.closest(".cursor")), to = copy.querySelectorAll("path, rect, text");
  from.forEach((element, k) => {
    const style = getComputedStyle(element);
    for (const name of STYLES) to[k].setAttribute(name, style.getPropertyValue(name));
    to[k].removeAttribute("class");
  });
  for (const [name, value] of Object.entries({ x, y, width: w, height: h, viewBox: `0 0 ${w} ${h}` })) copy.setAttribute(name, String(value));
  for (const name of ["id", "class", "tabindex", "role", "aria-label", "data-detail", "aria-describedby"]) copy.removeAttribute(name);
  return copy;
}

/** What one of two pictures is, above it. @param {HTMLElement} element @param {number} left @param {number} top */
function heading(element, left, top) {
  const place = element.getBoundingClientRect(), style = getComputedStyle(element);
  const line = svg("text", { x: place.left - left, y: place.bottom - top - 0.3 * place.height, fill: style.color, "font-family": style.fontFamily, "font-size": style.fontSize });
  line.append(element.textContent || "");
  return line;
}

/** A line of a slide below its graph. @param {HTMLElement} element @param {number} w @param {number} y */
function slideText(element, w, y) {
  const style = getComputedStyle(element), words = element.textContent || "", size = parseFloat(style.fontSize);
  const line = svg("text", { x: w / 2, y, "text-anchor": "middle", fill: style.color, "font-family": style.fontFamily, "font-size": size, "font-weight": style.fontWeight });
  line.append(shortened(words, w - 60, size));
  return line;
}

/** @param {Stage[]} stages @param {number} scale @returns {Promise<Blob>} */
export async function asPng(stages, scale) {
  const { text, w, h } = asSvg(stages);
  const times = Math.min(scale, LARGEST / Math.max(w, h));
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(w * times); canvas.height = Math.round(h * times);
  /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")).drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("the picture is too large for a PNG"))), "image/png"));
}

/** The boxes and edges shown; of lit ones only, if some are. @param {Model} model @param {View} view @param {Set<number> | null} lit */
export function subgraph(model, view, lit) {
  const boxes = [...view.drawn.values()].filter((box) => box.shape !== "frame" && (lit === null || lit.has(box.item) || model.inside(box.item).some((node) => lit.has(node))));
  const keys = new Set(boxes.map((box) => box.key));
  const edges = new Map();
  for (let edge = 0; edge < model.from.length; edge++) {
    const from = view.shows(model.from[edge])?.key, to = view.shows(model.to[edge])?.key;
    if (!from || !to || from === to || !keys.has(from) || !keys.has(to)) continue;
    const key = `${from} ${to}`;
    edges.set(key, (edges.get(key) || 0) + 1);
  }
  const rows = boxes.map((box) => ({
    id: box.key, name: box.lines[0].text, kind: box.shape === "box" ? model.kind[box.item - model.nodes.count] : box.shape === "card" ? "leaf" : "function",
    nodes: (box.parts.length ? box.parts.map((part) => model.item(part)) : [box.item]).flatMap((item) => model.inside(item)).map((node) => model.nodes.get("id", node)), norm: view.boxNorm(box),
  }));
  return { nodes: rows, edges: [...edges].map(([key, count]) => ({ source: key.split(" ")[0], target: key.split(" ")[1], count })) };
}

/** @param {ReturnType<typeof subgraph>} graph */
export function asDot(graph) {
  const quoted = (/** @type {string} */ text) => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", " ")}"`;
  const lines = graph.nodes.map((row) => `  ${quoted(row.id)} [label=${quoted(row.name)}, shape=${row.kind === "function" ? "ellipse" : "box"}];`);
  lines.push(...graph.edges.map((edge) => `  ${quoted(edge.source)} -> ${quoted(edge.target)}${edge.count > 1 ? ` [label=${edge.count}]` : ""};`));
  return `digraph {\n${lines.join("\n")}\n}\n`;
}
