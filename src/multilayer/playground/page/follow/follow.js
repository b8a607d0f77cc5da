// The page of trainings: asks once a second what is new, and passes it to its parts.

import { classColour } from "../colours.js";
import { $, count, element, number, words } from "../dom.js";
import { watchTheme } from "../theme.js";
import { Charts } from "./charts.js";
import { Layers } from "./layers.js";
import { showFacts, showFindings, showNumbers, state } from "./words.js";

const EVERY = 1000; // milliseconds
const MOST_SHOWN = 8;
const COLOURS = [1, 0, 2, 3, 4, 5, 7, 6]; // yellow, which is faint on light paper, comes last

const parts = [new Charts(), new Layers()];
let chosen = new URLSearchParams(location.hash.slice(1)).getAll("run"); // none: the last that began
let shown = []; // their names, each in a colour of its place
let focus = "";
let news = null;
let said = ""; // what was drawn
let timer = 0; // 0 while the server is asked
let isDue = false;

const colour = (name) => classColour(COLOURS[shown.indexOf(name) % COLOURS.length]);

const later = (a, b) => b.began.localeCompare(a.began) || b.news - a.news;

// What the server knows -------------------------------------------------------------------------

// Ask, draw what is new, and ask again a second later; or at once, if `isDue` says so meanwhile.
async function ask() {
  let wait = EVERY;
  isDue = false;
  timer = 0;
  try {
    const query = new URLSearchParams(shown.map((name) => ["show", name]));
    const answer = await fetch(`runs?${query}`);
    if (answer.status === 404) return tell("This server was started without a folder to follow: run mlp playground --follow DIR.");
    if (!answer.ok) throw new Error(answer.statusText);
    news = await answer.json();
    tell("");
    if (choose()) isDue = true;
    else hear();
    showRuns();
  } catch {
    tell("The server has stopped. This page keeps what it last reported; to continue, run mlp playground --follow DIR.");
    wait *= 3;
  }
  timer = setTimeout(ask, isDue ? 0 : wait);
}

function askNow() {
  isDue = true;
  if (timer) {
    clearTimeout(timer);
    timer = setTimeout(ask, 0);
  }
}

// Which are shown: those that were chosen, or else the last one. Return whether that has changed.
function choose() {
  const names = news.runs.map(({ name }) => name);
  const last = [...news.runs].sort(later)[0];
  const found = chosen.filter((name) => names.includes(name)).slice(0, MOST_SHOWN);
  const now = found.length ? found : last ? [last.name] : [];
  const isNew = now.join("\n") !== shown.join("\n");
  shown = now;
  if (!shown.includes(focus)) focus = shown.at(-1) ?? "";
  return isNew;
}

function hear() {
  const text = JSON.stringify([news, focus, news.runs.map(state)]);
  if (text === said) return;
  said = text;
  const runs = shown.filter((name) => news.shown[name]).map((name) => ({ name, colour: colour(name), ...news.shown[name] }));
  const summaries = Object.fromEntries(news.runs.map((run) => [run.name, run]));
  const own = runs.find(({ name }) => name === focus);
  for (const part of parts) part.show(runs, own);
  $("focus-control").hidden = runs.length < 2;
  showFacts(own, summaries[focus]);
  showFindings(own);
  showNumbers(runs, summaries);
  $("folder").textContent = news.folder;
  const select = $("focus");
  if ([...select.options].map(({ value }) => value).join("\n") !== shown.join("\n")) {
    select.replaceChildren(...shown.map((name) => new Option(name, name)));
  }
  select.value = focus;
  showPassedOver();
}

// The list --------------------------------------------------------------------------------------

function showRuns() {
  const runs = [...news.runs].sort(later);
  const list = $("runs");
  const key = runs.map(({ name }) => name).join("\n");
  if (list.dataset.key !== key) {
    list.dataset.key = key;
    list.replaceChildren(...runs.map(makeRun));
  }
  for (const [i, run] of runs.entries()) {
    const item = list.children[i].firstElementChild;
    const [box, , , small] = item.children;
    box.checked = shown.includes(run.name);
    box.disabled = !box.checked && shown.length >= MOST_SHOWN;
    item.style.setProperty("--run", box.checked ? colour(run.name) : "transparent");
    const text = `epoch ${count(run.epoch)} of ${count(run.n_epochs)}, ${words(run.monitor)} ${number(run.value)}, ${state(run)}`;
    if (small.textContent !== text) small.textContent = text;
  }
  $("no-runs").hidden = runs.length > 0;
  $("more-runs").hidden = shown.length < MOST_SHOWN;
  $("more-runs").textContent = `At most ${MOST_SHOWN} are shown.`;
}

function makeRun({ name }) {
  const item = element("li");
  const label = element("label", "run");
  const box = Object.assign(element("input"), { type: "checkbox" });
  box.onchange = () => {
    chosen = box.checked ? [...shown, name] : shown.filter((each) => each !== name);
    focus = box.checked ? name : focus;
    const query = new URLSearchParams(chosen.map((each) => ["run", each]));
    history.replaceState(null, "", chosen.length ? `#${query}` : location.pathname);
    choose();
    showRuns();
    askNow();
  };
  label.append(box, element("i"), element("b", "", name), element("small"));
  item.append(label);
  return item;
}

function showPassedOver() {
  const found = news.passed_over;
  $("passed-over").hidden = !found.length;
  $("passed-over").firstElementChild.textContent = found.length === 1 ? "1 file was skipped" : `${count(found.length)} files were skipped`;
  $("passed-over").lastElementChild.replaceChildren(...found.map(({ name, reason }) => element("li", "", `${name} ${reason}`)));
}

function tell(text) {
  $("banner").hidden = !text;
  if ($("banner").firstElementChild.textContent !== text) $("banner").firstElementChild.textContent = text;
}

$("focus").onchange = () => {
  focus = $("focus").value;
  hear();
};
watchTheme(() => {
  said = "";
  if (!news) return;
  hear();
  showRuns();
});
ask();
