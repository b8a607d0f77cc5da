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
      (layer, unit) => app.pass("select", { layer, unit }),
      (unit) => app.pass("look", unit),
    );
    $("more-layers").onclick = () => this.setWidths([...app.settings.hidden, app.settings.hidden.at(-1) ?? 4]);
    $("fewer-layers").onclick = () => this.setWidths(app.settings.hidden.slice(0, -1));
  }

  setWidths(hidden) {
    this.app.change("hidden", hidden);
  }

  settings({ hidden }) {
    $("n-layers").textContent = hidden.length === 1 ? "1 hidden layer" : `${hidden.length} hidden layers`;
    $("fewer-layers").disabled = !hidden.length;
    $("more-layers").disabled = hidden.length >= this.app.known.limits.MAX_LAYERS;
  }

  built(built) {
    $("parameters").textContent = `${count(built.n_parameters)} parameters`;
    this.stage.build(built, this.app.known.activations);
  }

  frame(frame) {
    this.stage.update(frame);
  }

  select({ layer, unit }) {
    this.app.say("select", { layer, unit });
  }

  theme() {
    this.stage.repaint();
  }
}
