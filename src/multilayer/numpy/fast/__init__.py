"""The fast path: the same training step as the readable engine's, for speed.

`take_step` in ``objective.py`` defines what a step computes. These modules compute the same with as
little overhead as possible:

- ``passes.py``, ``criteria.py``, ``updates.py``: the work between the matrix products; each part is
  one compiled pass over memory, next to its plain NumPy form;
- ``stages.py``, ``normalize.py``: layers, with the arrays that they write to;
- ``plan.py``: a forward and backward pass over some rows, as a list of stages;
- ``adversary.py``: the passes of a step with an adversary, one plan each;
- ``source.py``: where the rows of a batch come from;
- ``workers.py``: threads that share a batch, as many as pay off, and only while they do;
- ``step.py``: the training step, built from all of these;
- ``fused.py``: a training step of K networks in compiled code, one network after the other;
- ``prediction.py``: the forward pass alone.

The project's `docs/performance.md` lists the gain expected from each part, and the measured gain.
"""
