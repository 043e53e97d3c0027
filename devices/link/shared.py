"""Links by port: a glove that also shows captions is source and sink on one port, which only one program may open."""

from __future__ import annotations

import threading
from collections.abc import Callable

from devices.link.driver import Link
from devices.link.port import Address
from devices.link.table import LinkError

_LINKS: dict[str, tuple[Link, int]] = {}
_LOCK = threading.Lock()


def acquire(address: Address, make: Callable[[Address], Link] = Link) -> Link:
    """The started link on a port. Raises LinkError, also for the same port at another rate."""
    with _LOCK:
        link, users = _LINKS.get(address.path, (None, 0))
        if link is None:
            link = make(address)
            link.start()
        elif link.address.baud != address.baud:
            raise LinkError(
                f"{address.path} is open at {link.address.baud} baud already and cannot have {address.baud} as well; "
                "name one rate."
            )
        _LINKS[address.path] = (link, users + 1)
        return link


def release(link: Link) -> None:
    """Close the link when its last user has released it."""
    with _LOCK:
        kept, users = _LINKS.get(link.address.path, (link, 1))
        if users > 1:
            _LINKS[link.address.path] = (kept, users - 1)
            return
        _LINKS.pop(link.address.path, None)
    link.close()
