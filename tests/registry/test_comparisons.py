"""Places of comparisons, and what new test images earn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from sightline.errors import RegistryError
from sightline.registry.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sightline.registry.comparisons import Comparisons

R1 = [f"image{number}" for number in range(100)]


@pytest.fixture
def comparisons(tmp_path: Path) -> Iterator[Comparisons]:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield ledger.comparisons
    ledger.close()


def test_places_are_counted_and_never_end(comparisons: Comparisons) -> None:
    """Each comparison takes a place, the thirtieth too, over all releases."""
    places = [comparisons.spend("m", "r1", str(number), "0", "better")[1] for number in range(1, 31)]
    assert places == list(range(1, 31))
    assert comparisons.spend("m", "r1+1", "31", "0", "better")[1] == 31
    assert comparisons.spend("other", "r1", "1", "0", "better")[1] == 1


def test_same_comparison_keeps_its_place(comparisons: Comparisons) -> None:
    """Asking again shows nothing new and costs nothing; another champion, rule or release does."""
    assert comparisons.spend("m", "r1", "2", "1", "better")[1] == 1
    assert comparisons.spend("m", "r1", "2", "1", "better")[1] == 1
    assert comparisons.spend("m", "r1", "2", "1", "no_worse")[1] == 2
    assert comparisons.spend("m", "r1", "2", "9", "better")[1] == 3
    assert comparisons.spend("m", "r1+1", "2", "1", "better")[1] == 4
    assert comparisons.made("m", "r1", "1", "better") == {"2": 1}


def test_new_test_images_earn_their_share(comparisons: Comparisons) -> None:
    """The first release earns nothing; a later one what no release had before, from the place at which it came."""
    comparisons.note("m", "r1", "a", R1)
    comparisons.spend("m", "r1", "2", "1", "better")
    comparisons.note("m", "r1+1", "b", [*R1, *(f"new{number}" for number in range(25))])
    comparisons.note("m", "r1+1", "b", [*R1, *(f"new{number}" for number in range(25))])
    assert comparisons.earned("m") == [(0, 0.0), (1, 0.2)]
    comparisons.note("m", "r2", "c", R1[:50])
    assert comparisons.earned("m")[-1] == (1, 0.0)


def test_changed_release_is_stale(comparisons: Comparisons) -> None:
    """A release whose list of images is another than at its first use is refused."""
    comparisons.note("m", "r1", "a", R1)
    with pytest.raises(RegistryError, match="test release r1 is stale"):
        comparisons.note("m", "r1", "b", R1[1:])


def test_ledger_of_before_goes_on(tmp_path: Path) -> None:
    """Where twenty comparisons were made by the count of before, the next place is the 21st, and none is refused."""
    uri = f"sqlite:///{tmp_path / 'ledger.db'}"
    Ledger(uri).close()
    engine = sa.create_engine(uri)
    with engine.begin() as connection:
        for place in range(1, 21):
            connection.execute(
                sa.text("INSERT INTO comparisons VALUES ('m', 'r1', :place, :version, '1', 'better')"),
                {"place": place, "version": str(place + 1)},
            )
        connection.execute(sa.text("INSERT INTO releases VALUES ('m', 'r1', 'a', '[\"image0\"]', 'r1')"))
    engine.dispose()
    ledger = Ledger(uri)
    ledger.comparisons.note("m", "r1", "a", ["image0"])
    assert ledger.comparisons.spend("m", "r1", "40", "1", "better")[1] == 21
    assert ledger.comparisons.spend("m", "r1", "41", "1", "better")[1] == 22
    ledger.close()
