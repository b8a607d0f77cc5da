"""The fast path: the same training step as the readable engine's, for speed.

`take_step` in ``objective.py`` says what a step computes. Here it is arranged so that a processor
does nothing but the arithmetic:

- ``passes.py``, ``criteria.py``, ``updates.py``: the work between the matrix products, each part as
  one compiled pass over memory, next to its plain NumPy form;
- ``stages.py``, ``normalize.py``: layers, with the arrays that they write to;
- ``plan.py``: a forward and backward pass over some rows, made of stages;
- ``adversary.py``: the passes of a step with an adversary, each a plan;
- ``source.py``: where the rows of a batch come from;
- ``workers.py``: threads, each with its part of a batch: how many, and as long as they pay;
- ``step.py``: the training step made of these;
- ``fused.py``: that of K networks in compiled code, one network after the other;
- ``prediction.py``: the forward pass alone.

The project's `docs/performance.md` says what each of them was expected to gain, and what it gained.
"""
