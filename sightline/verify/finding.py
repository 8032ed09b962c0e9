"""What was found of one stored thing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.errors import SightlineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

WHOLE, HEALED, DAMAGED = "whole", "healed", "damaged"
FIX = "`sightline verify --fix`"


@dataclass(frozen=True)
class Finding:
    """One stored thing, or all of a kind that are whole."""

    what: str
    """Its kind."""
    which: str
    state: str
    """whole, healed or damaged."""
    said: str = ""
    """What is wrong with it and what helps, or what was done."""


def settled(what: str, which: str, trouble: str | None, mend: Callable[[], str] | None, *, fix: bool) -> Finding:
    """What is to say of a thing that has `trouble`, or none; `mend` makes it whole and says how, where anything can.

    It is called only to `fix`, and may raise a SightlineError where it cannot.
    """
    if trouble is None:
        return Finding(what, which, WHOLE)
    if mend is None:
        return Finding(what, which, DAMAGED, trouble)
    if not fix:
        return Finding(what, which, DAMAGED, f"{trouble}; {FIX} mends it where it can")
    try:
        return Finding(what, which, HEALED, f"{trouble}; {mend()}")
    except (SightlineError, OSError) as error:
        return Finding(what, which, DAMAGED, f"{trouble}; {error}")


def shortened(findings: Iterable[Finding]) -> list[Finding]:
    """One line for all of a kind that are whole; the others as they are, last."""
    found = list(findings)
    counts = Counter(one.what for one in found if one.state == WHOLE)
    whole = [Finding(what, f"{count:,}", WHOLE) for what, count in counts.items()]
    return whole + [one for one in found if one.state != WHOLE]
