"""The networks that the device runs, as torch modules: encoder, units with projector, captioner."""
