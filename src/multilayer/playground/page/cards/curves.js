// Loss and score by epoch: training solid, validation dashed.

import { faint, fresh, ink, negative, positive } from "../colours.js";
import { $ } from "../dom.js";

const FONT = "11px system-ui, sans-serif";
const shown = (value) => (Math.abs(value) >= 0.01 || value === 0 ? value.toFixed(2) : value.toExponential(0));

export class Curves {
  constructor() {
    this.charts = [[$("loss-curve"), 1, 2, false], [$("score-curve"), 3, 4, true]];
    this.curve = null;
    this.isShare = true;
    const watch = new ResizeObserver(() => this.draw());
    for (const [canvas] of this.charts) watch.observe(canvas);
  }

  built({ score }) {
    this.isShare = score === "accuracy";
    $("score-title").textContent = this.isShare ? "Accuracy" : "R²";
    this.curve = null;
    this.draw();
  }

  frame({ arrays }) {
    this.curve = arrays.curve;
    this.draw();
  }

  theme() {
    this.draw();
  }

  draw() {
    for (const [canvas, own, heldOut, isScore] of this.charts) {
      this.drawOne(fresh(canvas), own, heldOut, isScore);
    }
  }

  drawOne({ context, width, height }, own, heldOut, isScore) {
    if (!this.curve || !width) return;
    const { shape: [n, k], data } = this.curve;
    const at = (i, column) => data[i * k + column];
    let [low, high] = [isScore && this.isShare ? 0.5 : 0, isScore ? 1 : 0];
    for (let i = 0; i < n; i++) {
      for (const value of [at(i, own), at(i, heldOut)]) {
        if (!Number.isFinite(value)) continue;
        high = Math.max(high, value);
        low = Math.min(low, value);
      }
    }
    if (isScore) low = Math.max(low, -1);
    high = high > low ? high : low + 1;
    const last = n ? at(n - 1, 0) : 1;
    const box = { left: 34, top: 6, right: width - 6, bottom: height - 18 };
    const x = (epoch) => box.left + ((epoch - 0) / Math.max(last, 1)) * (box.right - box.left);
    const y = (value) => box.bottom - ((Math.max(value, low) - low) / (high - low)) * (box.bottom - box.top);
    context.font = FONT;
    context.fillStyle = ink();
    context.strokeStyle = faint();
    context.lineWidth = 1;
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const share of [0, 0.5, 1]) {
      const value = low + share * (high - low);
      const place = Math.round(y(value)) + 0.5;
      context.beginPath();
      context.moveTo(box.left, place);
      context.lineTo(box.right, place);
      context.stroke();
      context.fillText(shown(value), box.left - 5, place);
    }
    context.textBaseline = "top";
    context.fillText(n ? `epoch ${Math.round(last).toLocaleString("en")}` : "epoch 0", box.right, box.bottom + 4);
    for (const [column, colour, dash] of [[own, positive(), []], [heldOut, negative(), [5, 3]]]) {
      context.strokeStyle = colour;
      context.lineWidth = 2;
      context.lineJoin = "round";
      context.setLineDash(dash);
      context.beginPath();
      for (let i = 0; i < n; i++) {
        const value = at(i, column);
        if (Number.isFinite(value)) context.lineTo(x(at(i, 0)), y(value));
      }
      context.stroke();
    }
    context.setLineDash([]);
  }
}
