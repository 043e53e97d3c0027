"""The verbs of `figop` that belong to the runtime, one module each."""
