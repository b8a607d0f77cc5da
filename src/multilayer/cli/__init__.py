"""The command ``mlp``: it translates between people and the package, and computes nothing."""
