// The settings, the lesson and what is hidden, and how they are written into the page's address.

export const DEFAULTS = {
  data: { kind: "spirals", n_samples: 400, noise: 0.03, seed: 0, validation: 0.3, formula: "y > sin(3*x)", points: [], features: ["x1", "x2"], target: "", shown: [] },
  hidden: [8, 8],
  activation: ["tanh", "tanh"],
  normalization: null,
  dropout: 0,
  initializer: "glorot",
  loss: null,
  optimizer: "adam",
  learning_rate: 0.05,
  schedule: null,
  epochs: null,
  patience: null,
  batch_size: 32,
  l1: 0,
  l2: 0,
  seed: 0,
};
export const DEFAULT_SPEED = 300;
export const NOISE = { circles: 0.1, moons: 0.1, xor: 0.3, spirals: 0.03, blobs: 0.3, plane: 0.1, curve: 0.1, formula: 0 };
export const REACH = 1.5; // of drawn points, on each side of 0

const number = (text, low, high, fallback, whole = false) => {
  const value = text === "" ? NaN : Number(text);
  if (!Number.isFinite(value)) return fallback;
  const inside = Math.min(Math.max(value, low), high);
  return whole ? Math.round(inside) : inside;
};
const list = (text) => (text === "" ? [] : text.split(","));
const short = (value) => String(Number(value.toPrecision(6)));

// Name in the address: [where it is, how it is written, how it is read].
const plain = (path, low, high, whole) => [path, short, (t, d) => number(t, low, high, d, whole)];
const name = (path) => [path, (v) => v ?? "none", (t) => (t === "none" ? null : t)];
const orNone = (path, low, high) => [path, (v) => String(v ?? "none"), (t, d) => number(t, low, high, d, true)];
const PARTS = {
  data: name(["data", "kind"]),
  n: plain(["data", "n_samples"], 4, 5000, true),
  noise: plain(["data", "noise"], 0, 2),
  draw: plain(["data", "seed"], 0, 2 ** 32 - 1, true),
  validation: plain(["data", "validation"], 0, 0.9),
  formula: [["data", "formula"], (v) => v, (t) => t.slice(0, 200)],
  target: [["data", "target"], (v) => v, (t) => t.slice(0, 200)],
  inputs: [["data", "features"], (v) => v.join(","), (t, d) => (t ? list(t) : d)],
  shown: [["data", "shown"], (v) => JSON.stringify(v), (t, d) => readShown(t, d)],
  points: [
    ["data", "points"],
    (v) => v.map(([x, y, c]) => `${Math.round(100 * x)},${Math.round(100 * y)},${c}`).join(";"),
    (t) => t.split(";").map((each) => each.split(",").map(Number))
      .filter((p) => p.length === 3 && p.every(Number.isFinite))
      .slice(0, 2000)
      .map(([x, y, c]) => [number(x / 100, -REACH, REACH, 0), number(y / 100, -REACH, REACH, 0), number(c, 0, 7, 0, true)]),
  ],
  hidden: [["hidden"], (v) => v.join(","), (t) => list(t).slice(0, 12).map((w) => number(w, 1, 1000, 4, true))],
  activation: [["activation"], (v) => v.join(","), list],
  norm: name(["normalization"]),
  dropout: plain(["dropout"], 0, 0.95),
  init: name(["initializer"]),
  loss: name(["loss"]),
  optimizer: name(["optimizer"]),
  rate: plain(["learning_rate"], 1e-6, 100),
  schedule: name(["schedule"]),
  epochs: orNone(["epochs"], 1, 100_000),
  patience: orNone(["patience"], 1, 100_000),
  batch: plain(["batch_size"], 1, 5000, true),
  l1: plain(["l1"], 0, 10),
  l2: plain(["l2"], 0, 10),
  seed: plain(["seed"], 0, 2 ** 32 - 1, true),
};

function readShown(text, fallback) {
  try {
    const names = JSON.parse(text);
    return Array.isArray(names) && names.length === 2 && names.every((n) => typeof n === "string") ? names : fallback;
  } catch {
    return fallback;
  }
}

const get = (settings, path) => path.reduce((inner, key) => inner[key], settings);
const set = (settings, path, value) => {
  const inner = path.slice(0, -1).reduce((outer, key) => outer[key], settings);
  inner[path.at(-1)] = value;
};

const WORD = /^[a-z0-9_-]{1,40}$/;
const listed = (text) => [...new Set(list(text))].filter((word) => WORD.test(word)).slice(0, 60);

export const isWord = (text) => typeof text === "string" && WORD.test(text);
export const SETTING_WORDS = [...Object.keys(PARTS), "speed"];
// The word for a setting, by its path, as ["data", "noise"].
export const wordOf = (path) => Object.keys(PARTS).find((key) => PARTS[key][0].join() === path.join());

// Only what differs from the defaults is written.
export function toAddress({ settings, speed, lesson = "", hide = [] }) {
  const words = new URLSearchParams();
  for (const [key, [path, write]] of Object.entries(PARTS)) {
    const value = get(settings, path);
    if (JSON.stringify(value) !== JSON.stringify(get(DEFAULTS, path))) words.set(key, write(value));
  }
  if (speed !== DEFAULT_SPEED) words.set("speed", speed ?? "max");
  if (lesson) words.set("lesson", lesson);
  if (hide.length) words.set("hide", hide.join());
  return words.toString().replaceAll("%2C", ",").replaceAll("%3B", ";");
}

export function fromAddress(text) {
  const settings = structuredClone(DEFAULTS);
  const words = new URLSearchParams(text);
  for (const [key, [path, , read]] of Object.entries(PARTS)) {
    if (words.has(key)) set(settings, path, read(words.get(key), get(DEFAULTS, path)));
  }
  fitLayers(settings);
  const speed = words.get("speed");
  return {
    settings,
    speed: speed === "max" ? null : number(speed ?? "", 0.1, 1e6, DEFAULT_SPEED),
    lesson: listed(words.get("lesson") ?? "")[0] ?? "",
    hide: listed(words.get("hide") ?? ""), // cards and controls: words that are none do nothing
    saysSettings: [...words.keys()].some((key) => Object.hasOwn(PARTS, key)),
  };
}

// Every hidden layer has an activation; without any, nothing can be dropped or normalised.
export function fitLayers(settings) {
  const { hidden, activation } = settings;
  settings.activation = hidden.map((_, i) => activation[i] ?? activation.at(-1) ?? "tanh");
  if (!hidden.length) Object.assign(settings, { dropout: 0, normalization: null });
}

// Replace names that the server does not know.
export function keepKnown(settings, known) {
  const check = (path, names) => {
    if (!names.includes(get(settings, path))) set(settings, path, get(DEFAULTS, path));
  };
  check(["data", "kind"], known.kinds);
  check(["initializer"], known.initializers);
  check(["optimizer"], Object.keys(known.optimizers));
  check(["normalization"], [null, ...known.normalizations]);
  const { data } = settings;
  data.features = data.features.filter((name) => known.features.some(([each]) => each === name));
  if (!data.features.length) data.features = [...DEFAULTS.data.features];
  check(["schedule"], [null, ...known.schedules]);
  check(["loss"], [null, ...known.losses]);
  settings.activation = settings.activation.map((a) => (known.activations.includes(a) ? a : "tanh"));
}
