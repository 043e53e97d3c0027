"""Hand trackers behind one protocol, and what they produce."""
