// Controls: labelled sliders over listed values, choices, and numbers.

import { count, words } from "./dom.js";

const element = (kind, properties = {}) => Object.assign(document.createElement(kind), properties);

const range = (from, to, step) =>
  Array.from({ length: Math.round((to - from) / step) + 1 }, (_, i) => Number((from + i * step).toFixed(6)));
const decades = (low, high) => {
  const found = [];
  for (let d = low; d < high; d++) for (const m of [1, 2, 5]) found.push(Number(`${m}e${d}`));
  return [...found, Number(`1e${high}`)];
};

// A slider over listed values; a value that is not listed joins them.
export function slider(input, output, values, write, onInput) {
  let own = values;
  Object.assign(input, { min: 0, step: 1 });
  output.ariaLive = "off"; // the slider's own text is spoken
  const tell = () => {
    const text = write(own[input.valueAsNumber]);
    output.textContent = text;
    input.setAttribute("aria-valuetext", text);
  };
  input.oninput = () => {
    tell();
    onInput(own[input.valueAsNumber]);
  };
  return (value) => {
    own = values.includes(value) ? values : [...values, value].sort((a, b) => (a ?? Infinity) - (b ?? Infinity));
    input.max = own.length - 1;
    input.value = own.indexOf(value);
    tell();
  };
}

const shown = (value) => (value === 0 ? "0" : value < 0.001 ? value.toExponential(0) : String(value));
const percent = (value) => `${Math.round(100 * value)} %`;

const SLIDERS = {
  learning_rate: ["Learning rate", decades(-4, 1), shown],
  epochs: ["Stop after", [5, 10, 20, 30, 50, 100, 200, 300, 500, 1000, 2000, 5000, null], (v) => (v === null ? "never" : `${count(v)} epochs`)],
  patience: ["Stop early", [3, 5, 10, 20, 50, 100, 200, 500, null], (v) => (v === null ? "never" : `${v} epochs without gain`)],
  batch_size: ["Batch size", [1, 2, 4, 8, 16, 32, 64, 128, 256, 512], String],
  l1: ["L1 penalty", [0, ...decades(-5, 0)], shown],
  l2: ["L2 penalty", [0, ...decades(-5, 0)], shown],
  dropout: ["Dropout", range(0, 0.8, 0.05), percent],
  noise: ["Noise", range(0, 0.6, 0.01), String],
  n_samples: ["Samples", [...range(20, 200, 20), ...range(250, 1000, 50), ...range(1200, 5000, 200)], String],
  validation: ["For validation", range(0, 0.8, 0.05), percent],
};

// A panel of controls, of which `show` sets the values; `onChange` takes a name and a value.
export class Controls {
  constructor(root, onChange) {
    this.root = root;
    this.onChange = onChange;
    this.setters = {};
    this.rows = {};
  }

  row(name, label, ...parts) {
    const row = element("label", { className: "control" });
    // An output can have a label too, so the label says which of its parts it is for.
    row.htmlFor = parts.at(-1).id = `${this.root.id}-${name}`;
    row.append(element("span", { textContent: label }), ...parts);
    this.root.append(row);
    this.rows[name] = row;
    return row;
  }

  slider(name) {
    const [label, values, write] = SLIDERS[name];
    const input = element("input", { type: "range" });
    const output = element("output");
    input.dataset.name = name;
    this.row(name, label, output, input);
    this.setters[name] = slider(input, output, values, write, (value) => this.onChange(name, value));
  }

  // `options` are values; null is shown as `none`.
  choice(name, label, options, none = "none") {
    const select = element("select");
    select.dataset.name = name;
    this.row(name, label, select);
    const offer = (given) => {
      select.replaceChildren(...given.map((value) => new Option(value === null ? none : words(value), value ?? "")));
    };
    offer(options);
    select.onchange = () => this.onChange(name, select.value || null);
    this.setters[name] = (value) => (select.value = value ?? "");
    return offer;
  }

  seed(name, label) {
    const input = element("input", { type: "number", min: 0, max: 2 ** 32 - 1, step: 1 });
    input.dataset.name = name;
    const again = element("button", { type: "button", textContent: "New", title: "Another seed" });
    again.setAttribute("aria-label", `${label}: another one`);
    const row = this.row(name, label, input);
    row.classList.add("with-button");
    row.after(again);
    const wrap = element("div", { className: "beside" });
    row.replaceWith(wrap);
    wrap.append(row, again);
    this.rows[name] = wrap;
    input.onchange = () => {
      const value = Math.round(Math.min(Math.max(input.valueAsNumber || 0, 0), 2 ** 32 - 1));
      input.value = value;
      this.onChange(name, value);
    };
    again.onclick = () => {
      input.value = (input.valueAsNumber || 0) + 1;
      input.onchange();
    };
    this.setters[name] = (value) => (input.value = value);
  }

  show(values) {
    for (const [name, set] of Object.entries(this.setters)) set(values[name]);
  }

  toggle(name, isShown) {
    this.rows[name].hidden = !isShown;
  }
}
