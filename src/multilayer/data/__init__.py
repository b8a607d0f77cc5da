"""Where samples come from, and how they reach a network batch by batch."""

from multilayer.data.batches import Batches
from multilayer.data.digits import Digits, load_digits
from multilayer.data.split import split_validation

__all__ = ["Batches", "Digits", "load_digits", "split_validation"]
