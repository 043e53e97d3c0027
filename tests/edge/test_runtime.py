"""Both runtimes behind `Session` behave alike, and refuse in one sentence what they cannot do."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util

import numpy as np
import pytest

from edge.errors import BundleError, RuntimeUnavailable
from edge.runtime import open_session
from edge.runtime import tflite as tflite_module
from edge.runtime.onnx import pick_providers
from tests.edge.tiny_models import litert_add, litert_dense, onnx_add

A = np.array([[1, 2, 3, 4]], np.float32)
B = np.array([[10, 20, 30, 40]], np.float32)
MODELS = {"litert": litert_add, "onnx": onnx_add}


@pytest.fixture(params=sorted(MODELS))
def runtime(request):
    return request.param


@pytest.fixture
def session(runtime):
    return open_session(MODELS[runtime](), runtime)


def test_named_tensors_in_and_out(session, runtime):
    out = session.run({"b": B, "a": A})
    assert list(out) == ["sum"]
    np.testing.assert_array_equal(out["sum"], (A + B) * A)
    assert [s.name for s in session.inputs] == ["a", "b"]
    assert session.outputs[0].shape == (1, 4)
    assert session.outputs[0].dtype == np.float32
    assert session.provider == "cpu"
    assert session.digest == hashlib.sha256(MODELS[runtime]()).hexdigest()


def test_results_belong_to_the_caller(session):
    first = session.run({"a": A, "b": B})["sum"]
    kept = first.copy()
    session.run({"a": B, "b": B})
    np.testing.assert_array_equal(first, kept)


def test_a_file_gives_the_same_as_its_bytes(runtime, tmp_path):
    path = tmp_path / "model"
    path.write_bytes(MODELS[runtime]())
    with_file, with_bytes = open_session(path, runtime), open_session(path.read_bytes(), runtime)
    assert with_file.digest == with_bytes.digest
    np.testing.assert_array_equal(with_file.run({"a": A, "b": B})["sum"], with_bytes.run({"a": A, "b": B})["sum"])


@pytest.mark.parametrize(
    ("feeds", "named"),
    [
        ({"a": A}, "takes the inputs a, b"),
        ({"a": A, "b": B, "c": B}, "takes the inputs a, b"),
        ({"a": A, "c": B}, "takes the inputs a, b"),
        ({"a": A, "b": B[:, :3]}, "The input b"),
        ({"a": A[0], "b": B}, "The input a"),
        ({"a": A.astype(np.float64), "b": B}, "The input a"),
    ],
)
def test_wrong_feeds_are_named(session, feeds, named):
    with pytest.raises(ValueError, match=named):
        session.run(feeds)


def test_inputs_written_in_place_give_the_same(session):
    expected = session.run({"a": A, "b": B})["sum"]
    session.run({"a": B, "b": B})
    for _ in range(2):
        session.input("a")[:] = A
        np.copyto(session.input("b"), B)
        np.testing.assert_array_equal(session.invoke()["sum"], expected)


def test_closed_sessions_refuse(session):
    session.close()
    session.close()
    with pytest.raises(ValueError, match="closed"):
        session.input("a")
    with pytest.raises(ValueError, match="closed"):
        session.run({"a": A, "b": B})


def test_litert_takes_the_names_of_the_signature():
    session = open_session(litert_add(signature=True))
    np.testing.assert_array_equal(session.run({"a": A, "b": B})["sum"], (A + B) * A)


@pytest.mark.parametrize("data", [b"", b"not a model" * 20, litert_add()[:200]])
def test_damaged_models_are_bundle_errors(runtime, data):
    with pytest.raises(BundleError, match="not a model"):
        open_session(data, runtime)


def test_missing_files_are_bundle_errors(runtime, tmp_path):
    with pytest.raises(BundleError, match="cannot be read"):
        open_session(tmp_path / "none.tflite", runtime)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"runtime": "torch"}, "runtime 'torch'"),
        ({"providers": ("gpu",)}, "'gpu'"),
        ({"providers": ()}, "found none"),
        ({"threads": 0}, "at least one thread"),
    ],
)
def test_unknown_options_are_refused(options, named):
    with pytest.raises(RuntimeUnavailable, match=named):
        open_session(litert_add(), **options)


def test_litert_on_a_gpu_provider_is_refused_unless_allowed():
    with pytest.raises(RuntimeUnavailable, match="cuda"):
        open_session(litert_add(), providers=("cuda",))
    assert open_session(litert_add(), providers=("cuda",), allow_fallback=True).provider == "cpu"


def test_a_missing_onnx_provider_is_refused_unless_allowed():
    cpu_only = ("CPUExecutionProvider",)
    with pytest.raises(RuntimeUnavailable, match="no provider tensorrt; it has cpu"):
        pick_providers(("tensorrt", "cpu"), cpu_only, allow_fallback=False)
    assert pick_providers(("tensorrt", "cuda"), cpu_only, allow_fallback=True) == ("cpu",)
    both = ("CUDAExecutionProvider", *cpu_only)
    assert pick_providers(("cuda",), both, allow_fallback=False) == ("cuda",)
    assert pick_providers(("cuda",), both, allow_fallback=True) == ("cuda", "cpu")


def test_a_provider_that_did_not_start_is_an_error(monkeypatch):
    """ONNX Runtime starts the CPU provider, with a log line only, where CUDA's libraries are missing."""
    import onnxruntime as ort

    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    real = ort.InferenceSession
    monkeypatch.setattr(ort, "InferenceSession", lambda data, options, providers: real(data))
    with pytest.raises(RuntimeUnavailable, match="cuda was asked for and cpu was started"):
        open_session(onnx_add(), "onnx", providers=("cuda",))
    assert open_session(onnx_add(), "onnx", providers=("cuda",), allow_fallback=True).provider == "cpu"


def test_onnx_runs_one_thread_without_spinning():
    options = open_session(onnx_add(), "onnx")._session.get_session_options()
    assert options.intra_op_num_threads == 1
    assert options.inter_op_num_threads == 1
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_tflite_runtime_with_numpy_2_is_refused_before_its_import():
    with pytest.raises(RuntimeUnavailable, match=r"needs numpy 1, found numpy 2\.1\.0"):
        tflite_module.check_abi("2.14.0", "2.1.0")
    tflite_module.check_abi("2.14.0", "1.26.4")


def test_a_missing_runtime_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RuntimeUnavailable, match="pip install ai-edge-litert"):
        open_session(litert_add())
    with pytest.raises(RuntimeUnavailable, match="pip install tflite-runtime"):
        open_session(litert_add(), "tflite-runtime")


def test_litert_falls_back_to_tflite_runtime(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "tflite_runtime" or None)
    monkeypatch.setattr(importlib.metadata, "version", lambda package: "2.14.0")
    monkeypatch.setattr(tflite_module, "check_abi", lambda ours, numpys: None)
    monkeypatch.setattr(tflite_module, "_load", lambda module, package: (module, package))
    assert tflite_module.interpreter_class("litert") == (
        "tflite-runtime",
        ("tflite_runtime.interpreter", "tflite-runtime"),
    )


@pytest.mark.parametrize(("weights", "found"), [(np.int8, "FULLY_CONNECTED"), (np.float32, "")])
def test_dynamic_range_models_are_recognised(weights, found):
    _, make = tflite_module.interpreter_class()
    interpreter = make(model_content=litert_dense(weights), num_threads=1)
    interpreter.allocate_tensors()
    assert tflite_module.dynamic_range_op(interpreter) == found


def test_dynamic_range_models_are_refused_under_tflite_runtime(monkeypatch):
    _, make = tflite_module.interpreter_class()
    monkeypatch.setattr(tflite_module, "interpreter_class", lambda runtime: ("tflite-runtime", make))
    with pytest.raises(RuntimeUnavailable, match="dynamic-range int8"):
        open_session(litert_dense(np.int8))
    assert open_session(litert_dense(np.float32)).run({"x": A})["y"].shape == (1, 2)
