// For a class: cards and controls that the address, or a lesson, hides; and the link that hides them.

import { $, copy, element } from "../dom.js";
import { toAddress, wordOf } from "../state.js";

// What can be hidden has a word in data-hide: its card's name, or the word of its setting.
function nameAll() {
  for (const card of document.querySelectorAll("section.card:not(#lesson)")) card.dataset.hide ??= card.classList[1];
  for (const input of document.querySelectorAll(".card [data-name]")) {
    const { name } = input.dataset;
    const path = input.closest(".card").classList.contains("data") ? ["data", name] : [name];
    (input.closest(".beside") ?? input.closest(".control")).dataset.hide = wordOf(path) ?? name;
  }
}

const titleOf = (part) => part.dataset.part ?? part.querySelector("h2, span").textContent;

export class Classroom {
  constructor(app) {
    this.app = app;
    this.ofLesson = [];
    this.sheet = new CSSStyleSheet();
    document.adoptedStyleSheets = [this.sheet];
    $("class-open").onclick = () => this.open();
    $("class-close").onclick = () => $("class-dialog").close();
    $("class-copy").onclick = () => copy($("class-link").value, $("class-copy"));
    $("class-link").onfocus = () => $("class-link").select();
    $("class-parts").onchange = () => this.showLink();
  }

  onGreeting() {
    nameAll();
    this.hide();
  }

  onSettings() {
    this.hide();
  }

  onLessonHides(words) {
    this.ofLesson = words;
    this.hide();
  }

  hide() {
    const words = [...this.app.hide, ...this.ofLesson];
    // A rule of CSS, so that it holds for what is drawn later, too, and nothing of it has the focus.
    const rule = words.map((word) => `[data-hide="${word}"]`).join();
    this.sheet.replaceSync(rule ? `${rule} { display: none !important; }` : "");
    document.querySelector("main").classList.toggle("without-settings", ["data", "settings"].every((word) => words.includes(word)));
  }

  open() {
    const parts = [["", document.querySelectorAll("header [data-hide]")]];
    for (const card of document.querySelectorAll("section.card[data-hide]")) parts.push([card, card.querySelectorAll("[data-hide]")]);
    $("class-parts").replaceChildren(...parts.map(([card, inner]) => this.group(card, inner)));
    this.showLink();
    $("class-dialog").showModal();
  }

  group(card, inner) {
    const group = element("div", "class-group");
    group.append(card ? this.box(card) : element("p", "class-head", "Above the cards"));
    const named = new Map([...inner].map((part) => [part.dataset.hide, part]));
    for (const part of named.values()) {
      const box = this.box(part);
      box.classList.add("class-inner");
      group.append(box);
    }
    return group;
  }

  box(part) {
    const label = element("label", "check");
    const input = Object.assign(element("input"), { type: "checkbox", value: part.dataset.hide });
    input.checked = !this.app.hide.includes(input.value);
    label.append(input, element("span", "", titleOf(part)));
    return label;
  }

  showLink() {
    const hide = [];
    for (const group of $("class-parts").children) {
      const isGone = group.querySelector("label:not(.class-inner) input:not(:checked)");
      for (const input of group.querySelectorAll(".class-inner input")) input.disabled = Boolean(isGone);
      hide.push(...[...group.querySelectorAll("input:not(:checked):not(:disabled)")].map((input) => input.value));
    }
    $("class-link").value = `${location.origin}${location.pathname}#${toAddress({ ...this.app, hide })}`;
  }
}
