// Take it with you: the link, the model file, the samples, and the recipes in Python.

import { $, copy, download, element } from "../dom.js";
import { draw } from "../picture.js";

const TITLES = {
  python: "Python: this training run, bit for bit",
  estimator: "Python: an estimator with these settings",
  command: "Command: train on the samples, saved as CSV",
};

export class Take {
  constructor(app) {
    this.app = app;
    $("copy-link").onclick = () => copy(location.href, $("copy-link"));
    $("save").onclick = () => app.say("save");
    $("save-picture").onclick = () => this.savePicture();
    $("save-samples").onclick = () => app.say("samples");
    $("open-model").onchange = () => {
      if ($("open-model").files.length) app.sendFile("model", $("open-model").files[0]);
      $("open-model").value = "";
    };
  }

  // Below the picture stands what the numbers above the page say.
  savePicture() {
    const numbers = [...document.querySelectorAll(".readouts > div:not([hidden])")];
    const line = numbers.map((each) => [...each.children].map(({ textContent }) => textContent).join(" ")).join("   ·   ");
    draw([line, this.estimator]).toBlob((blob) => download(blob, "playground.png"));
  }

  onFile({ name, rest }) {
    download(new Blob([rest]), name);
  }

  onBuilt(built) {
    this.onRecipes(built);
  }

  onRecipes({ recipes, is_repeatable: isRepeatable }) {
    $("different").hidden = isRepeatable;
    this.estimator = recipes.estimator;
    const open = new Set([...$("recipes").querySelectorAll("details[open]")].map((each) => each.dataset.name));
    const parts = Object.entries(recipes).map(([name, text]) => {
      const details = element("details");
      details.dataset.name = name;
      details.open = open.has(name);
      const code = element("pre");
      code.append(element("code", "", text));
      code.tabIndex = 0;
      const button = element("button", "", "Copy");
      button.setAttribute("aria-label", `Copy ${name}`);
      button.onclick = () => copy(text, button);
      details.append(element("summary", "", isRepeatable ? TITLES[name] : TITLES[name].replace("this training run, bit for bit", "from the start, with the current settings")), code, button);
      return details;
    });
    $("recipes").replaceChildren(...parts);
  }
}
