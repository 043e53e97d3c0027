"""Inference runtimes behind one `Session` protocol: LiteRT by default, ONNX Runtime as an extra."""

from edge.runtime.session import RUNTIMES, Session, TensorSpec, open_session

__all__ = ["RUNTIMES", "Session", "TensorSpec", "open_session"]
