"""OpenCV, loaded at first use and checked: captioning from landmarks alone must not need it."""

from __future__ import annotations

import os
import sys
from importlib import metadata
from typing import Any

from edge.errors import RuntimeUnavailable

#: Distributions that all install the folder `cv2`; pip lets them overwrite each other's files.
DISTRIBUTIONS = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
#: What figop calls; a half-overwritten cv2 imports but lacks some of it.
_NEEDED = ("VideoCapture", "VideoWriter", "VideoWriter_fourcc", "imdecode", "imencode", "cvtColor", "resize", "line")
_FIX = "pip uninstall -y {names} && pip install opencv-python-headless"


def load_cv2() -> Any:
    """The module `cv2`. Raises RuntimeUnavailable, with the command that repairs it, when it is absent or mixed up."""
    if "cv2" not in sys.modules:
        check_distributions()
        # a broken file is reported by figop in one sentence; FFmpeg's own lines would only bury it
        os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
        # an unplugged V4L2 camera is noticed after this many seconds (OpenCV's default is 10)
        os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "3")
    fix = _FIX.format(names=" ".join(installed()) or "opencv-python")
    try:
        import cv2
    except ImportError as error:
        if not installed():
            raise RuntimeUnavailable(
                "Reading pictures needs OpenCV, which is not installed: pip install opencv-python-headless"
            ) from error
        raise RuntimeUnavailable(f"OpenCV is installed but does not load ({error}); repair it: {fix}") from error
    missing = [name for name in _NEEDED if not hasattr(cv2, name)]
    if missing:
        raise RuntimeUnavailable(f"This OpenCV lacks cv2.{missing[0]}, its files are incomplete; repair it: {fix}")
    return cv2


def installed() -> dict[str, str]:
    """Installed OpenCV distributions and their versions."""
    found = {}
    for name in DISTRIBUTIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def check_distributions(found: dict[str, str] | None = None) -> None:
    """Raise RuntimeUnavailable when several OpenCV distributions of different versions share this environment."""
    found = installed() if found is None else found
    if len(set(found.values())) > 1:
        listed = " and ".join(f"{name} {version}" for name, version in found.items())
        raise RuntimeUnavailable(
            f"This environment holds {listed}, which overwrite each other's files; "
            f"repair it: {_FIX.format(names=' '.join(found))}"
        )
