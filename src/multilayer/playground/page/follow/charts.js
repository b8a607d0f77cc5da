// Curves by epoch, those of several trainings laid over each other.

import uPlot from "../vendor/uplot/uPlot.esm.js";
import { faint, ink } from "../colours.js";
import { $, atTick, count, element, number, words } from "../dom.js";
import { keep, recall } from "../memory.js";

const FONT = "12px system-ui, sans-serif";
const DASH = [6, 4];
const HIDDEN = ["seconds", "train_loss", "validation_loss", "learning_rate"];
const capital = (text) => text[0].toUpperCase() + text.slice(1);

export class Charts {
  constructor() {
    const log = $("log");
    log.checked = recall("log", false);
    this.loss = new Chart($("loss-chart"), "Loss by epoch", () => log.checked);
    log.onchange = () => {
      keep("log", log.checked);
      this.loss.build();
    };
    this.others = new Map();
  }

  show(runs) {
    this.loss.show(curvesOf(runs, { train_loss: null, validation_loss: DASH }));
    $("no-curves").hidden = this.loss.curves.length > 0;
    $("loss-chart").hidden = !$("no-curves").hidden;
    $("band-legend").hidden = !runs.some(({ about }) => about.n_members > 1);
    const names = new Set(runs.flatMap(({ curves }) => Object.keys(curves)).filter((name) => !HIDDEN.includes(name)));
    if (runs.some(({ curves }) => curves.learning_rate)) names.add("learning_rate");
    for (const [name, { card }] of this.others) {
      if (names.has(name)) continue;
      card.remove();
      this.others.delete(name);
    }
    for (const name of names) {
      if (!this.others.has(name)) this.others.set(name, makeCard(name));
      this.others.get(name).chart.show(curvesOf(runs, { [name]: null }));
    }
    $("metrics").append(...[...names].map((name) => this.others.get(name).card).filter((card, i) => $("metrics").children[i] !== card));
  }
}

function makeCard(name) {
  const card = element("section", "card");
  const title = element("h2", "", `${capital(words(name))} by epoch`);
  title.id = `title-${name}`;
  card.setAttribute("aria-labelledby", title.id);
  const place = element("div");
  card.append(title, place);
  return { card, chart: new Chart(place, title.textContent, () => false) };
}

// The curves of these names: [label, colour, dash, epochs, { low, middle, high }].
function curvesOf(runs, dashes) {
  const found = [];
  for (const { name, colour, epochs, curves } of runs) {
    for (const [curve, dash] of Object.entries(dashes)) {
      if (curves[curve]) found.push([`${name}: ${words(curve)}`, colour, dash, epochs, curves[curve]]);
    }
  }
  return found;
}

class Chart {
  constructor(place, title, isLog) {
    this.place = element("div", "chart");
    this.place.setAttribute("role", "img");
    this.readout = element("p", "readout");
    place.append(this.place, this.readout);
    this.title = title;
    this.isLog = isLog;
    this.curves = [];
    this.key = "";
    new ResizeObserver(() => this.plot?.setSize(this.size)).observe(this.place);
  }

  get size() {
    return { width: Math.max(this.place.clientWidth, 100), height: Math.max(this.place.clientHeight, 80) };
  }

  show(curves) {
    this.curves = curves;
    const key = JSON.stringify(curves.map(([label, colour, , , { low }]) => [label, colour, low !== null]));
    if (key !== this.key || !this.plot) {
      this.key = key;
      this.build();
    } else {
      this.plot.setData(this.data());
    }
    const texts = curves.map(([label, , , , { middle }]) => `${label} ${number(middle.at(-1))}`);
    this.place.setAttribute("aria-label", `${this.title}. ${texts.join("; ") || "No curve yet"}`);
  }

  // One x for all; with the quantiles of an ensemble as two more curves.
  data() {
    const isLog = this.isLog();
    const shown = (values) => (isLog ? values.map((value) => (value > 0 ? value : null)) : values);
    const tables = this.curves.map(([, , , epochs, { low, middle, high }]) => [epochs, ...[middle, low, high].filter(Boolean).map(shown)]);
    return tables.length ? uPlot.join(tables) : [[]];
  }

  build() {
    this.plot?.destroy();
    const series = [{ label: "epoch" }];
    const bands = [];
    this.middles = [];
    for (const [label, colour, dash, , { low }] of this.curves) {
      this.middles.push(series.length);
      series.push({ label, stroke: colour, width: 2, dash: dash ?? undefined, spanGaps: false, points: { size: 5, fill: colour } });
      if (low === null) continue;
      bands.push({ series: [series.length + 1, series.length], fill: translucent(colour) });
      for (let i = 0; i < 2; i++) series.push({ stroke: "transparent", points: { show: false } });
    }
    const axis = { stroke: ink, font: FONT, grid: { stroke: faint, width: 0.5 }, ticks: { stroke: faint, size: 4 } };
    const options = {
      ...this.size,
      scales: { x: { time: false }, y: this.isLog() ? { distr: 3 } : {} },
      axes: [
        { ...axis, size: 26, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6] },
        { ...axis, size: 62, values: (_, ticks, __, ___, step) => ticks.map((tick) => (tick === null ? "" : atTick(tick, this.isLog() ? 0 : step))) },
      ],
      legend: { show: false },
      cursor: { points: { size: 7 }, drag: { x: false, y: false } },
      hooks: { setCursor: [(plot) => this.read(plot)] },
      series,
      bands,
    };
    this.plot = new uPlot(options, this.data(), this.place);
  }

  // The values under the pointer.
  read({ cursor: { idx }, data }) {
    const shown = idx == null ? [] : this.middles.map((i, k) => [this.curves[k][0], data[i]?.[idx]]).filter(([, value]) => value != null);
    this.readout.textContent = shown.length ? `epoch ${count(data[0][idx])}: ${shown.map(([label, value]) => `${label} ${number(value)}`).join(" · ")}` : "";
  }
}

const translucent = (colour) => colour.replace("rgb(", "rgba(").replace(")", ", 0.18)");
