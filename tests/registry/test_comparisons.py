"""Twenty comparisons on a release, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

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


def test_places_are_counted_and_the_21st_is_refused(comparisons: Comparisons) -> None:
    """Each comparison takes a place; none is left after twenty, and the remedy is named."""
    places = [comparisons.spend("m", "r1", str(number), "0", "better", 20) for number in range(1, 21)]
    assert places == list(range(1, 21))
    with pytest.raises(RegistryError, match="at least half of whose images are new"):
        comparisons.spend("m", "r1", "21", "0", "better", 20)


def test_same_comparison_keeps_its_place(comparisons: Comparisons) -> None:
    """Asking again shows nothing new and costs nothing; another champion or rule does."""
    assert comparisons.spend("m", "r1", "2", "1", "better", 20) == 1
    assert comparisons.spend("m", "r1", "2", "1", "better", 20) == 1
    assert comparisons.spend("m", "r1", "2", "1", "no_worse", 20) == 2
    assert comparisons.spend("m", "r1", "2", "9", "better", 20) == 3


def test_count_goes_on_with_a_release_of_the_same_images(comparisons: Comparisons) -> None:
    """A new name is no new release: fewer than half new images share the count of those that they come from."""
    assert comparisons.series("m", "r1", "a", R1) == "r1"
    mostly_old = [*R1[:60], *(f"new{number}" for number in range(40))]
    assert comparisons.series("m", "r2", "b", mostly_old) == "r1"


def test_count_starts_anew_with_half_new_images(comparisons: Comparisons) -> None:
    """Half of the images in no release before: a count of its own."""
    comparisons.series("m", "r1", "a", R1)
    half = [*R1[:50], *(f"new{number}" for number in range(50))]
    assert comparisons.series("m", "r2", "b", half) == "r2"
    assert comparisons.series("m", "r1", "a", R1) == "r1"


def test_changed_release_is_stale(comparisons: Comparisons) -> None:
    """A release whose list of images is another than at its first use is refused."""
    comparisons.series("m", "r1", "a", R1)
    with pytest.raises(RegistryError, match="test release r1 is stale"):
        comparisons.series("m", "r1", "b", R1[1:])
