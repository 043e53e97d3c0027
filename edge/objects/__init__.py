"""Hands and objects: detections in, what hands do with things out, as events and as sentences."""
