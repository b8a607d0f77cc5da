// Light or dark: as the system says, until the button says otherwise.

import { readTheme } from "./colours.js";
import { $ } from "./dom.js";

export function watchTheme(onChange) {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const kept = localStorage.getItem("theme");
  if (kept) root.dataset.theme = kept;
  const show = () => {
    readTheme();
    onChange();
  };
  dark.onchange = show;
  $("theme").onclick = () => {
    const now = root.dataset.theme ?? (dark.matches ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
    show();
  };
  readTheme();
}
