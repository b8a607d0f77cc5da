// The network, layer by layer: each unit with a picture of what it computes, edges by weight.

import { faint, fresh, negative, paintInk, paintValues, positive } from "./colours.js";
import { element } from "./dom.js";

const STATES = ["", "dead", "saturated"];
const HEAD = 74; // pixels above the units, for a layer's own controls
const FOOT = 26; // below them, for what is not shown

export class Stage {
  // `onChange` takes hidden widths and activations; `onSelect` a layer and a unit, and so does
  // `onLook`, for the unit that is pointed at, or null.
  constructor(root, edges, onChange, onSelect, onLook) {
    Object.assign(this, { root, edges, onChange, onSelect, onLook });
    this.units = []; // by layer: the buttons of the units that are shown
    this.selected = null;
    this.frame = null;
    new ResizeObserver(() => this.place()).observe(root.parentElement);
  }

  build(built, activations) {
    this.built = built;
    this.frame = null;
    const focused = document.activeElement?.dataset?.key;
    for (const each of [...this.root.children]) if (each !== this.edges) each.remove();
    this.heads = [];
    this.feet = [];
    this.units = built.widths.map((width, layer) => this.layer(layer, width, activations));
    this.place();
    if (focused) this.root.querySelector(`[data-key="${focused}"]`)?.focus();
    this.mark();
  }

  layer(layer, width, activations) {
    const { built } = this;
    const isHidden = layer > 0 && layer < built.widths.length - 1;
    const head = element("div", "layer-head");
    if (isHidden) {
      this.fillHead(head, layer - 1, activations);
    } else {
      head.append(element("span", "layer-name", layer ? "output" : "inputs"));
    }
    this.root.append(head);
    this.heads.push(head);
    const isImage = layer === 0 && built.side > 0;
    const n = isImage ? 1 : Math.min(width, built.shown);
    const foot = element("span", "layer-foot", isImage ? `${built.side} × ${built.side} pixels` : width > n ? `+ ${(width - n).toLocaleString("en")} more` : "");
    this.root.append(foot);
    this.feet.push(foot);
    return Array.from({ length: n }, (_, i) => this.unit(layer, i, isHidden));
  }

  fillHead(head, index, activations) {
    const { hidden, activation } = this.built.settings;
    const of = `hidden layer ${index + 1}`;
    const stepper = element("div", "stepper");
    stepper.setAttribute("role", "group");
    stepper.setAttribute("aria-label", `Units of ${of}`);
    for (const [sign, step, word] of [["−", -1, "fewer"], ["+", 1, "more"]]) {
      const button = element("button", "", sign);
      button.setAttribute("aria-label", `One unit ${word} in ${of}`);
      button.dataset.key = `${index}${sign}`;
      button.disabled = hidden[index] + step < 1;
      button.onclick = () => {
        const widths = [...hidden];
        widths[index] += step;
        this.onChange(widths, activation);
      };
      stepper.append(button);
      if (step < 0) stepper.append(element("span", "", hidden[index].toLocaleString("en")));
    }
    const select = element("select", "");
    select.setAttribute("aria-label", `Activation of ${of}`);
    select.dataset.key = `${index}a`;
    for (const name of activations) select.append(new Option(name, name, false, name === activation[index]));
    select.onchange = () => this.onChange(hidden, activation.map((a, i) => (i === index ? select.value : a)));
    head.append(stepper, select);
  }

  unit(layer, index, isHidden) {
    const { built } = this;
    const isInput = layer === 0;
    const button = element(isInput ? "div" : "button", `unit${isInput ? " input" : ""}`);
    const last = built.widths.length - 1;
    const isImage = isInput && built.side > 0;
    if ((isInput && !isImage) || layer === last) {
      const names = isInput ? built.inputs : built.classes.length > 2 ? built.classes : [built.classes.at(-1) ?? built.target];
      const label = element("span", "unit-label", names[index] ?? "");
      label.title = label.textContent;
      button.append(label);
      button.name = names[index];
    }
    const hasPicture = !isInput || isImage || (built.is_to_scale && built.axes.length > 1);
    if (hasPicture) {
      const canvas = element("canvas", built.side && layer < 2 ? "pixels" : "");
      button.prepend(canvas);
      button.picture = canvas;
      if (isInput) this.paintInput(canvas, index);
    } else {
      button.classList.add("text");
    }
    if (!isInput) {
      button.dataset.key = `u${layer}-${index}`;
      button.said = isHidden ? `hidden layer ${layer}, unit ${index + 1}` : `output ${button.name}`;
      button.setAttribute("aria-label", button.said);
      button.onclick = () => this.select(layer, index);
      button.onpointerenter = button.onfocus = () => this.onLook({ layer, unit: index, name: button.said });
      button.onpointerleave = button.onblur = () => this.onLook(null);
    }
    this.root.append(button);
    return button;
  }

  select(layer, unit) {
    this.selected = [layer, unit];
    this.mark();
    this.onSelect(layer, unit);
  }

  mark() {
    this.units.forEach((units, layer) =>
      units.forEach((each, unit) => {
        const is = this.selected?.[0] === layer && this.selected[1] === unit;
        each.classList.toggle("selected", is);
        if (each.tagName === "BUTTON") each.setAttribute("aria-pressed", is);
      }),
    );
  }

  paintInput(canvas, axis) {
    const own = this.built.side;
    if (own) return paintInk(canvas, own, Float32Array.from(this.frame?.arrays.drawn?.data ?? new Uint8Array(own * own), (byte) => byte / 255));
    const side = 24;
    const bytes = new Uint8Array(side * side);
    for (let i = 0; i < side; i++) {
      for (let j = 0; j < side; j++) bytes[side * i + j] = (255 * (axis ? side - 1 - i : j)) / (side - 1);
    }
    paint(canvas, side, side, bytes, 0);
  }

  // Draw everything anew, in other colours.
  repaint() {
    this.units[0]?.forEach((each, axis) => each.picture && this.paintInput(each.picture, axis));
    if (this.frame) this.update(this.frame);
  }

  // Give every layer a column, and every unit a place in it.
  place() {
    if (!this.built) return;
    const n = this.units.length;
    const room = this.root.parentElement.clientWidth;
    const size = room < 500 ? 34 : room < 1000 ? 44 : 54;
    const column = Math.max(room / n, 88);
    // Below several outputs stand their names.
    const gaps = this.units.map((units, layer) => size + (layer === n - 1 && units.length > 1 ? 22 : room < 500 ? 8 : 12));
    const tall = Math.max(...this.units.map((units, layer) => units.length * gaps[layer]), 4 * gaps[0]);
    this.size = size;
    this.root.style.width = `${Math.max(room, column * n)}px`;
    this.root.style.height = `${HEAD + tall + FOOT}px`;
    this.centres = this.units.map((units, layer) => {
      const x = (layer + 0.5) * column;
      this.heads[layer].style.left = `${x}px`;
      const gap = gaps[layer];
      const top = HEAD + (tall - units.length * gap) / 2;
      Object.assign(this.feet[layer].style, { left: `${x}px`, top: `${top + units.length * gap}px` });
      return units.map((each, i) => {
        const y = top + (i + 0.5) * gap;
        Object.assign(each.style, { left: `${x - size / 2}px`, top: `${y - size / 2}px`, width: `${size}px`, height: `${size}px` });
        return [x, y];
      });
    });
    this.drawEdges();
  }

  update(frame) {
    this.frame = frame;
    const last = this.units.length - 1;
    if (this.built.side) this.paintInput(this.units[0][0].picture, 0);
    for (let layer = 1; layer <= last; layer++) {
      const isOutput = layer === last;
      const isOfWeights = layer === 1 && this.built.side > 0;
      const pictures = frame.arrays[isOutput && !isOfWeights ? "output" : `units ${layer}`];
      const states = frame.arrays[`state ${layer}`];
      this.units[layer].forEach((button, i) => {
        // Of two classes, the one output is the probability of the second.
        const channel = isOutput && this.built.classes.length === 2 ? 1 : i;
        this.paintUnit(button.picture, pictures, channel, isOutput);
        const state = isOutput ? 0 : states.data[i];
        if (button.state !== state) {
          button.state = state;
          button.classList.toggle("dead", state === 1);
          button.classList.toggle("saturated", state === 2);
          button.setAttribute("aria-label", [button.said, STATES[state]].filter(Boolean).join(", "));
          button.title = state ? STATES[state] : "";
        }
      });
    }
    this.drawEdges();
  }

  paintUnit(canvas, { shape, data }, channel, isOutput) {
    if (this.built.axes.length > 1) {
      const [, rows, columns] = shape;
      paint(canvas, columns, rows, data, channel * rows * columns);
      return;
    }
    const columns = shape.at(-1);
    let [low, high] = isOutput && this.built.task === "regression" ? this.built.values : [0, isOutput ? 1 : 255];
    if (isOutput && this.built.task === "regression") [low, high] = [low - 0.1 * (high - low), high + 0.1 * (high - low)];
    const { context, width, height } = fresh(canvas);
    context.strokeStyle = positive();
    context.lineWidth = 2;
    context.beginPath();
    for (let i = 0; i < columns; i++) {
      const share = (data[channel * columns + i] - low) / (high - low || 1);
      context.lineTo((i / (columns - 1)) * width, (0.96 - 0.92 * share) * height);
    }
    context.stroke();
  }

  drawEdges() {
    const { context } = fresh(this.edges);
    if (!this.frame || !this.centres) return;
    const half = this.size / 2;
    const colours = [negative(), positive()];
    for (let layer = 1; layer < this.centres.length; layer++) {
      const { shape, data } = this.frame.arrays[`W ${layer}`];
      const [nOut, nIn] = shape;
      const isImage = layer === 1 && this.built.side > 0; // each edge is 64 weights, which the unit shows
      let largest = 1e-9;
      for (const w of data) largest = Math.max(largest, Math.abs(w));
      for (let i = 0; i < nOut; i++) {
        const [x1, y1] = this.centres[layer][i];
        for (let j = 0; j < this.centres[layer - 1].length; j++) {
          const [x0, y0] = this.centres[layer - 1][j];
          const w = data[i * nIn + j];
          const share = isImage ? 0.2 : Math.abs(w) / largest;
          const isOwn = this.selected?.[0] === layer && this.selected[1] === i;
          context.strokeStyle = isImage ? faint() : colours[+(w > 0)];
          context.globalAlpha = isOwn ? 0.95 : 0.15 + 0.6 * share;
          context.lineWidth = 0.6 + 5 * share * Math.min(1, Math.sqrt(largest));
          context.beginPath();
          const [from, to] = [x0 + half, x1 - half];
          const middle = (from + to) / 2;
          context.moveTo(from, y0);
          context.bezierCurveTo(middle, y0, middle, y1, to, y1);
          context.stroke();
        }
      }
    }
    context.globalAlpha = 1;
  }
}

function paint(canvas, width, height, bytes, offset) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(width, height);
  paintValues(pixels.data, bytes, offset, false);
  context.putImageData(pixels, 0, 0);
}
