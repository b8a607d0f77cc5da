// The output over the plane, or over a line, with the samples on it.

import { classColour, faint, fresh, ink, negative, paintClasses, paintValues, picture, positive } from "./colours.js";
import { REACH } from "./state.js";

const NEAR = 14; // pixels from a sample within which it is meant

export class Plot {
  // `onPoint` takes the place of a point that is drawn; `onSample` the number of one that is clicked.
  constructor(canvas, onPoint, onSample) {
    Object.assign(this, { canvas, onPoint, onSample });
    this.ringed = null; // the number of the sample that is marked
    this.image = document.createElement("canvas");
    this.built = this.frame = this.cursor = null;
    this.asRegions = false;
    this.showsHeldOut = true;
    this.unit = null; // a hidden layer and unit to show in place of the output
    this.drawsPoints = false;
    this.points = []; // x, y between 0 and 1, class or value, whether held out
    canvas.addEventListener("pointerdown", (event) => this.click(event));
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => this.move(null));
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  show(built) {
    this.built = built;
    this.frame = this.ringed = null;
    const { data } = built.arrays.points;
    this.points = [];
    for (let i = 0; i < data.length; i += 4) this.points.push(data.subarray(i, i + 4));
  }

  // Show points that were drawn by hand, before the server has them.
  showDrawn(points) {
    this.points = points.map(([x, y, c]) => [(x + REACH) / (2 * REACH), (y + REACH) / (2 * REACH), c, 0]);
    this.draw();
  }

  update(frame) {
    this.frame = frame;
    this.draw();
  }

  get isLine() {
    return this.built?.axes.length === 1;
  }

  colourOf(code) {
    if (this.built?.task !== "regression" || this.drawsPoints) return classColour(code);
    const [low, high] = this.built.values;
    return code < (low + high) / 2 ? negative() : positive();
  }

  draw() {
    const { context, width, height } = fresh(this.canvas);
    if (!width) return;
    if (this.isLine) return this.drawLine(context, width, height);
    if (this.frame) this.drawImage(context, width, height);
    this.drawZero(context, width, height);
    for (const point of this.shownPoints()) {
      this.drawPoint(context, ...this.placeOf(point, width, height), this.fill(point[2]), point[3]);
    }
    this.drawRing(context, width, height);
    if (this.cursor) {
      const [x, y] = [this.cursor[0] * width, (1 - this.cursor[1]) * height];
      context.strokeStyle = ink();
      context.lineWidth = 1.5;
      context.beginPath();
      context.moveTo(x - 9, y);
      context.lineTo(x + 9, y);
      context.moveTo(x, y - 9);
      context.lineTo(x, y + 9);
      context.stroke();
    }
  }

  // Whether it shows a unit's weights, which lie over the pixels of an image.
  get isOfWeights() {
    return this.unit?.layer === 1 && this.built.side > 0;
  }

  shownPoints() {
    if (this.isOfWeights) return [];
    return this.showsHeldOut ? this.points : this.points.filter(([, , , isHeldOut]) => !isHeldOut);
  }

  fill(code) {
    if (this.built?.task !== "regression" || this.drawsPoints) return this.colourOf(code);
    const [low, high] = this.built.values;
    const share = Math.abs((2 * (code - low)) / (high - low || 1) - 1);
    return `color-mix(in srgb, ${this.colourOf(code)} ${Math.round(100 * share)}%, ${picture()})`;
  }

  drawImage(context, width, height) {
    const { shape, data } = this.frame.arrays[this.unit ? `units ${this.unit.layer}` : "output"];
    const [n, rows, columns] = shape;
    Object.assign(this.image, { width: columns, height: rows });
    const inner = this.image.getContext("2d");
    const pixels = inner.createImageData(columns, rows);
    if (this.unit) {
      paintValues(pixels.data, data, this.unit.unit * rows * columns, true);
    } else if (this.built.task === "regression") {
      paintValues(pixels.data, data, 0, true);
    } else if (n === 2) {
      const own = data.subarray(rows * columns);
      paintValues(pixels.data, this.asRegions ? own.map((p) => (p > 127 ? 240 : 15)) : own, 0, true);
    } else {
      paintClasses(pixels.data, data, n, this.asRegions);
    }
    inner.putImageData(pixels, 0, 0);
    context.imageSmoothingEnabled = !this.isOfWeights;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.image, 0, 0, width, height);
  }

  drawZero(context, width, height) {
    if (!this.built?.is_to_scale) return;
    const [[x0, y0], [x1, y1]] = [this.built.low, this.built.high];
    context.strokeStyle = faint();
    context.lineWidth = 1;
    context.setLineDash([2, 4]);
    context.beginPath();
    const [x, y] = [Math.round((-x0 / (x1 - x0)) * width) + 0.5, Math.round((y1 / (y1 - y0)) * height) + 0.5];
    context.moveTo(x, 0);
    context.lineTo(x, height);
    context.moveTo(0, y);
    context.lineTo(width, y);
    context.stroke();
    context.setLineDash([]);
  }

  // A training sample is a disc, and a validation sample a smaller diamond.
  drawPoint(context, x, y, colour, isHeldOut) {
    const size = this.points.length > 700 ? 2.6 : 3.8;
    context.beginPath();
    if (isHeldOut) {
      const d = size + 0.8;
      context.moveTo(x, y - d);
      context.lineTo(x + d, y);
      context.lineTo(x, y + d);
      context.lineTo(x - d, y);
      context.closePath();
    } else {
      context.arc(x, y, size, 0, 7);
    }
    context.fillStyle = colour;
    context.fill();
    context.lineWidth = 1.3;
    context.strokeStyle = isHeldOut ? "#101820" : "#ffffff";
    context.stroke();
  }

  // Where a point is drawn; over a line, at its value, or at its class.
  placeOf([x, y, code], width, height) {
    if (!this.isLine) return [x * width, (1 - y) * height];
    const [low, high] = this.range();
    const value = this.built.task === "regression" ? code : code / Math.max(1, this.built.classes.length - 1);
    return [x * width, (1 - (value - low) / (high - low)) * height];
  }

  // The values at the lower and the upper edge, over a line.
  range() {
    const [least, most] = this.built.task === "regression" ? this.built.values : [0, 1];
    const margin = 0.15 * (most - least || 1);
    return [least - margin, most + margin];
  }

  ring(sample) {
    this.ringed = sample;
    this.draw();
  }

  drawRing(context, width, height) {
    const point = this.points[this.ringed];
    if (!point) return;
    const [x, y] = this.placeOf(point, width, height);
    for (const [colour, line] of [[picture(), 6], [ink(), 2.5]]) {
      context.strokeStyle = colour;
      context.lineWidth = line;
      context.beginPath();
      context.arc(x, y, 10, 0, 7);
      context.stroke();
    }
  }

  // Over a line: values, or the probability of each class, as curves.
  drawLine(context, width, height) {
    const isRegression = this.built.task === "regression";
    const [low, high] = this.range();
    const place = (value) => (1 - (value - low) / (high - low)) * height;
    context.strokeStyle = faint();
    context.setLineDash([2, 4]);
    context.beginPath();
    context.moveTo(0, place(0));
    context.lineTo(width, place(0));
    context.stroke();
    context.setLineDash([]);
    for (const point of this.shownPoints()) {
      const colour = isRegression ? negative() : this.fill(point[2]);
      this.drawPoint(context, ...this.placeOf(point, width, height), colour, point[3]);
    }
    this.drawRing(context, width, height);
    if (!this.frame) return;
    if (this.unit) return this.drawUnit(context, width, height);
    const { shape: [n, columns], data } = this.frame.arrays.output;
    for (let c = 0; c < n; c++) {
      context.beginPath();
      for (let i = 0; i < columns; i++) context.lineTo(((i + 0.5) / columns) * width, place(data[c * columns + i]));
      context.strokeStyle = isRegression ? positive() : classColour(c);
      context.lineWidth = 3;
      context.stroke();
    }
  }

  // Over a line: a unit, from −1 to 1 of the largest in its layer.
  drawUnit(context, width, height) {
    const { shape, data } = this.frame.arrays[`units ${this.unit.layer}`];
    const columns = shape.at(-1);
    context.beginPath();
    for (let i = 0; i < columns; i++) context.lineTo(((i + 0.5) / columns) * width, (1 - data[this.unit.unit * columns + i] / 255) * height);
    context.strokeStyle = ink();
    context.lineWidth = 3;
    context.stroke();
  }

  click(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    if (this.drawsPoints) return this.add([x / box.width, 1 - y / box.height]);
    const distances = this.points.map((point) => {
      const [px, py] = this.placeOf(point, box.width, box.height);
      return Math.hypot(px - x, py - y);
    });
    const least = Math.min(...distances);
    if (least < NEAR) this.onSample(distances.indexOf(least));
  }

  add([x, y]) {
    this.onPoint(2 * REACH * x - REACH, 2 * REACH * y - REACH);
  }

  key(event) {
    if (!this.drawsPoints) return;
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (event.key in moves) {
      const [dx, dy] = moves[event.key].map((d) => d * (event.shiftKey ? 0.1 : 0.02));
      const [x, y] = this.cursor ?? [0.5, 0.5];
      this.move([Math.min(Math.max(x + dx, 0), 1), Math.min(Math.max(y + dy, 0), 1)]);
    } else if (event.key === "Enter") {
      this.add(this.cursor ?? [0.5, 0.5]);
    } else {
      return;
    }
    event.preventDefault();
  }

  move(cursor) {
    this.cursor = cursor;
    this.draw();
  }
}
