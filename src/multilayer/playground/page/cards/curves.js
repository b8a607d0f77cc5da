// Loss and score by epoch: training solid, validation dashed.

import { faint, ink, negative, positive } from "../colours.js";
import { $, atTick, count, number } from "../dom.js";
import uPlot from "../vendor/uplot/uPlot.esm.js";

const FONT = "11px system-ui, sans-serif";
// In the curve's rows: training and validation.
const CHARTS = [
  { id: "loss-curve", columns: [1, 2] },
  { id: "score-curve", columns: [3, 4] },
];

export class Curves {
  constructor() {
    this.curve = null;
    this.isShare = true;
    $("log-loss").onchange = () => this.make();
    this.make();
    const watch = new ResizeObserver(() => this.fit());
    for (const { id } of CHARTS) watch.observe($(id));
  }

  make() {
    this.charts?.forEach((chart) => chart.destroy());
    this.charts = CHARTS.map(({ id }, i) => new uPlot(this.options(id, i), [[], [], []], $(id)));
    this.fit();
    this.draw();
  }

  options(id, i) {
    const isScore = i === 1;
    const axis = { stroke: ink, grid: { stroke: faint, width: 1 }, ticks: { show: false }, font: FONT, gap: 3 };
    const line = { width: 2, points: { show: false }, spanGaps: true };
    return {
      width: 100,
      height: 100,
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, y: false, points: { size: 6 } },
      scales: {
        x: { time: false },
        y: isScore ? { range: (_, low, high) => this.range(low, high) } : { distr: $("log-loss").checked ? 3 : 1 },
      },
      axes: [
        { ...axis, size: 20, grid: { show: false }, values: (_, ticks) => ticks.map((t) => (Number.isInteger(t) ? count(t) : "")) },
        { ...axis, size: 40, space: 26, values: (_, ticks, __, ___, step) => ticks.map((t) => this.tick(t, isScore, step)) },
      ],
      series: [{}, { ...line, stroke: positive }, { ...line, stroke: negative, dash: [5, 3] }],
      hooks: { setCursor: [(chart) => this.readOut(chart, isScore)] },
    };
  }

  // Above the chart stands what is under the pointer.
  readOut({ root, data, cursor }, isScore) {
    const place = cursor?.idx ?? -1; // at first there is no cursor
    const [epoch, ...values] = data.map((column) => column[place] ?? null);
    const texts = values.filter((value) => value !== null).map((value) => (isScore && this.isShare ? `${(100 * value).toFixed(1)} %` : number(value)));
    root.closest("figure").querySelector("output").textContent = epoch === null ? "" : `epoch ${count(epoch)}: ${texts.join(" / ")}`;
  }

  tick(value, isScore, step) {
    if (value === null) return "";
    if (isScore && this.isShare) return `${Math.round(100 * value)} %`;
    return atTick(value, !isScore && $("log-loss").checked ? 0 : step);
  }

  // A score is shown up to 1: an accuracy from one half, R² from 0 unless it is less.
  range(low, high) {
    return [Math.max(Math.min(low ?? 1, this.isShare ? 0.5 : 0), -1), Math.max(high ?? 1, 1)];
  }

  onBuilt({ score }) {
    this.isShare = score === "accuracy";
    $("score-title").textContent = this.isShare ? "Accuracy" : "R²";
    this.curve = null;
    this.draw();
  }

  onFrame({ arrays }) {
    this.curve = arrays.curve;
    this.draw();
  }

  onTheme() {
    for (const chart of this.charts) chart.redraw();
  }

  fit() {
    this.charts.forEach((chart, i) => {
      const { clientWidth: width, clientHeight: height } = $(CHARTS[i].id);
      if (width) chart.setSize({ width, height });
    });
  }

  draw() {
    const { shape: [n, k], data } = this.curve ?? { shape: [0, 5], data: [] };
    const column = (j) => Array.from({ length: n }, (_, i) => (Number.isFinite(data[i * k + j]) ? data[i * k + j] : null));
    const epochs = column(0);
    this.charts.forEach((chart, i) => chart.setData([epochs, ...CHARTS[i].columns.map(column)]));
  }
}
