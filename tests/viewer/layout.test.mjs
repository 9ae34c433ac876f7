// The layout of one group: on graphs of every kind, nothing overlaps and every wire is drawn, in the same way each time.
import assert from "node:assert/strict";
import { test } from "node:test";
import { layout } from "../../inspector/page/viewer/layout.js";

/** Numbers that look random and are the same every time. */
function numbers(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** A graph of `count` boxes and `edges` wires, of which some lead back. */
function randomGraph(seed, count, edges, back = 0) {
  const next = numbers(seed);
  const boxes = Array.from({ length: count }, () => ({ w: 40 + next(160), h: 30 + next(50) }));
  const wires = [];
  for (let k = 0; k < edges; k++) {
    const one = next(count), other = next(count);
    if (one === other) continue;
    const [a, b] = next(100) < back ? [Math.max(one, other), Math.min(one, other)] : [Math.min(one, other), Math.max(one, other)];
    wires.push({ a, b });
  }
  return { boxes, wires, pins: { top: [], bottom: [] } };
}

function withPorts(graph, ports) {
  const { boxes, wires, pins } = graph, count = boxes.length;
  for (let k = 0; k < ports; k++) {
    for (const side of ["top", "bottom"]) {
      pins[side].push(boxes.length);
      boxes.push({ w: 12, h: 0 });
      const port = boxes.length - 1, other = (k * 7) % count;
      wires.push(side === "top" ? { a: port, b: other } : { a: other, b: port });
    }
  }
  return graph;
}

function overlaps(boxes, positions) {
  const found = [];
  const order = boxes.map((_, k) => k).sort((one, other) => positions[one][1] - positions[other][1]);
  for (let i = 0; i < order.length; i++) {
    const one = order[i], [x, y] = positions[one];
    for (let j = i + 1; j < order.length && positions[order[j]][1] < y + boxes[one].h - 0.2; j++) {
      const other = order[j], [u] = positions[other];
      if (x < u + boxes[other].w - 0.2 && u < x + boxes[one].w - 0.2) found.push([one, other]);
    }
  }
  return found;
}

/** The wires that run through a box which is not at their ends: points along every curve. */
function through({ boxes, wires }, { positions, paths }) {
  const found = [];
  paths.forEach(({ points, stub }, k) => {
    const { a, b } = wires[k];
    if (stub || a === b) return;
    for (let at = 2; at + 5 < points.length; at += 6) {
      const [x0, y0, x1, y1, x2, y2, x3, y3] = points.slice(at - 2, at + 6);
      for (let part = 1; part < 8; part++) {
        const t = part / 8, s = 1 - t;
        const x = s ** 3 * x0 + 3 * s * s * t * x1 + 3 * s * t * t * x2 + t ** 3 * x3, y = s ** 3 * y0 + 3 * s * s * t * y1 + 3 * s * t * t * y2 + t ** 3 * y3;
        positions.forEach(([u, v], box) => {
          if (box !== a && box !== b && x > u + 1 && x < u + boxes[box].w - 1 && y > v + 1 && y < v + boxes[box].h - 1) found.push([k, box]);
        });
      }
    }
  });
  return found;
}

function check(graph) {
  const { boxes, wires, pins } = graph;
  const placed = layout(boxes, wires, pins);
  assert.deepEqual(overlaps(boxes, placed.positions), []);
  assert.equal(placed.paths.length, wires.length);
  placed.positions.forEach(([x, y], k) => {
    assert.ok(x >= -0.2 && y >= -0.2 && x + boxes[k].w <= placed.width + 0.2 && y + boxes[k].h <= placed.height + 0.2, `box ${k} is inside`);
  });
  placed.paths.forEach((path, k) => {
    const { a, b } = wires[k], { points } = path;
    assert.ok(points.every(Number.isFinite) && points.length >= 8, `wire ${k} is drawn`);
    const near = (value, wanted) => Math.abs(value - wanted) < 0.3;
    const [ax, ay] = placed.positions[a], [bx, by] = placed.positions[b];
    const ends = path.back ? [by, ay + boxes[a].h] : [ay + boxes[a].h, by];
    if (!path.back) {
      assert.ok(near(points[1], ends[0]) && points[0] >= ax - 0.2 && points[0] <= ax + boxes[a].w + 0.2, `wire ${k} leaves its box`);
      assert.ok(near(points.at(-1), ends[1]) && points.at(-2) >= bx - 0.2 && points.at(-2) <= bx + boxes[b].w + 0.2, `wire ${k} reaches its box`);
    }
  });
  assert.deepEqual(through(graph, placed), []);
  for (const port of pins.top) assert.equal(placed.positions[port][1], 0);
  assert.equal(JSON.stringify(layout(boxes, wires, pins)), JSON.stringify(placed));
  return placed;
}

test("nothing at all", () => {
  const placed = layout([], [], { top: [], bottom: [] });
  assert.deepEqual(placed, { width: 0, height: 0, positions: [], paths: [] });
});

test("one box", () => assert.deepEqual(check({ boxes: [{ w: 50, h: 30 }], wires: [], pins: { top: [], bottom: [] } }).positions, [[0, 0]]));

for (const [count, edges] of [[4, 4], [12, 16], [40, 60], [150, 260]]) {
  for (let seed = 1; seed <= 6; seed++) test(`${count} boxes, ${edges} wires, seed ${seed}`, () => check(randomGraph(seed, count, edges)));
}

for (let seed = 1; seed <= 6; seed++) test(`cycles, seed ${seed}`, () => {
  const graph = randomGraph(seed, 25, 45, 30), placed = check(graph);
  for (const path of placed.paths) assert.equal(path.stub, false);
});

for (let seed = 1; seed <= 6; seed++) test(`ports, seed ${seed}`, () => check(withPorts(randomGraph(seed, 20, 26), 1 + seed)));

test("a wire from a box to itself and two wires between the same boxes are drawn", () => {
  check({ boxes: [{ w: 60, h: 30 }, { w: 60, h: 30 }], wires: [{ a: 0, b: 0 }, { a: 0, b: 1 }, { a: 0, b: 1 }, { a: 1, b: 0 }], pins: { top: [], bottom: [] } });
});

test("a wire over very many layers becomes a pair of stubs, a shorter one does not", () => {
  const boxes = Array.from({ length: 60 }, () => ({ w: 60, h: 30 }));
  const wires = boxes.slice(1).map((_, k) => ({ a: k, b: k + 1 }));
  wires.push({ a: 0, b: 59 }, { a: 0, b: 20 });
  const placed = check({ boxes, wires, pins: { top: [], bottom: [] } });
  assert.deepEqual(placed.paths.map((path) => path.stub).slice(-2), [true, false]);
  assert.equal(placed.paths.filter((path) => path.stub).length, 1);
});

test("a chain stands in one line", () => {
  const boxes = Array.from({ length: 9 }, (_, k) => ({ w: 60 + 10 * (k % 3), h: 30 }));
  const placed = check({ boxes, wires: boxes.slice(1).map((_, k) => ({ a: k, b: k + 1 })), pins: { top: [], bottom: [] } });
  const middles = placed.positions.map(([x], k) => Math.round(x + boxes[k].w / 2));
  assert.equal(new Set(middles).size, 1);
});

test("crossings that a swap removes are removed", () => {
  const boxes = Array.from({ length: 6 }, () => ({ w: 60, h: 30 }));
  const placed = check({ boxes, wires: [{ a: 0, b: 5 }, { a: 1, b: 4 }, { a: 2, b: 3 }], pins: { top: [], bottom: [] } });
  const order = [0, 1, 2].map((k) => placed.positions[k][0]), below = [5, 4, 3].map((k) => placed.positions[k][0]);
  const sorted = (places) => places.map((place, k) => [place, k]).sort((one, other) => one[0] - other[0]).map(([, k]) => k);
  assert.deepEqual(sorted(order), sorted(below));
});

test("ten thousand boxes in a row, and a wide net, need no recursion", () => {
  const row = Array.from({ length: 10_000 }, () => ({ w: 60, h: 30 }));
  const placed = layout(row, row.slice(1).map((_, k) => ({ a: k, b: k + 1 })), { top: [], bottom: [] });
  assert.ok(placed.height > 10_000 * 60);
  check(randomGraph(3, 1200, 1500));
});
