"""The fast path: the same training step as the readable engine's, for speed.

What a step computes is in ``objective.py``, `take_step`. Here it is arranged so that a processor
does nothing but the arithmetic:

- ``passes.py``, ``criteria.py``, ``updates.py``: what stands between the matrix products, each as
  one compiled pass over memory, with its plain NumPy form beside it;
- ``plan.py``: a pass forward and back over some rows, in arrays that are made once;
- ``source.py``: where the rows of a batch come from;
- ``workers.py``: threads, each with its own part of a batch: how many, and as long as that pays;
- ``step.py``: the training step made of these;
- ``prediction.py``: the way forward alone.

`docs/performance.md` in the project says what each of them was to give, and what it gave.
"""
