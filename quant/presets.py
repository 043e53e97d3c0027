"""Optimum's quantisation presets per instruction set, through its ONNX Runtime quantiser.

It serves the graphs whose every input begins with a batch of one frame or one caption. Its own `fit` cannot feed
them (it adds an axis), so that the ranges come from its calibrator directly. It knows no LiteRT.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge.errors import RuntimeUnavailable
from quant.feeds import Feed
from quant.litert import quiet
from quant.onnxrt import _Reader, _stacked, clean
from quant.recipe import RecipeError

#: Preset -> what it is for.
PRESETS = {
    "arm64": "ARM with dot products: signed activations, signed weights",
    "avx512_vnni": "x86-64 with VNNI: unsigned activations, signed weights",
    "tensorrt": "Jetson: symmetric, per channel",
}
_OPERATORS = ["MatMul", "Gemm", "Conv"]


def quantise(data: bytes, preset: str, feeds: Sequence[Feed]) -> bytes:
    """A float ONNX graph by one of Optimum's presets, static. Raises RecipeError or RuntimeUnavailable."""
    if preset not in PRESETS:
        raise RecipeError(f"There is no preset {preset!r}: presets are {', '.join(PRESETS)}.")
    if not feeds:
        raise RecipeError(f"The preset {preset} needs calibration data, and none was given.")
    try:
        with quiet():
            from onnxruntime.quantization import CalibrationMethod
            from optimum.onnxruntime import ORTQuantizer
            from optimum.onnxruntime.configuration import AutoQuantizationConfig, CalibrationConfig
    except ImportError as error:
        raise RuntimeUnavailable(f"Presets need Optimum ({error}): run `pip install 'figop[export]'`.") from error
    import onnx

    made: Any = getattr(AutoQuantizationConfig, preset)
    excluded = {"nodes_to_exclude": _stacked(data), "operators_to_quantize": _OPERATORS}
    config = (
        made(per_channel=True, **excluded)
        if preset == "tensorrt"
        else made(is_static=True, per_channel=True, **excluded)
    )
    with tempfile.TemporaryDirectory() as folder, quiet():
        source = Path(folder) / "float.onnx"
        source.write_bytes(data)
        quantiser = ORTQuantizer(source)
        method = CalibrationMethod.MinMax
        about = ("figop", "figop", "calibration", len(feeds))
        calibration = CalibrationConfig(*about, method, moving_average=False, averaging_constant=0.01)
        calibrator = calibration.create_calibrator(
            source, operators_to_quantize=_OPERATORS, augmented_model_name=str(Path(folder) / "augmented.onnx")
        )
        calibrator.collect_data(_Reader(feeds))
        quantiser.quantize(
            config, save_dir=folder, file_suffix="int8", calibration_tensors_range=calibrator.compute_data()
        )
        return clean(onnx.load(str(Path(folder) / "float_int8.onnx")))
