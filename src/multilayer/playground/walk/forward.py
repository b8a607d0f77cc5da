"""Forward: the steps from the inputs to the loss."""

import numpy as np

from multilayer.playground.pictures import SHOWN
from multilayer.playground.walk.loss_rules import rule_of, targets_of
from multilayer.playground.walk.steps import Step, Stepper, function_of, mixes, products
from multilayer.playground.walk.typesetting import name_of, number, signed, takes_numbers, typeset

__all__ = ["Forward"]


class Forward(Stepper):
    """Writes the forward steps of one chain."""

    def affine(self, k: int, j: int) -> Step:
        """Return the step to z, or to u if it is normalised afterwards."""
        layer = self.layers[k - 1]
        kind = "u" if layer.normalized else "z"
        n, value, left = len(layer.x), float(layer.u[j]), self.at(kind, k, j)
        summed = products(zip(layer.W[j], layer.x, strict=True))
        if n > 1:
            rule = rf"\sum_{{k=1}}^{{{n}}} {self.weight(k, j)} {self.input(k)}"
            words = [f"multiplies each of its {n} inputs by a weight", "sums"]
        else:
            rule = f"{self.weight(k, j, 0)} {self.input(k, 0)}"
            words = ["multiplies its input by its weight"]
        if layer.b is not None:
            rule += f" + {self.at('b', k, j)}"
            summed += f" + {signed(float(layer.b[j]))}"
            words.append("adds its bias")
        *before, end = words
        text = f"{', '.join(before)}, and {end}" if before else end
        return Step(
            kind,
            k,
            j,
            f"{left} = {rule}",
            f"{left} = {summed} = {number(value)}",
            f"{self.unit(k, j)} {text}.",
            value,
            edges="in",
        )

    def normalize(self, k: int, j: int) -> Step:
        """Return the step from u to z."""
        layer, of = self.layers[k - 1], self.normalized(k)
        u, value = float(layer.u[j]), float(layer.z[j])
        left = self.at("z", k, j)
        gamma, beta, mean, std = (float(v[j]) for v in (of.gamma, of.beta, of.mean, of.std))
        difference = rf"\frac{{{number(u)} - {signed(mean)}}}{{{number(std)}}}"
        words = {
            "batch": "the mean μ and the standard deviation s are running averages over the "
            "batches so far",
            "layer": "the mean μ and the standard deviation s are those of the layer’s "
            f"{len(layer.u)} units",
        }[self.normalization]
        return Step(
            "z",
            k,
            j,
            rf"{left} = \gamma\, \hat u + \beta,\quad \hat u = "
            rf"\frac{{{self.at('u', k, j)} - \mu}}{{s}}",
            rf"{left} = {signed(gamma)} \cdot {difference} + {signed(beta)} = {number(value)}",
            f"{self.normalization.capitalize()} normalisation: {words}.",
            value,
        )

    def activate(self, k: int, j: int) -> Step:
        """Return the step from z to a, or to the output."""
        layer, is_output = self.layers[k - 1], k == self.last
        formula = function_of(layer.function, is_output=is_output).formula
        z, value = float(layer.z[j]), float(layer.a[j])
        left, function = self.result(k, j), name_of(layer.function)
        if mixes(layer.function):
            inside = ", ".join(number(each) for each in layer.z[:SHOWN])
            dots = r", \dots" if len(layer.z) > SHOWN else ""
            numbers = f"{function}({inside}{dots})_{{{j + 1}}}"
            words = f"{layer.function} compares {self.unit(k, j).lower()} with the others."
        elif takes_numbers(formula, "z"):
            numbers = typeset(formula, {"z": signed(z)})
            words = f"{self.unit(k, j)} passes z through {layer.function}."
        else:
            numbers = f"{function}({number(z)})"
            words = f"{self.unit(k, j)} passes z through {layer.function}."
        rule = typeset(formula)
        if layer.function == "identity":
            numbers, words = "", f"{self.unit(k, j)} passes z on unchanged."
        return Step(
            "a",
            k,
            j,
            rf"{left} = {function}(z) = {rule}" if rule != "z" else f"{left} = z",
            " = ".join([left, *([numbers] if numbers else []), number(value)]),
            words,
            value,
        )

    def loss(self) -> Step:
        """Return the step to the loss."""
        chain, rule = self.chain, rule_of(self.chain)
        right = int(chain.target) if np.ndim(chain.target) == 0 else 0
        target = ", ".join(f"{y:.3g}" for y in targets_of(chain)[:SHOWN].tolist())
        return Step(
            "loss",
            self.last,
            min(right, SHOWN - 1),
            rf"\ell = {self.indexed(rule.loss)}",
            rf"\ell = {rule.loss_in_numbers(chain)} = {number(chain.value)}",
            f"The loss compares the output with the target, y = {target}.".replace("-", "−"),
            chain.value,
        )
