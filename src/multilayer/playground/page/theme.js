// Light or dark: as the system says, until the button says otherwise.

import { readTheme } from "./colours.js";
import { $ } from "./dom.js";
import { keep, recall } from "./memory.js";

export function watchTheme(onChange) {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const kept = recall("theme", null);
  if (kept) root.dataset.theme = kept;
  const show = () => {
    readTheme();
    onChange();
  };
  dark.onchange = show;
  $("theme").onclick = () => {
    const now = root.dataset.theme ?? (dark.matches ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
    keep("theme", root.dataset.theme);
    show();
  };
  readTheme();
}
