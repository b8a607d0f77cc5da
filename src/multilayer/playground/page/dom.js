// What every card needs: elements, groups of choices, numbers as text, the clipboard.

export const $ = (id) => document.getElementById(id);

export const element = (kind, className = "", text = "") => Object.assign(document.createElement(kind), { className, textContent: text });

export const minus = (text) => text.replaceAll("-", "−");

// A name of the package, as words.
export const words = (name) => name.replaceAll("_", " ");

// A number with three decimals, or with a power of ten.
export function number(value) {
  if (value === null || value === undefined) return "–";
  return minus(Math.abs(value) >= 1e4 || (value && Math.abs(value) < 1e-3) ? value.toExponential(2) : value.toFixed(3));
}

// A number at a tick: with as many decimals as the step between two has; 0 stands for a
// logarithmic axis.
export function atTick(value, step) {
  const decimals = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
  const isPlain = value === 0 || (Math.abs(value) >= 1e-3 && Math.abs(value) < 1e5);
  const text = !isPlain ? value.toExponential(0) : step ? String(Number(value.toFixed(Math.min(decimals + 1, 9)))) : String(value);
  return minus(text);
}

export const count = (value) => value.toLocaleString("en");

// What the doctor has found: what it saw, what that means, and what to change.
export function finding({ name, severity, evidence, meaning, advice }) {
  const item = element("div", `finding ${severity}`);
  item.append(element("h3", "", words(name)), element("p", "hint", evidence), element("p", "", meaning), element("p", "advice", advice));
  return item;
}

// A text behind a disc of a colour.
export function dot(colour, text) {
  const item = element("span", "dot", text);
  item.style.setProperty("--dot", colour);
  return item;
}

// Arrow keys move within a group of radio buttons, as the pattern of WAI-ARIA asks.
export function arrows(group) {
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

// Mark one radio button of a group as chosen.
export function mark(group, isChosen) {
  for (const each of group.querySelectorAll("[role=radio]")) {
    const is = isChosen(each);
    each.setAttribute("aria-checked", is);
    each.tabIndex = is ? 0 : -1;
  }
}

export async function copy(text, button) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed here";
  }
  setTimeout(() => (button.textContent = before), 1500);
}

// Give somebody a file.
export function download(blob, name) {
  const link = element("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
