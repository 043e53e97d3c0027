"""Fixtures of the edge tests."""

from tests.edge.media import scripted

__all__ = ["scripted"]
