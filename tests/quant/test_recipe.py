"""Recipes: names that say what they do, and files that cannot contradict them."""

import json

import pytest

from quant.recipe import HOME, Gate, Recipe, RecipeError, Row, Scheme, file_stem, groups, stored


@pytest.mark.parametrize(
    ("name", "kind", "bits", "channel", "activation", "needs"),
    [
        ("float32", "float32", 0, True, 0, False),
        ("float16", "float16", 0, True, 0, False),
        ("static_w8c_a8", "static", 8, True, 8, True),
        ("mixed_w8t_a8", "mixed", 8, False, 8, True),
        ("static_w8c_a16", "static", 8, True, 16, True),
        ("dynamic_w4c", "dynamic", 4, True, 0, False),
        ("weight_only_w8c", "weight_only", 8, True, 0, False),
    ],
)
def test_a_name_says_it_all(name, kind, bits, channel, activation, needs):
    scheme = Scheme.parse(name)
    assert scheme == Scheme(kind, bits, channel, activation)
    assert str(scheme) == name
    assert Recipe.parse(name).needs_calibration() is needs


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("static_w8c", "says no activation bits"),
        ("dynamic_w8c_a8", "drop the _a"),
        ("int8", "There is no recipe"),
        ("static_w8c_a8_keep:softmacks", "did you mean softmax"),
        ("static_w7c_a8", "There is no recipe"),
    ],
)
def test_a_name_that_says_nothing_is_refused_with_a_reason(name, why):
    with pytest.raises(RecipeError, match=why):
        Recipe.parse(name)


def test_kept_groups_become_rows():
    recipe = Recipe.parse("static_w8c_a8_keep:units,softmax")
    assert recipe.scheme("units").kind == "float32"
    assert recipe.scheme("step").kind == "static"
    assert [row.op for row in recipe.kept("step")] == ["softmax"]


def test_later_rows_overrule_earlier_ones():
    rows = (
        Row(".*", Scheme.parse("dynamic_w8c")),
        Row("step|units", Scheme("float16")),
        Row("step", Scheme("float32")),
    )
    recipe = Recipe("dynamic_w8c", rows)
    assert [recipe.scheme(r).kind for r in ("encoder", "units", "step")] == ["dynamic", "float16", "float32"]


def test_every_stored_recipe_is_sound_and_lies_under_its_name():
    assert "mixed_w8c_a8" in stored()
    for name in stored():
        recipe = Recipe.load(name)
        assert recipe.name == name
        assert (HOME / f"{file_stem(name)}.json").is_file()
        assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    for rows in groups().values():
        assert all({"graph"} < set(row) for row in rows)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"schema": 2}, "not a recipe of schema"),
        ({"name": "best"}, "does not say what it does"),
        ({"rows": [{"graph": ".*", "scheme": "float16"}]}, "the name must say the first row"),
        ({"gate": {"event_f1_los": 0.5}}, "did you mean event_f1_loss"),
        ({"colour": "red"}, "unknown 'colour'"),
        ({"method": "guess"}, "minmax or percentile"),
        ({"rows": [{"graph": ".*", "scheme": "dynamic_w8c"}, {"graph": "brain", "scheme": "float32"}]}, "no network"),
        ({"rows": [{"graph": ".*", "scheme": "dynamic_w8c"}, {"graph": "(", "scheme": "float32"}]}, "is no pattern"),
        ({"rows": [{"graph": ".*", "scheme": "dynamic_w8c"}, {"graph": "step", "layer": "x", "scheme": "float16"}]},
         "must keep its part float32"),
    ],
)  # fmt: skip
def test_a_file_that_contradicts_itself_is_refused(change, why):
    data = {"schema": 1, "name": "dynamic_w8c", "rows": [{"graph": ".*", "scheme": "dynamic_w8c"}], **change}
    with pytest.raises(RecipeError, match=why):
        Recipe.from_dict(data)


def test_thresholds_come_from_the_file(tmp_path):
    path = tmp_path / "r.json"
    path.write_text(json.dumps({"schema": 1, "name": "float16", "gate": {"caption_tokens": 0.5}}))
    assert Recipe.load(path).gate == Gate(caption_tokens=0.5)
    with pytest.raises(RecipeError, match="There is no recipe at"):
        Recipe.load(tmp_path / "none.json")
