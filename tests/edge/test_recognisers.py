import pytest

from edge.bundle import Bundle
from edge.pipeline import Captioner
from edge.recognisers import open_recogniser, open_student

BASE = Bundle.open("figop-base")


def sees(captioner: Captioner) -> bool:
    return captioner.recogniser.model._sees  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize(
    ("digest", "shown"),
    [("", True), (BASE.appearance_digest, True), ("0" * 64, False)],
    ids=["unknown", "own", "other"],
)
def test_features_of_another_network_are_not_shown(digest: str, shown: bool) -> None:
    with Captioner.open("figop-base", tracker=None, appearance_digest=digest) as captioner:
        assert sees(captioner) is (shown and BASE.student["appearance"])


def test_a_bundle_of_rules_needs_no_network() -> None:
    assert open_recogniser(Bundle.open("figop-rules"), "facing", False).source == "rules"


def test_the_student_takes_what_its_bundle_says() -> None:
    student = open_student(BASE, "egocentric", True)
    assert student.view == "egocentric"
    assert student.confidence is not None
    assert student.settings.switch == BASE.student["decode"]["switch"]
