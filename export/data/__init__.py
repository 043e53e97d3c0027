"""What the networks are trained on: windows and texts of simulated clips, and the process that streams them."""
