import numpy as np

from export.data.scenes import draw_scene
from export.sim.batch import feasible, track
from export.sim.noise import NoiseSettings
from export.sim.speed import Laps, measure_clips, perfect


def test_the_measured_landmarks_are_those_that_training_sees() -> None:
    scenes, plans = feasible([draw_scene(np.random.default_rng(i)) for i in range(5)], np.random.default_rng(0))
    lap = Laps()
    world, image = perfect(scenes, plans, np.random.default_rng(1), lap)
    assert set(lap.milliseconds) == {"performance", "camera"}
    settings = NoiseSettings.load()
    seen = track(scenes, plans, np.random.default_rng(1), settings, fps=30.0, level=0.0, sources=False)
    assert seen.present.any(axis=(1, 2)).all()
    np.testing.assert_allclose(seen.world[seen.present], world[seen.present], atol=1e-6)
    np.testing.assert_allclose(seen.image[seen.present][..., :2], image[seen.present], atol=1e-6)


def test_the_bench_adds_up_its_stages() -> None:
    result = measure_clips(batches=2, size=4)
    mean = {name: row["mean"] for name, row in result["processor_ms_per_clip"].items()}
    assert mean["landmarks"] > 0
    stages = sum(mean[n] for n in ("programs", "plans", "performance", "camera"))
    np.testing.assert_allclose(stages, mean["landmarks"], atol=0.01)
    np.testing.assert_allclose(mean["landmarks"] + mean["noise"], mean["with noise"], atol=0.01)
    np.testing.assert_allclose(result["clips_per_second"]["landmarks"], 1e3 / mean["landmarks"], rtol=0.05, atol=1)
