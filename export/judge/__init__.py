"""The judge: event and caption metrics (DESIGN.md section 8), baselines, and `figop eval`."""
