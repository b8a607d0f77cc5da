// The app: the settings, what the server says, and the cards, each of which hears of both.
//
// A card is an object with a method for each thing that it wants to hear, `onFrame` for a frame:
// what the server sends (`greeting`, `built`, `frame`, `recipes`, `findings`, `walk`, `refused`,
// `paused`, `finished`, `file`, `thumbnails`, `closed`); that the settings changed here (`settings`),
// or the colours (`theme`); and what cards pass to each other (`select`, `look`, `weight`, `pick`,
// `lit`, `point`, `drawn`, `lessonFile`, `lessonHides`).

import { $, count } from "./dom.js";
import { Connection } from "./connection.js";
import { fitLayers, fromAddress, keepKnown, toAddress } from "./state.js";

const PREPARING = "The first training run loads and compiles code, which can take several seconds.";
const UNTIL_THEN = { table: { kind: "spirals", target: "", shown: [] }, points: { kind: "xor" } };

export class App {
  constructor() {
    this.known = null; // what the server offers
    this.built = null; // what the session is about
    this.cards = [];
    this.written = location.hash.slice(1);
    Object.assign(this, fromAddress(this.written)); // settings, speed, lesson, hide
    this.waiting = 0;
    this.isPreparing = false; // whether the first step is compiled
    addEventListener("hashchange", () => this.read());
  }

  start(cards) {
    this.cards = cards;
    this.connection = new Connection((type, message) => this.hear(type, message));
  }

  // Pass something on to all cards.
  pass(type, message = null) {
    const method = `on${type[0].toUpperCase()}${type.slice(1)}`;
    for (const card of this.cards) card[method]?.(message);
  }

  say(type, values) {
    this.connection.say(type, values);
  }

  // A larger file would end the session.
  sendFile(type, file) {
    const most = this.known?.limits.MAX_FILE;
    if (file.size > most) this.tell(`This file is too large: it has ${count(Math.ceil(file.size / 2 ** 20))} MB, and at most ${most / 2 ** 20} MB can be read.`);
    else this.connection.sendFile(type, file);
  }

  // From the server ------------------------------------------------------------------------------

  hear(type, message) {
    if (type === "greeting") this.known = message;
    if (type === "built") {
      this.built = message;
      if (message.adopt) this.settings = message.settings;
    }
    if (type === "frame" && !this.built) return;
    this.pass(type, message);
    if (type === "greeting") this.begin();
    if (type === "built") {
      if (message.adopt) this.write();
      this.show();
      // Until a table or points are there, another set is shown, and it is said what to do.
      if (message.settings.data.kind === this.settings.data.kind) this.tell("");
    }
    // What is wrong with a formula is said below it.
    if ((type === "refused" && message.parameter !== "formula") || type === "paused") this.tell(message.reason);
    if (type === "preparing") {
      this.tell(PREPARING, { isFine: true });
      this.isPreparing = true;
    }
    if (type === "frame" && this.isPreparing && (message.step || message.n_complete)) {
      this.tell("");
      this.isPreparing = false;
    }
    if (type === "finished") this.tell(message.reason, { isFine: true });
    if (type === "closed") {
      this.tell(`This session has ended: ${message}.`, { action: "Start again", onAction: () => this.connection.open() });
    }
  }

  // Ask for the training of the settings; until its data are there, for another one.
  begin() {
    keepKnown(this.settings, this.known);
    this.show();
    this.tell("");
    const { settings } = this;
    const { kind, points } = settings.data;
    if (kind === "table") this.tell("This link needs a table: to continue, paste the table, or drop its file here.");
    const isThere = kind === "points" ? new Set(points.map((p) => p[2])).size > 1 : kind !== "table";
    const data = isThere ? settings.data : { ...settings.data, ...UNTIL_THEN[kind] };
    this.say("settings", { settings: { ...settings, data } });
    this.say("speed", { steps: this.speed });
  }

  // To the server --------------------------------------------------------------------------------

  change(name, value) {
    this.set({ ...this.settings, [name]: value });
  }

  changeData(name, value) {
    this.set({ ...this.settings, data: { ...this.settings.data, [name]: value } });
  }

  // Change settings; `isAsked` is false where the server could not use them yet.
  set(settings, isAsked = true) {
    this.settings = settings;
    fitLayers(settings);
    this.write();
    this.show();
    if (!isAsked) return;
    // Many changes in one moment, as of a slider that is dragged, are one message.
    cancelAnimationFrame(this.waiting);
    this.waiting = requestAnimationFrame(() => this.say("settings", { settings: this.settings }));
  }

  setSpeed(speed) {
    this.speed = speed;
    this.write();
    this.say("speed", { steps: speed });
  }

  // The address ----------------------------------------------------------------------------------

  write() {
    this.written = toAddress(this);
    history.replaceState(null, "", this.written ? `#${this.written}` : location.pathname);
  }

  read() {
    const now = location.hash.slice(1);
    if (now === this.written) return;
    this.written = now;
    Object.assign(this, fromAddress(now));
    if (this.known) this.begin();
  }

  // The screen -----------------------------------------------------------------------------------

  show() {
    if (this.known) this.pass("settings", this.settings);
  }

  // Show a text above everything, or none; with a button that does something about it.
  tell(text, { isFine = false, action = "", onAction = null } = {}) {
    $("banner").hidden = !text;
    $("banner").classList.toggle("fine", isFine);
    $("banner").firstElementChild.textContent = text;
    $("banner-action").hidden = !action;
    $("banner-action").textContent = action;
    $("banner-action").onclick = onAction;
  }
}
