// What the layers of one training do, over its epochs: a row of small pictures for each layer.

import { faint, fresh, negative, positive } from "../colours.js";
import { $, count, element, number } from "../dom.js";

const percent = (value) => (value === null ? "–" : `${Math.round(100 * value)} %`);
const PICTURES = [
  { title: "Activations: mean ± spread", of: ["activation_mean", "activation_std"], draw: drawSpread, text: ([mean, spread]) => `${number(mean)} ± ${number(spread)}` },
  { title: "Dead or saturated units", of: ["dead", "saturated"], draw: drawShares, text: ([dead, saturated]) => percent(Math.max(dead, saturated)) },
  { title: "Weights: norm", of: ["weight_norm"], draw: drawLine, text: ([norm]) => number(norm) },
  { title: "Gradient: norm", of: ["gradient_norm"], draw: drawLog, text: ([norm]) => number(norm) },
  { title: "Update to weight", of: ["update_ratio"], draw: drawLog, text: ([ratio]) => number(ratio) },
];

export class Layers {
  constructor() {
    this.cells = [];
    new ResizeObserver(() => this.draw()).observe($("layers"));
  }

  show(_, own) {
    const names = own?.about.layer_names ?? [];
    const n = own?.layer_epochs.length ?? 0;
    $("layers-of").textContent = n ? `${own.name}, epochs ${count(own.layer_epochs[0])} to ${count(own.layer_epochs[n - 1])}` : "";
    $("no-layers").hidden = !own || n > 0;
    $("no-layers").textContent = names.length ? "They are measured after the first epoch." : "They are not recorded for an ensemble, nor for a network with custom parts.";
    this.own = n ? own : null;
    const key = n ? names.join("\n") : "";
    if (key !== this.key) {
      this.key = key;
      this.build(n ? names : []);
    }
    this.draw();
  }

  build(names) {
    const grid = element("div", "layers");
    if (names.length) grid.append(element("span", "head"), ...PICTURES.map(({ title }) => element("span", "head", title)));
    this.cells = names.map((name) => {
      const row = element("div", "layer");
      row.append(element("h3", "", name));
      return PICTURES.map((picture) => {
        const cell = element("div", "cell");
        const canvas = element("canvas");
        canvas.setAttribute("role", "img");
        const value = element("b", "value");
        const line = element("span");
        line.append(element("span", "what", picture.title), value);
        cell.append(canvas, line);
        row.append(cell);
        grid.append(row);
        return { canvas, value, picture, name };
      });
    });
    $("layers").replaceChildren(grid);
  }

  draw() {
    if (!this.own) return;
    const { measures, layer_epochs: epochs } = this.own;
    for (const [i, row] of this.cells.entries()) {
      for (const { canvas, value, picture, name } of row) {
        const curves = picture.of.map((measure) => measures[measure]?.[i] ?? []);
        const text = picture.text(curves.map((curve) => curve.at(-1) ?? null));
        value.textContent = text;
        canvas.setAttribute("aria-label", `${picture.title} of ${name}: ${text}`);
        const place = fresh(canvas);
        if (place.width) picture.draw(place, epochs, curves);
      }
    }
  }
}

// A box to draw in: where epochs and values lie.
function scale({ width, height }, epochs, low, high) {
  const [first, last] = [epochs[0], epochs.at(-1)];
  const x = (epoch) => 4 + ((epoch - first) / Math.max(last - first, 1)) * (width - 8);
  const y = (value) => height - 4 - ((value - low) / (high - low || 1)) * (height - 8);
  return { x, y };
}

function line(context, epochs, values, { x, y }, colour) {
  context.strokeStyle = context.fillStyle = colour;
  context.lineWidth = 1.75;
  context.lineJoin = "round";
  context.beginPath();
  let isDown = false;
  values.forEach((value, i) => {
    if (value === null) isDown = false;
    else if (isDown) context.lineTo(x(epochs[i]), y(value));
    else context.moveTo(x(epochs[i]), y(value));
    isDown = value !== null;
  });
  context.stroke();
  if (values.length === 1 && values[0] !== null) context.fillRect(x(epochs[0]) - 2, y(values[0]) - 2, 4, 4);
}

const known = (values) => values.filter((value) => value !== null);

function drawSpread(place, epochs, [means, spreads]) {
  const sides = [-1, 1].map((sign) => means.map((mean, i) => (mean === null || spreads[i] === null ? null : mean + sign * spreads[i])));
  const all = known(sides.flat());
  if (!all.length) return;
  const to = scale(place, epochs, Math.min(...all, 0), Math.max(...all, 0));
  const { context } = place;
  context.fillStyle = positive();
  context.globalAlpha = 0.22;
  context.beginPath();
  const points = epochs.map((epoch, i) => [to.x(epoch), sides[0][i], sides[1][i]]).filter(([, low]) => low !== null);
  for (const [x, low] of points) context.lineTo(x, to.y(low));
  for (const [x, , high] of points.reverse()) context.lineTo(x, to.y(high));
  context.fill();
  context.globalAlpha = 1;
  context.fillStyle = faint();
  context.fillRect(0, Math.round(to.y(0)), place.width, 1);
  line(context, epochs, means, to, positive());
}

function drawShares(place, epochs, curves) {
  const to = scale(place, epochs, 0, 1);
  for (const curve of curves) {
    if (curve.some((value) => value > 0) || curve === curves[0]) line(place.context, epochs, curve, to, negative());
  }
}

function drawLine(place, epochs, [values]) {
  const all = known(values);
  if (all.length) line(place.context, epochs, values, scale(place, epochs, Math.min(0, ...all), Math.max(...all)), positive());
}

// On a logarithmic scale, of at least a power of ten.
function drawLog(place, epochs, [values]) {
  const logs = values.map((value) => (value > 0 ? Math.log10(value) : null));
  const all = known(logs);
  if (!all.length) return;
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const more = Math.max(0, 1 - (high - low)) / 2;
  line(place.context, epochs, logs, scale(place, epochs, low - more, high + more), positive());
}
