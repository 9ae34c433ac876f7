// The page: unpack the data, connect the picture, the panels, the keys and the address.
import { byId, download } from "./dom.js";
import { Beside } from "./beside.js";
import { details } from "./details.js";
import { Stage, spoken } from "./draw.js";
import { asDot, asPng, asSvg, subgraph } from "./export.js";
import { Live } from "./live.js";
import { Model, Moment } from "./model.js";
import { Run } from "./run.js";
import { Side } from "./side.js";
import { plural, setAdvances } from "./text.js";
import { Opened, View } from "./view.js";

const MIN_SCALE = 0.01, MAX_SCALE = 4;
const SLIDE_TEXT = 100;  // pixels below the graph for the words of a slide
const SPEEDS = [1, 2, 4, 10, 30];  // steps a second

class App {
  /** @param {any} data */
  constructor(data) {
    setAdvances(data.advances);
    this.model = new Model(data);
    this.opened = new Opened(this.model);
    this.view = new View(this.model, this.opened);
    this.stage = new Stage(byId("stage"), this.model, this.view);
    this.selected = -1;
    this.speed = 1;
    this.isPlaying = this.isSlides = false;
    this.end = this.model.data.ran ? Math.max(1, this.model.lastStep) : 0;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.side = new Side(this.model, this.opened, {
      select: (item, jump) => this.select(item, jump), toggle: (group) => this.toggle(group), finding: (index) => this.showFinding(index),
      matched: (items) => this.light(items, items ? "search" : ""),
    });
    this.actions = {
      select: (/** @type {number} */ item) => this.select(item, true), light: (/** @type {Set<number> | null} */ items, /** @type {string} */ said) => this.light(items, said),
      open: (/** @type {number} */ group) => this.toggle(group), focus: (/** @type {number} */ item) => this.focus(item), pick: (/** @type {number} */ part) => this.pick(part), move: (/** @type {number} */ node, /** @type {number} */ value) => this.move(node, value), live: Live.of(this.model),
      hidden: (/** @type {number} */ node) => this.stage._hides(node), answer: (/** @type {number} */ node, /** @type {number} */ value) => this.answer(node, value), isQuiz: false,
    };
    this.stage.live = this.actions.live;
    this.pair = new Beside(this.stage, this.opened, data);
    /** The strip of the run, where a run was recorded. @type {Run | null} */
    this.run = data.timeline ? new Run(data.timeline, (row) => this.showRow(row)) : null;
    this.setMoment(this.end, true);
    this.title();
    this.controls();
    this.pointer();
    document.addEventListener("keydown", (event) => { document.body.classList.add("keys"); this.key(event); });
    document.addEventListener("pointerdown", () => document.body.classList.remove("keys"));
    addEventListener("resize", () => this.stage.redraw());
    addEventListener("hashchange", () => { if (location.hash.slice(1) !== this.written) this.restore(); });
    this.fit(true);
    this.restore();
    this.panel();
    this.stage.draw();
    document.documentElement.dataset.ready = "true";
  }

  title() {
    const { data } = this.model;
    byId("code").textContent = data.title || data.call.code;
    byId("call").textContent = data.title && data.call.code !== data.title ? data.call.code : "";
    const nodes = this.model.groups.get("nodes", 0) || this.model.nodes.count;
    byId("facts").textContent = [data.script, plural(nodes, "Node"), data.call.error ? "backward raised" : ""].filter(Boolean).join("  ·  ");
    byId("nothing").hidden = nodes > 0;
    byId("nothing").textContent = data.call.error ? `There is no graph: backward raised ${data.call.error}` : "There is no graph: no Node was recorded";
  }

  // ---- what is shown ----

  /** Change what is open; an item keeps its place on the screen. @param {() => void} change @param {number} item */
  reshape(change, item) {
    const before = this.view.shows(item), camera = this.stage.camera;
    const x = before ? before.x + before.w / 2 : 0, y = before ? before.y : 0;
    change();
    this.view.update();
    const after = this.view.shows(item);
    if (before && after) {
      camera.x += camera.k * (x - (after.x + after.w / 2));
      camera.y += camera.k * (y - after.y);
    }
    this.side.update();
    this.stage.show(this.view);
    this.save();
  }

  /** @param {number} group */
  toggle(group) {
    if (!this.opened.canOpen(group)) { this.select(this.model.item(group)); return; }
    const item = this.model.item(group), isOpen = this.opened.groups.has(group);
    this.reshape(() => { if (isOpen) this.opened.close(group); else { this.opened.reveal(item); this.opened.open(group); } }, item);
    this.select(item);
    this.say(`${this.model.name(item)} ${isOpen ? "closed" : "opened"}`);
  }

  /** @param {number} part */
  pick(part) {
    this.reshape(() => { this.opened.reveal(this.model.item(part)); this.opened.pick(part); }, this.model.item(part));
    this.select(this.model.item(part), true);
  }

  /** @param {number} item @param {boolean} [jump] */
  select(item, jump = false) {
    this.selected = this.stage.selected = item;
    this.run?.select(-1);
    if (jump && item >= 0) this.jump(item);
    this.side.select(item);
    this.panel();
    this.stage.redraw();
    this.save();
    if (item >= 0) this.say(this.spoken(item));
  }

  /** What is known of a step of the run, or of several. @param {number} row */
  showRow(row) {
    const run = /** @type {Run} */ (this.run);
    this.select(-1);
    run.select(row);
    this.panel();
    this.say(run.title(row));
  }

  /** @param {number} item */
  spoken(item) {
    const { model } = this;
    if (model.isGroup(item)) return `${model.name(item)}, box of ${plural(model.groups.get("nodes", item - model.nodes.count), "Node")}, ${this.opened.groups.has(item - model.nodes.count) ? "open" : "closed"}`;
    const to = model.out[item].length, from = model.in[item].length;
    return `${model.name(item)}${model.leaf[item] === null ? "" : ", leaf"}, ${plural(from, "edge")} in, ${plural(to, "edge")} out`;
  }

  /** Open what holds an item and bring it into view. @param {number} item */
  jump(item) {
    if (!this.model.isGroup(item) && this.model.isChip(item)) {  // shown on a node that uses it
      const user = this.model.from[this.model.in[item][0]];
      const isShown = [...this.view.drawn.values()].some((box) => box.chips.some((chip) => chip.leaf === item));
      if (!isShown) this.reshape(() => this.opened.reveal(user), user);
    } else if (!this.model.isGroup(item) || this.view.shows(item)?.item !== item) this.reshape(() => this.opened.reveal(item), item);
    const box = this.shown(item);
    if (!box) return;
    const { w, h } = this.stage.size, { x, y, k } = this.stage.camera;
    const left = x + k * box.x, top = y + k * box.y, isIn = k >= 0.5 && left > 20 && top > 20 && left + k * Math.min(box.w, 200) < w - 20 && top + k * Math.min(box.h, 60) < h - 20;
    if (isIn) return;
    const scale = Math.max(k, 0.8), tall = Math.min(box.h, h / scale / 2);
    this.fly({ k: scale, x: w / 2 - scale * (box.x + box.w / 2), y: h / 2 - scale * (box.y + tall / 2) });
  }

  /** The box that shows an item; for a chip, one that has it. @param {number} item */
  shown(item) {
    if (this.model.isGroup(item) || !this.model.isChip(item)) return this.view.shows(item);
    return [...this.view.drawn.values()].find((box) => box.chips.some((chip) => chip.leaf === item));
  }

  /** @param {Set<number> | null} items @param {string} said */
  light(items, said) {
    this.stage.lit = items;
    byId("lit").hidden = !items || said === "search";
    byId("lit-text").textContent = items && said !== "search" ? `Lit: ${said}` : "";
    this.stage.redraw();
  }

  /** A finding: jump to its cause, and light the way from the root over the cause to what it harms. @param {number} index */
  showFinding(index) {
    const { model } = this, row = model.data.findings[index];
    const harmed = row.tensors.map((/** @type {number} */ tensor) => model.tensors.get("accumulate", tensor)).filter((/** @type {any} */ node) => node !== null && node >= 0);
    const causes = row.nodes.map((/** @type {number} */ node) => (node >= 0 ? node : model.nodes.count - 1 - node));
    const starts = causes.length ? causes : harmed;
    const lit = model.reach(starts.slice(0, 1), "root");
    if (causes.length && harmed.length) {
      const down = model.reach(causes.slice(0, 1), "leaves"), up = model.reach(harmed, "root");
      for (const item of down) if (up.has(item)) lit.add(item);
    }
    for (const item of [...causes, ...harmed]) lit.add(item);
    this.select(starts[0], true);
    this.light(lit, `${row.rule}: from the root over the cause to what it harms`);
  }

  /** @param {number} item */
  focus(item) {
    this.jump(item);
    const box = this.shown(item);
    if (box) this.fly(this.around(box.x, box.y, box.w, box.h, 1.5));
  }

  /** Hide the gradients, to be filled in from the root on. @param {boolean} isOn */
  setQuiz(isOn) {
    this.stage.hidden = this.actions.isQuiz = isOn;
    this.stage.solved.clear();
    this.actions.live?.reset();
    byId("moved").hidden = true;
    byId("quiz").setAttribute("aria-pressed", String(isOn));
    this.setMoment(this.end);
    if (isOn) this.select(this.firstBox()?.item ?? -1, true);
  }

  /** Whether an answer is right, to three digits. @param {number} node @param {number} value */
  answer(node, value) {
    const right = this.model.nodes.get("gradient", node);
    if (!(Math.abs(value - right) <= 2e-3 * Math.max(Math.abs(right), 1e-6))) return false;
    this.stage.solved.add(node);
    const left = this.model.gradientsKnown().filter((other) => this.stage._hides(other));
    this.say(left.length ? `right; ${left.length} left` : "right, and that was the last one");
    this.panel();
    this.stage.redraw();
    return true;
  }

  /** Move a leaf of the live figure: what follows is computed by the rules, not measured. @param {number} node @param {number} value */
  move(node, value) {
    const live = /** @type {Live} */ (this.actions.live);
    live.move(node, value);
    this.setMoment(this.end, true);
    byId("moved").hidden = !live.isMoved;
    this.stage.redraw();
  }

  // ---- the camera ----

  /** @param {number} x @param {number} y @param {number} w @param {number} h @param {number} most */
  around(x, y, w, h, most) {
    const size = this.stage.size, margin = 40, room = size.h - (this.isSlides ? SLIDE_TEXT : 0);
    const k = Math.min(this.isSlides ? 2 * most : most, Math.max(MIN_SCALE, Math.min((size.w - 2 * margin) / Math.max(w, 1), (room - 2 * margin) / Math.max(h, 1))));
    return { k, x: size.w / 2 - k * (x + w / 2), y: room / 2 - k * (y + h / 2) };
  }

  /** The whole picture; at the start a tall one from its root on, at a readable size. @param {boolean} [isStart] */
  fit(isStart = false) {
    const views = [this.view, this.pair.second?.view ?? this.view], width = Math.max(...views.map((one) => one.width)), height = Math.max(...views.map((one) => one.height)), camera = this.around(0, 0, width, height, 1.4);
    const least = this.model.data.small ? 0.5 : 0.75;
    if (isStart && camera.k < least) {
      const { w, h } = this.stage.size, { isDown } = this.model;
      camera.k = Math.max(camera.k, Math.min(least, (isDown ? w - 40 : h - 40) / (isDown ? width : height)));
      camera.x = w / 2 - (camera.k * width) / 2;
      camera.y = h / 2 - (camera.k * height) / 2;
      if (height * camera.k > h - 40) camera.y = 36;
      if (width * camera.k > w - 40) camera.x = isDown ? w / 2 - camera.k * this.rootMiddle() : 40;
    }
    if (isStart) { this.stage.camera = camera; this.stage.schedule(); } else this.fly(camera);
  }

  rootMiddle() {
    const top = [...this.view.drawn.values()].filter((box) => box.frame === 0).reduce((one, other) => (other.y < one.y ? other : one));
    return top.x + top.w / 2;
  }

  /** @param {{x: number, y: number, k: number}} to */
  fly(to) {
    const from = { ...this.stage.camera }, start = performance.now(), time = this.calm ? 0 : 220;
    const flight = this.flight = {};
    const next = () => {
      if (flight !== this.flight) return;
      const part = time ? Math.min(1, (performance.now() - start) / time) : 1, ease = 1 - (1 - part) ** 3;
      this.stage.camera = { k: from.k * (to.k / from.k) ** ease, x: from.x + (to.x - from.x) * ease, y: from.y + (to.y - from.y) * ease };
      this.stage.draw();
      if (part < 1) requestAnimationFrame(next);
      else this.save();
    };
    next();
  }

  /** @param {number} factor @param {number} [x] @param {number} [y] */
  zoom(factor, x = this.stage.size.w / 2, y = this.stage.size.h / 2) {
    const { camera } = this.stage;
    const k = Math.min(MAX_SCALE, Math.max(MIN_SCALE, camera.k * factor));
    camera.x = x - (x - camera.x) * (k / camera.k);
    camera.y = y - (y - camera.y) * (k / camera.k);
    camera.k = k;
    this.flight = null;
    this.stage.schedule();
    this.save();
  }

  // ---- the pointer ----

  pointer() {
    const { root } = this.stage;
    /** @type {{x: number, y: number, moved: boolean} | null} */
    let held = null;
    root.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      held = { x: event.clientX, y: event.clientY, moved: false };
    });
    root.addEventListener("pointermove", (event) => {
      if (!held) return;
      const dx = event.clientX - held.x, dy = event.clientY - held.y;
      if (!held.moved && Math.hypot(dx, dy) < 4) return;
      if (!held.moved) { root.setPointerCapture(event.pointerId); root.classList.add("dragging"); this.flight = null; }
      held.moved = true;
      this.stage.camera.x += dx; this.stage.camera.y += dy;
      held.x = event.clientX; held.y = event.clientY;
      this.stage.schedule();
    });
    const end = () => {
      if (held?.moved) { this.save(); this.dragged = true; setTimeout(() => { this.dragged = false; }, 0); }
      held = null;
      root.classList.remove("dragging");
    };
    root.addEventListener("pointerup", end);
    root.addEventListener("pointercancel", end);
    root.addEventListener("click", (event) => { if (!this.dragged) this.click(event); });
    byId("stage-2").addEventListener("click", (/** @type {MouseEvent} */ event) => {
      const key = /** @type {Element} */ (event.target).closest("[data-key]")?.getAttribute("data-key"), box = this.view.drawn.get(key || "");
      if (box) this.press(box);
    });
    root.addEventListener("dblclick", (event) => {
      const box = this.boxAt(event);
      if (box) this.focus(box.item);
    });
    root.addEventListener("wheel", (event) => {
      event.preventDefault();
      const box = root.getBoundingClientRect(), lines = event.deltaMode === 1 ? 16 : 1;
      this.zoom(Math.exp(-Math.max(-120, Math.min(120, event.deltaY * lines)) * 0.0022), event.clientX - box.left, event.clientY - box.top);
    }, { passive: false });
  }

  /** @param {MouseEvent} event @returns {import("./view.js").Drawn | undefined} */
  boxAt(event) {
    const target = /** @type {Element} */ (event.target), key = target.closest("[data-key]")?.getAttribute("data-key");
    if (key) return this.view.drawn.get(key);
    const { x, y, k } = this.stage.camera, area = this.stage.root.getBoundingClientRect();
    const u = (event.clientX - area.left - x) / k, v = (event.clientY - area.top - y) / k;
    const under = [...this.view.drawn.values()].filter((box) => u >= box.x && u <= box.x + box.w && v >= box.y && v <= box.y + box.h);
    return under.find((box) => box.shape !== "frame");
  }

  /** @param {MouseEvent} event */
  click(event) {
    const target = /** @type {Element} */ (event.target);
    const jump = target.closest("[data-jump]")?.getAttribute("data-jump"), leaf = target.closest("[data-leaf]")?.getAttribute("data-leaf");
    if (jump) { const box = this.view.drawn.get(jump); if (box) this.select(box.item, true); return; }
    if (leaf) { this.select(Number(leaf)); return; }
    const box = this.boxAt(event);
    if (!box) { this.select(-1); return; }
    if (event.detail > 1) return;
    this.press(box);
  }

  /** A click on a box, or Enter: a box opens, an open one closes, a Node is selected. @param {import("./view.js").Drawn} box */
  press(box) {
    const group = box.item - this.model.nodes.count;
    if (box.shape === "box" && box.key.startsWith("r")) this.pickFrom(box);
    else if (box.shape === "box" || box.shape === "frame") this.toggle(group);
    else this.select(box.item);
  }

  /** Open the part of a stack that is nearest to the root. @param {import("./view.js").Drawn} box */
  pickFrom(box) {
    const [part] = box.parts;
    this.reshape(() => this.opened.pick(part), this.model.item(part));
    this.select(this.model.item(part));
  }

  // ---- time ----

  /** @param {number} step @param {boolean} [isQuiet] */
  setMoment(step, isQuiet = false) {
    const to = Math.max(0, Math.min(this.end, step));
    this.stage.moment = new Moment(this.model, to);
    byId("scrub").max = String(this.end);
    byId("scrub").value = String(to);
    const { lastStep, byStep } = this.model, node = byStep[to];
    const now = to === 0 ? "before backward" : to === this.end ? (this.model.data.call.error ? "where backward raised" : "after backward") : `step ${to} of ${lastStep}`;
    byId("moment").textContent = to > 0 && to < this.end && node !== undefined ? `${now}: ${this.model.name(node)}` : now;
    byId("before").setAttribute("aria-pressed", String(to === 0));
    byId("after").setAttribute("aria-pressed", String(to > 0 && to === this.end));
    byId("scrub").setAttribute("aria-valuetext", byId("moment").textContent);
    byId("slide-title").textContent = now;
    byId("slide-words").textContent = this.slideWords(to);
    if (isQuiet) return;
    this.say(this.stepWords(to));
    this.panel();
    this.stage.redrawMoment();
    this.save();
  }

  /** What a slide says below the graph. @param {number} step */
  slideWords(step) {
    const { model } = this;
    if (step > 0 && step < this.end) return this.stepWords(step).replace(/^step \d+: /, "");
    const code = model.data.call.code || "backward";
    return step === 0 ? model.data.title || code : model.data.call.error ? `${code} raised ${model.data.call.error}` : `${code} has run`;
  }

  /** The graph alone with the words of each step, for a screen. @param {boolean} isOn */
  setSlides(isOn) {
    this.isSlides = isOn;
    document.body.classList.toggle("slides", isOn);
    byId("caption").hidden = !isOn;
    if (isOn) { if (this.stage.moment.isEnd) this.setMoment(0); this.stage.root.focus(); }
    this.fit();
    this.stage.redraw();
  }

  /** @param {number} step */
  stepWords(step) {
    const { model } = this, node = model.byStep[step];
    if (step === 0) return "before backward";
    if (node === undefined) return step === this.end ? byId("moment").textContent : `step ${step}: a Node that is not in this page`;
    const sent = model.out[node].filter((edge) => !model.isGroup(model.to[edge])).map((edge) => `${spoken(model.flowing(edge))} to ${model.name(model.to[edge])}`);
    const own = `step ${step}: ${model.name(node)}, gradient ${spoken(model.nodes.get("gradient", node))}`;
    return sent.length ? `${own}, sends ${sent.join(", ")}` : own;
  }

  play() {
    this.isPlaying = !this.isPlaying;
    byId("play").setAttribute("aria-pressed", String(this.isPlaying));
    byId("play").textContent = this.isPlaying ? "Pause" : "Play";
    if (!this.isPlaying) return;
    if (this.stage.moment.isEnd) this.setMoment(0);
    let last = performance.now();
    const tick = (/** @type {number} */ time) => {
      if (!this.isPlaying) return;
      const steps = Math.floor(((time - last) * SPEEDS[this.speed]) / 1000);
      if (steps >= 1) {
        last += (steps * 1000) / SPEEDS[this.speed];
        this.setMoment(this.stage.moment.step + steps);
        this.follow();
      }
      if (this.stage.moment.step >= this.end) { this.play(); return; }
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  /** Keep the Node that runs in view. */
  follow() {
    const node = this.model.byStep[this.stage.moment.step], box = node === undefined ? undefined : this.shown(node);
    if (!box) return;
    const { camera, size } = this.stage, x = camera.x + camera.k * (box.x + box.w / 2), y = camera.y + camera.k * (box.y + Math.min(box.h, 60) / 2);
    if (x < 30 || y < 30 || x > size.w - 30 || y > size.h - 30) this.fly({ k: camera.k, x: camera.x + size.w / 2 - x, y: camera.y + size.h / 3 - y });
  }

  /** @param {number} by */
  step(by) { if (this.isPlaying) this.play(); this.setMoment(this.stage.moment.step + by); this.follow(); }

  // ---- buttons and keys ----

  controls() {
    const on = (/** @type {string} */ id, /** @type {() => void} */ action) => byId(id).addEventListener("click", action);
    on("before", () => this.setMoment(0));
    on("after", () => this.setMoment(this.end));
    on("play", () => this.play());
    on("back", () => this.step(-1));
    on("next", () => this.step(1));
    on("heat", () => this.setHeat(!this.stage.heat));
    byId("quiz").hidden = !this.actions.live;
    on("quiz", () => this.setQuiz(!this.actions.isQuiz));
    on("fit", () => this.fit());
    on("open-all", () => this.openAll());
    on("close-all", () => this.closeAll());
    on("unmove", () => { this.actions.live?.reset(); byId("moved").hidden = true; this.panel(); this.stage.redraw(); });
    on("unlight", () => this.light(null, ""));
    on("theme", () => this.setTheme(this.isDark() ? "light" : "dark"));
    on("help", () => byId("keys").showModal());
    on("close-keys", () => byId("keys").close());
    byId("beside").addEventListener("change", () => { this.pair.show(byId("beside").value); this.fit(true); this.stage.redraw(); });
    on("slides", () => this.setSlides(true));
    on("export", () => byId("formats").showModal());
    on("close-formats", () => byId("formats").close());
    for (const name of ["svg", "png", "dot", "json"]) on(`save-${name}`, () => this.saveFile(name));
    byId("scrub").addEventListener("input", () => { if (this.isPlaying) this.play(); this.setMoment(Number(byId("scrub").value)); this.follow(); });
    byId("speed").addEventListener("change", () => { this.speed = Number(byId("speed").value); });
    const isStill = this.end === 0;
    byId("slides").hidden = isStill || this.model.lastStep === 0;
    for (const id of ["after", "play", "next", "back", "scrub", "speed", "heat"]) byId(id).disabled = isStill || (this.model.lastStep === 0 && ["play", "next", "back", "scrub", "speed"].includes(id));
  }

  /** @param {boolean} isOn */
  setHeat(isOn) { this.stage.heat = isOn; byId("heat").setAttribute("aria-pressed", String(isOn)); byId("scale").hidden = !isOn; this.stage.redraw(); this.save(); }

  openAll() { this.reshape(() => this.opened.all(), this.selected >= 0 ? this.selected : 0); if (this.selected < 0) this.fit(true); }

  closeAll() { this.reshape(() => this.opened.none(), this.selected >= 0 ? this.selected : 0); this.fit(true); this.stage.redraw(); }

  isDark() { return (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark"; }

  /** @param {string} theme */
  setTheme(theme) { document.documentElement.dataset.theme = theme; this.save(); }

  /** @param {string} format */
  async saveFile(format) {
    const name = `backward-${this.model.data.call.index}`;
    const graph = subgraph(this.model, this.view, this.stage.lit), stages = this.pair.second ? [this.stage, this.pair.second] : [this.stage];
    if (format === "svg") download(`${name}.view.svg`, new Blob([asSvg(stages).text], { type: "image/svg+xml" }));
    else if (format === "png") download(`${name}.view.png`, await asPng(stages, Number(byId("times").value)));
    else if (format === "dot") download(`${name}.view.dot`, new Blob([asDot(graph)], { type: "text/vnd.graphviz" }));
    else download(`${name}.view.json`, new Blob([JSON.stringify(graph, null, 1)], { type: "application/json" }));
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const target = event.target instanceof HTMLElement || event.target instanceof SVGElement ? /** @type {HTMLElement} */ (event.target) : document.body;
    if (event.key === "Escape") { this.escape(target); return; }
    if (event.ctrlKey || event.metaKey || event.altKey || target.closest("input, select, textarea, dialog")) return;
    if (["Enter", " "].includes(event.key) && target.closest("button, a, [role=treeitem]")) return;
    const actions = /** @type {{[key: string]: () => void}} */ ({
      "/": () => byId("search").focus(), "[": () => this.step(-1), "]": () => this.step(1), "?": () => byId("keys").showModal(), "+": () => this.zoom(1.25), "=": () => this.zoom(1.25), "-": () => this.zoom(0.8),
      "0": () => this.fit(), h: () => { if (!byId("heat").disabled) this.setHeat(!this.stage.heat); }, b: () => this.setMoment(this.stage.moment.step === 0 ? this.end : 0), p: () => this.lightPaths(),
      e: () => byId("formats").showModal(), k: () => { if (!byId("play").disabled) this.play(); }, s: () => { if (!byId("slides").hidden) this.setSlides(!this.isSlides); }, t: () => this.setTheme(this.isDark() ? "light" : "dark"), f: () => { if (this.selected >= 0) this.focus(this.selected); },
      Enter: () => this.enter(), " ": () => this.enter(), ArrowDown: () => this.along("down"), ArrowUp: () => this.along("up"), ArrowLeft: () => this.along("left"), ArrowRight: () => this.along("right"),
    });
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  /** Back by one: out of a field, the light, the selection. @param {HTMLElement} target */
  escape(target) {
    if (target.closest("dialog")) return;
    if (this.isSlides) { this.setSlides(false); return; }
    if (this.run && this.run.row >= 0) { this.run.select(-1); this.panel(); return; }
    if (target.id === "search") { byId("search").value = ""; this.side.search(); this.stage.root.focus(); } else if (this.stage.lit) this.light(null, "");
    else if (this.selected >= 0) {
      const holder = this.model.holder(this.selected);
      this.select(holder > 0 ? this.model.item(holder) : -1, holder > 0);
    }
  }

  enter() {
    const box = this.selected >= 0 ? this.shown(this.selected) : undefined;
    if (box && (box.shape === "box" || box.shape === "frame")) this.press(box);
  }

  lightPaths() {
    if (this.selected < 0) return;
    const inside = this.model.inside(this.selected), starts = inside.length ? inside : [this.selected];
    const items = new Set([...this.model.reach(starts, "root"), ...this.model.reach(starts, "leaves")]);
    this.light(items, `all paths through ${this.model.name(this.selected)}`);
  }

  /** Follow an edge with the arrows: along it to the leaves or to the root, or to the neighbour at the side. @param {"up" | "down" | "left" | "right"} way */
  along(way) {
    const here = this.selected >= 0 ? this.shown(this.selected) : undefined;
    if (!here) { const first = this.firstBox(); if (first) this.select(first.item, true); return; }
    const { isDown } = this.model, forward = isDown ? "down" : "right", backward = isDown ? "up" : "left";
    const next = way === forward || way === backward ? this.byEdge(here, way === forward) : this.beside(here, way === (isDown ? "left" : "up") ? -1 : 1, isDown);
    if (next) this.select(next.item, true);
  }

  firstBox() {
    const root = this.model.data.roots.map((/** @type {number} */ tensor) => this.model.tensors.get("grad_fn", tensor)).find((/** @type {any} */ node) => node !== null && node >= 0);
    return root === undefined ? [...this.view.drawn.values()][0] : this.view.shows(root);
  }

  /** The box at the other end of an edge, nearest to this one. @param {import("./view.js").Drawn} here @param {boolean} isForward */
  byEdge(here, isForward) {
    const { model, view } = this;
    const items = here.parts.length && here.key.startsWith("r") ? here.parts.map((part) => model.item(part)) : [here.item];
    const nodes = items.flatMap((item) => (model.inside(item).length ? model.inside(item) : [item])), inside = new Set(nodes);
    const found = new Set();
    for (const node of nodes) for (const edge of isForward ? model.out[node] : model.in[node]) {
      const other = isForward ? model.to[edge] : model.from[edge];
      if (inside.has(other)) continue;
      const box = !model.isGroup(other) && model.isChip(other) ? undefined : view.shows(other);
      if (box && box !== here) found.add(box);
    }
    const middle = here.x + here.w / 2;
    return [...found].sort((one, other) => Math.abs(one.y - here.y) + Math.abs(one.x + one.w / 2 - middle) - Math.abs(other.y - here.y) - Math.abs(other.x + other.w / 2 - middle))[0];
  }

  /** The next box at the side, at about the same height. @param {import("./view.js").Drawn} here @param {number} sign @param {boolean} isDown */
  beside(here, sign, isDown) {
    const at = (/** @type {import("./view.js").Drawn} */ box) => (isDown ? [box.x + box.w / 2, box.y + box.h / 2] : [box.y + box.h / 2, box.x + box.w / 2]);
    const [mine, level] = at(here);
    const others = [...this.view.drawn.values()].filter((box) => box !== here && box.shape !== "frame" && Math.sign(at(box)[0] - mine) === sign && Math.abs(at(box)[1] - level) < 120);
    return others.sort((one, other) => Math.hypot(at(one)[0] - mine, 2 * (at(one)[1] - level)) - Math.hypot(at(other)[0] - mine, 2 * (at(other)[1] - level)))[0];
  }

  // ---- beside the picture ----

  panel() { byId("details").replaceChildren(...(this.run && this.run.row >= 0 ? this.run.details(this.run.row) : details(this.model, this.stage.moment, this.selected, this.actions))); }

  /** @param {string} words */
  say(words) { byId("live").textContent = words; }

  // ---- the address ----

  save() {
    clearTimeout(this.saving);
    this.saving = setTimeout(() => {
      const { x, y, k } = this.stage.camera, state = [];
      if (this.opened.text() !== this.opened.start) state.push(`open=${this.opened.text()}`);
      if (this.selected >= 0) state.push(`at=${this.model.isGroup(this.selected) ? `g${this.selected - this.model.nodes.count}` : `n${this.selected}`}`);
      if (this.stage.moment.step !== this.end) state.push(`step=${this.stage.moment.step}`);
      if (this.stage.heat) state.push("heat=1");
      if (this.run && this.run.row >= 0) state.push(`run=${this.run.ends[this.run.row]}`);
      if (document.documentElement.dataset.theme) state.push(`theme=${document.documentElement.dataset.theme}`);
      state.push(`view=${[x, y].map(Math.round).join(",")},${Math.round(k * 1000) / 1000}`);
      this.written = state.join("&");
      try { history.replaceState(null, "", `#${this.written}`); } catch { /* a frame without an address */ }
    }, 150);
  }

  restore() {
    const state = new URLSearchParams(location.hash.slice(1));
    const theme = state.get("theme"), open = state.get("open"), at = /^([gn])(\d+)$/.exec(state.get("at") || ""), view = (state.get("view") || "").split(",").map(Number);
    if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
    if (open) { this.opened.restore(open); this.view.update(); this.side.update(); this.stage.show(this.view); }
    if (state.has("step")) this.setMoment(Math.round(Number(state.get("step"))) || 0, true);
    if (state.get("heat")) this.setHeat(true);
    if (this.run && state.has("run")) this.run.go(this.run.ends.indexOf(Number(state.get("run"))));
    if (view.length === 3 && view.every(Number.isFinite) && view[2] >= MIN_SCALE && view[2] <= MAX_SCALE) this.stage.camera = { x: view[0], y: view[1], k: view[2] };
    if (at && Number(at[2]) < (at[1] === "g" ? this.model.groups.count : this.model.nodes.count)) this.select(at[1] === "g" ? this.model.item(Number(at[2])) : Number(at[2]));
  }
}

const data = JSON.parse(byId("data").textContent);  // unpacked by the loader
byId("data").textContent = "";
new App(data);
