// A second picture beside the first: another recorded call, or this one before backward, under the same camera.
import { byId, h } from "./dom.js";
import { Stage } from "./draw.js";
import { Model, Moment } from "./model.js";
import { Opened, View } from "./view.js";

export class Beside {
  /** @param {Stage} first @param {Opened} opened @param {any} data */
  constructor(first, opened, data) {
    this.first = first; this.opened = opened; this.data = data;
    /** @type {Stage | null} */
    this.second = null;
    this.copy = opened;
    this.isBefore = false;
    const choice = byId("beside"), others = data.others || [];
    choice.append(h("option", { value: "" }, "Alone"), ...(data.ran && data.nodes.count ? [h("option", { value: "before" }, "Before | after")] : []),
      ...others.map((/** @type {any} */ other, /** @type {number} */ k) => h("option", { value: String(k) }, `Call ${data.call.index} | ${other.index}`)));
    choice.hidden = choice.childElementCount < 2;
    first.follower = () => this.follow();
  }

  /** @param {string} what */
  show(what) {
    const other = what === "before" ? {} : this.data.others[Number(what)];
    this.second = null;
    this.isBefore = what === "before";
    for (const [name, is] of [["two", what !== ""], ["before", this.isBefore], ["rows", !this.first.model.isDown]]) byId("stage").parentElement.classList.toggle(String(name), Boolean(is));
    byId("stage-2").replaceChildren();
    byId("half-1").textContent = `call ${this.data.call.index}`;
    byId("half-2").textContent = this.isBefore ? "before backward" : other ? `call ${other.index}` : "";
    if (!what) return;
    const model = this.isBefore ? this.first.model : new Model({ ...this.data, ...other });
    this.copy = this.isBefore ? this.opened : new Opened(model);
    this.second = new Stage(byId("stage-2"), model, this.isBefore ? this.first.view : new View(model, this.copy));
    this.follow();
  }

  /** Show what the first picture shows. */
  follow() {
    const { first, second } = this;
    if (!second) return;
    if (this.isBefore) byId("half-1").textContent = byId("moment").textContent;
    if (this.copy.text() !== this.opened.text()) { this.copy.restore(this.opened.text()); second.view.update(); }
    const range = [first.view.range, second.view.range];
    second.view.range = [Math.min(range[0][0], range[1][0]), Math.max(range[0][1], range[1][1])];
    Object.assign(second, { heat: first.heat, selected: first.selected, lit: first.lit, moment: new Moment(second.model, this.isBefore ? 0 : first.moment.step), camera: first.camera, drawn: first.isFresh ? null : second.drawn });
    second.draw();
  }
}
