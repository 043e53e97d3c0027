"""The page says who is better on which set, and only where the interval tells."""

from export.judge.page import bars, rivals, seeds


def against(gain, low, high):
    return {"against": {"bundle": "figop-rules", "pixels": {"clips": 9, "f1_gain": gain, "interval_95": [low, high]}}}


def test_better_is_only_what_the_interval_tells():
    rows = {"a": against(0.2, 0.1, 0.3), "b": against(0.1, -0.1, 0.3), "c": against(-0.2, -0.3, -0.1), "d": None}
    told = [line for line in rivals(rows) if line[:4] in ("| a ", "| b ", "| c ", "| d ")]
    assert [line.split("|")[-2].strip() for line in told] == ["figop-base", "not told apart", "**rules**"]
    assert "+0.200 (+0.100 to +0.300)" in told[0]
    one = {"against": {"bundle": "figop-rules", "oracle": {"clips": 1, "f1_gain": -0.1}}}
    assert "one clip) | not told apart |" in rivals({"a": one})[-1]
    assert rivals({"a": None}) == []
    other = {"against": {"bundle": "figop-base", "oracle": {"clips": 9, "f1_gain": 0.1, "interval_95": [0.0, 0.2]}}}
    assert rivals({"a": other}) == [], "that is no comparison with the rules"


def test_seeds_stand_beside_their_mean():
    figures = {"f1": 0.7, "hallucinated_finger_rate": 0.1, "hand_judge": 6.0}
    over = {name: {"mean": value, "deviation": 0.01} for name, value in figures.items()}
    row = {
        "steps": 250, "from": "candidate.pt", "seeds": {"3": {"simulated": figures, "rendered": figures}},
        "over_seeds": {"simulated": over, "rendered": over},
    }  # fmt: skip
    assert seeds(row)[-2] == "| 3 | 0.700 | 0.100 | 6.000 | 0.700 | 0.100 | 6.000 |"
    assert seeds(row)[-1].startswith("| mean | 0.700 ± 0.010 |")
    assert seeds(None) == []


def test_bars_of_the_captioner():
    simulated = {"sources": {"oracle": {"f1": 0.91, "hand_judge": 8.4}}}
    rendered = {"sources": {"pixels": {"clips": 150, "f1": 0.8, "hallucinated_finger_rate": 0.03, "hand_judge": 7.6}}}
    held = {bar.rsplit(": ", 1)[1]: holds for _, bar, holds in bars(simulated, rendered)}
    assert held == {
        "caption F1 >= 0.90": True, "HandJudge >= 8.5": False, "caption F1 >= 0.82": False,
        "hallucinated-finger rate <= 4%": True, "HandJudge >= 7.5": True,
    }  # fmt: skip
    assert list(bars(None, None)) == []
