"""A walk of one sample through the network: the chain rule, unit by unit, forward and back."""

from multilayer.playground.walk.course import steps_of_unit, walk_through

__all__ = ["steps_of_unit", "walk_through"]
