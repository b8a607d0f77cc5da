"""Backward: the steps from the loss to the gradient of every weight."""

import numpy as np

from multilayer.playground.pictures import SHOWN
from multilayer.playground.walk.loss_rules import rule_of, targets_of
from multilayer.playground.walk.steps import (
    MIXED,
    Step,
    Stepper,
    flat,
    function_of,
    mixes,
    products,
    slope_in,
)
from multilayer.playground.walk.typesetting import number, signed, takes_numbers, typeset

__all__ = ["Backward"]

GAMMA, BETA = r"\gamma", r"\beta"


class Backward(Stepper):
    """Writes the backward steps of one chain."""

    def slope(self, k: int, j: int) -> Step:
        """Return the first backward step in a layer: from the loss, or from the next layer."""
        layer = self.layers[k - 1]
        if k == self.last:
            return self._of_loss(j)
        above = self.layers[k]
        da = layer.da
        assert da is not None
        left = slope_in(self.result(k, j))
        next_ = slope_in(self.at("u" if above.normalized else "z", k + 1, None))
        summed = products(zip(above.W[:, j], above.du, strict=True))
        n = len(above.du)
        the_sum = rf"\sum_{{i=1}}^{{{n}}} " if n > 1 else ""
        words = (
            "through the one unit that it feeds: by the chain rule, the weight times its gradient."
            if n == 1
            else f"through each of the {n} units that it feeds: by the chain rule, the sum of the "
            "weights times their gradients."
        )
        return Step(
            "da",
            k,
            j,
            rf"{left} = {the_sum}{self.weight(k + 1, None, j)}\, {next_}",
            f"{left} = {summed} = {number(float(da[j]))}",
            f"{self.unit(k, j)} acts on the loss {words}",
            float(da[j]),
            edges="out",
            is_back=True,
        )

    def _of_loss(self, j: int) -> Step:
        layer, rule = self.layers[-1], rule_of(self.chain)
        is_logit = layer.da is None
        is_identity = layer.function == "identity"
        symbol = self.at("z", self.last, j) if is_logit else self.result(self.last, j)
        source = layer.dz if layer.da is None else layer.da
        y = float(targets_of(self.chain)[j])
        numbers = rule.slope_in_numbers(float(layer.a[j]), y, self.chain.loss)
        left = slope_in(symbol)
        same = f"{slope_in(self.at('z', self.last, j))} = " if is_identity else ""
        return Step(
            "dz" if is_logit or is_identity else "da",
            self.last,
            j,
            rf"{same}{left} = {self.indexed(rule.slope, j)}",
            f"{left} = {numbers} = {number(float(source[j]))}",
            rule.why,
            float(source[j]),
            is_back=True,
        )

    def through(self, k: int, j: int) -> Step:
        """Return the step from ∂ℓ/∂a to ∂ℓ/∂z."""
        layer, is_output = self.layers[k - 1], k == self.last
        function = function_of(layer.function, is_output=is_output)
        assert layer.da is not None
        da, z, a, dz = (float(v[j]) for v in (layer.da, layer.z, layer.a, layer.dz))
        left = slope_in(self.at("z", k, j))
        of_a, formula = slope_in(self.result(k, j)), function.derivative_formula
        if mixes(layer.function):
            derivative = formula.removeprefix("dz = ")
            letter = self.letter(k)
            symbols = {"da": slope_in(letter), "a": letter}
            the_sum = MIXED[layer.function]
            terms = layer.da * layer.a if the_sum.endswith(" a") else layer.da
            given = {
                "da": signed(da),
                "a": signed(a),
                "S": signed(float(terms.sum())),
            }
            rule = f"{slope_in('z')} = {typeset(derivative, symbols)}"
            numbers = typeset(derivative.replace(the_sum, "S"), given)
            words = f"{layer.function} mixes the units, so the gradients of all outputs take part."
        else:
            slope = float(np.asarray(function.derivative(layer.z[[j]], layer.a[[j]])[0]))
            rule = rf"{left} = {of_a} \cdot \sigma'(z),\quad \sigma'(z) = {typeset(formula)}"
            numbers = rf"{signed(da)} \cdot {signed(slope)}"
            given = {"z": signed(z), "a": signed(a)}
            if takes_numbers(formula, given) and formula != "1":
                numbers = (
                    rf"{signed(da)} \cdot \left( {typeset(formula, given)} \right) = {numbers}"
                )
            words = (
                f"The gradient passes back through {layer.function}: it is multiplied by the slope "
                "at this z."
            )
            if slope == 0:
                words = f"The slope of {layer.function} is 0 here: nothing passes back through it."
        numbers = f"{left} = {numbers} = {number(dz)}"
        return Step("dz", k, j, rule, numbers, words, dz, is_back=True)

    def through_norm(self, k: int, j: int) -> Step:
        """Return the step from ∂ℓ/∂z to ∂ℓ/∂u."""
        layer, of = self.layers[k - 1], self.normalized(k)
        left, of_z = (slope_in(self.at(name, k, j)) for name in ("u", "z"))
        scaled = of.gamma * layer.dz
        gamma, std, x_hat, dz, du = (
            float(v[j]) for v in (of.gamma, of.std, of.x_hat, layer.dz, layer.du)
        )
        own = rf"{signed(gamma)} \cdot {signed(dz)}"
        if self.normalization == "batch":
            rule = rf"\frac{{\gamma}}{{s}} {of_z}"
            numbers = rf"\frac{{{own}}}{{{number(std)}}}"
            words = (
                "Back through the normalisation; its mean and standard deviation are constants "
                "here."
            )
        else:
            rule = (
                r"\frac{1}{s} \left( g - \overline{g} - \hat u\, \overline{g \hat u} \right),"
                rf"\quad g = \gamma {of_z}"
            )
            means = signed(float(scaled.mean())), signed(float((scaled * of.x_hat).mean()))
            numbers = (
                rf"\frac{{1}}{{{number(std)}}} \left( {own} - {means[0]} - "
                rf"{signed(x_hat)} \cdot {means[1]} \right)"
            )
            words = (
                "Back through the normalisation: each unit also changes the layer’s mean and "
                "standard deviation, so two means over all units are subtracted."
            )
        numbers = f"{left} = {numbers} = {number(du)}"
        return Step("du", k, j, f"{left} = {rule}", numbers, words, du, is_back=True)

    def weights(self, k: int, j: int) -> Step:
        """Return the step to the gradients of a unit's weights and bias."""
        layer = self.layers[k - 1]
        of = layer.normalized
        own = self.at("u" if of else "z", k, j)
        du = float(layer.du[j])
        shown = layer.dW[j, :SHOWN].tolist()
        rows = [
            rf"{flat(self.weight(k, j, i))} &= {signed(du)} \cdot {signed(float(layer.x[i]))} "
            f"= {number(gradient)}"
            for i, gradient in enumerate(shown)
        ]
        rule = rf"{slope_in(self.weight(k, j))} = {slope_in(own)}\, {self.input(k)}"
        words = "the gradient of a weight is the unit’s gradient times the weight’s input"
        if layer.b is not None:
            rule += rf",\quad {slope_in(self.at('b', k, j))} = {slope_in(own)}"
            rows.append(rf"{flat(self.at('b', k, j))} &= {number(du)}")
            words += "; the input of the bias is 1"
        if of is not None:
            product = rf"{signed(float(layer.dz[j]))} \cdot {signed(float(of.x_hat[j]))}"
            rows.append(rf"{flat(GAMMA)} &= {product} = {number(float(of.dgamma[j]))}")
            rows.append(rf"{flat(BETA)} &= {number(float(of.dbeta[j]))}")
        n_more = len(layer.x) - len(shown)
        more = f" There are {n_more:,} more." if n_more else ""
        return Step(
            "dW",
            k,
            j,
            rule,
            r"\begin{aligned} " + r" \\ ".join(rows) + r" \end{aligned}",
            f"{self.unit(k, j)}: {words}.{more}",
            du,
            weights=tuple(shown),
            edges="in",
            is_back=True,
        )

    def update(self, learning_rate: float) -> Step:
        """Return the last step: the update of the weight that gradient descent changes most."""
        shown = [
            (abs(float(layer.dW[j, i])), k, j, i)
            for k, layer in enumerate(self.layers, start=1)
            for j in range(min(SHOWN, len(layer.z)))
            for i in range(min(SHOWN, len(layer.x)))
        ]
        _, k, j, i = max(shown)
        layer, rate = self.layers[k - 1], learning_rate
        w, dw = float(layer.W[j, i]), float(layer.dW[j, i])
        value, left = w - rate * dw, self.weight(k, j, i)
        return Step(
            "update",
            k,
            j,
            r"w \leftarrow w - \eta \frac{\partial \ell}{\partial w}",
            rf"{left} \leftarrow {number(w, 1)} - {number(rate)} \cdot {signed(dw)} = "
            f"{number(value, 1)}",
            "Plain gradient descent subtracts η times the gradient from every weight and bias; "
            "this is the weight that it would change most. Training uses the mean gradient of a "
            "batch.",
            value,
            edges="in",
            input=i,
            is_back=True,
        )
