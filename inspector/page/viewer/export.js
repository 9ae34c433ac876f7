// The view as SVG and PNG, the subgraph in view as DOT and JSON.
import { byId } from "./dom.js";
import { svg, Stage } from "./draw.js";
import { Model } from "./model.js";
import { shortened } from "./text.js";
import { View } from "./view.js";

const STYLES = ["fill", "stroke", "stroke-width", "stroke-dasharray", "font-family", "font-size", "font-weight", "opacity", "text-anchor"];
const LARGEST = 16_384;  // pixels a side that a canvas may have

/** A copy of the picture with its styles written into it. @param {Stage} stage @returns {{text: string, w: number, h: number}} */
export function asSvg(stage) {
  const { w, h } = stage.size;
  const copy = /** @type {SVGSVGElement} */ (stage.root.cloneNode(true));
  copy.querySelectorAll(".cursor").forEach((element) => element.remove());
  const from = stage.root.querySelectorAll("path, rect, text"), to = copy.querySelectorAll("path, rect, text");
  from.forEach((element, k) => {
    const style = getComputedStyle(element);
    for (const name of STYLES) to[k].setAttribute(name, style.getPropertyValue(name));
    to[k].removeAttribute("class");
  });
  for (const [name, value] of Object.entries({ xmlns: "http://www.w3.org/2000/svg", width: w, height: h, viewBox: `0 0 ${w} ${h}` })) copy.setAttribute(name, String(value));
  for (const name of ["id", "class", "tabindex", "role", "aria-label", "data-detail", "aria-describedby"]) copy.removeAttribute(name);
  const fonts = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]).filter((rule) => rule instanceof CSSFontFaceRule).map((rule) => rule.cssText).join("\n");
  const style = svg("style");
  style.textContent = fonts;
  copy.prepend(style, svg("rect", { width: w, height: h, fill: getComputedStyle(/** @type {Element} */ (stage.root.parentElement)).backgroundColor }));
  if (!byId("caption").hidden) copy.append(...["slide-title", "slide-words"].map((id, k) => slideText(byId(id), w, h - 56 + 30 * k)));
  return { text: new XMLSerializer().serializeToString(copy), w, h };
}

/** A line of a slide below its graph. @param {HTMLElement} element @param {number} w @param {number} y */
function slideText(element, w, y) {
  const style = getComputedStyle(element), words = element.textContent || "", size = parseFloat(style.fontSize);
  const line = svg("text", { x: w / 2, y, "text-anchor": "middle", fill: style.color, "font-family": style.fontFamily, "font-size": size, "font-weight": style.fontWeight });
  line.append(shortened(words, w - 60, size));
  return line;
}

/** @param {Stage} stage @param {number} scale @returns {Promise<Blob>} */
export async function asPng(stage, scale) {
  const { text, w, h } = asSvg(stage);
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
