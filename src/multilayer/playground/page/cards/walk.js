// Walk through one sample: the chain rule, step by step, with what it is about lit on the stage.

import { $, count, element, number } from "../dom.js";
import { typeset } from "../formula.js";

const SYMBOLS = { loss: "ℓ", da: "∂ℓ/∂a", dz: "∂ℓ/∂z", du: "∂ℓ/∂u", dW: "∂ℓ/∂b", update: "w" };

export class Walk {
  constructor(app) {
    this.app = app;
    this.steps = null;
    this.place = 0;
    const moves = {
      "walk-first": () => 0,
      "walk-back": () => this.place - 1,
      "walk-next": () => this.place + 1,
      "walk-last": () => this.steps.length - 1,
      "walk-place": () => $("walk-place").valueAsNumber,
    };
    for (const [id, to] of Object.entries(moves)) $(id)[id === "walk-place" ? "oninput" : "onclick"] = () => this.go(to());
    $("sample-before").onclick = () => this.choose(this.steps ? this.chosen - 1 : 0);
    $("sample-after").onclick = () => this.choose(this.steps ? this.chosen + 1 : 0);
    $("walk-anew").onclick = () => this.choose(this.chosen);
    $("walk-end").onclick = () => this.end();
    $("walk").addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    if (!this.steps || event.target.matches("input, .formulas") || event.ctrlKey || event.metaKey || event.altKey) return;
    const id = { ArrowLeft: "walk-back", ArrowRight: "walk-next", Home: "walk-first", End: "walk-last" }[event.key];
    if (!id) return;
    event.preventDefault();
    $(id).click();
  }

  get nSamples() {
    return this.app.built.arrays.points.shape[0];
  }

  choose(sample) {
    if (this.app.built) this.app.say("walk", { sample: (sample + this.nSamples) % this.nSamples });
  }

  // A sample was clicked in the output picture.
  onPick(sample) {
    this.choose(sample);
  }

  onBuilt() {
    this.end();
  }

  end() {
    if (this.steps && $("walk-open").contains(document.activeElement)) $("sample-after").focus();
    this.steps = null;
    $("walk-open").hidden = true;
    $("walk-hint").hidden = false;
    this.app.pass("lit", null);
  }

  onWalk(walk) {
    const isSame = this.steps && this.chosen === walk.sample; // the same sample, with other weights
    const place = isSame ? this.place : 0;
    Object.assign(this, { steps: walk.steps, chosen: walk.sample, moment: walk });
    $("walk-open").hidden = false;
    $("walk-hint").hidden = true;
    $("walk-sample").textContent = this.nameOf(walk);
    $("walk-place").max = walk.steps.length - 1;
    $("walk-notes").replaceChildren(...walk.notes.map((note) => element("li", "", note)));
    this.showAge(walk);
    this.go(place);
  }

  nameOf({ sample, inputs }) {
    const { built } = this.app;
    const [, , code, isHeldOut] = built.arrays.points.data.subarray(4 * sample, 4 * sample + 4);
    const shown = inputs.slice(0, 2).map((x, i) => `${built.inputs[i]} = ${number(x)}`);
    if (built.widths[0] > 2) shown.push("…");
    const answer = built.task === "regression" ? `${built.target} = ${number(code)}` : built.classes[code];
    return `${isHeldOut ? "◆ Validation" : "● Training"} sample ${count(sample + 1)}: ${built.side ? "" : `${shown.join(", ")}; `}${answer}`;
  }

  go(place) {
    this.place = Math.min(Math.max(place, 0), this.steps.length - 1);
    const step = this.steps[this.place];
    const text = `${this.place + 1} of ${this.steps.length}`;
    $("walk-place").value = this.place;
    $("walk-place").setAttribute("aria-valuetext", `step ${text}`);
    $("walk-count").textContent = text;
    // Not disabled, so that they keep the focus at either end.
    for (const [id, is] of [["first", !this.place], ["back", !this.place], ["next", this.place === this.steps.length - 1], ["last", this.place === this.steps.length - 1]]) {
      $(`walk-${id}`).setAttribute("aria-disabled", is);
    }
    $("walk-part").textContent = this.partOf(step);
    $("walk-words").textContent = step.words;
    typeset($("walk-rule"), step.rule);
    typeset($("walk-numbers"), step.numbers);
    this.app.pass("lit", { ...step, text: this.textOf(step), reached: this.reached() });
  }

  partOf({ kind, layer, unit, is_back: isBack }) {
    const { widths } = this.app.built;
    if (kind === "loss") return "The loss";
    if (kind === "update") return "The update";
    const isOutput = layer === widths.length - 1;
    const of = isOutput ? `output${widths.at(-1) > 1 ? ` ${unit + 1}` : ""}` : `hidden layer ${layer}, unit ${unit + 1}`;
    return `${isBack ? "← Back" : "→ Forward"}: ${of}`;
  }

  textOf({ kind, layer, value }) {
    const isOutput = layer === this.app.built.widths.length - 1;
    const output = this.app.built.task === "regression" ? "ŷ" : "p";
    const symbol = (SYMBOLS[kind] ?? kind).replace(/a$/, isOutput ? output : "a");
    return `${symbol} = ${number(value)}`;
  }

  // The units that this walk has been to, on its way forward, or on its way back.
  reached() {
    const { is_back: isBack } = this.steps[this.place];
    const before = this.steps.slice(0, this.place + 1).filter((step) => step.is_back === isBack);
    return new Set(before.map(({ layer, unit }) => `${layer},${unit}`));
  }

  onFrame(frame) {
    if (this.steps) this.showAge(frame);
  }

  // How much training there has been since the numbers of the walk were taken.
  showAge({ epoch, step, n_edits: nEdits }) {
    const { moment } = this;
    const at = ({ epoch: e, step: s }) => `epoch ${count(e)}${s ? `, step ${count(s)}` : ""}`;
    const later = [];
    if (epoch !== moment.epoch || step !== moment.step) later.push(`training is now at ${at({ epoch, step })}`);
    if (nEdits !== moment.n_edits) later.push("a weight has been edited since");
    $("walk-age").textContent = `${[`The weights are those of ${at(moment)}`, ...later].join("; ")}.`;
    $("walk-anew").hidden = !later.length;
  }
}
