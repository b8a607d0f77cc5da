// Data: a small set, a formula, points drawn by hand, or a table.

import { Controls } from "../controls.js";
import { classColour, paintInk } from "../colours.js";
import { $, arrows, element, mark } from "../dom.js";
import { DEFAULTS, isPlane, NOISE } from "../state.js";

const TITLES = { points: ["Draw", "✎"], table: ["Table", "▦"] };
const VALUES = ["plane", "curve"]; // the sets that are not of classes
const N_DRAWN_CLASSES = 4;
const SIDE = 88; // of a thumbnail, in pixels

export class Data {
  constructor(app) {
    this.app = app;
    this.drawnClass = 0;
    this.controls = new Controls($("data-controls"), (name, value) => app.changeData(name, value));
    for (const name of ["noise", "n_samples", "validation"]) this.controls.slider(name);
    this.controls.seed("seed", "Seed of the data");
    this.offerClasses();
    $("undo").onclick = () => this.draw(app.settings.data.points.slice(0, -1));
    $("clear").onclick = () => this.draw([]);
    $("formula").onchange = () => this.say();
    $("formula").oninput = () => app.known.formulas.includes($("formula").value) && this.say(); // chosen
    $("read-csv").onclick = () => app.sendFile("table", new Blob([$("csv").value]));
    $("csv-file").onchange = () => {
      if ($("csv-file").files.length) app.sendFile("table", $("csv-file").files[0]);
      $("csv-file").value = "";
    };
    $("target").onchange = () => {
      const { settings } = app;
      app.set({ ...settings, loss: null, data: { ...settings.data, target: $("target").value, shown: [] } });
    };
    $("across").onchange = $("up").onchange = () => this.chooseAxes();
  }

  onGreeting({ kinds, formulas, features }) {
    const sets = $("sets");
    this.hasTable = false;
    $("formulas").replaceChildren(...formulas.map((each) => new Option(each)));
    if (!sets.children.length) {
      for (const kind of kinds) sets.append(this.set(kind));
      for (const [name, label] of features) $("features").append(this.feature(name, label));
      arrows(sets);
    }
    this.onTheme();
  }

  set(kind) {
    const radio = element("button", "set");
    radio.setAttribute("role", "radio");
    radio.dataset.kind = kind;
    const [title, sign] = TITLES[kind] ?? [kind, ""];
    const picture = sign ? element("span", "sign", sign) : element("canvas");
    picture.setAttribute("aria-hidden", "true");
    radio.append(picture, element("span", "", title));
    radio.onclick = () => this.choose(kind);
    return radio;
  }

  // What the network is given of a point: one input at least.
  feature(name, label) {
    const button = element("button", "", label);
    button.dataset.feature = name;
    button.onclick = () => {
      const { settings: { data }, known } = this.app;
      const chosen = known.features.map(([each]) => each).filter((each) => data.features.includes(each) !== (each === name));
      if (chosen.length) this.app.changeData("features", chosen);
    };
    return button;
  }

  choose(kind) {
    const { app } = this;
    const data = { ...app.settings.data, kind, noise: NOISE[kind] ?? app.settings.data.noise, features: isPlane(kind) ? app.settings.data.features : DEFAULTS.data.features, target: "", shown: [] };
    if (kind !== "points") data.points = [];
    data.formula = (kind === "formula" && $("formula").value) || DEFAULTS.data.formula; // the last one is still in its field
    const isThere = kind !== "points" && (kind !== "table" || this.hasTable);
    app.set({ ...app.settings, data, loss: null }, isThere);
    if (kind === "points") app.pass("drawn", data.points);
  }

  onSettings({ data }) {
    this.controls.show(data);
    for (const name of ["noise", "n_samples"]) this.controls.toggle(name, data.kind in NOISE);
    $("by-formula").hidden = data.kind !== "formula";
    if (data.kind === "formula" && document.activeElement !== $("formula")) $("formula").value = data.formula;
    $("drawing").hidden = data.kind !== "points";
    $("table").hidden = data.kind !== "table";
    $("features").hidden = !isPlane(data.kind);
    for (const button of $("features").querySelectorAll("button")) button.setAttribute("aria-pressed", data.features.includes(button.dataset.feature));
    mark($("sets"), (radio) => radio.dataset.kind === data.kind);
    this.showColumns();
  }

  onBuilt({ notes, settings }) {
    if (settings.data.kind === "table") this.hasTable = true;
    if (settings.data.kind === this.app.settings.data.kind) this.blame("");
    $("notes").replaceChildren(...notes.map((note) => element("li", "", note)));
  }

  onRefused({ reason, parameter }) {
    if (parameter !== "formula") return;
    this.blame(reason);
    const { built, settings } = this.app;
    // A link with a wrong formula: show something until it is right.
    if (!built) this.app.say("settings", { settings: { ...settings, loss: null, data: { ...settings.data, kind: "spirals" } } });
  }

  // The pictures that the server needs a while for.
  onThumbnails({ arrays }) {
    Object.assign(this.app.known.arrays, arrays);
    this.onTheme();
  }

  onTheme() {
    if (!this.app.known) return;
    for (const radio of $("sets").children) {
      const canvas = radio.querySelector("canvas");
      if (canvas) this.paint(canvas, radio.dataset.kind);
    }
  }

  paint(canvas, kind) {
    const picture = this.app.known.arrays[`thumbnail ${kind}`];
    if (!picture) return;
    const { data, shape } = picture;
    canvas.classList.toggle("pixels", kind === "digits");
    if (kind === "digits") return paintInk(canvas, shape[0], data);
    Object.assign(canvas, { width: SIDE, height: SIDE });
    const context = canvas.getContext("2d");
    const isValue = VALUES.includes(kind);
    for (let i = 0; i < data.length; i += 3) {
      const value = data[i + 2];
      context.fillStyle = classColour(isValue ? +(value > 0) : value);
      context.globalAlpha = isValue ? 0.35 + 0.65 * Math.min(1, Math.abs(value)) : 1;
      context.beginPath();
      context.arc((SIDE / 2) * (1 + 0.88 * data[i]), (SIDE / 2) * (1 - 0.88 * data[i + 1]), 3.4, 0, 7);
      context.fill();
    }
  }

  // A formula ------------------------------------------------------------------------------------

  say() {
    if ($("formula").value === this.app.settings.data.formula) return;
    const { settings } = this.app;
    this.app.set({ ...settings, loss: null, data: { ...settings.data, formula: $("formula").value } });
  }

  // Show what is wrong with the formula, or that nothing is.
  blame(reason) {
    $("formula-fault").textContent = reason.replace("formula", "Formula");
    $("formula").setAttribute("aria-invalid", Boolean(reason));
  }

  // Points drawn by hand -------------------------------------------------------------------------

  offerClasses() {
    const group = $("classes");
    const show = () => mark(group, (each) => each === group.children[this.drawnClass]);
    for (let i = 0; i < N_DRAWN_CLASSES; i++) {
      const radio = element("button", "dot", `class ${i}`);
      radio.setAttribute("role", "radio");
      radio.style.setProperty("--dot", `var(--class-${i})`);
      radio.onclick = () => {
        this.drawnClass = i;
        show();
      };
      group.append(radio);
    }
    arrows(group);
    show();
  }

  // To the hundredth, as in the address: so a link leads to the same points.
  onPoint(place) {
    const [x, y] = place.map((value) => Math.round(100 * value) / 100);
    this.draw([...this.app.settings.data.points, [x, y, this.drawnClass]]);
  }

  draw(all) {
    const { app } = this;
    const points = all.slice(-app.known.limits.MAX_POINTS);
    const isThere = new Set(points.map((p) => p[2])).size > 1;
    app.set({ ...app.settings, data: { ...app.settings.data, points } }, isThere);
    app.pass("drawn", points);
  }

  // The columns of a table -----------------------------------------------------------------------

  showColumns() {
    const { built, settings: { data } } = this.app;
    const has = built?.columns.length > 0 && built.settings.data.kind === data.kind;
    $("columns").hidden = !has;
    if (!has) return;
    const { MAX_NAME: most } = this.app.known.limits; // a longer name is not understood
    const fill = (select, all, value) => {
      const names = all.filter(([, own]) => own.length <= most);
      select.replaceChildren(...names.map(([text, own]) => new Option(text, own)));
      select.value = value;
    };
    fill($("target"), built.columns.map((name) => [name, name]), built.target);
    const inputs = built.inputs.map((name) => [name, name]);
    fill($("across"), [["principal components", ""], ...inputs], data.shown[0] ?? "");
    fill($("up"), inputs, data.shown[1] ?? inputs[0][0]);
    $("across").disabled = inputs.length < 2;
    $("up").disabled = inputs.length < 2 || !data.shown.length;
  }

  chooseAxes() {
    const across = $("across").value;
    let up = $("up").value;
    if (across === up) up = this.app.built.inputs.find((name) => name !== across);
    this.app.changeData("shown", across ? [across, up] : []);
  }
}
