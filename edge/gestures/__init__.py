"""Micro-gestures on the device: spotting in score traces, prototypes, sentences, examples. numpy alone."""
