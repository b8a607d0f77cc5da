// The network, layer by layer: each unit with a picture of what it computes, edges by weight.

import { fresh, paintInk, paintValues, positive } from "./colours.js";
import { count, element, number } from "./dom.js";
import { Edges, isSame } from "./edges.js";

const STATES = ["", "dead", "saturated"];
const HEAD = 74; // pixels above the units, for a layer's own controls
const FOOT = 26; // below them, for what is not shown

export class Stage {
  // `onChange` takes hidden widths and activations; `onSelect` a unit { layer, unit }, and the
  // `input` whose weight was clicked, if it was one; `onLook` the unit that is pointed at, or null.
  constructor(root, canvas, onChange, onSelect, onLook) {
    Object.assign(this, { root, canvas, onChange, onSelect, onLook });
    this.edges = new Edges(canvas);
    this.units = []; // by layer: the buttons of the units that are shown
    this.selected = null;
    this.pointed = this.focused = null; // the weight under the pointer, and that whose row is edited
    this.lit = null; // the step of a walk
    this.frame = null;
    this.tip = element("span", "weight-name");
    this.badge = element("span", "step-value");
    for (const each of [this.tip, this.badge]) each.setAttribute("aria-hidden", "true");
    root.addEventListener("pointermove", (event) => this.hover(event));
    root.addEventListener("pointerleave", () => this.point(null));
    root.addEventListener("click", (event) => this.click(event));
    new ResizeObserver(() => this.place()).observe(root.parentElement);
  }

  // `activations` are those that can be chosen, `most` is how many units a layer can have.
  build(built, activations, most) {
    Object.assign(this, { built, activations, most });
    this.frame = null;
    const focused = document.activeElement?.dataset?.key;
    this.lit = this.pointed = this.focused = this.edges.weights = null;
    for (const each of [...this.root.children]) if (each !== this.canvas) each.remove();
    this.heads = [];
    this.feet = [];
    this.units = built.widths.map((width, layer) => this.layer(layer, width));
    this.root.append(this.tip, this.badge);
    this.place();
    if (focused) this.root.querySelector(`[data-key="${focused}"]`)?.focus();
    this.mark();
  }

  layer(layer, width) {
    const { built } = this;
    const isHidden = layer > 0 && layer < built.widths.length - 1;
    const head = element("div", "layer-head");
    if (isHidden) {
      this.fillHead(head, layer - 1);
    } else {
      head.append(element("span", "layer-name", layer ? "output" : "inputs"));
    }
    this.root.append(head);
    this.heads.push(head);
    const isImage = layer === 0 && built.side > 0;
    const n = isImage ? 1 : Math.min(width, built.shown);
    const foot = element("span", "layer-foot", isImage ? `${built.side} × ${built.side} pixels` : width > n ? `+ ${count(width - n)} more` : "");
    this.root.append(foot);
    this.feet.push(foot);
    return Array.from({ length: n }, (_, i) => this.unit(layer, i, isHidden));
  }

  fillHead(head, index) {
    const { activations, most } = this;
    const { hidden, activation } = this.built.settings;
    const of = `hidden layer ${index + 1}`;
    const stepper = element("div", "stepper");
    stepper.setAttribute("role", "group");
    Object.assign(stepper.dataset, { hide: "hidden", part: "Layers and units" });
    stepper.setAttribute("aria-label", `Units of ${of}`);
    for (const [sign, step, word] of [["−", -1, "Remove a unit from"], ["+", 1, "Add a unit to"]]) {
      const button = element("button", "", sign);
      button.setAttribute("aria-label", `${word} ${of}`);
      button.dataset.key = `${index}${sign}`;
      button.disabled = hidden[index] + step < 1 || hidden[index] + step > most;
      button.onclick = () => {
        const widths = [...hidden];
        widths[index] += step;
        this.onChange(widths, activation);
      };
      stepper.append(button);
      if (step < 0) stepper.append(element("span", "", count(hidden[index])));
    }
    const select = element("select", "");
    select.setAttribute("aria-label", `Activation of ${of}`);
    select.dataset.key = `${index}a`;
    Object.assign(select.dataset, { hide: "activation", part: "Activations" });
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
    const hasPicture = !isInput || isImage || Boolean(built.arrays.inputs);
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

  select(layer, unit, input = null) {
    this.selected = { layer, unit };
    this.mark();
    this.drawEdges();
    this.onSelect({ layer, unit, input });
  }

  mark() {
    this.units.forEach((units, layer) =>
      units.forEach((each, unit) => {
        const is = this.selected?.layer === layer && this.selected.unit === unit;
        each.classList.toggle("selected", is);
        if (each.tagName === "BUTTON") each.setAttribute("aria-pressed", is);
        const isLit = this.lit?.layer === layer && this.lit.unit === unit;
        each.classList.toggle("lit", isLit);
        each.classList.toggle("pale", Boolean(this.lit) && layer > 0 && !isLit && !this.lit.reached.has(`${layer},${unit}`));
      }),
    );
    this.showBadge();
  }

  // A weight under the pointer, and what it is called.

  hover(event) {
    const box = this.root.getBoundingClientRect();
    const isOver = event.target === this.root || event.target === this.canvas;
    const edge = isOver ? this.edges.nearest(event.clientX - box.left, event.clientY - box.top) : null;
    this.point(edge);
    if (edge) Object.assign(this.tip.style, { left: `${event.clientX - box.left}px`, top: `${event.clientY - box.top}px` });
  }

  point(edge) {
    this.root.classList.toggle("on-weight", Boolean(edge));
    this.tip.hidden = !edge;
    if (!isSame(edge, this.pointed)) {
      this.pointed = edge;
      this.drawEdges();
    }
    if (edge && this.edges.weights) this.tip.textContent = this.nameOf(edge);
  }

  // Mark the weight that is edited.
  focus(edge) {
    this.focused = edge;
    this.drawEdges();
  }

  nameOf({ layer, unit, input }) {
    const value = number(this.edges.weight({ layer, unit, input }));
    return `w = ${value} from ${this.named(layer - 1, input)} to ${this.named(layer, unit)}`;
  }

  named(layer, unit) {
    const button = this.units[layer][unit];
    return layer ? button.said : button.name ?? `input ${unit + 1}`;
  }

  click(event) {
    this.hover(event);
    if (this.pointed) this.select(this.pointed.layer, this.pointed.unit, this.pointed.input);
  }

  // Light up what a step of a walk is about; `reached` are the units that it has been to.
  light(step) {
    this.lit = step;
    this.mark();
    this.drawEdges();
  }

  showBadge() {
    const { lit, badge } = this;
    const place = lit && this.centres?.[lit.layer]?.[lit.unit];
    badge.hidden = !place;
    if (!place) return;
    badge.textContent = lit.text;
    Object.assign(badge.style, { left: `${place[0]}px`, top: `${place[1] - this.size / 2}px` });
  }

  strengthOf({ layer, unit, input }) {
    const { lit, selected } = this;
    if (lit) {
      const isMeant = lit.input === null || lit.input === input || this.edges.standsForMany({ layer });
      const isIn = lit.edges === "in" && layer === lit.layer && unit === lit.unit && isMeant;
      const isOut = lit.edges === "out" && layer === lit.layer + 1 && input === lit.unit;
      return isIn || isOut ? 1 : 0.07;
    }
    return selected?.layer === layer && selected.unit === unit ? 0.95 : null;
  }

  drawEdges() {
    this.edges.draw((edge) => this.strengthOf(edge), this.pointed ?? this.focused);
  }

  paintInput(canvas, axis) {
    const own = this.built.side;
    if (own) return paintInk(canvas, own, Float32Array.from(this.frame?.arrays.drawn?.data ?? new Uint8Array(own * own), (byte) => byte / 255));
    const { shape: [, rows, columns], data } = this.built.arrays.inputs;
    paint(canvas, columns, rows, data, axis * rows * columns);
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
    this.edges.place(this.centres, size / 2);
    this.showBadge();
    this.drawEdges();
  }

  update(frame) {
    this.frame = frame;
    this.edges.update(frame.arrays, this.built.side > 0);
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
}

function paint(canvas, width, height, bytes, offset) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(width, height);
  paintValues(pixels.data, bytes, offset, false);
  context.putImageData(pixels, 0, 0);
}
