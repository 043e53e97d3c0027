"""The page of results says what the result files say."""

from export.report import PAGE, RESULTS, bars, delays, page


def test_the_committed_page_is_the_one_that_the_results_make():
    assert PAGE.read_text() == page(), "run `python -m export.report`"


def test_every_result_says_how_it_was_made():
    import json

    files = sorted(RESULTS.glob("*.json"))
    assert files
    for path in files:
        row = json.loads(path.read_text())
        assert "command" in row or "bench" in row, path.name


def test_a_figure_changes_the_page(tmp_path):
    assert page(tmp_path) != page()


def test_the_card_quotes_only_figures_of_its_own_weights(tmp_path):
    import json

    from export.card import figures

    row = {"clips": 3, "f1": 0.7, "hallucinated_finger_rate": 0.1, "hand_judge": 6.0}
    result = {"weights": "abc", "sources": {"pixels": row}}
    (tmp_path / "captions_rendered.json").write_text(json.dumps(result))
    assert "| 3 | 0.70 | 10% | 6.0 |" in figures("abc", tmp_path)
    assert figures("other", tmp_path).startswith("None measured")


def test_bars_of_the_captions_stand_on_the_page(tmp_path):
    import json

    def put(name, f1, invented, late):
        pixels = {"f1": f1, "hallucinated_finger_rate": invented, "final_caption_delay": late}
        (tmp_path / f"{name}.json").write_text(json.dumps({"sources": {"pixels": pixels}}))

    late = {"captions": 2, "p50_s": 0.3, "p90_s": 0.38, "p95_s": 0.39, "while_moving": 0, "phrases": 2, "cut_apart": 0}
    put("captions_rendered", 0.71, 0.2, late)
    put("captions_rendered_rules", 0.4, 0.6, {"captions": 0})
    held = {row.split(" | ")[0].removeprefix("| "): row.split(" | ")[1] for row in bars(tmp_path)[2:]}
    start = "rendered test programs from pixels: "
    assert held == {
        f"{start}caption F1 >= 0.70": "yes",
        f"{start}caption F1 above the rules": "yes",
        f"{start}hallucinated-finger rate <= 10%": "**no**",
        f"{start}end of motion to final caption <= 400 ms (p95)": "yes",
    }
    assert "300 / 380 / 390" in delays(tmp_path)[-1]
