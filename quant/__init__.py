"""Quantisation: recipes, calibration, the gate that a quantised bundle must pass, and what to do when it does not."""
