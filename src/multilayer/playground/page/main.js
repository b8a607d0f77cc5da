// The page: its cards, each of which hears what the server says.

import { App } from "./app.js";
import { Classroom } from "./cards/classroom.js";
import { Curves } from "./cards/curves.js";
import { Data } from "./cards/data.js";
import { Digit } from "./cards/digit.js";
import { Doctor } from "./cards/doctor.js";
import { Inside } from "./cards/inside.js";
import { Lesson } from "./cards/lesson.js";
import { Network } from "./cards/network.js";
import { Numbers } from "./cards/numbers.js";
import { Output } from "./cards/output.js";
import { Take } from "./cards/take.js";
import { Training } from "./cards/training.js";
import { Transport } from "./cards/transport.js";
import { Walk } from "./cards/walk.js";
import { $ } from "./dom.js";
import { watchTheme } from "./theme.js";

const app = new App();
watchTheme(() => app.pass("theme"));
app.start([Transport, Data, Training, Network, Inside, Output, Digit, Numbers, Curves, Doctor, Walk, Take, Classroom, Lesson].map((Card) => new Card(app)));

$("banner-close").onclick = () => app.tell("");

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
  if (!file) return;
  if (file.name.endsWith(".json")) app.pass("lessonFile", file);
  else app.sendFile(file.name.endsWith(".safetensors") ? "model" : "table", file);
});
