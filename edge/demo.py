"""The bundled demo clip: a rendered hand (no real person), made by `export/sim` with its true score beside it."""

from __future__ import annotations

from pathlib import Path

CLIP = Path(__file__).parent / "assets" / "demo.webm"
