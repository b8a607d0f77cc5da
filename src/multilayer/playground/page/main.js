// The page: settings to the server, and what it answers to the screen.

import { classColour, readTheme } from "./colours.js";
import { Connection } from "./connection.js";
import { Controls, slider } from "./controls.js";
import { Curves } from "./curves.js";
import { showFindings, showRecipes, showUnit } from "./panels.js";
import { Plot } from "./plot.js";
import { Stage } from "./stage.js";
import { fitLayers, fromAddress, keepKnown, NOISE, toAddress } from "./state.js";

const $ = (id) => document.getElementById(id);
const element = (kind, className = "", text = "") => Object.assign(document.createElement(kind), { className, textContent: text });
const SPEEDS = [1, 3, 10, 30, 100, 300, 1000, 3000, null];
const TITLES = { points: "Draw", table: "Table" };
const N_DRAWN_CLASSES = 4;

let { settings, speed } = fromAddress(location.hash.slice(1));
let known = null; // what the server offers
let built = null; // what the session is about
let isPlaying = false;
let drawnClass = 0;
let written = location.hash.slice(1);

// To the server --------------------------------------------------------------------------------

let waiting = 0;
function send() {
  fitLayers(settings);
  write();
  // Many changes in one moment, as of a slider that is dragged, are one message.
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(() => connection.say("settings", { settings }));
}

function write() {
  written = toAddress(settings, speed);
  history.replaceState(null, "", written ? `#${written}` : location.pathname);
}

function change(name, value) {
  settings = { ...settings, [name]: value };
  send();
}

function changeData(name, value) {
  settings = { ...settings, data: { ...settings.data, [name]: value } };
  send();
}

function chooseData(kind) {
  const data = { ...settings.data, kind, noise: NOISE[kind] ?? settings.data.noise };
  settings = { ...settings, data, loss: null };
  if (kind !== "table") Object.assign(data, { target: "", shown: [] });
  if (kind !== "points") data.points = [];
  showSettings();
  if (kind === "points" || (kind === "table" && !built?.columns.length)) {
    write();
    if (kind === "points") plot.showDrawn(data.points);
  } else {
    send();
  }
}

function setLayers(hidden, activation) {
  settings = { ...settings, hidden, activation };
  fitLayers(settings);
  showSettings();
  send();
}

// From the server ------------------------------------------------------------------------------

const handlers = {
  greeting(message) {
    known = message;
    keepKnown(settings, known);
    if (!settingsControls.setters.optimizer) makeControls();
    showSets();
    showSettings();
    hideBanner();
    const { kind, points } = settings.data;
    if (kind === "table") {
      // A table is not in the address: until it is there again, show something else.
      tell("This link is about a table: paste it, or drop its file, to go on.");
      connection.say("settings", { settings: { ...settings, data: { ...settings.data, kind: "spirals", target: "", shown: [] } } });
    } else if (kind === "points" && new Set(points.map((p) => p[2])).size < 2) {
      plot.showDrawn(points);
      connection.say("settings", { settings: { ...settings, data: { ...settings.data, kind: "xor" } } });
    } else {
      connection.say("settings", { settings });
    }
    connection.say("speed", { steps: speed });
  },

  built(message) {
    const isWaiting = ["points", "table"].includes(settings.data.kind) && message.settings.data.kind !== settings.data.kind;
    built = message;
    if (message.adopt) {
      settings = message.settings;
      write();
    }
    plot.show(built);
    stage.build({ ...built, settings: message.settings }, known.activations);
    curves.update(null, built.score === "accuracy");
    showBuilt();
    showSettings();
    showRecipes($("recipes"), built.recipes, copy);
    $("findings").replaceChildren(element("p", "hint", "The first examination is after 20 epochs."));
    delete $("findings").dataset.key;
    if (isWaiting && settings.data.kind === "points") plot.showDrawn(settings.data.points);
    hideBanner();
    $("notes").replaceChildren(...message.notes.map((note) => element("li", "", note)));
  },

  frame(message) {
    if (!built) return;
    isPlaying = message.is_playing;
    showPlaying();
    plot.update(message);
    stage.update(message);
    curves.update(message.arrays.curve, built.score === "accuracy");
    if (message.unit) showUnit($("unit"), message.unit, built);
    showNumbers(message);
  },

  recipes(message) {
    showRecipes($("recipes"), message.recipes, copy);
  },

  findings(message) {
    showFindings($("findings"), message.findings);
  },

  refused(message) {
    tell(message.reason);
  },

  paused(message) {
    isPlaying = false;
    showPlaying();
    tell(message.reason);
  },

  file(message) {
    const link = element("a");
    link.href = URL.createObjectURL(new Blob([message.rest]));
    link.download = message.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  },

  closed(reason) {
    isPlaying = false;
    showPlaying();
    tell(`This session has ended: ${reason}.`, "Start again", () => {
      connection.open();
    });
  },
};

// To the screen --------------------------------------------------------------------------------

const number = (value) => (value === null || value === undefined ? "–" : Math.abs(value) >= 1e4 || (value && Math.abs(value) < 1e-3) ? value.toExponential(2) : value.toFixed(3));

function showNumbers(frame) {
  $("read-epoch").textContent = frame.n_complete.toLocaleString("en");
  $("read-step").textContent = `${frame.step} of ${frame.n_steps}`;
  $("read-train").textContent = number(frame.train_loss);
  $("read-validation").textContent = number(frame.validation_loss);
  const scores = frame.scores.filter((score) => score !== null);
  const text = scores.map((score) => (built.score === "accuracy" ? `${(100 * score).toFixed(1)} %` : score.toFixed(3)));
  $("read-score").textContent = text.length ? text.join(" / ") : "–";
  $("read-score").title = text.length > 1 ? "training / validation" : "training";
}

function showPlaying() {
  $("play").setAttribute("aria-pressed", isPlaying);
  $("play").setAttribute("aria-label", isPlaying ? "Pause" : "Play");
  document.body.classList.toggle("playing", isPlaying);
}

function showBuilt() {
  const [n, nHeldOut] = built.n_samples;
  $("parameters").textContent = `${built.n_parameters.toLocaleString("en")} parameters`;
  const title = built.score === "accuracy" ? "Accuracy" : "R²";
  $("score-name").textContent = $("score-title").textContent = title;
  $("axis-across").textContent = axis(0);
  $("axis-up").textContent = built.axes.length > 1 ? axis(1) : built.target;
  const legend = [];
  built.classes.forEach((name, i) => legend.push(dot(classColour(i), name)));
  legend.push(element("span", "", `● ${n.toLocaleString("en")} to train on`));
  if (nHeldOut) legend.push(element("span", "", `◆ ${nHeldOut.toLocaleString("en")} to validate on`));
  $("legend").replaceChildren(...legend);
  $("regions").parentElement.hidden = built.task === "regression" || built.axes.length < 2;
  $("plot").setAttribute("aria-label", `The network’s output over ${built.axes.join(" and ")}, with ${n + nHeldOut} samples`);
}

function axis(i) {
  const name = built.axes[i];
  if (!built.is_to_scale) return name;
  return `${name} from ${built.low[i].toFixed(1)} to ${built.high[i].toFixed(1)}`.replaceAll("-", "−");
}

function dot(colour, text) {
  const item = element("span", "dot", text);
  item.style.setProperty("--dot", colour);
  return item;
}

function showSettings() {
  if (!known) return;
  const { data, hidden } = settings;
  settingsControls.show(settings);
  dataControls.show(data);
  const isToy = data.kind in NOISE;
  for (const name of ["noise", "n_samples"]) dataControls.toggle(name, isToy);
  for (const name of ["dropout", "normalization"]) settingsControls.toggle(name, hidden.length > 0);
  const isClass = built ? built.task === "classification" : true;
  offerLosses([null, ...(isClass ? ["cross_entropy", "squared_error"] : ["squared_error", "absolute_error", "huber"])]);
  settingsControls.setters.loss(settings.loss);
  $("drawing").hidden = data.kind !== "points";
  $("table").hidden = data.kind !== "table";
  plot.drawsPoints = data.kind === "points";
  $("plot").classList.toggle("drawing", plot.drawsPoints);
  for (const radio of document.querySelectorAll("#sets [role=radio]")) {
    const is = radio.dataset.kind === data.kind;
    radio.setAttribute("aria-checked", is);
    radio.tabIndex = is ? 0 : -1;
  }
  $("n-layers").textContent = hidden.length === 1 ? "1 hidden layer" : `${hidden.length} hidden layers`;
  $("fewer-layers").disabled = !hidden.length;
  $("more-layers").disabled = hidden.length >= known.limits.MAX_LAYERS;
  showColumns();
}

function showColumns() {
  const has = settings.data.kind === "table" && built?.columns.length > 0;
  $("columns").hidden = !has;
  if (!has) return;
  const fill = (select, names, value) => {
    select.replaceChildren(...names.map(([text, own]) => new Option(text, own)));
    select.value = value;
  };
  fill($("target"), built.columns.map((name) => [name, name]), built.target);
  const principal = [["principal components", ""]];
  const inputs = built.inputs.map((name) => [name, name]);
  fill($("across"), [...principal, ...inputs], settings.data.shown[0] ?? "");
  fill($("up"), inputs, settings.data.shown[1] ?? inputs[0][0]);
  $("across").disabled = inputs.length < 2;
  $("up").disabled = inputs.length < 2 || !settings.data.shown.length;
}

function showSets() {
  const sets = $("sets");
  if (sets.children.length) return paintSets();
  for (const kind of known.kinds) {
    const radio = element("button", "set");
    radio.setAttribute("role", "radio");
    radio.dataset.kind = kind;
    const picture = kind in TITLES ? element("span", `sign ${kind}`, kind === "points" ? "✎" : "▦") : element("canvas");
    if (kind in TITLES) picture.setAttribute("aria-hidden", "true");
    radio.append(picture, element("span", "", TITLES[kind] ?? kind));
    radio.onclick = () => chooseData(kind);
    sets.append(radio);
  }
  arrows(sets);
  paintSets();
}

function paintSets() {
  for (const radio of document.querySelectorAll("#sets [data-kind]")) {
    const canvas = radio.querySelector("canvas");
    if (!canvas) continue;
    const { data } = known.arrays[`thumbnail ${radio.dataset.kind}`];
    const side = 88;
    Object.assign(canvas, { width: side, height: side });
    const context = canvas.getContext("2d");
    for (let i = 0; i < data.length; i += 3) {
      const value = data[i + 2];
      const isValue = ["plane", "curve"].includes(radio.dataset.kind);
      context.fillStyle = classColour(isValue ? +(value > 0) : value);
      context.globalAlpha = isValue ? 0.35 + 0.65 * Math.min(1, Math.abs(value)) : 1;
      context.beginPath();
      context.arc((side / 2) * (1 + 0.88 * data[i]), (side / 2) * (1 - 0.88 * data[i + 1]), 3.4, 0, 7);
      context.fill();
    }
  }
}

// Arrow keys move within a group of radio buttons, as the pattern of WAI-ARIA asks.
function arrows(group) {
  group.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const all = [...group.querySelectorAll("[role=radio]")];
    const next = all[(all.indexOf(document.activeElement) + step + all.length) % all.length];
    next.focus();
    next.click();
    event.preventDefault();
  });
}

function showClasses() {
  const group = $("classes");
  for (let i = 0; i < N_DRAWN_CLASSES; i++) {
    const radio = element("button", "dot", `class ${i}`);
    radio.setAttribute("role", "radio");
    radio.style.setProperty("--dot", `var(--class-${i})`);
    radio.onclick = () => {
      drawnClass = i;
      mark();
    };
    group.append(radio);
  }
  const mark = () =>
    [...group.children].forEach((each, i) => {
      each.setAttribute("aria-checked", i === drawnClass);
      each.tabIndex = i === drawnClass ? 0 : -1;
    });
  arrows(group);
  mark();
}

function drawPoints(points) {
  settings.data = { ...settings.data, points: points.slice(-known.limits.MAX_POINTS) };
  plot.showDrawn(settings.data.points);
  if (new Set(settings.data.points.map((p) => p[2])).size > 1) send();
  else write();
}

function tell(text, action = "", onAction = null) {
  $("banner").hidden = false;
  $("banner").firstElementChild.textContent = text;
  $("banner-action").hidden = !action;
  $("banner-action").textContent = action;
  $("banner-action").onclick = onAction;
}

function hideBanner() {
  $("banner").hidden = true;
}

async function copy(text, button) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed here";
  }
  setTimeout(() => (button.textContent = before), 1500);
}

// The controls ---------------------------------------------------------------------------------

const plot = new Plot($("plot"), (x, y) => drawPoints([...settings.data.points, [x, y, drawnClass]]));
const curves = new Curves($("loss-curve"), $("score-curve"));
const stage = new Stage($("stage"), $("edges"), setLayers, (layer, unit) => connection.say("select", { layer, unit }));
const settingsControls = new Controls($("settings-controls"), (name, value) => {
  // Another optimizer brings its own rate.
  if (name === "optimizer") settings = { ...settings, learning_rate: startingRate(value) };
  change(name, value);
  if (name === "optimizer") showSettings();
});
const dataControls = new Controls($("data-controls"), changeData);
let offerLosses = () => {};

// The default rate of an optimizer, and a larger one where small networks can take it.
function startingRate(optimizer) {
  return Math.max(known.optimizers[optimizer], optimizer === "sgd" ? 0.1 : optimizer === "lion" ? 1e-3 : 0.01);
}

function makeControls() {
  settingsControls.choice("optimizer", "Optimizer", Object.keys(known.optimizers));
  settingsControls.slider("learning_rate");
  settingsControls.slider("batch_size");
  offerLosses = settingsControls.choice("loss", "Loss", [null], "the default");
  settingsControls.slider("l1");
  settingsControls.slider("l2");
  settingsControls.slider("dropout");
  settingsControls.choice("normalization", "Normalisation", [null, ...known.normalizations]);
  settingsControls.choice("initializer", "Initial weights", known.initializers);
  settingsControls.seed("seed", "Seed of the weights");
  for (const name of ["noise", "n_samples", "validation"]) dataControls.slider(name);
  dataControls.seed("seed", "Seed of the data");
}

const setSpeed = slider($("speed"), $("speed-value"), SPEEDS, (v) => (v === null ? "as fast as it can" : `${v.toLocaleString("en")} steps/s`), (value) => {
  speed = value;
  write();
  connection.say("speed", { steps: speed });
});
setSpeed(speed);
showClasses();

$("play").onclick = () => {
  isPlaying = !isPlaying;
  showPlaying();
  connection.say(isPlaying ? "play" : "pause");
};
for (const name of ["step", "epoch", "reset", "save"]) $(name).onclick = () => connection.say(name);
$("save-samples").onclick = () => connection.say("samples");
$("copy-link").onclick = () => copy(location.href, $("copy-link"));
$("more-layers").onclick = () => setLayers([...settings.hidden, settings.hidden.at(-1) ?? 4], settings.activation);
$("fewer-layers").onclick = () => setLayers(settings.hidden.slice(0, -1), settings.activation.slice(0, -1));
$("undo").onclick = () => drawPoints(settings.data.points.slice(0, -1));
$("clear").onclick = () => drawPoints([]);
$("regions").onchange = () => {
  plot.asRegions = $("regions").checked;
  plot.draw();
};
$("read-csv").onclick = () => connection.sendFile("table", new Blob([$("csv").value]));
const choose = (input, type) => {
  input.onchange = () => {
    if (input.files.length) connection.sendFile(type, input.files[0]);
    input.value = "";
  };
};
choose($("csv-file"), "table");
choose($("open-model"), "model");
$("target").onchange = () => {
  settings = { ...settings, loss: null, data: { ...settings.data, target: $("target").value, shown: [] } };
  send();
};
$("across").onchange = $("up").onchange = (event) => {
  const across = $("across").value;
  let up = $("up").value;
  if (across === up) up = built.inputs.find((name) => name !== across);
  changeData("shown", across ? [across, up] : []);
};
$("banner-close").onclick = hideBanner;

// A file that is dropped anywhere.
addEventListener("dragover", (event) => {
  event.preventDefault();
  $("drop").hidden = false;
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) $("drop").hidden = true;
});
addEventListener("drop", (event) => {
  event.preventDefault();
  $("drop").hidden = true;
  const [file] = event.dataTransfer.files;
  if (file) connection.sendFile(file.name.endsWith(".safetensors") ? "model" : "table", file);
});

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, button, summary")) return;
  const button = { " ": "play", s: "step", e: "epoch", r: "reset" }[event.key.toLowerCase()];
  if (!button) return;
  event.preventDefault();
  $(button).click();
});

addEventListener("hashchange", () => {
  if (location.hash.slice(1) === written) return;
  ({ settings, speed } = fromAddress(location.hash.slice(1)));
  setSpeed(speed);
  handlers.greeting(known);
});

function showTheme() {
  readTheme();
  if (known) paintSets();
  if (built) showBuilt();
  stage.repaintInputs();
  if (stage.frame) stage.update(stage.frame);
  plot.draw();
  curves.draw();
}

const dark = matchMedia("(prefers-color-scheme: dark)");
const kept = localStorage.getItem("theme");
if (kept) document.documentElement.dataset.theme = kept;
dark.onchange = showTheme;
$("theme").onclick = () => {
  const now = document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light");
  document.documentElement.dataset.theme = now === "dark" ? "light" : "dark";
  localStorage.setItem("theme", document.documentElement.dataset.theme);
  showTheme();
};
showTheme();

const connection = new Connection(handlers);
