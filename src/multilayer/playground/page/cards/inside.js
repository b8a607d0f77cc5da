// Look inside: a unit's weights, its bias, and the loss's gradient in each.

import { $, count, element } from "../dom.js";

const minus = (text) => text.replaceAll("-", "−");
const shown = (value) => minus(value === null ? "–" : value === 0 ? "0" : Math.abs(value) < 0.001 || Math.abs(value) >= 1e4 ? value.toExponential(2) : value.toFixed(4));

export class Inside {
  constructor(app) {
    this.app = app;
  }

  frame({ unit }) {
    if (unit) this.show(unit, this.app.built);
  }

  show(unit, built) {
    const last = built.widths.length - 1;
    const isOutput = unit.layer === last;
    const names = unit.layer === 1 ? built.inputs : Array.from({ length: unit.n_weights }, (_, i) => `layer ${unit.layer - 1}, unit ${i + 1}`);
    const title = element("p", "unit-name", isOutput ? `Output ${unit.unit + 1}` : `Hidden layer ${unit.layer}, unit ${unit.unit + 1}`);
    const z = unit.normalization ? `${unit.normalization} norm(w · h + b)` : "w · h + b";
    const parts = [title, element("p", "formula", `a = ${unit.function}(z),  z = ${z}`)];
    if (unit.formula) parts.push(element("p", "hint", `${unit.function}(z) = ${unit.formula}`));
    parts.push(this.table(unit, names));
    if (unit.n_weights > unit.weights.length) parts.push(element("p", "hint", `and ${count(unit.n_weights - unit.weights.length)} more weights`));
    $("unit").replaceChildren(...parts);
  }

  table(unit, names) {
    const table = element("table");
    const head = table.createTHead().insertRow();
    for (const text of ["from", "weight", "gradient"]) head.append(Object.assign(element("th", "", text), { scope: "col" }));
    const body = table.createTBody();
    const add = (name, value, gradient) => {
      const row = body.insertRow();
      row.append(Object.assign(element("th", "", name), { scope: "row" }));
      for (const each of [value, gradient]) {
        const cell = row.insertCell();
        cell.textContent = shown(each);
        cell.className = each > 0 ? "up" : each < 0 ? "down" : "";
      }
    };
    unit.weights.forEach((w, i) => add(names[i] ?? `input ${i + 1}`, w, unit.weight_gradients[i]));
    if (unit.bias !== null) add("bias", unit.bias, unit.bias_gradient);
    return table;
  }
}
