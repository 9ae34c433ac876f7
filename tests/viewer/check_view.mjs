// Usage: node check_view.mjs DATA.json [start|all]: lays out a page's data; prints places and segments as JSON.
// Fails where boxes overlap, lie outside of their frame, or an edge is neither drawn nor a chip.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Model } from "../../inspector/page/viewer/model.js";
import { setAdvances } from "../../inspector/page/viewer/text.js";
import { Opened, View } from "../../inspector/page/viewer/view.js";

const data = JSON.parse(readFileSync(process.argv[2], "utf8"));
setAdvances(data.advances);
const model = new Model(data), opened = new Opened(model);
if (process.argv[3] === "all") opened.all();
const view = new View(model, opened);

const boxes = [...view.drawn.values()];
const byFrame = new Map();
for (const box of boxes) {
  byFrame.set(box.frame, [...(byFrame.get(box.frame) || []), box]);
  if (box.frame <= 0) continue;
  const frame = view.drawn.get(`g${box.frame}`);
  assert.ok(box.x >= frame.x && box.y >= frame.y && box.x + box.w <= frame.x + frame.w + 0.2 && box.y + box.h <= frame.y + frame.h + 0.2, `${box.key} lies in its frame`);
}
for (const group of byFrame.values()) {
  group.sort((one, other) => one.y - other.y);
  group.forEach((one, k) => {
    for (let j = k + 1; j < group.length && group[j].y < one.y + one.h - 0.2; j++) {
      const other = group[j];
      assert.ok(one.x >= other.x + other.w - 0.2 || other.x >= one.x + one.w - 0.2, `${one.key} and ${other.key} do not overlap`);
    }
  });
}

// Every edge leads over segments from the box of its source to the box of its target.
const ofEdge = new Map();
for (const segment of view.segments) {
  assert.ok(segment.points.every(Number.isFinite));
  for (const edge of segment.edges) ofEdge.set(edge, [...(ofEdge.get(edge) || []), segment]);
}
for (let edge = 0; edge < model.from.length; edge++) {
  const from = view.shows(model.from[edge]), target = model.to[edge];
  if (!model.isGroup(target) && model.isChip(target)) {
    const isInside = view.hidden[model.group[target]] === from.key;
    assert.ok(isInside || view.chips.get(from.key)?.has(target), `edge ${edge} is a chip`);
    continue;
  }
  const to = view.shows(target);
  if (from === to) continue;
  const way = ofEdge.get(edge) || [];
  assert.ok(way.some((segment) => segment.from === from.key) && way.some((segment) => segment.to === to.key), `edge ${edge} is drawn`);
}
const shown = boxes.flatMap((box) => (box.shape === "frame" ? [] : [box.key]));
process.stdout.write(JSON.stringify({
  shown: shown.length, keys: shown, width: view.width, height: view.height, segments: view.segments.length,
  nodes: boxes.filter((box) => box.shape === "box").map((box) => ({ key: box.key, nodes: (box.parts.length ? box.parts.map((part) => model.item(part)) : [box.item]).flatMap((item) => model.inside(item)).map((node) => model.nodes.get("id", node)) })),
  places: boxes.map((box) => [box.key, Math.round(box.x), Math.round(box.y), Math.round(box.w), Math.round(box.h)]),
}));
