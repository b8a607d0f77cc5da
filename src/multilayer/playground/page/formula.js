// Formulas, typeset by KaTeX, with MathML for those who hear them.

import "./vendor/katex/katex.min.js"; // as `katex` of the window

const OPTIONS = { output: "htmlAndMathml", throwOnError: false, strict: false, trust: false };

// Typeset TeX into an element, in display style, but broken into lines where it is too long.
export function typeset(node, tex) {
  if (node.dataset.tex === tex) return;
  node.dataset.tex = tex;
  window.katex.render(`\\displaystyle ${tex}`, node, OPTIONS);
}
