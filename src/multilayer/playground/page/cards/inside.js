// Look inside: a unit's formulas, its weights, which can be edited, and the loss's gradients.

import { $, count, element, number } from "../dom.js";
import { typeset } from "../formula.js";

const STEP = 0.1; // of the arrow keys; with Shift 1
const EVERY = 200; // milliseconds between two looks at formulas

const shown = (value) => String(Number(value.toPrecision(5)));

export class Inside {
  constructor(app) {
    this.app = app;
    this.hint = $("unit").firstElementChild;
    this.wanted = null; // the input whose weight is to have the focus
    this.rows = [];
    this.key = "";
    this.typesetAt = 0;
  }

  onSelect({ layer, unit, input }) {
    this.app.say("select", { layer, unit });
    this.wanted = input === null ? null : { layer, unit, input };
    if (this.key === this.keyOf({ layer, unit })) this.focus();
  }

  onBuilt() {
    this.key = "";
  }

  onFrame({ unit, is_playing: isPlaying }) {
    if (!unit) {
      this.key = "";
      if (!this.hint.isConnected) $("unit").replaceChildren(this.hint);
      return;
    }
    const isNew = this.key !== this.keyOf(unit);
    if (isNew) this.build(unit);
    unit.weights.forEach((w, i) => this.fill(this.rows[i], w, unit.weight_gradients[i]));
    if (unit.bias !== null) this.fill(this.rows.at(-1), unit.bias, unit.bias_gradient);
    this.loss.textContent = `J = ${number(unit.loss)}`;
    const now = performance.now();
    if (isNew || !isPlaying || now - this.typesetAt > EVERY) {
      this.typesetAt = now;
      [...unit.rules, ...unit.numbers].forEach((tex, i) => typeset(this.formulas[i], tex));
      this.sample.textContent = `With the numbers of sample ${unit.sample + 1}:`;
    }
    if (isNew) this.focus();
  }

  keyOf({ layer, unit }) {
    return `${layer},${unit}`;
  }

  build(unit) {
    const { built } = this.app;
    this.key = this.keyOf(unit);
    const isOutput = unit.layer === built.widths.length - 1;
    const names = unit.layer === 1 ? built.inputs : Array.from({ length: unit.n_weights }, (_, i) => `layer ${unit.layer - 1}, unit ${i + 1}`);
    const title = element("p", "unit-name", isOutput ? `Output ${unit.unit + 1}` : `Hidden layer ${unit.layer}, unit ${unit.unit + 1}`);
    this.sample = element("p", "hint");
    this.formulas = [...unit.rules, ...unit.numbers].map(() => element("div", "formula"));
    const box = element("div", "formulas");
    box.tabIndex = 0;
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", "Formulas of this unit");
    box.append(...this.formulas.slice(0, unit.rules.length), this.sample, ...this.formulas.slice(unit.rules.length));
    this.loss = element("b");
    const loss = element("p", "hint");
    loss.append(this.loss, `, the loss on ${count(unit.n_samples)} training samples with these weights, penalty included.`);
    const parts = [title, box, this.table(unit, names)];
    if (unit.n_weights > unit.weights.length) parts.push(element("p", "hint", `and ${count(unit.n_weights - unit.weights.length)} more weights`));
    parts.push(loss);
    $("unit").replaceChildren(...parts);
  }

  table(unit, names) {
    const table = element("table");
    const head = table.createTHead().insertRow();
    for (const text of ["from", "weight", "gradient"]) head.append(Object.assign(element("th", "", text), { scope: "col" }));
    const body = table.createTBody();
    const add = (name, input) => {
      const row = body.insertRow();
      row.append(Object.assign(element("th", "", name), { scope: "row" }));
      const editor = this.editor({ layer: unit.layer, unit: unit.unit, input }, name);
      row.insertCell().append(editor);
      return { editor, gradient: row.insertCell() };
    };
    this.rows = unit.weights.map((_, i) => add(names[i] ?? `input ${i + 1}`, i));
    if (unit.bias !== null) this.rows.push(add("bias", null));
    return table;
  }

  // A number that can be typed, or stepped with the arrow keys.
  editor(place, name) {
    const input = element("input");
    Object.assign(input, { type: "number", step: "any", min: -1e6, max: 1e6 });
    input.setAttribute("aria-label", place.input === null ? "bias" : `weight from ${name}`);
    input.dataset.input = place.input;
    const set = () => {
      const value = input.valueAsNumber;
      if (input.value === input.sent || !input.validity.valid || Number.isNaN(value)) return this.restore(input);
      input.sent = input.value;
      this.app.say("edit", { ...place, value });
    };
    input.onfocus = () => {
      input.sent = input.value;
      this.app.pass("weight", place.input === null ? null : place);
    };
    input.onblur = () => {
      set();
      this.app.pass("weight", null);
    };
    input.onkeydown = (event) => {
      const sign = { ArrowUp: 1, ArrowDown: -1 }[event.key];
      if (event.key === "Enter") set();
      else if (event.key === "Escape") this.restore(input);
      else if (sign) {
        input.value = shown((input.valueAsNumber || 0) + sign * STEP * (event.shiftKey ? 10 : 1));
        set();
      } else return;
      event.preventDefault();
    };
    return input;
  }

  restore(input) {
    input.value = input.sent = input.now;
  }

  fill({ editor, gradient }, value, slope) {
    editor.now = value === null ? "" : shown(value);
    // What is being typed stays.
    if (document.activeElement !== editor) editor.value = editor.now;
    gradient.textContent = number(slope);
  }

  focus() {
    if (!this.wanted || this.key !== this.keyOf(this.wanted)) return;
    const { editor } = this.rows[this.wanted.input] ?? {};
    this.wanted = null;
    editor?.focus();
    editor?.select();
  }
}
