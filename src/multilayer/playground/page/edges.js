// The edges of the network: one curve for each weight that is shown.

import { faint, fresh, ink, negative, positive } from "./colours.js";

const NEAR = 9; // pixels from a curve within which it is meant

// A weight is named by its layer, its unit, and the input that it multiplies.
export const isSame = (a, b) => a?.layer === b?.layer && a?.unit === b?.unit && a?.input === b?.input;

export class Edges {
  constructor(canvas) {
    this.canvas = canvas;
    this.weights = null; // by layer from 1: { shape, data }
  }

  // `centres` are those of the units by layer, `half` is half a unit's side.
  place(centres, half) {
    Object.assign(this, { centres, half });
  }

  // `isImage` says that the first layer's inputs are pixels: there each unit has one edge, which
  // stands for all of its weights.
  update(arrays, isImage) {
    this.isImage = isImage;
    this.weights = this.centres.map((_, layer) => arrays[`W ${layer}`] ?? null);
  }

  standsForMany({ layer }) {
    return layer === 1 && this.isImage;
  }

  // Where the edges into a layer begin and end.
  span(layer) {
    return [this.centres[layer - 1][0][0] + this.half, this.centres[layer][0][0] - this.half];
  }

  weight({ layer, unit, input }) {
    const { shape, data } = this.weights[layer];
    return data[unit * shape[1] + input];
  }

  // Call a function with each weight that is drawn.
  each(call) {
    for (let layer = 1; layer < this.weights.length; layer++) {
      const [nOut, nIn] = [this.centres[layer].length, this.centres[layer - 1].length];
      for (let unit = 0; unit < nOut; unit++) for (let input = 0; input < nIn; input++) call({ layer, unit, input });
    }
  }

  // `strengthOf` says how strongly a weight is drawn: 0 to 1, or null for as strongly as it is large.
  draw(strengthOf, pointed) {
    const { context } = fresh(this.canvas);
    if (!this.weights || !this.centres) return;
    const largest = this.weights.map((each) => (each ? each.data.reduce((most, w) => Math.max(most, Math.abs(w)), 1e-9) : 0));
    const colourOf = (edge) => (this.standsForMany(edge) ? faint() : this.weight(edge) > 0 ? positive() : negative());
    this.each((edge) => {
      const share = this.standsForMany(edge) ? 0.2 : Math.abs(this.weight(edge)) / largest[edge.layer];
      context.strokeStyle = colourOf(edge);
      context.globalAlpha = strengthOf(edge) ?? 0.15 + 0.6 * share;
      context.lineWidth = 0.6 + 5 * share * Math.min(1, Math.sqrt(largest[edge.layer]));
      this.curve(context, edge);
    });
    context.globalAlpha = 1;
    if (!pointed || this.standsForMany(pointed)) return;
    for (const [colour, width] of [[ink(), 7], [colourOf(pointed), 3.5]]) {
      Object.assign(context, { strokeStyle: colour, lineWidth: width });
      this.curve(context, pointed);
    }
  }

  curve(context, { layer, unit, input }) {
    const [from, to] = this.span(layer);
    const [y0, y1] = [this.centres[layer - 1][input][1], this.centres[layer][unit][1]];
    const middle = (from + to) / 2;
    context.beginPath();
    context.moveTo(from, y0);
    context.bezierCurveTo(middle, y0, middle, y1, to, y1);
    context.stroke();
  }

  // The weight whose curve is nearest to a place, if one is near.
  nearest(x, y) {
    if (!this.weights) return null;
    const layer = this.centres.findIndex((_, k) => k > 0 && x >= this.span(k)[0] && x <= this.span(k)[1]);
    if (layer < 1 || this.standsForMany({ layer })) return null;
    const [from, to] = this.span(layer);
    const t = alongCurve((x - from) / (to - from));
    let [best, least] = [null, NEAR];
    this.each((edge) => {
      if (edge.layer !== layer) return;
      const [y0, y1] = [this.centres[layer - 1][edge.input][1], this.centres[layer][edge.unit][1]];
      const rise = (6 * t * (1 - t) * (y1 - y0)) / ((1.5 - 3 * t + 3 * t * t) * (to - from));
      const distance = Math.abs(y - y0 - (y1 - y0) * t * t * (3 - 2 * t)) / Math.hypot(1, rise);
      if (distance < least) [best, least] = [edge, distance];
    });
    return best;
  }
}

// The parameter at which a curve has come this share of its way across.
function alongCurve(share) {
  let [low, high] = [0, 1];
  for (let i = 0; i < 20; i++) {
    const t = (low + high) / 2;
    if (1.5 * t - 1.5 * t * t + t ** 3 < share) low = t;
    else high = t;
  }
  return low;
}
