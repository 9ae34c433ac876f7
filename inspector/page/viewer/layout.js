// Places of the boxes of one group, in layers from the root down, and the paths between them. No DOM, no recursion.
// The same input gives the same output: every order is by index.

/** @typedef {{w: number, h: number}} Box */
/** @typedef {{a: number, b: number, ax?: number, bx?: number, label?: Box, weight?: number}} Wire
 * From box a to box b; ax, bx: where it leaves and enters, from the left of the box (default: its middle). */
/** @typedef {{top: number[], bottom: number[]}} Pins  Boxes on the upper and on the lower border: ports. */
/** @typedef {{points: number[], back: boolean, label: number[] | null, stub: boolean}} Path
 * points: x0, y0, then for each curve six numbers, as of the command C of SVG; of a stub two curves, from each end. */
/** @typedef {{width: number, height: number, positions: number[][], paths: Path[]}} Placed */

const GAP = 28;  // between neighbours of a layer
const LAYER_GAP = 44;
const THREAD = 10;  // the room of a wire that passes a layer
const LONGEST = 30;  // layers that a wire may pass; a longer one becomes a pair of stubs
const MANY = 1500;  // boxes and wires from which less time is spent on order
const LONGEST_OF_MANY = 8;
const STUB = 26;

/**
 * Lay out one group.
 * @param {Box[]} boxes
 * @param {Wire[]} wires
 * @param {Pins} pins
 * @returns {Placed}
 */
export function layout(boxes, wires, pins) {
  const back = backWires(boxes.length, wires);
  const rank = ranks(boxes.length, wires, back, pins);
  const chains = withThreads(boxes, wires, back, rank);
  const layers = ordered(chains, boxes.length);
  const x = across(chains, layers);
  const y = down(chains, layers, wires);
  return assembled(boxes, wires, back, chains, x, y, layers);
}

/** The wires that close a cycle, found from the first box on. @param {number} count @param {Wire[]} wires */
function backWires(count, wires) {
  const out = lists(count, wires, (wire) => wire.a);
  const state = new Uint8Array(count), back = new Uint8Array(wires.length);
  for (let start = 0; start < count; start++) {
    if (state[start]) continue;
    const stack = [start], at = [0];
    state[start] = 1;
    while (stack.length) {
      const top = stack.length - 1, here = stack[top];
      if (at[top] >= out[here].length) {
        state[here] = 2;
        stack.pop(); at.pop();
        continue;
      }
      const index = out[here][at[top]++], next = wires[index].b;
      if (state[next] === 1) back[index] = 1;
      else if (!state[next]) { state[next] = 1; stack.push(next); at.push(0); }
    }
  }
  return back;
}

/** @param {number} count @param {Wire[]} wires @param {(wire: Wire) => number} end @returns {number[][]} */
function lists(count, wires, end) {
  /** @type {number[][]} */
  const found = Array.from({ length: count }, () => []);
  wires.forEach((wire, index) => found[end(wire)].push(index));
  return found;
}

/**
 * The layer of every box: one below the lowest box that leads to it.
 * @param {number} count @param {Wire[]} wires @param {Uint8Array} back @param {Pins} pins
 */
function ranks(count, wires, back, pins) {
  const from = wires.map((wire, k) => (back[k] ? wire.b : wire.a)), to = wires.map((wire, k) => (back[k] ? wire.a : wire.b));
  const open = new Int32Array(count), rank = new Int32Array(count);
  const out = Array.from({ length: count }, () => /** @type {number[]} */ ([]));
  wires.forEach((wire, k) => { if (from[k] !== to[k]) { out[from[k]].push(to[k]); open[to[k]]++; } });
  const isTop = new Set(pins.top), isBottom = new Set(pins.bottom);
  const least = pins.top.length ? 1 : 0;
  for (let k = 0; k < count; k++) rank[k] = isTop.has(k) ? 0 : least;
  const queue = [];
  for (let k = 0; k < count; k++) if (!open[k]) queue.push(k);
  for (let head = 0; head < queue.length; head++) {
    for (const next of out[queue[head]]) {
      rank[next] = Math.max(rank[next], rank[queue[head]] + 1);
      if (!--open[next]) queue.push(next);
    }
  }
  const isReached = new Uint8Array(count);
  for (const next of to) isReached[next] = 1;
  for (let head = queue.length - 1; head >= 0; head--) {  // a box that nothing leads to stands above its first target
    const here = queue[head];
    if (isTop.has(here) || !out[here].length || isReached[here]) continue;
    rank[here] = Math.max(least, Math.min(...out[here].map((next) => rank[next])) - 1);
  }
  let last = 0;
  for (let k = 0; k < count; k++) if (!isBottom.has(k)) last = Math.max(last, rank[k]);
  for (const port of pins.bottom) rank[port] = last + 1;
  return rank;
}

/**
 * @typedef {object} Chains  Boxes and threads (the places where wires pass a layer), by index; threads after boxes.
 * @property {number[]} width
 * @property {number[]} height
 * @property {number[]} rank
 * @property {number[][]} of  For each wire its boxes and threads, from the upper to the lower one.
 * @property {boolean[]} stubs  Whether a wire is a pair of stubs.
 * @property {{up: number, down: number, ux: number, dx: number, weight: number}[]} links  Between neighbouring layers.
 * @property {number} depth  Number of layers.
 */

/** @param {Box[]} boxes @param {Wire[]} wires @param {Uint8Array} back @param {Int32Array} rank @returns {Chains} */
function withThreads(boxes, wires, back, rank) {
  const width = boxes.map((box) => box.w), height = boxes.map((box) => box.h), ranks = [...rank];
  /** @type {Chains["links"]} */
  const links = [];
  const longest = boxes.length + wires.length > MANY ? LONGEST_OF_MANY : LONGEST;
  const stubs = wires.map(() => false);
  const of = wires.map((wire, k) => {
    const [one, other] = back[k] ? [wire.b, wire.a] : [wire.a, wire.b];
    if (one === other || rank[one] === rank[other]) return [one, other];
    const chain = [one];
    if (rank[other] - rank[one] > longest) {
      stubs[k] = true;
      return [one, other];
    }
    for (let layer = rank[one] + 1; layer < rank[other]; layer++) {
      chain.push(ranks.length);
      ranks.push(layer); width.push(THREAD); height.push(0);
    }
    chain.push(other);
    const [ux, dx] = back[k] ? [wire.bx, wire.ax] : [wire.ax, wire.bx];
    for (let at = 0; at + 1 < chain.length; at++) {
      const up = chain[at], down = chain[at + 1];
      const middle = (at > 0 ? 1 : 0) + (at + 2 < chain.length ? 1 : 0);
      links.push({
        up, down,
        ux: at === 0 && ux !== undefined ? ux - width[up] / 2 : 0,
        dx: at + 2 === chain.length && dx !== undefined ? dx - width[down] / 2 : 0,
        weight: (wire.weight || 1) * [1, 2, 8][middle],
      });
    }
    return chain;
  });
  return { width, height, rank: ranks, of, stubs, links, depth: Math.max(0, ...ranks.map((layer) => layer + 1)) };
}

/** The order within each layer: by the mean place of the neighbours, down and up in turn. @param {Chains} chains @param {number} boxes */
function ordered(chains, boxes) {
  const count = chains.rank.length;
  const above = Array.from({ length: count }, () => /** @type {number[]} */ ([])), below = above.map(() => /** @type {number[]} */ ([]));
  for (const { up, down } of chains.links) { above[down].push(up); below[up].push(down); }
  /** @type {number[][]} */
  const layers = Array.from({ length: chains.depth }, () => []);
  const seen = new Uint8Array(count);
  for (let start = 0; start < count; start++) {  // depth first, so that a path stays together
    const stack = [start];
    while (stack.length) {
      const here = /** @type {number} */ (stack.pop());
      if (seen[here]) continue;
      seen[here] = 1;
      layers[chains.rank[here]].push(here);
      for (let k = below[here].length - 1; k >= 0; k--) stack.push(below[here][k]);
    }
  }
  const place = new Float64Array(count);
  const number = (/** @type {number[]} */ layer) => layer.forEach((here, k) => { place[here] = k; });
  layers.forEach(number);
  let best = layers.map((layer) => [...layer]), least = crossings(layers, below, place);
  const sweeps = count > 4 * MANY ? 4 : count > MANY ? 8 : 16;
  for (let sweep = 0; sweep < sweeps && least > 0; sweep++) {
    const side = sweep % 2 ? below : above;
    for (let k = 0; k < layers.length; k++) {
      const layer = layers[sweep % 2 ? layers.length - 1 - k : k];
      const mean = new Map(layer.map((here) => [here, side[here].length
        ? side[here].reduce((sum, other) => sum + place[other], 0) / side[here].length : place[here]]));
      layer.sort((one, other) => /** @type {number} */ (mean.get(one)) - /** @type {number} */ (mean.get(other)) || place[one] - place[other]);
      number(layer);
    }
    const now = crossings(layers, below, place);
    if (now < least) { least = now; best = layers.map((layer) => [...layer]); }
  }
  best.forEach(number);
  if (count <= MANY && least > 0) transposed(best, above, below, place);
  return best;
}

/** The number of crossings. @param {number[][]} layers @param {number[][]} below @param {Float64Array} place */
function crossings(layers, below, place) {
  let total = 0;
  for (const layer of layers) {
    const ends = [];
    for (const here of layer) ends.push(...below[here].map((other) => place[other]).sort((one, other) => one - other));
    const size = Math.max(0, ...ends) + 1, tree = new Int32Array(size + 1);  // a Fenwick tree counts the larger ends before
    ends.forEach((end, before) => {
      let smaller = 0;
      for (let k = end + 1; k > 0; k -= k & -k) smaller += tree[k];
      total += before - smaller;
      for (let k = end + 1; k <= size; k += k & -k) tree[k]++;
    });
  }
  return total;
}

/** Swap neighbours while that removes crossings. @param {number[][]} layers @param {number[][]} above @param {number[][]} below @param {Float64Array} place */
function transposed(layers, above, below, place) {
  const between = (/** @type {number[]} */ one, /** @type {number[]} */ other) => {
    let count = 0;
    for (const mine of one) for (const theirs of other) count += place[mine] > place[theirs] ? 1 : 0;
    return count;
  };
  for (let round = 0, better = true; round < 8 && better; round++) {
    better = false;
    for (const layer of layers) {
      for (let k = 0; k + 1 < layer.length; k++) {
        const one = layer[k], other = layer[k + 1];
        const now = between(above[one], above[other]) + between(below[one], below[other]);
        const then = between(above[other], above[one]) + between(below[other], below[one]);
        if (then >= now) continue;
        layer[k] = other; layer[k + 1] = one;
        place[other] = k; place[one] = k + 1;
        better = true;
      }
    }
  }
}

/**
 * The middle of every box: near its neighbours, in the order of its layer. Layer by layer the weighted least squares
 * under the order, by pooling neighbours that would overlap.
 * @param {Chains} chains @param {number[][]} layers
 */
function across(chains, layers) {
  const x = new Float64Array(chains.rank.length);
  const up = Array.from({ length: x.length }, () => /** @type {Chains["links"]} */ ([])), down = up.map(() => /** @type {Chains["links"]} */ ([]));
  for (const link of chains.links) { up[link.down].push(link); down[link.up].push(link); }
  for (const layer of layers) pool(layer, layer.map(() => 0), layer.map(() => 1), chains.width, x);
  const sweeps = x.length > 4 * MANY ? 4 : 12;
  for (let sweep = 0; sweep < sweeps; sweep++) {
    for (let k = 0; k < layers.length; k++) {
      const layer = layers[sweep % 2 ? layers.length - 1 - k : k];
      const both = sweep >= sweeps - 4;
      const wanted = [], weights = [];
      for (const here of layer) {
        let sum = 0, weight = 0;
        if (!(sweep % 2) || both) for (const link of up[here]) { sum += link.weight * (x[link.up] + link.ux - link.dx); weight += link.weight; }
        if (sweep % 2 || both) for (const link of down[here]) { sum += link.weight * (x[link.down] + link.dx - link.ux); weight += link.weight; }
        wanted.push(weight ? sum / weight : x[here]);
        weights.push(weight || 0.1);
      }
      pool(layer, wanted, weights, chains.width, x);
    }
  }
  return x;
}

/** @param {number[]} layer @param {number[]} wanted @param {number[]} weights @param {number[]} width @param {Float64Array} x */
function pool(layer, wanted, weights, width, x) {
  /** @type {{sum: number, weight: number, start: number}[]} */
  const blocks = [];
  /** @type {number[]} */
  const offsets = [];
  let offset = 0;
  for (let k = 0; k < layer.length; k++) {
    if (k) {
      const [one, other] = [width[layer[k - 1]], width[layer[k]]];
      offset += one / 2 + other / 2 + (one <= THREAD && other <= THREAD ? THREAD : one <= THREAD || other <= THREAD ? GAP * 0.6 : GAP);
    }
    offsets.push(offset);
    let block = { sum: weights[k] * (wanted[k] - offset), weight: weights[k], start: k };
    while (blocks.length) {
      const last = blocks[blocks.length - 1];
      if (last.sum / last.weight <= block.sum / block.weight) break;
      block = { sum: last.sum + block.sum, weight: last.weight + block.weight, start: last.start };
      blocks.pop();
    }
    blocks.push(block);
  }
  blocks.forEach((block, index) => {
    const end = index + 1 < blocks.length ? blocks[index + 1].start : layer.length;
    for (let k = block.start; k < end; k++) x[layer[k]] = block.sum / block.weight + offsets[k];
  });
}

/** The top of every layer. @param {Chains} chains @param {number[][]} layers @param {Wire[]} wires */
function down(chains, layers, wires) {
  const heights = layers.map((layer) => Math.max(0, ...layer.map((here) => chains.height[here])));
  const gaps = layers.map(() => LAYER_GAP);
  wires.forEach((wire, k) => {
    if (wire.label) {
      const layer = chains.rank[chains.of[k][0]];
      gaps[layer] = Math.max(gaps[layer], wire.label.h + 30);
    }
  });
  layers.forEach((layer, k) => { if (heights[k] === 0 && (k === 0 || k === layers.length - 1)) gaps[Math.max(0, k ? k - 1 : k)] = Math.max(24, gaps[Math.max(0, k ? k - 1 : k)] - 18); });
  /** @type {number[]} */
  const tops = [];
  let top = 0;
  layers.forEach((_, k) => { tops.push(top); top += heights[k] + gaps[k]; });
  return { tops, heights };
}

/**
 * @param {Box[]} boxes @param {Wire[]} wires @param {Uint8Array} back @param {Chains} chains @param {Float64Array} x
 * @param {{tops: number[], heights: number[]}} y @param {number[][]} layers @returns {Placed}
 */
function assembled(boxes, wires, back, chains, x, y, layers) {
  let left = Infinity, right = -Infinity;
  for (let k = 0; k < x.length; k++) {
    left = Math.min(left, x[k] - chains.width[k] / 2);
    right = Math.max(right, x[k] + chains.width[k] / 2);
  }
  if (!x.length) left = right = 0;
  const round = (/** @type {number} */ value) => Math.round(value * 10) / 10;
  const positions = boxes.map((box, k) => {
    const layer = chains.rank[k];
    return [round(x[k] - box.w / 2 - left), round(y.tops[layer] + (y.heights[layer] - box.h) / 2)];
  });
  const last = layers.length - 1;
  const paths = wires.map((wire, k) => {
    const path = chains.stubs[k] || chains.rank[wire.a] === chains.rank[wire.b]
      ? stub(wire, boxes, positions, chains.stubs[k], back[k] === 1) : curve(wire, chains.of[k], back[k] === 1, boxes, positions, x, y, chains, left);
    return { ...path, points: path.points.map(round), back: back[k] === 1 };
  });
  return { width: round(right - left), height: round(last < 0 ? 0 : y.tops[last] + y.heights[last]), positions, paths };
}

/**
 * A wire too long to be drawn: an end at each box. Of a wire within a layer (a box to itself): a bow.
 * @param {Wire} wire @param {Box[]} boxes @param {number[][]} positions @param {boolean} isStub @param {boolean} isBack
 */
function stub(wire, boxes, positions, isStub, isBack) {
  const ax = positions[wire.a][0] + (wire.ax ?? boxes[wire.a].w / 2), bx = positions[wire.b][0] + (wire.bx ?? boxes[wire.b].w / 2);
  const ay = positions[wire.a][1] + boxes[wire.a].h, by = positions[wire.b][1];
  if (!isStub) return { points: [ax, ay, ax, ay + STUB, bx, by - STUB, bx, by], label: null, stub: false };
  const turn = isBack ? -1 : 1;
  return {
    points: [ax, ay, ax, ay + STUB / 2, ax + 8 * turn, ay + STUB, ax + 8 * turn, ay + STUB, bx - 8 * turn, by - STUB, bx, by - STUB / 2, bx, by, bx, by],
    label: null, stub: true,
  };
}

/**
 * @param {Wire} wire @param {number[]} chain @param {boolean} isBack @param {Box[]} boxes @param {number[][]} positions
 * @param {Float64Array} x @param {{tops: number[], heights: number[]}} y @param {Chains} chains @param {number} left
 */
function curve(wire, chain, isBack, boxes, positions, x, y, chains, left) {
  const [ux, dx] = isBack ? [wire.bx, wire.ax] : [wire.ax, wire.bx];
  const first = chain[0], last = chain[chain.length - 1];
  let px = positions[first][0] + (ux ?? boxes[first].w / 2), py = positions[first][1] + boxes[first].h;
  const points = [px, py];
  /** @type {number[] | null} */
  let label = null;
  const bend = (/** @type {number} */ nx, /** @type {number} */ ny) => {
    const half = (ny - py) / 2;
    points.push(px, py + half, nx, ny - half, nx, ny);
    if (wire.label && !label) label = [(px + nx) / 2, (py + ny) / 2];
    px = nx; py = ny;
  };
  const straight = (/** @type {number} */ end) => { if (end > py) { points.push(px, py, px, end, px, end); py = end; } };
  const bottom = (/** @type {number} */ layer) => y.tops[layer] + y.heights[layer];
  straight(bottom(chains.rank[first]));  // beside taller boxes of its layer
  for (let k = 1; k < chain.length - 1; k++) {
    const here = chain[k], layer = chains.rank[here];
    bend(x[here] - left, y.tops[layer]);
    straight(bottom(layer));
  }
  bend(positions[last][0] + (dx ?? boxes[last].w / 2), y.tops[chains.rank[last]]);
  straight(positions[last][1]);
  if (!isBack) return { points, label, stub: false };
  /** @type {number[]} */
  const turned = [];
  for (let k = points.length - 2; k >= 0; k -= 2) turned.push(points[k], points[k + 1]);
  return { points: turned, label, stub: false };
}
