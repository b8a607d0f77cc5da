// Network: the stage, and how many layers there are.

import { $, count } from "../dom.js";
import { Stage } from "../stage.js";

export class Network {
  constructor(app) {
    this.app = app;
    this.stage = new Stage(
      $("stage"),
      $("edges"),
      (hidden, activation) => app.set({ ...app.settings, hidden, activation }),
      (chosen) => app.pass("select", chosen),
      (unit) => app.pass("look", unit),
    );
    $("more-layers").onclick = () => this.setWidths([...app.settings.hidden, app.settings.hidden.at(-1) ?? 4]);
    $("fewer-layers").onclick = () => this.setWidths(app.settings.hidden.slice(0, -1));
  }

  setWidths(hidden) {
    this.app.change("hidden", hidden);
  }

  onSettings({ hidden }) {
    $("n-layers").textContent = hidden.length === 1 ? "1 hidden layer" : `${hidden.length} hidden layers`;
    $("fewer-layers").disabled = !hidden.length;
    $("more-layers").disabled = hidden.length >= this.app.known.limits.MAX_LAYERS;
  }

  onBuilt(built) {
    $("parameters").textContent = `${count(built.n_parameters)} parameters`;
    this.stage.build(built, this.app.known.activations, this.app.known.limits.MAX_WIDTH);
  }

  onFrame(frame) {
    this.stage.update(frame);
  }

  // The weight whose row has the focus, and the step of a walk.
  onWeight(edge) {
    this.stage.focus(edge);
  }

  onLit(step) {
    this.stage.light(step);
  }

  onTheme() {
    this.stage.repaint();
  }
}
