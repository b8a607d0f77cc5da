// The doctor's findings, in words with what to change.

import { $, element } from "../dom.js";

export class Doctor {
  built() {
    $("findings").replaceChildren(element("p", "hint", "The first examination is after 20 epochs."));
    this.key = null;
  }

  findings({ findings }) {
    const key = findings.map(({ name }) => name).join();
    if (key === this.key) return; // read aloud once
    this.key = key;
    const parts = findings.map(({ name, severity, evidence, meaning, advice }) => {
      const item = element("div", `finding ${severity}`);
      item.append(element("h3", "", name.replaceAll("_", " ")), element("p", "hint", evidence), element("p", "", meaning), element("p", "advice", advice));
      return item;
    });
    $("findings").replaceChildren(...(parts.length ? parts : [element("p", "fine", "Nothing is wrong.")]));
  }
}
