// The header: play, pause, steps, speed, and the numbers of the training.

import { slider } from "../controls.js";
import { $, count, number } from "../dom.js";
import { keep, recall } from "../memory.js";

const SPEEDS = [1, 3, 10, 30, 100, 300, 1000, 3000, null];
const KEYS = { " ": "play", s: "step", e: "epoch", r: "reset" };
const words = (speed) => (speed === null ? "as fast as possible" : `${count(speed)} steps/s`);

export class Transport {
  constructor(app) {
    this.app = app;
    this.isPlaying = false;
    this.setSpeed = slider($("speed"), $("speed-value"), SPEEDS, words, (speed) => app.setSpeed(speed));
    $("play").onclick = () => {
      this.show(!this.isPlaying);
      app.say(this.isPlaying ? "play" : "pause");
    };
    for (const name of ["step", "epoch", "reset"]) $(name).onclick = () => app.say(name);
    addEventListener("keydown", (event) => this.key(event));
    this.setKeys(recall("keys", true));
    $("keys").onclick = () => {
      this.setKeys(!this.hasKeys);
      keep("keys", this.hasKeys);
    };
  }

  // Who speaks to the page, or types with a stick, presses single keys without meaning to.
  setKeys(hasKeys) {
    this.hasKeys = hasKeys;
    $("keys").setAttribute("aria-pressed", hasKeys);
    $("keys").title = `The keys space, S, E and R are ${hasKeys ? "on" : "off"}`;
  }

  key(event) {
    if (!this.hasKeys || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, button, summary, dialog")) return;
    const button = KEYS[event.key.toLowerCase()];
    if (!button) return;
    event.preventDefault();
    $(button).click();
  }

  show(isPlaying) {
    this.isPlaying = isPlaying;
    $("play").setAttribute("aria-label", isPlaying ? "Pause" : "Play");
    document.body.classList.toggle("playing", isPlaying);
  }

  onSettings({ schedule }) {
    this.setSpeed(this.app.speed);
    $("rate").hidden = !schedule;
  }

  onBuilt({ score }) {
    $("score-name").textContent = score === "accuracy" ? "Accuracy" : "R²";
  }

  onFrame(frame) {
    this.show(frame.is_playing);
    $("read-epoch").textContent = count(frame.n_complete);
    $("read-step").textContent = `${frame.step} of ${frame.n_steps}`;
    $("read-train").textContent = number(frame.train_loss);
    $("read-validation").textContent = number(frame.validation_loss);
    $("read-rate").textContent = number(frame.learning_rate);
    const isShare = this.app.built.score === "accuracy";
    const scores = frame.scores.filter((score) => score !== null);
    const texts = scores.map((score) => (isShare ? `${(100 * score).toFixed(1)} %` : number(score)));
    $("read-score").textContent = texts.length ? texts.join(" / ") : "–";
    $("read-score").title = texts.length > 1 ? "training / validation" : "training";
  }

  onPaused() {
    this.show(false);
  }

  onFinished() {
    this.show(false);
  }

  onClosed() {
    this.show(false);
  }
}
