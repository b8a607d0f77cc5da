// The output's picture as a table of numbers, for those who cannot see it.

import { $, element, minus } from "../dom.js";

const N_PLACES = 5; // along each axis
const EVERY = 1000; // milliseconds, at least: a table that flickers cannot be read

const percent = (share) => `${Math.round(100 * share)} %`;
const short = (value) => minus(value.toFixed(2));

export class Numbers {
  constructor(app) {
    this.app = app;
    this.last = 0;
    $("as-numbers").ontoggle = () => this.show();
  }

  onBuilt() {
    this.output = null;
    this.last = 0;
  }

  onFrame({ arrays, is_playing }) {
    this.output = arrays.output;
    const now = performance.now();
    if (is_playing && now - this.last < EVERY) return;
    this.last = now;
    this.show();
  }

  show() {
    if (!$("as-numbers").open || !this.output) return;
    const { axes, low, high, target } = this.app.built;
    const isLine = axes.length === 1;
    const n = this.output.shape.at(-1);
    const places = Array.from({ length: N_PLACES }, (_, i) => Math.round(((i + 0.5) / N_PLACES) * n - 0.5));
    const at = (axis, place) => short(low[axis] + ((place + 0.5) / n) * (high[axis] - low[axis]));
    const rows = isLine ? [0] : places;
    const table = element("table");
    table.createCaption().textContent = isLine ? `${target} by ${axes[0]}` : `${axes[0]} across, ${axes[1]} down`;
    const head = table.createTHead().insertRow();
    head.append(element("td"), ...places.map((place) => Object.assign(element("th", "", at(0, place)), { scope: "col" })));
    const body = table.createTBody();
    for (const row of rows) {
      const cells = body.insertRow();
      cells.append(Object.assign(element("th", "", isLine ? target : at(1, n - 1 - row)), { scope: "row" }));
      for (const column of places) cells.insertCell().textContent = this.said(isLine ? column : row * n + column);
    }
    $("as-numbers").querySelector("table").replaceWith(table);
  }

  // What the network says at a place of its output's pictures, one for each class or value.
  said(place) {
    const { task, classes, axes, values: [low, high] } = this.app.built;
    const { shape, data } = this.output;
    const size = data.length / shape[0];
    const most = axes.length > 1 ? 255 : 1; // over the plane, bytes
    const all = Array.from({ length: shape[0] }, (_, i) => data[i * size + place] / most);
    if (task === "regression") return short(axes.length > 1 ? low + all[0] * (high - low) : all[0]);
    const best = all.indexOf(Math.max(...all));
    return `${classes[best]}, ${percent(all[best])}`;
  }
}
