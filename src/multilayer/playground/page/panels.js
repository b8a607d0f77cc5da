// What is told in words: a unit's numbers, the doctor's findings, the recipes.

const element = (kind, className = "", text = "") => Object.assign(document.createElement(kind), { className, textContent: text });
const minus = (text) => text.replaceAll("-", "−");
const shown = (value) => minus(value === null ? "–" : value === 0 ? "0" : Math.abs(value) < 0.001 || Math.abs(value) >= 1e4 ? value.toExponential(2) : value.toFixed(4));

// A unit's weights, its bias, and the loss's gradient in each.
export function showUnit(root, unit, built) {
  if (!unit) return;
  const last = built.widths.length - 1;
  const isOutput = unit.layer === last;
  const names = unit.layer === 1 ? built.inputs : Array.from({ length: unit.n_weights }, (_, i) => `layer ${unit.layer - 1}, unit ${i + 1}`);
  const title = element("p", "unit-name", isOutput ? `Output ${unit.unit + 1}` : `Hidden layer ${unit.layer}, unit ${unit.unit + 1}`);
  const z = unit.normalization ? `${unit.normalization} norm(w · h + b)` : "w · h + b";
  const formula = element("p", "formula", `a = ${unit.function}(z),  z = ${z}`);
  const parts = [title, formula];
  if (unit.formula) parts.push(element("p", "hint", `${unit.function}(z) = ${unit.formula}`));
  const table = element("table");
  const head = table.createTHead().insertRow();
  for (const text of ["from", "weight", "gradient"]) head.append(Object.assign(element("th", "", text), { scope: "col" }));
  const body = table.createTBody();
  const add = (name, value, gradient) => {
    const row = body.insertRow();
    row.append(Object.assign(element("th", "", name), { scope: "row" }));
    for (const number of [value, gradient]) {
      const cell = row.insertCell();
      cell.textContent = shown(number);
      cell.className = number > 0 ? "up" : number < 0 ? "down" : "";
    }
  };
  unit.weights.forEach((w, i) => add(names[i] ?? `input ${i + 1}`, w, unit.weight_gradients[i]));
  if (unit.bias !== null) add("bias", unit.bias, unit.bias_gradient);
  parts.push(table);
  if (unit.n_weights > unit.weights.length) parts.push(element("p", "hint", `and ${(unit.n_weights - unit.weights.length).toLocaleString("en")} more weights`));
  root.replaceChildren(...parts);
}

export function showFindings(root, findings) {
  if (!findings.length) {
    delete root.dataset.key;
    root.replaceChildren(element("p", "fine", "Nothing is wrong."));
    return;
  }
  const key = findings.map(({ name }) => name).join();
  if (root.dataset.key === key) return; // read aloud once
  root.dataset.key = key;
  root.replaceChildren(
    ...findings.map(({ name, severity, evidence, meaning, advice }) => {
      const item = element("div", `finding ${severity}`);
      item.append(element("h3", "", name.replaceAll("_", " ")), element("p", "hint", evidence), element("p", "", meaning), element("p", "advice", advice));
      return item;
    }),
  );
}

const TITLES = {
  python: "Python: this training, to the same bits",
  estimator: "Python: an estimator with these settings",
  command: "Command: on the samples, saved as CSV",
};

export function showRecipes(root, recipes, copy) {
  const open = new Set([...root.querySelectorAll("details[open]")].map((each) => each.dataset.name));
  root.replaceChildren(
    ...Object.entries(recipes).map(([name, text]) => {
      const details = element("details");
      details.dataset.name = name;
      details.open = open.has(name);
      const code = element("pre");
      code.append(element("code", "", text));
      code.tabIndex = 0;
      const button = element("button", "", "Copy");
      button.setAttribute("aria-label", `Copy ${name}`);
      button.onclick = () => copy(text, button);
      details.append(element("summary", "", TITLES[name]), code, button);
      return details;
    }),
  );
}
