import json

import numpy as np

from edge.score import FINGERS, HANDS, FingerEvent, check
from export.sim import demo


def test_the_committed_clip_is_the_one_that_the_program_performs():
    about = json.loads((demo.ASSETS / "demo.score.json").read_text())
    done, camera = demo.demo_performance()
    assert [FingerEvent.from_dict(row) for row in about["score"]] == list(demo.demo_score())
    assert about["frames"] == len(done.t_ns)
    assert (about["fps"], about["view"], tuple(about["size"])) == (demo.FPS, done.stage.view, camera.size)
    assert done.problems == ()
    import cv2

    video = cv2.VideoCapture(str(demo.ASSETS / "demo.webm"))
    size = tuple(int(video.get(k)) for k in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    assert size == camera.size
    count = 0
    while video.grab():
        count += 1
    assert count == about["frames"]
    assert (demo.ASSETS / "demo.webm").stat().st_size < 2e6


def test_the_demo_shows_both_hands_many_motions_and_rests():
    score = demo.demo_score()
    for event in score:
        check(event)
    assert len({e.motion for e in score}) >= 8
    assert {e.hand for e in score} == set(HANDS)
    assert any(a.hand != b.hand and a.start < b.end and b.start < a.end for a in score for b in score)
    assert {f for e in score for f in e.fingers} >= set(FINGERS[1:])
    ends = np.maximum.accumulate([e.end for e in score])
    gaps = np.array([e.start for e in score[1:]]) - ends[:-1]
    assert np.all((gaps < 0.25) | (gaps >= 0.6))
    assert 10 <= demo.SECONDS <= 15
