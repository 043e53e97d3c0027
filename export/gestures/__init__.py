"""Workstation side of micro-gestures: data sets, training of heads, guidance by text, simulated performances."""
