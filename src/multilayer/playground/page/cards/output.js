// Output: what the network says over the plane, or the line, with the samples on it.

import { classColour } from "../colours.js";
import { $, count, dot, element, minus } from "../dom.js";
import { Plot } from "../plot.js";

export class Output {
  constructor(app) {
    this.app = app;
    this.plot = new Plot(
      $("plot"),
      (x, y) => app.pass("point", [x, y]),
      (sample) => app.pass("pick", sample),
    );
    for (const [id, name] of [["regions", "asRegions"], ["held-out", "showsHeldOut"]]) {
      $(id).onchange = () => {
        this.plot[name] = $(id).checked;
        this.plot.draw();
      };
    }
  }

  onSettings({ data }) {
    this.plot.drawsPoints = data.kind === "points";
    $("plot").classList.toggle("drawing", this.plot.drawsPoints);
    $("plot").setAttribute("role", this.plot.drawsPoints ? "application" : "img"); // while one draws, it takes keys
  }

  onBuilt(built) {
    this.plot.show(built);
    const { data } = this.app.settings;
    if (data.kind === "points" && built.settings.data.kind !== "points") this.onDrawn(data.points); // not yet learned
    const [across, up] = this.axes(built);
    $("axis-across").textContent = across;
    $("axis-up").textContent = up;
    $("held-out").parentElement.hidden = !built.n_samples[1];
    $("regions").parentElement.hidden = built.task === "regression" || built.axes.length < 2;
    const n = built.n_samples[0] + built.n_samples[1];
    $("plot").setAttribute("aria-label", `The network’s output over ${built.axes.join(" and ")}, with ${n} samples`);
    this.showLegend(built);
  }

  axes({ axes, target, is_to_scale, low, high }) {
    const texts = axes.map((name, i) => (is_to_scale ? minus(`${name} from ${low[i].toFixed(1)} to ${high[i].toFixed(1)}`) : name));
    return [texts[0], texts[1] ?? target];
  }

  showLegend({ classes, n_samples: [n, nHeldOut] }) {
    const parts = classes.map((name, i) => dot(classColour(i), name));
    parts.push(element("span", "", `● ${count(n)} for training`));
    if (nHeldOut) parts.push(element("span", "", `◆ ${count(nHeldOut)} for validation`));
    $("legend").replaceChildren(...parts);
  }

  onFrame(frame) {
    this.plot.update(frame);
  }

  // Ring the sample of a walk.
  onWalk({ sample }) {
    this.plot.ring(sample);
  }

  onLit(step) {
    if (!step) this.plot.ring(null);
  }

  // Show a unit in place of the output, while it is pointed at.
  onLook(unit) {
    const isHidden = unit !== null && unit.layer < this.app.built.widths.length - 1;
    this.plot.unit = isHidden ? unit : null;
    $("output-title").textContent = isHidden ? unit.name : "output";
    this.plot.draw();
  }

  onDrawn(points) {
    this.plot.showDrawn(points);
  }

  onTheme() {
    this.plot.draw();
    if (this.app.built) this.showLegend(this.app.built);
  }
}
