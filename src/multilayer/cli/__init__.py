"""The command ``mlp``: a thin layer over the package, which does all computation."""
