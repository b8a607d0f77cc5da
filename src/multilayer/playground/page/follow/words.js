// What is said in words: the training, its findings, and the numbers.

import { $, count, dot, element, finding, number, words } from "../dom.js";

const SILENT = 60; // seconds without news of a training under way
const when = (text) => {
  const time = new Date(text);
  return Number.isNaN(time.valueOf()) ? text : time.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });
};
const ENDS = {
  n_epochs: "ended after all epochs",
  early_stopping: "stopped early",
  interrupt: "interrupted",
  divergence: "diverged",
  converged: "converged",
  "": "ended by an error",
};

export const ending = (reason) => ENDS[reason] ?? `stopped by ${words(reason)}`;

// How a training is: under way, ended, or silent.
export function state({ has_ended: hasEnded, stopped_by: reason, news }) {
  if (hasEnded) return ending(reason);
  const age = Math.max(0, Math.round(Date.now() / 1000 - news));
  if (age < SILENT) return "running";
  const text = age < 7200 ? `${Math.round(age / 60)} min` : `${Math.round(age / 3600)} h`;
  return `no news for ${text}: it may have been killed`;
}

export function showFacts(own, summary) {
  if (!own || !summary) return;
  const { about, end, step, n_damaged: nDamaged } = own;
  const layers = about.activations.map((name, i) => `${count(about.widths[i + 1])} ${name}`);
  const network = [`${count(about.widths[0])} inputs`, ...layers, `${count(about.widths.at(-1))} ${about.output}`].join(" → ");
  const facts = {
    Name: $("focus-control").hidden ? own.name : "",
    State: state(summary),
    Epoch: `${count(summary.epoch)} of ${count(about.n_epochs)}`,
    Step: step && !end ? `${count(step.step)} of ${count(step.n_steps)} in epoch ${count(step.epoch)}` : "",
    Error: end?.error ?? "",
    "Best epoch": end?.best_epoch ? count(end.best_epoch) : "",
    Members: about.n_members ? `${count(about.n_members)} networks${end ? `: ${Object.entries(end.members).map(([reason, n]) => `${count(n)} ${ending(reason)}`).join(", ")}` : ""}` : "",
    Network: network,
    Parameters: count(about.n_parameters),
    Samples: count(about.n_samples),
    Loss: about.loss,
    Optimizer: about.optimizer,
    "Batch size": count(about.batch_size),
    Engine: [about.engine, about.device].filter(Boolean).join(", "),
    Began: when(about.began),
    Ended: end ? when(end.at) : "",
    Resumed: about.n_complete ? `after epoch ${count(about.n_complete)}` : "",
    Damaged: nDamaged ? `${count(nDamaged)} lines of the record` : "",
  };
  const parts = Object.entries(facts).filter(([, value]) => value);
  $("facts").replaceChildren(...parts.flatMap(([name, value]) => [element("dt", "", name), element("dd", "", value)]));
}

export function showFindings(own) {
  const findings = own?.findings ?? [];
  const key = own ? `${own.name}\n${JSON.stringify(findings.map(({ name, severity }) => [name, severity]))}` : "";
  if ($("findings").dataset.key === key) return; // read aloud once
  $("findings").dataset.key = key;
  const parts = findings.map(finding);
  $("findings").replaceChildren(...(parts.length ? parts : [element("p", "hint", "The record shows nothing wrong. mlp doctor examines the model itself.")]));
}

// The last value of each curve, and how far each training is.
export function showNumbers(runs, summaries) {
  const names = [...new Set(runs.flatMap(({ curves }) => Object.keys(curves)))].filter((name) => name !== "seconds");
  const table = $("numbers");
  const head = element("tr");
  for (const text of ["run", "epoch", ...names.map(words), "state"]) head.append(Object.assign(element("th", "", text), { scope: "col" }));
  const rows = runs.map(({ name, colour, curves }) => {
    const row = element("tr");
    const first = Object.assign(element("th"), { scope: "row" });
    first.append(dot(colour, name));
    row.append(first, element("td", "", count(summaries[name].epoch)));
    for (const each of names) row.append(element("td", "", number(curves[each]?.middle.at(-1) ?? null)));
    row.append(element("td", "", state(summaries[name])));
    return row;
  });
  const [thead, tbody] = [element("thead"), element("tbody")];
  thead.append(head);
  tbody.append(...rows);
  table.replaceChildren(thead, tbody);
}
