// The network and its output as one picture, for a slide or a sheet.

import { cssColours } from "./colours.js";
import { $ } from "./dom.js";

const SCALE = 2; // pixels of the picture for one of the page
const MARGIN = 28;
const LINE = 22;

// Return a canvas with the network on the left, the output on the right, and lines of text below.
export function draw(lines) {
  const stage = $("stage");
  const plot = $("plot");
  const [width, height] = [stage.offsetWidth, Math.max(stage.offsetHeight, plot.offsetHeight)];
  const [card, line, ink, soft] = cssColours(["card", "line", "ink", "soft"]);
  const canvas = document.createElement("canvas");
  canvas.width = SCALE * (width + plot.offsetWidth + 3 * MARGIN);
  canvas.height = SCALE * (height + 2 * MARGIN + LINE * lines.length);
  const context = canvas.getContext("2d");
  context.scale(SCALE, SCALE);
  context.fillStyle = card;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.font = `13px ${getComputedStyle(document.body).fontFamily}`;
  context.textBaseline = "middle";
  context.save();
  context.translate(MARGIN, MARGIN + (height - stage.offsetHeight) / 2);
  drawStage(context, stage, ink, soft);
  context.restore();
  const left = width + 2 * MARGIN;
  const top = MARGIN + (height - plot.offsetHeight) / 2;
  context.drawImage(plot, left, top, plot.offsetWidth, plot.offsetHeight);
  context.strokeStyle = line;
  context.strokeRect(left, top, plot.offsetWidth, plot.offsetHeight);
  context.fillStyle = ink;
  context.textAlign = "left";
  lines.forEach((line, i) => context.fillText(line, MARGIN, height + 1.5 * MARGIN + LINE * (i + 0.5)));
  return canvas;
}

function drawStage(context, stage, ink, soft) {
  const origin = stage.getBoundingClientRect();
  const place = (each) => {
    const box = each.getBoundingClientRect();
    return [box.left - origin.left, box.top - origin.top, box.width, box.height];
  };
  for (const edges of stage.querySelectorAll(":scope > canvas")) context.drawImage(edges, 0, 0, stage.offsetWidth, stage.offsetHeight);
  context.imageSmoothingEnabled = false;
  for (const each of stage.querySelectorAll(".unit canvas")) {
    const [x, y, width, height] = place(each);
    context.globalAlpha = each.parentElement.classList.contains("dead") ? 0.45 : 1;
    context.drawImage(each, x, y, width, height);
    context.globalAlpha = 1;
    context.strokeStyle = soft;
    context.strokeRect(x, y, width, height);
  }
  context.textAlign = "center";
  for (const each of stage.querySelectorAll(".unit-label, .layer-name, .layer-foot")) {
    const [x, y, width, height] = place(each);
    context.fillStyle = each.className === "unit-label" ? ink : soft;
    context.fillText(each.textContent, x + width / 2, y + height / 2);
  }
  for (const each of stage.querySelectorAll(".layer-head select")) {
    const [x, y, width, height] = place(each);
    context.fillStyle = soft;
    context.fillText(each.value, x + width / 2, y + height / 2);
  }
}
