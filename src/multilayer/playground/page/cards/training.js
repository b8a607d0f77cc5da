// Training: the optimizer, its rate, and all else that the network itself does not say.

import { Controls } from "../controls.js";
import { $ } from "../dom.js";

// Where small networks can take a larger rate than an optimizer's default.
const RATES = { sgd: 0.1, lion: 1e-3 };
const EPOCHS = 200;
const LOSSES = {
  classification: [null, "cross_entropy", "squared_error"],
  regression: [null, "squared_error", "absolute_error", "huber"],
};

export class Training {
  constructor(app) {
    this.app = app;
    this.controls = new Controls($("settings-controls"), (name, value) => this.change(name, value));
  }

  onGreeting({ optimizers, schedules, normalizations, initializers }) {
    const { controls } = this;
    if (controls.setters.optimizer) return; // a new session of the same page
    controls.choice("optimizer", "Optimizer", Object.keys(optimizers));
    controls.slider("learning_rate");
    controls.choice("schedule", "Schedule", [null, ...schedules], "constant");
    controls.slider("epochs");
    controls.slider("patience");
    controls.slider("batch_size");
    this.offerLosses = controls.choice("loss", "Loss", [null], "the default");
    controls.slider("l1");
    controls.slider("l2");
    controls.slider("dropout");
    controls.choice("normalization", "Normalisation", [null, ...normalizations]);
    controls.choice("initializer", "Initial weights", initializers);
    controls.seed("seed", "Seed of the weights");
  }

  change(name, value) {
    const { app } = this;
    const changed = { ...app.settings, [name]: value };
    if (name === "optimizer") changed.learning_rate = Math.max(app.known.optimizers[value], RATES[value] ?? 0.01);
    // Most schedules are for a training of some length.
    if (name === "schedule" && value) changed.epochs ??= EPOCHS;
    app.set(changed);
  }

  onSettings(settings) {
    this.offerLosses(LOSSES[this.app.built?.task ?? "classification"]);
    this.controls.show(settings);
    for (const name of ["dropout", "normalization"]) this.controls.toggle(name, settings.hidden.length > 0);
  }
}
