"""The page of results says what the result files say."""

from export.report import PAGE, RESULTS, page


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
