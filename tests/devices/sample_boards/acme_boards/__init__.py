"""A board of a third party: an entry point of the group `figop.devices` names a function that gives its profile."""

from pathlib import Path


def acme_one() -> Path:
    """The profile of the Acme One."""
    return Path(__file__).with_name("acme-one.yaml")
