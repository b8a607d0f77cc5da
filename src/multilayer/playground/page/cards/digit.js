// Digit: an image that one draws, and what the network takes it for.

import { paintInk } from "../colours.js";
import { $, element } from "../dom.js";

const SIDE = 8;
const [FULL, NONE] = [0.3, 1]; // pixels from the middle of a stroke, where ink begins to fade and ends
const percent = (share) => `${(100 * share).toFixed(share > 0.995 || share < 0.0005 ? 0 : 1)} %`;

export class Digit {
  constructor(app) {
    this.app = app;
    this.image = new Float32Array(SIDE * SIDE);
    this.cursor = null; // column and row, with the keyboard
    this.last = null; // where the pointer was
    this.sample = -1;
    this.waiting = 0;
    this.bars = Array.from({ length: 10 }, (_, i) => this.bar(i));
    $("answer").append(...this.bars.map(({ row }) => row));
    const canvas = $("draw-digit");
    canvas.addEventListener("pointerdown", (event) => this.start(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const type of ["pointerup", "pointercancel"]) canvas.addEventListener(type, () => (this.last = null));
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => this.moveTo(null));
    $("clear-digit").onclick = () => this.take(new Float32Array(SIDE * SIDE));
    $("sample-digit").onclick = () => this.next();
  }

  bar(i) {
    const row = element("li");
    const [fill, share] = [element("i"), element("span", "share")];
    const track = element("span", "track");
    track.append(fill);
    row.append(element("b", "", i), track, share);
    return { row, fill, share };
  }

  onBuilt(built) {
    $("digit").hidden = !built.side;
    this.draw();
    if (built.side && this.image.some(Boolean)) this.ask(); // also of a new session
  }

  onFrame({ answer }) {
    if (!this.app.built.side) return;
    const best = answer && answer.indexOf(Math.max(...answer));
    this.bars.forEach(({ row, fill, share }, i) => {
      row.classList.toggle("best", i === best);
      fill.style.width = `${100 * (answer?.[i] ?? 0)}%`;
      share.textContent = answer ? percent(answer[i]) : "–";
    });
    const said = answer ? `It looks like a ${best}.` : "Draw a digit with the mouse, a pen or a finger, or with the arrow keys and space.";
    if ($("digit-said").textContent !== said) $("digit-said").textContent = said; // read aloud once
  }

  onTheme() {
    this.draw();
  }

  // Strokes --------------------------------------------------------------------------------------

  start(event) {
    $("draw-digit").setPointerCapture(event.pointerId);
    this.last = this.place(event);
    this.stroke(this.last, this.last);
  }

  move(event) {
    if (!this.last) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) {
      const now = this.place(each);
      this.stroke(this.last, now);
      this.last = now;
    }
  }

  // In pixels of the image.
  place(event) {
    const box = $("draw-digit").getBoundingClientRect();
    return [(SIDE * (event.clientX - box.left)) / box.width, (SIDE * (event.clientY - box.top)) / box.height];
  }

  // A line, thick and soft: each pixel has ink by its distance from it.
  stroke([x0, y0], [x1, y1]) {
    const [dx, dy] = [x1 - x0, y1 - y0];
    const long = dx * dx + dy * dy || 1;
    this.image.forEach((ink, i) => {
      const [x, y] = [(i % SIDE) + 0.5, Math.floor(i / SIDE) + 0.5];
      const along = Math.min(Math.max(((x - x0) * dx + (y - y0) * dy) / long, 0), 1);
      const far = Math.hypot(x - x0 - along * dx, y - y0 - along * dy);
      this.image[i] = Math.max(ink, Math.min((NONE - far) / (NONE - FULL), 1));
    });
    this.take(this.image);
  }

  // The keyboard: arrows move, and space inks a pixel, or clears it.
  key(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const [x, y] = this.cursor ?? [3, 3];
    if (event.key in moves) {
      const [dx, dy] = moves[event.key];
      this.moveTo(this.cursor ? [Math.min(Math.max(x + dx, 0), SIDE - 1), Math.min(Math.max(y + dy, 0), SIDE - 1)] : [x, y]);
    } else if (event.key === " ") {
      const i = SIDE * y + x;
      this.image[i] = this.image[i] < 0.5 ? 1 : 0;
      this.moveTo([x, y]);
      this.take(this.image);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  moveTo(cursor) {
    this.cursor = cursor;
    this.draw();
  }

  // The image ------------------------------------------------------------------------------------

  // One of the data set's own images, which the network has not been trained on if there are such.
  next() {
    const { shape, data } = this.app.built.arrays.examples;
    this.sample = (this.sample + 1) % shape[0];
    this.take(data.slice(this.sample * SIDE * SIDE, (this.sample + 1) * SIDE * SIDE));
  }

  take(image) {
    this.image = image;
    this.draw();
    cancelAnimationFrame(this.waiting);
    this.waiting = requestAnimationFrame(() => this.ask());
  }

  ask() {
    const image = this.image.some(Boolean) ? Array.from(this.image, (ink) => Number(ink.toFixed(3))) : null;
    this.app.say("ask", { image });
  }

  draw() {
    const canvas = $("draw-digit");
    paintInk(canvas, SIDE, this.image);
    $("pixel").hidden = !this.cursor;
    if (this.cursor) [$("pixel").style.left, $("pixel").style.top] = this.cursor.map((at) => `${(100 * at) / SIDE}%`);
  }
}
