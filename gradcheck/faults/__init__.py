"""Faults of hand-written backprop: the catalogue, planting, and matching."""
