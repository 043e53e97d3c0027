"""Second opinions: text metrics, a language model as judge (a local server speaks its protocol), their agreement."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.cli import main
from edge.errors import FigopError
from edge.events import Caption
from edge.narrator import narrate
from edge.objects.event import ObjectEvent
from edge.objects.narrator import narrate as narrate_objects
from edge.score import FingerEvent, Score
from export.judge.agreement import by_score, mistaken, mistakes, ratings, whole
from export.judge.judge import Line, judge
from export.judge.llm import KEYS, TRIES, LlmError, LlmJudge, verdict
from export.judge.text_metrics import METEOR_NEEDS, METEOR_SPEAKS, text_scores
from export.objects.rephrase import main as rephrase_main
from export.objects.rephrase import rephrase

CURL = FingerEvent("right", "curl", ("index",), start=0.5, end=1.0)
SCORE: Score = (CURL, FingerEvent("left", "swipe", ("thumb",), "left", "index", start=1.2, end=1.7))
SECRET = "sk-very-secret"


class FakeModel(ThreadingHTTPServer):
    """Speaks the chat protocol over real HTTP: `answers` are (status, headers, body), the last one for ever."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[tuple[int, dict[str, str], Any]] = []
        self.asked: list[tuple[str, dict[str, str], Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def says(self, content: Any) -> None:
        self.answers = [(200, {}, chat(content))]


class _Handler(BaseHTTPRequestHandler):
    server: FakeModel

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, dict(self.headers), body))
        answers = self.server.answers
        status, headers, data = answers.pop(0) if len(answers) > 1 else answers[0]
        raw = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(raw)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *args: Any) -> None:
        """Quiet."""


def chat(content: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "fake",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeModel]:
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    server = FakeModel()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    server.says('{"correctness": 8, "completeness": 6, "reason": "One finger is missing."}')
    yield server
    server.shutdown()
    server.server_close()


def spoken(score: Score = SCORE) -> list[Line]:
    return [Line(narrate(score), 0.4, 1.8)]


def test_a_question_in_the_chat_protocol_and_its_answer(model: FakeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    found = LlmJudge(model.url + "/", "fake").judge(SCORE, spoken())
    assert (found.correctness, found.completeness, found.hand_judge) == (8, 6, 7)
    assert found.reason == "One finger is missing."
    ((path, headers, body),) = model.asked
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == f"Bearer {SECRET}"
    assert (body["model"], body["temperature"]) == ("fake", 0)
    system, user = body["messages"]
    assert (system["role"], user["role"]) == ("system", "user")
    assert "0.50-1.00 s: The right index finger bends." in user["content"]
    assert f"CAPTIONS\n0.40-1.80 s: {narrate(SCORE)}" in user["content"]
    assert SECRET not in json.dumps(body)


def test_no_key_no_header_and_silence_is_said_to_be_silence(model: FakeModel) -> None:
    LlmJudge(model.url, "fake").judge((), [])
    ((_, headers, body),) = model.asked
    assert "Authorization" not in headers
    question = body["messages"][1]["content"]
    assert "(nothing happens)" in question
    assert "(nothing is said)" in question


@pytest.mark.parametrize(
    ("status", "data", "message", "fatal"),
    [
        (401, {"error": {"message": f"bad key {SECRET}"}}, r"refused the request \(401\).*bad key \*\*\*", True),
        (404, {"error": {"message": "no such model"}}, "no model 'fake'.*no such model", True),
        (400, {"error": "unknown field"}, "error 400.*unknown field", True),
        (413, b"too long", "error 413", False),
        (429, {}, "no more requests now", True),
        (503, b"<html>", "error 503", True),
        (200, b"<html>", "does not speak the chat protocol", True),
        (200, {"choices": []}, "does not speak the chat protocol", True),
        (200, chat(None), "holds no text", False),
        (200, chat("I cannot judge this."), "gave no verdict.*cannot judge", False),
        (200, chat('{"correctness": 11, "completeness": 2}'), "gave no verdict", False),
    ],
)
def test_what_a_server_may_answer_is_one_sentence(
    model: FakeModel, status: int, data: Any, message: str, fatal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEYS[0], SECRET)
    model.answers = [(status, {}, data)]
    with pytest.raises(LlmError, match=message) as caught:
        LlmJudge(model.url, "fake", sleep=lambda s: None).judge(SCORE, spoken())
    assert caught.value.fatal is fatal
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_busy_server_is_asked_again_as_late_as_it_says(model: FakeModel) -> None:
    right = model.answers[0]
    model.answers = [(429, {"Retry-After": "7"}, {}), (503, {}, b""), right]
    waited: list[float] = []
    assert LlmJudge(model.url, "fake", sleep=waited.append).judge(SCORE, spoken()).hand_judge == 7
    assert waited == [7.0, 4.0]
    model.answers = [(429, {"Retry-After": "soon"}, {})]
    with pytest.raises(LlmError):
        LlmJudge(model.url, "fake", sleep=waited.append).judge(SCORE, spoken())
    assert len(waited) == 2 + TRIES - 1


def test_a_redirect_does_not_take_the_key_along(model: FakeModel) -> None:
    model.answers = [(302, {"Location": model.url + "/elsewhere"}, b"")]
    with pytest.raises(LlmError, match="sends the request elsewhere"):
        LlmJudge(model.url, "fake", key=SECRET).judge(SCORE, spoken())
    assert len(model.asked) == 1


def test_a_server_that_is_not_there() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as gone:
        url = f"http://127.0.0.1:{gone.server_address[1]}/v1"
    with pytest.raises(LlmError, match="cannot be reached"):
        LlmJudge(url, "fake", key="").judge(SCORE, spoken())


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("localhost:8000", "needs an address"),
        ("ftp://host/v1", "needs an address"),
        ("http://me:word@localhost/v1", "must hold no password"),
        ("http://judge.example/v1", "unencrypted"),
    ],
)
def test_addresses_that_are_refused(url: str, message: str) -> None:
    with pytest.raises(LlmError, match=message) as caught:
        LlmJudge(url, "fake", key=SECRET)
    assert "word" not in str(caught.value).replace("password", "")


@pytest.mark.parametrize(
    "content",
    ['```json\n{"correctness": 9.5, "completeness": 10}\n```', 'Let me see {x}. {"completeness":10,"correctness":9.5}'],
)
def test_verdicts_with_words_around_them(content: str) -> None:
    assert verdict(content).hand_judge == 9.75


# -- agreement -------------------------------------------------------------------------------------------------


def test_ratings_that_agree_and_that_do_not() -> None:
    mine = [float(i) for i in range(10)]
    same = ratings(mine, [0.5 * x + 1 for x in mine])
    assert same["spearman"] == same["kendall"] == 1.0
    assert same["mean_difference"] == pytest.approx(np.mean([1 - 0.5 * x for x in mine]))
    assert ratings(mine, mine[::-1])["spearman"] == -1.0
    assert ratings(mine, [5.0] * 10)["spearman"] is None
    assert ratings([], [])["clips"] == 0


@pytest.mark.parametrize("kind", ["finger", "hand", "direction", "contact", "order"])
def test_each_kind_of_mistake_is_made_and_detected(kind: str) -> None:
    wrong = mistaken(SCORE, kind, np.random.default_rng(0))
    assert wrong is not None
    assert narrate(wrong) != narrate(SCORE)
    assert by_score(SCORE, whole(wrong)) < by_score(SCORE, whole(SCORE)) == 10.0
    assert mistaken((), kind, np.random.default_rng(0)) is None


def test_detection_rates_of_two_judges() -> None:
    blind = mistakes([SCORE] * 7, {"figop": by_score, "blind": lambda score, lines: 5.0}, most=5)
    assert blind["pairs"] == 5
    assert all(right == tried for right, tried in blind["detected"]["figop"].values())
    assert all(right == 0 for right, _ in blind["detected"]["blind"].values())
    assert blind["agree"] == 0.0
    assert set(blind["detected"]["figop"]) == {"finger", "hand", "direction", "contact", "order"}


# -- text metrics ----------------------------------------------------------------------------------------------


def none(name: str) -> None:
    return None


@pytest.mark.parametrize("language", ["en", "zh"])
def test_text_metrics_rank_right_over_wrong(language: str) -> None:
    pytest.importorskip("pycocoevalcap", reason="the text-metrics extra is not installed")
    others: list[Score] = [
        (FingerEvent("left", "pinch", ("ring",), contact="thumb", end=1.0),),
        (FingerEvent("right", "wave", end=1.0),),
        (),
    ]
    scores = [SCORE, *others]
    right = text_scores([(s, narrate(s, language=language)) for s in scores], language=language, which=none)
    assert right["clips"] == 3, "a clip in which nothing happens has no reference"
    assert right["bleu4"] == pytest.approx(1.0, abs=1e-3)
    assert right["rouge_l"] == pytest.approx(1.0, abs=1e-3)
    wrong = text_scores([(s, narrate(others[1], language=language)) for s in scores], language=language, which=none)
    silent = text_scores([(s, "") for s in scores], language=language, which=none)
    for name in ("bleu4", "rouge_l", "cider"):
        assert right[name] > wrong[name] >= silent[name], name
    assert right["meteor"] is None
    assert right["meteor_skipped"] == (METEOR_NEEDS if language == "en" else METEOR_SPEAKS)
    assert text_scores([(SCORE, "")], which=none)["cider"] is None


# -- the command -----------------------------------------------------------------------------------------------


@pytest.fixture
def said(tmp_path: Path) -> list[str]:
    """Arguments of `eval captions` for one clip with ready-made captions."""
    truth, events = tmp_path / "clip.json", tmp_path / "events.jsonl"
    truth.write_text(json.dumps([e.to_dict() for e in SCORE]))
    row = {"type": "caption", "text": narrate(SCORE[:1]), "t_start": 0.4, "t_end": 1.8, "score": []}
    events.write_text(json.dumps(row) + "\n")
    return ["eval", "captions", str(truth), "--captions-from", str(events)]


def test_eval_asks_the_model_and_shows_what_it_says(
    model: FakeModel, said: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEYS[0], SECRET)
    asked = ["--llm-judge", model.url, "--llm-model", "fake", "--llm-pairs", "1"]
    assert main([*said, *asked]) == 0
    out, err = capsys.readouterr()
    assert "fake says 7.00 (correctness 8.00, completeness 6.00) over 1 clips" in " ".join(out.split())
    assert "Mistakes that llm detects" in out
    assert main([*said, *asked, "--json"]) == 0
    text = capsys.readouterr().out
    report = json.loads(text)
    assert report["llm_judge"]["sources"]["given"]["hand_judge"] == 7
    assert report["per_clip"][0]["given"]["llm_judge"]["reason"] == "One finger is missing."
    assert SECRET not in out + err + text
    given = report["sources"]["given"]
    assert given["alone"]["hand"] == {
        "precision": 1, "recall": 0.5, "f1": 0.6667, "matched": 1, "reference": 2, "said": 1
    }  # fmt: skip


def test_eval_tells_what_the_model_left_out(
    model: FakeModel, said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    model.says("no")
    assert main([*said, "--llm-judge", model.url, "--llm-model", "fake", "--json"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["llm_judge"]["sources"]["given"]["not_judged"] == ["clip"]
    assert err.strip().count("\n") == 0
    assert "gave no verdict" in err
    model.answers = [(401, {}, {})]
    assert main([*said, "--llm-judge", model.url, "--llm-model", "fake"]) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--llm-judge", "http://localhost/v1"], "needs --llm-model"),
        (["--llm-model", "x"], "--llm-judge URL, which is missing"),
        (["--llm-judge", "nowhere", "--llm-model", "x"], "needs an address"),
        (["--language", "xx"], "no language 'xx'"),
    ],
)
def test_options_that_do_not_go_together(
    said: list[str], words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*said, *words]) == 2
    assert message in capsys.readouterr().err


def test_eval_in_chinese_with_text_metrics(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pycocoevalcap", reason="the text-metrics extra is not installed")
    truth, events = tmp_path / "clip.json", tmp_path / "events.jsonl"
    truth.write_text(json.dumps([e.to_dict() for e in SCORE]))
    row = {"type": "caption", "text": narrate(SCORE, language="zh"), "t_start": 0.4, "t_end": 1.8, "score": []}
    events.write_text(json.dumps(row) + "\n")
    words = ["eval", "captions", str(truth), "--captions-from", str(events), "--language", "zh", "--text-metrics"]
    assert main([*words, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["sources"]["given"]["hand_judge"] == 10
    assert report["sources"]["given"]["text_metrics"]["bleu4"] == pytest.approx(1.0, abs=1e-3)
    assert report["command"].endswith("--language zh --text-metrics")
    assert main(words) == 0
    assert "BLEU-4 1.000" in capsys.readouterr().out


def test_text_metrics_without_their_extra(
    said: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pycocoevalcap.bleu.bleu", None)
    with pytest.raises(FigopError, match="text-metrics"):
        text_scores([(SCORE, "x")])
    assert main([*said, "--text-metrics"]) == 2
    assert "pip install 'figop[text-metrics]'" in capsys.readouterr().err


def test_hand_finger_and_motion_are_judged_alone() -> None:
    judged = judge((CURL,), [Line("The left index finger straightens.", 0.0, 2.0)])
    assert {name: counts.matched for name, counts in judged.alone.items()} == {"hand": 0, "finger": 1, "motion": 0}
    assert judge((CURL,), spoken((CURL,))).alone["motion"].f1 == 1.0


# -- rewording ---------------------------------------------------------------------------------------------------


def object_caption() -> dict[str, Any]:
    score = (
        ObjectEvent("right", "grasp", "cup", "pinch", start=0.0, end=1.0),
        ObjectEvent("right", "move", "cup", direction="left", start=1.0, end=2.0),
    )
    event = Caption("objects-0", 0.0, 2.0, source="objects", text=narrate_objects(score), objects=score)
    return event.to_dict()


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ("The right hand takes hold of the cup with a pinch, then shifts it left.", "reworded"),
        ("The right hand grasps the cup with a precision pinch and moves it to the left.", "kept"),
        ("The right hand takes hold of the cup with a pinch, then shifts it right.", "rejected"),
        ("The right hand takes hold of the cup, then shifts it left.", "rejected"),
        ("The right hand takes hold of the cup with a pinch, lifts it, then shifts it left.", "rejected"),
        ("The left hand takes hold of the cup with a pinch, then shifts it left.", "rejected"),
        ("A hand plays with the cup.", "rejected"),
        ("", "rejected"),
    ],
)
def test_only_words_that_say_the_same_are_taken(model: FakeModel, answer: str, verdict: str) -> None:
    model.says(answer)
    row = object_caption()
    (out,), counts = rephrase([row], LlmJudge(model.url, "fake").ask)
    assert counts == {verdict: 1}
    assert out["text"] == (answer if verdict == "reworded" else row["text"])
    assert out["objects"] == row["objects"]


def test_finger_captions_are_reworded_too(model: FakeModel) -> None:
    row = Caption("phrase-0", 0.4, 1.0, text=narrate((CURL,)), score=(CURL,)).to_dict()
    model.says(narrate((CURL,), style="instruction"))
    (out,), counts = rephrase([row], LlmJudge(model.url, "fake").ask)
    assert counts == {"reworded": 1}
    assert out["text"] != row["text"]


def test_the_rephraser_of_a_file(
    model: FakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FIGOP_LLM_KEY", SECRET)
    source, target = tmp_path / "events.jsonl", tmp_path / "words.jsonl"
    other = {"type": "dropped", "reason": "gap"}
    source.write_text("\n".join(json.dumps(r) for r in (other, object_caption())), encoding="utf-8")
    model.says("The right hand takes hold of the cup with a pinch, then shifts it left.")
    call = [str(source), "--url", model.url, "--model", "fake", "-o", str(target)]
    assert rephrase_main(call) == 0
    rows = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert rows[0] == other
    assert rows[1]["text"].endswith("then shifts it left.")
    assert SECRET not in "".join(capsys.readouterr()) + target.read_text(encoding="utf-8")
    source.write_text("{", encoding="utf-8")
    assert rephrase_main(call) == 1
    assert "line 1: not JSON" in capsys.readouterr().err
