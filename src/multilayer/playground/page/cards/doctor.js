// The doctor's findings, in words with what to change.

import { $, element, finding } from "../dom.js";

export class Doctor {
  onBuilt() {
    $("findings").replaceChildren(element("p", "hint", "The first examination is after 20 epochs."));
    this.key = null;
  }

  onFindings({ findings }) {
    const key = findings.map(({ name }) => name).join();
    if (key === this.key) return; // read aloud once
    this.key = key;
    const parts = findings.map(finding);
    $("findings").replaceChildren(...(parts.length ? parts : [element("p", "fine", "Nothing is wrong.")]));
  }
}
