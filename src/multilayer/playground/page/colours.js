// Okabe and Ito's colours, which colour-blind readers can tell apart, on paper light or dark.

const N_CLASSES = 10; // in `style.css`
const NAMES = ["ink", "faint", "picture", "positive", "negative"];

let named = {}; // as "rgb(…)"
let classes = [];
let rgb = [];
let paper = [255, 255, 255];
const ramps = { full: new Uint8ClampedArray(256 * 3), pale: new Uint8ClampedArray(256 * 3) };
const STRENGTHS = { full: 0.94, pale: 0.55 }; // pale lies under points

export const classColour = (i) => classes[i % N_CLASSES];
export const ink = () => named.ink;
export const faint = () => named.faint;
export const picture = () => named.picture;
export const positive = () => named.positive;
export const negative = () => named.negative;

const numbers = (colour) => colour.match(/\d+/g).slice(0, 3).map(Number);

// What variables stand for in this theme, which only a property that takes a colour tells.
export function cssColours(names) {
  const probe = document.body.appendChild(document.createElement("i"));
  const found = names.map((name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  });
  probe.remove();
  return found;
}

// Negative through paper to positive, for bytes from 0 to 255.
export function readTheme() {
  const found = cssColours(NAMES);
  named = Object.fromEntries(NAMES.map((name, i) => [name, found[i]]));
  classes = cssColours(Array.from({ length: N_CLASSES }, (_, i) => `class-${i}`));
  rgb = classes.map(numbers);
  paper = numbers(named.picture);
  const ends = [named.negative, named.positive].map(numbers);
  for (const [name, ramp] of Object.entries(ramps)) {
    for (let i = 0; i < 256; i++) {
      const t = (i - 127.5) / 127.5;
      const strength = STRENGTHS[name] * Math.abs(t) ** 0.8;
      for (let k = 0; k < 3; k++) ramp[3 * i + k] = paper[k] + strength * (ends[+(t > 0)][k] - paper[k]);
    }
  }
}

// Draw bytes, of a picture of height × width, into image data of the same size.
export function paintValues(pixels, bytes, offset, isPale) {
  const ramp = isPale ? ramps.pale : ramps.full;
  for (let i = 0, n = pixels.length / 4; i < n; i++) {
    const from = 3 * bytes[offset + i];
    pixels[4 * i] = ramp[from];
    pixels[4 * i + 1] = ramp[from + 1];
    pixels[4 * i + 2] = ramp[from + 2];
    pixels[4 * i + 3] = 255;
  }
}

// Draw the probabilities of several classes: the mixture of their colours, paler where unsure.
export function paintClasses(pixels, bytes, nClasses, asRegions) {
  const n = pixels.length / 4;
  for (let i = 0; i < n; i++) {
    let best = 0, red = 0, green = 0, blue = 0;
    let winner = 0;
    for (let c = 0; c < nClasses; c++) {
      const p = bytes[c * n + i] / 255;
      const own = rgb[c % N_CLASSES];
      if (p > best) [best, winner] = [p, c];
      red += p * own[0];
      green += p * own[1];
      blue += p * own[2];
    }
    if (asRegions) [red, green, blue] = rgb[winner % N_CLASSES];
    const sure = asRegions ? 0.5 : 0.08 + 0.5 * Math.max(0, (best - 1 / nClasses) / (1 - 1 / nClasses));
    pixels[4 * i] = paper[0] + sure * (red - paper[0]);
    pixels[4 * i + 1] = paper[1] + sure * (green - paper[1]);
    pixels[4 * i + 2] = paper[2] + sure * (blue - paper[2]);
    pixels[4 * i + 3] = 255;
  }
}

// Draw an image of shares of ink, from 0 to 1, into a canvas of as many pixels.
export function paintInk(canvas, side, shares) {
  Object.assign(canvas, { width: side, height: side });
  const context = canvas.getContext("2d");
  const image = context.createImageData(side, side);
  const own = numbers(named.ink);
  shares.forEach((share, i) => {
    for (let k = 0; k < 3; k++) image.data[4 * i + k] = paper[k] + share * (own[k] - paper[k]);
    image.data[4 * i + 3] = 255;
  });
  context.putImageData(image, 0, 0);
}

// A canvas's context in CSS pixels, cleared.
export function fresh(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}
