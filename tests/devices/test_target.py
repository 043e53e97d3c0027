"""What is asked of a device is granted as its profile says, or refused in one sentence: one test a sentence."""

from dataclasses import replace

import pytest

from devices.device import all_devices, find
from devices.schema import DeviceError
from devices.target import Request, choose, precision_of, refusal

PI4, NANO, ORIN = find("raspberry-pi-4"), find("jetson-nano-2019"), find("jetson-orin-nano")


def refused(device, **asked):
    why = refusal(device, Request(**asked))
    assert why is not None
    assert why.endswith((".", "?"))
    assert "\n" not in why
    return why


@pytest.mark.parametrize("device", all_devices(), ids=lambda d: d.name)
def test_every_device_grants_its_own_defaults(device):
    target = choose(device)
    assert target.recipe == device.export.recipe
    assert target.precision in device.runtime(target.runtime).precisions
    assert target.memory_mb <= device.memory.mb.value
    assert (target.max_ir is not None) == (target.format == "onnx")


def test_the_nano_of_2019_has_no_int8_in_tensorrt():
    sentence = "Jetson Nano (2019) has no int8 in TensorRT: use fp16."
    assert refused(NANO, provider="tensorrt", precision="int8") == sentence
    assert refused(NANO, runtime="tensorrt", recipe="static_w8c_a8") == sentence


def test_the_nano_of_2019_has_too_old_a_glibc_for_onnx_runtime():
    assert "glibc 2.27" in refused(NANO, runtime="onnx")


def test_tensorrt_means_float16_where_nothing_is_said():
    assert choose(NANO, Request(provider="tensorrt")).recipe == "float16"
    target = choose(ORIN, Request(provider="tensorrt"))
    assert (target.runtime, target.format, target.precision) == ("onnx", "onnx", "float16")
    assert target.providers == ("tensorrt",)


def test_a_runtime_without_the_profiles_precision_gets_float16():
    pi5 = find("raspberry-pi-5")
    assert choose(pi5).precision == choose(pi5, Request(runtime="onnx")).precision == "dynamic-int8"
    assert choose(pi5, Request(runtime="tflite-runtime")).recipe == "float16"
    assert "computes dynamic-range int8 wrongly" in refused(pi5, runtime="tflite-runtime", recipe="dynamic_w8c")


def test_int8_is_quantised_while_running_where_a_cpu_can():
    pi5 = find("raspberry-pi-5")
    for runtime in (None, "litert", "onnx"):
        target = choose(pi5, Request(runtime=runtime, precision="int8"))
        assert (target.recipe, target.precision) == ("dynamic_w8c", "dynamic-int8")
    for device, asked in (
        (pi5, {"runtime": "tflite-runtime"}),
        (ORIN, {"provider": "tensorrt"}),
        (find("coral-edge-tpu"), {}),
        (pi5, {"recipe": "mixed_w8c_a8"}),
    ):
        target = choose(device, Request(precision="int8", **asked))
        assert (target.recipe, target.precision) == ("mixed_w8c_a8", "int8")
    assert "does not run cuda" in refused(pi5, runtime="cuda", precision="int8")


def test_an_unknown_precision_gets_the_nearest():
    assert "There is no precision 'int-8'; did you mean 'int8'?" in refused(PI4, precision="int-8")


def test_an_unknown_recipe_gets_examples():
    assert "recipes are float32, float16, or such as static_w8c_a8" in refused(PI4, recipe="int8")


def test_a_recipe_and_a_precision_must_agree():
    assert refused(PI4, recipe="static_w8c_a8", precision="float16").startswith("The recipe static_w8c_a8 is int8")


def test_a_runtime_that_the_board_does_not_run():
    assert refused(PI4, runtime="tensorrt") == (
        "Raspberry Pi 4 does not run tensorrt: it runs litert, onnx or tflite-runtime."
    )


def test_a_format_that_the_runtime_does_not_read():
    assert "litert reads tflite, not onnx" in refused(PI4, runtime="litert", format="onnx")


def test_a_format_that_no_runtime_reads():
    assert refused(PI4, format="pb") == "No runtime of Raspberry Pi 4 reads pb so: formats are tflite or onnx."


def test_a_provider_that_the_board_does_not_have():
    assert refused(PI4, provider="cuda") == "Raspberry Pi 4 has no provider cuda: it has cpu or xnnpack."


def test_a_provider_that_another_runtime_has():
    assert refused(ORIN, runtime="litert", provider="cuda") == (
        "litert on Jetson Orin Nano 8 GB (Super) has no provider cuda: it has cpu or xnnpack."
    )


def test_dla_on_a_board_without_one():
    assert refused(ORIN, provider="dla").startswith("Jetson Orin Nano has no DLA")


def test_a_precision_that_the_runtime_lacks():
    assert refused(PI4, runtime="onnx", precision="int16").startswith("onnx on Raspberry Pi 4 has no int16: use")


def test_tflite_runtime_computes_dynamic_int8_wrongly():
    assert "computes dynamic-range int8 wrongly" in refused(PI4, runtime="tflite-runtime", precision="dynamic-int8")


def test_graphs_newer_than_the_runtime():
    assert refused(PI4, runtime="onnx", ir=11).startswith("The graph is of ONNX IR 11 and onnx on Raspberry Pi 4 reads")
    assert "opset 21 or less" in refused(PI4, runtime="onnx", opset=24)
    assert choose(PI4, Request(runtime="onnx", ir=10, opset=20)).max_ir == 10
    assert choose(PI4, Request(ir=11)).max_ir is None, "tflite has no IR"


def test_more_threads_than_cores():
    assert refused(PI4, threads=8) == "8 threads were asked for and Raspberry Pi 4 has 4 cores: use 1 to 4, best 1."
    assert refused(PI4, threads=0)


def test_more_memory_than_the_board_has():
    zero = find("raspberry-pi-zero-2w")
    assert "use 410 MB or less" in refused(zero, memory_mb=500)
    assert choose(zero, Request(memory_mb=150)).memory_mb == 150


def test_the_zero_has_no_room_for_onnx_runtime():
    assert "512 MB" in refused(find("raspberry-pi-zero-2w"), runtime="onnx")


def test_a_headset_runs_no_python():
    assert "without figop's Python" in refused(find("xr2-gen2"), runtime="onnx")


def test_a_coral_computes_int8_only():
    coral = find("coral-edge-tpu")
    assert "int8 only" in refused(coral, precision="float16")
    assert "int8 only" in refused(coral, runtime="edgetpu", precision="float32")
    assert "activations too" in refused(coral, precision="dynamic-int8")


def test_a_browser_reads_no_tflite_and_has_no_float16():
    assert "use onnx" in refused(find("browser-wasm"), format="tflite")
    assert "use float32 or int8" in refused(find("browser-wasm"), precision="float16")


def test_cuda_on_a_xavier():
    assert "Python 3.8" in refused(find("jetson-xavier-nx"), provider="cuda")


def test_vulkan_on_a_pi_5():
    assert "use cpu" in refused(find("raspberry-pi-5"), provider="vulkan")


def test_a_bundle_over_the_budget():
    target = replace(choose(PI4), bundle_mb=5.0)
    target.check_size(5 * 2**20)
    with pytest.raises(DeviceError, match=r"The bundle has 6\.0 MB and raspberry-pi-4 has a budget of 5 MB"):
        target.check_size(6 * 2**20)


def test_every_refusal_of_every_profile_can_be_met_and_ends_as_a_sentence():
    for device in all_devices():
        for row in device.refuses:
            assert refused(device, **row.when) in {r.why for r in device.refuses}
            assert row.source


@pytest.mark.parametrize(
    ("recipe", "precision"),
    [
        ("float32", "float32"),
        ("float16", "float16"),
        ("static_w8c_a8", "int8"),
        ("mixed_w8c_a8_keep:softmax,step", "int8"),
        ("static_w8c_a16", "int16"),
        ("dynamic_w8c", "dynamic-int8"),
        ("weight_only_w8c", "float32"),
    ],
)
def test_recipes_say_their_arithmetic(recipe, precision):
    assert precision_of(recipe) == precision
