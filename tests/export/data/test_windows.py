import numpy as np

from edge.captioner import BEGIN, END, SPECIALS
from edge.encoder import LAG
from edge.narrator import narrate, vocabulary
from edge.score import FingerEvent
from export.data.feed import FeedSettings, make
from export.data.scenes import draw_scene
from export.data.windows import draw, ids_of, phrases, visible
from export.sim.batch import Streamer

A = FingerEvent("right", "curl", ("index",), start=0.5, end=1.0)
B = FingerEvent("left", "wave", start=0.8, end=1.9)
C = FingerEvent("right", "extend", ("index",), start=2.4, end=3.0)
SEEN = np.ones((120, 2), bool)


def test_phrases_are_cut_at_rests_of_both_hands() -> None:
    assert phrases((A, B, C)) == [(A, B), (C,)]
    assert phrases((A, B, C.moved(2.1, 2.5))) == [(A, B, C.moved(2.1, 2.5))]


def test_visible_share() -> None:
    seen = SEEN.copy()
    seen[15:23, 1] = False
    assert [round(share, 2) for _, share in visible((A, C), seen)] == [0.47, 1.0]


def test_windows_hold_whole_events_and_say_just_them() -> None:
    texts = {narrate(s): s for s in ((A, B), (C,), (A, B, C), (A,), (B,), (B, C))}
    said = set()
    for seed in range(200):
        window = draw((A, B, C), SEEN, np.random.default_rng(seed), 0.0, 180)
        if window is None or not window.text:
            continue
        said.add(window.text)
        for event in texts[window.text]:
            inside = min(event.end, (window.last - LAG) / 30) - max(event.start, (window.first - LAG) / 30)
            assert inside >= 0.6 * (event.end - event.start) - 0.05
    assert {narrate((A, B)), narrate((C,))} <= said


def test_what_was_hardly_seen_is_not_asked_for() -> None:
    seen = SEEN.copy()
    seen[:30, 1] = False  # A is hidden
    texts = {w.text for s in range(60) if (w := draw((A, C), seen, np.random.default_rng(s), 0.0, 180))}
    assert narrate((C,)) in texts
    assert not any("bends" in t for t in texts)


def test_ids() -> None:
    ids = ids_of("The right index finger bends.")
    assert (ids[0], ids[-1]) == (BEGIN, END)
    words = (*SPECIALS, *vocabulary())
    assert [words[i] for i in ids[1:-1]] == ["the", "right", "index", "finger", "bends", "."]


def test_batches_have_one_shape_and_rows_of_their_clips() -> None:
    settings = FeedSettings(draw_scene, rows=8, size=8, seconds=4.0)
    streamer = Streamer(draw_scene, size=8, seconds=4.0, seed=0)
    for number in range(2):
        batch, clips = make(streamer, settings, number), streamer.batch(number)
        assert batch.features.shape == (8, 120, 6, 54)
        for b, h in np.argwhere(batch.rows < 8):
            np.testing.assert_array_equal(batch.targets[batch.rows[b, h]], clips.targets[b, :, h])
        assert (batch.tokens[batch.told, 0] == BEGIN).all()
        assert (batch.last - batch.first >= 8).all()
